"""What can't be identified is refused in words: what, where, and how to make it possible."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from cps.design.build import make_design
from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError, UsageError
from cps.panel.record import Panel
from tests.design.panels import initiative

NAMES = {"unit": "id", "period": "year", "outcome": "y", "cohort": "first"}


def frame(n: int = 6, t: int = 5) -> pl.DataFrame:
    """Units a, b, … over 2001–2005; a and b start in 2003."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "id": [chr(97 + i) for i in range(n) for _ in range(t)],
            "year": list(range(2001, 2001 + t)) * n,
            "y": 10 + rng.normal(size=n * t),
            "first": [2003 if i < 2 else None for i in range(n) for _ in range(t)],
            "town": [f"t{i % 3}" for i in range(n) for _ in range(t)],
            "on": [int(i < 2 and year >= 2003) for i in range(n) for year in range(2001, 2001 + t)],
        },
        schema_overrides={"first": pl.Int64},
    )


def set_(column: str, value: object, **where: object) -> pl.DataFrame:
    """Give the frame with one value changed."""
    base = frame()
    return base.with_columns(
        pl.when(**where).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


REFUSED: dict[str, tuple[pl.DataFrame, dict, str, str, str]] = {
    # case -> (frame, further arguments, what, where, how to mend)
    "all treated": (
        frame().with_columns(first=2003),
        {},
        "all units are treated at once",
        "6 treated, 0 for comparison",
        "never treated, or treated later",
    ),
    "no pre-period": (
        frame().with_columns(first=pl.when(pl.col("first").is_not_null()).then(2001)),
        {},
        "treated by 2001: no period before",
        "always_treated",
        "supply the ledgers of those periods",
    ),
    "start outside the panel": (
        frame().with_columns(first=pl.when(pl.col("first").is_not_null()).then(2044)),
        {},
        "no unit starts within the periods of the panel",
        "frame",
        "check the starts",
    ),
    "one period": (
        frame().filter(pl.col("year") == 2003),
        {},
        "a single period",
        "frame",
        "one period before and after",
    ),
    "no variation in the outcome": (
        frame().with_columns(y=7.0),
        {},
        "the outcome is 7 in every unit and period",
        "frame › y",
        "right column",
    ),
    "treatment that ends": (
        set_("on", 0, id="a", year=2005),
        {"cohort": None, "treated": "on"},
        "treatment ends again in 1 units",
        "column on › unit a, period 2005",
        "keep the periods before its end",
    ),
    "duplicates": (
        pl.concat([frame(), frame().head(2)]),
        {},
        "2 pairs of unit and period occur more than once",
        "unit a, period 2001 (2 rows)",
        "merge or drop",
    ),
    "a unit in two clusters": (
        set_("town", "elsewhere", id="c", year=2004),
        {"cluster": "town"},
        "cluster is empty or changes in 1 units",
        "unit c",
        "one group",
    ),
    "a unit with two cohorts": (
        set_("first", 2004, id="b", year=2005),
        {},
        "1 units change their cohort",
        "unit b",
        "one first treated period",
    ),
    "an infinite outcome": (
        set_("y", math.inf, id="d", year=2002),
        {},
        "1 values of the outcome are infinite",
        "frame › y: d, 2002",
        "make it null",
    ),
    "an outcome too large to square": (
        frame().with_columns(pl.col("y") * 1e200),
        {},
        "can't be computed with",
        "frame › y",
        "in another unit",
    ),
    "an outcome too small to square": (
        frame().with_columns(pl.col("y") * 1e-200),
        {},
        "can't be computed with",
        "frame › y",
        "in another unit",
    ),
    "hosts without a number": (
        frame().with_columns(
            y=pl.when(id="a").then(math.nan).when(id="b").then(None).otherwise("y")
        ),
        {},
        "a, 5 of 5 periods missing",
        "missing",
        "at least one host needs all periods",
    ),
    "hosts without a logarithm": (
        frame().with_columns(y=pl.when(pl.col("first").is_null()).then("y").otherwise(-1.0)),
        {"form": "log"},
        "missing or not positive",
        "missing",
        "supply the ledgers",
    ),
    "a weight that is not positive": (
        frame().with_columns(w=pl.when(id="c", year=2004).then(0.0).otherwise(1.0)),
        {"weights": "w"},
        "a weight must be positive",
        "c, 2004: 0",
        "leave the unit out",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_identified_is_refused_with_what_where_and_how_to_mend(case: str) -> None:
    data, more, what, where, mend = REFUSED[case]
    with pytest.raises(DesignError) as caught:
        design_from_frame(data, **{**NAMES, **more})
    message = caught.value.message("en")
    assert what in message
    assert where in message.split("where:")[1]
    assert mend in message.split("mend :")[1]
    # The Chinese says the same, and says it in Chinese.
    chinese = caught.value.message("zh")
    assert "位置" in chinese
    assert any("一" <= letter <= "鿿" for letter in caught.value.what.zh)
    assert any("一" <= letter <= "鿿" for letter in caught.value.mend.zh)


def design(data: pl.DataFrame, **more: object) -> Design:
    return design_from_frame(data, **{**NAMES, **more})  # type: ignore[arg-type]


def codes(one: Design) -> dict[str, str]:
    return {finding.code: finding.what.en for finding in one.findings}


def test_comparison_units_without_a_logarithm_are_left_out_with_the_remedy() -> None:
    one = design(set_("y", 0.0, id="e", year=2002), form="log")
    (finding,) = [f for f in one.findings if f.code == "W-DESIGN-NOT-POSITIVE"]
    assert finding.where == "e 2002: 0"
    assert "form='level'" in finding.mend.en
    assert "e" not in one.units


def test_one_treated_and_one_comparison_cluster_warn_that_no_clustered_error_is_valid() -> None:
    # As in Card & Krueger: New Jersey against Pennsylvania.
    data = frame(30).with_columns(
        state=pl.when(pl.col("first").is_null()).then(pl.lit("PA")).otherwise(pl.lit("NJ"))
    )
    one = design(data, cluster="state")
    assert "no cluster-robust error or interval is valid" in codes(one)["W-DESIGN-ONE-CLUSTER"]
    # Two clusters say nothing of how clusters vary: no detectable effect either, and the reason.
    assert one.minimum_detectable_effect is None
    assert "fewer than 3 clusters" in codes(one)["N-DESIGN-NO-MDE"]
    assert "W-DESIGN-ONE-CLUSTER" not in codes(design(data))


def village_panel() -> Panel:
    rng = np.random.default_rng(0)
    rows = [
        {
            "unit": f"村{i:02d}",
            "area": "甲镇",
            "period": year,
            "period_label": str(year),
            "regime": None,
            "is_synthetic": False,
            "income_yuan": int(np.exp(13 + 0.2 * rng.normal())),
        }
        for i in range(12)
        for year in range(2016, 2024)
    ]
    return Panel(
        pl.DataFrame(rows, schema_overrides={"period": pl.Int32, "regime": pl.String}),
        "year",
        "village",
        (),
        (),
        False,
    )


def test_two_initiatives_in_one_village_need_a_joint_model_and_the_message_says_so() -> None:
    ours = initiative(("村00", "2019-01"))
    other = initiative(("村00", "2020-01"), id="flowers")
    with pytest.raises(DesignError) as caught:
        make_design(village_panel(), ours, others=[other])
    message = caught.value.message("en")
    assert "村00: also hosts flowers (example) (from 2020-01)" in message
    assert "joint=True" in message.split("mend :")[1]
    joint = make_design(village_panel(), ours, others=[other], joint=True)
    assert joint.n_treated == 1
    assert joint.other_cohorts["flowers"][joint.units.index("村00")] == 2020


@pytest.mark.parametrize(
    ("argument", "part"),
    [
        ({"form": "logs"}, "did you mean 'log'?"),
        ({"frequency": "monthly"}, "did you mean 'month'?"),
        ({"missing": "drop"}, "drop_unit"),
        ({"comparison": "no"}, "none, required"),
        ({"anticipation": -1}, "no whole number of periods"),
        ({"anticipation": 0.5}, "no whole number of periods"),
        ({"covariates": "y"}, "covariates=['y'], say"),
        ({"covariates": ["y", "y"]}, "a list of different columns"),
        ({"cohort": None}, "give cohort or treated"),
        ({"outcome": "year"}, "one column is given two roles"),
        ({"weights": "why"}, "choose one of"),
    ],
)
def test_an_argument_that_means_nothing_is_refused_and_not_replaced(
    argument: dict, part: str
) -> None:
    with pytest.raises(UsageError) as caught:
        design(frame(), **argument)
    assert part in caught.value.message("en")


def test_a_word_that_is_no_form_is_refused_for_panels_too() -> None:
    with pytest.raises(UsageError, match="did you mean 'log'"):
        make_design(village_panel(), initiative(("村00", "2019-01")), form="logs")  # type: ignore[arg-type]


def test_text_in_the_place_of_numbers_is_refused_with_the_column() -> None:
    with pytest.raises(DesignError) as caught:
        design(frame().with_columns(y=pl.lit("many")))
    assert "column y" in caught.value.where
    with pytest.raises(DesignError, match="a flag must be 0 or 1"):
        design(frame().with_columns(on=pl.lit(0.5)), cohort=None, treated="on")


def test_hosts_named_twice_are_refused() -> None:
    twice = initiative(("村00", "2019-01"), ("村00", "2021-01"))
    with pytest.raises(DesignError) as caught:
        make_design(village_panel(), twice)
    assert "村00 is named 2 times as a host" in caught.value.message("en")
