"""Periods in every usual coding are read exactly, or refused with the remedy."""

from __future__ import annotations

import datetime
import math

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError

N_UNITS = 6


def design(periods: list, first: object, frequency: str, never: object = None) -> Design:
    """Units over the periods given, two of them from ``first`` on."""
    rng = np.random.default_rng(0)
    n = len(periods)
    frame = pl.DataFrame(
        {
            "id": [i for i in range(N_UNITS) for _ in range(n)],
            "when": periods * N_UNITS,
            "y": rng.normal(size=N_UNITS * n),
            "first": [first if i < 2 else never for i in range(N_UNITS) for _ in range(n)],
        },
        strict=False,
    )
    return design_from_frame(
        frame,
        unit="id",
        period="when",
        outcome="y",
        cohort="first",
        frequency=frequency,  # type: ignore[arg-type]
    )


QUARTERS = ("2022Q3", "2022Q4", "2023Q1", "2023Q2")
MONTHS = ("2022-11", "2022-12", "2023-01", "2023-02")
READ = {
    # coding -> (periods, first treated period, frequency, labels)
    "2023Q1": (list(QUARTERS), "2023Q1", "quarter", QUARTERS),
    "2023-Q1 and q": (["2022-Q3", "2022q4", "2023 Q1", "2023-q2"], "2023-Q1", "quarter", QUARTERS),
    "2023年第1季度": (
        ["2022年第三季度", "2022年4季度", "2023年第1季度", "2023年二季度"],
        "2023年第一季度",
        "quarter",
        QUARTERS,
    ),
    "1990.25": ([2022.5, 2022.75, 2023.0, 2023.25], 2023.0, "quarter", QUARTERS),
    "20231": ([20223, 20224, 20231, 20232], 20231, "quarter", QUARTERS),
    "dates of quarters": (
        [datetime.date(2022, 9, 30), datetime.date(2022, 12, 31), datetime.date(2023, 3, 31),
         datetime.date(2023, 6, 30)],
        datetime.date(2023, 1, 1),
        "quarter",
        QUARTERS,
    ),
    "2023-05": (list(MONTHS), "2023-01", "month", MONTHS),
    "2023/5": (["2022/11", "2022/12", "2023/1", "2023/2"], "2023/1", "month", MONTHS),
    "2023年5月": (["2022年11月", "2022年12月", "2023年1月", "2023年02月"], "2023年1月", "month", MONTHS),
    "202305 text": (["202211", "202212", "202301", "202302"], "202301", "month", MONTHS),
    "202305": ([202211, 202212, 202301, 202302], 202301, "month", MONTHS),
    "1990.083": ([2022.833, 2022.917, 2023.0, 2023.083], 2023.0, "month", MONTHS),
    "iso dates": (["2022-11-01", "2022-12-01", "2023-01-01", "2023-02-01"], "2023-01-15", "month",
                  MONTHS),
    "2023 text": (["2021", "2022", "2023年", "2024"], "2023", "year", ("2021", "2022", "2023", "2024")),
    "whole": ([2021, 2022, 2023, 2024], 2023, "year", ("2021", "2022", "2023", "2024")),
    "whole floats": ([2021.0, 2022.0, 2023.0, 2024.0], 2023.0, "year",
                     ("2021", "2022", "2023", "2024")),
}  # fmt: skip


@pytest.mark.parametrize("coding", READ)
def test_a_usual_coding_is_read_exactly(coding: str) -> None:
    periods, first, frequency, labels = READ[coding]
    one = design(periods, first, frequency)
    assert one.period_labels == labels
    assert one.cohorts == (one.periods[2],)
    assert one.n_treated == 2
    # Event time is a difference of ordinals: neighbours differ by one, across a new year too.
    assert set(np.diff(one.periods)) == {1}


@pytest.mark.parametrize("never", [0, None, math.inf, math.nan, 999_999])
def test_never_is_never_in_run_together_months_too(never: float | None) -> None:
    one = design([202211, 202212, 202301, 202302], 202301, "month", never)
    assert one.n_treated == 2
    assert one.n_donors == 4


def test_plain_counts_stay_as_they_are_in_any_frequency() -> None:
    for frequency in ("month", "quarter", "year"):
        one = design([1, 2, 3, 4], 3, frequency)
        assert one.periods == (1, 2, 3, 4)
        assert one.cohorts == (3,)


REFUSED = {
    "months said to be years": ([202211, 202212, 202301, 202302], 202301, "year", "frequency='month'"),
    "quarters said to be years": ([20223, 20224, 20231, 20232], 20231, "year", "frequency='quarter'"),
    "years said to be quarters": ([2020, 2021, 2022, 2023], 2022, "quarter", "frequency='year'"),
    "years said to be months": ([2020.0, 2021.0, 2022.0, 2023.0], 2022.0, "month", "frequency='year'"),
    "fractions said to be years": ([2022.5, 2022.75, 2023.0, 2023.25], 2023.0, "year", "set another"),
    "thirds of a year": ([2022.0, 2022.333, 2022.667, 2023.0], 2022.667, "quarter", "1990.25"),
    "text of another frequency": (["2022Q3", "2022Q4", "2023Q1"], "2023Q1", "month", "2023-05"),
    "a thirteenth month": (["2022-12", "2022-13", "2023-01"], "2023-01", "month", "2023-05"),
    "a month that is none": ([202212, 202213, 202301], 202301, "month", "202305"),
    "serial days of a spreadsheet": ([44896, 44927, 44958], 44927, "month", "give dates"),
    "words": (["spring", "summer", "autumn"], "autumn", "year", "2023"),
    "starts in other terms": ([1, 2, 3, 4], "2023Q1", "quarter", "in the same way"),
    "counts with starts as dates": ([1, 2, 3, 4], datetime.date(2023, 1, 1), "month",
                                    "in the same way"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_exactly_is_refused_with_the_remedy(case: str) -> None:
    periods, first, frequency, remedy = REFUSED[case]
    with pytest.raises(DesignError) as caught:
        design(periods, first, frequency)
    assert remedy in caught.value.message("en").split("mend :")[1]
    assert "column" in caught.value.where
    assert any("一" <= letter <= "鿿" for letter in caught.value.what.zh)


@pytest.mark.parametrize(
    ("years", "n_skipped", "first"),
    [
        ([2015, 2016, 2017, 2018, 2019], 0, ""),
        ([2010, 2012, 2014, 2016, 2018], 0, ""),  # a panel of every second year lacks none
        ([2015, 2016, 2018, 2019, 2020], 1, "2017"),
        ([2010, 2012, 2018, 2020, 2022], 2, "2014"),
    ],
)
def test_periods_that_no_unit_has_are_named(years: list[int], n_skipped: int, first: str) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "unit": [unit for unit in "abcdef" for _ in years],
            "year": years * 6,
            "y": rng.normal(10, 1, 30),
            "first": [years[3] if unit == "a" else None for unit in "abcdef" for _ in years],
        }
    )
    made = design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="first")
    told = [one for one in made.findings if one.code == "W-DESIGN-PERIODS-SKIPPED"]
    assert sum(one.count for one in told) == n_skipped
    assert all(first in one.where for one in told)
