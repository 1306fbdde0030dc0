"""Designs: who is compared with whom, who is left out and why, and what is refused."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.design.build import make_design, pool_initiatives
from cps.design.frame import design_from_frame
from cps.design.record import Exclusion, Initiative, TreatedUnit
from cps.errors import DesignError, InitiativeError, Text, UsageError
from cps.panel.record import Panel

YEARS = range(2017, 2025)


def village_panel(n_villages: int = 8, missing: tuple[tuple[str, int], ...] = ()) -> Panel:
    """Income of 100,000 元 and up, two areas, 8 years."""
    rows = [
        {
            "unit": f"村{i:02d}",
            "area": "甲镇" if i < n_villages - 2 else "乙镇",
            "period": year,
            "period_label": str(year),
            "regime": "2023" if year >= 2024 else "2004",
            "is_synthetic": True,
            "income_yuan": None
            if (f"村{i:02d}", year) in missing
            else 100_000 * (i + 1) + 5_000 * (year - 2017),
        }
        for i in range(n_villages)
        for year in YEARS
    ]
    frame = pl.DataFrame(rows, schema_overrides={"period": pl.Int32})
    return Panel(frame, "year", "village", (), (), True)


def initiative(
    *hosts: tuple[str, str],
    id: str = "bonsai",
    areas: tuple[str, ...] = (),
    exclusions: tuple[Exclusion, ...] = (),
    unit_kind: str = "village",
) -> Initiative:
    """Give an initiative with the hosts and months named."""
    return Initiative(
        id=id,
        name=Text(f"{id}（示例）", f"{id} (example)"),
        description=Text("", ""),
        format="bonsai",
        provenance="illustrative",
        stands_for=(),
        is_synthetic=True,
        unit_kind=unit_kind,
        frequency="year",
        outcomes=("income_yuan",),
        treated=tuple(
            TreatedUnit(unit, datetime.date.fromisoformat(f"{month}-01"), {})
            for unit, month in hosts
        ),
        comparison_areas=areas,
        exclusions=exclusions,
        anticipation=0,
        assumptions=(),
        source_sha256="",
    )


def reasons(design: object) -> dict[str | None, str]:
    """Give unit -> reason for all that were left out."""
    return {one.unit: one.reason for one in design.exclusions}  # type: ignore[attr-defined]


def test_the_cohort_is_the_year_of_the_start_and_income_is_compared_in_logs() -> None:
    design = make_design(village_panel(), initiative(("村00", "2021-05")))
    assert dict(zip(design.units, design.cohort, strict=True))["村00"] == 2021
    assert design.form == "log"
    assert np.allclose(np.exp(design.y), design.y_natural)
    assert design.n_treated == 1
    assert design.n_donors == 7


def test_a_host_of_two_initiatives_is_left_out_and_said_so() -> None:
    ours = initiative(("村00", "2021-05"), ("村01", "2020-01"))
    other = initiative(("村01", "2022-03"), ("村02", "2019-01"), id="flowers")
    design = make_design(village_panel(), ours, others=(ours, other))
    assert reasons(design) == {"村01": "overlap", "村02": "overlap"}
    (finding,) = [one for one in design.findings if one.code == "W-DESIGN-OVERLAP"]
    assert finding.where == "村01"
    assert "flowers" in finding.what.en
    assert "2022-03" in finding.what.zh


def test_hosts_of_other_initiatives_never_serve_as_comparison() -> None:
    other = initiative(("村02", "2019-01"), id="flowers")
    design = make_design(village_panel(), initiative(("村00", "2021-05")), others=(other,))
    assert "村02" not in design.units


def test_declared_exclusions_keep_their_reasons() -> None:
    why = Text("相邻", "next door")
    ours = initiative(
        ("村00", "2021-05"),
        exclusions=(
            Exclusion("村03", None, "spillover", why),
            Exclusion(None, "乙镇", "contaminated", why),
        ),
    )
    design = make_design(village_panel(), ours)
    assert reasons(design) == {"村03": "spillover", "村06": "contaminated", "村07": "contaminated"}


def test_areas_that_were_not_agreed_on_are_not_compared() -> None:
    design = make_design(village_panel(), initiative(("村00", "2021-05"), areas=("甲镇",)))
    assert reasons(design) == {"村06": "not_listed", "村07": "not_listed"}


def test_a_village_with_a_gap_is_left_out_with_the_number_of_missing_years() -> None:
    panel = village_panel(missing=(("村04", 2018), ("村04", 2019)))
    design = make_design(panel, initiative(("村00", "2021-05")))
    (left_out,) = design.exclusions
    assert (left_out.unit, left_out.reason) == ("村04", "missing")
    assert "2 of 8" in left_out.explanation.en


def test_a_host_that_no_ledger_holds_is_named() -> None:
    design = make_design(village_panel(), initiative(("村00", "2021-05"), ("别村", "2020-01")))
    assert reasons(design)["别村"] == "not_in_panel"


def test_the_change_of_accounting_system_is_a_finding() -> None:
    design = make_design(village_panel(), initiative(("村00", "2021-05")))
    (finding,) = [one for one in design.findings if one.code == "W-DESIGN-REGIME-BREAK"]
    assert "2024" in finding.where


@pytest.mark.parametrize(
    ("hosts", "areas", "exclusions", "part"),
    [
        ((("别村", "2021-01"),), (), (), "no host is left"),
        ((("村00", "2016-01"),), (), (), "no treated unit is left"),
        ((("村00", "2021-01"),), ("丙镇",), (), "no comparison unit is left"),
    ],
)
def test_what_cannot_be_identified_is_refused_in_three_parts(
    hosts: tuple, areas: tuple, exclusions: tuple, part: str
) -> None:
    with pytest.raises(DesignError) as caught:
        make_design(village_panel(), initiative(*hosts, areas=areas, exclusions=exclusions))
    message = caught.value.message("en")
    assert part in message
    assert "where: bonsai" in message
    assert "mend :" in message
    assert "位置" in caught.value.message("zh")


def test_an_unknown_outcome_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="income_yuan"):
        make_design(village_panel(), initiative(("村00", "2021-05")), outcome="income")


def test_an_initiative_of_firms_does_not_go_with_a_panel_of_villages() -> None:
    with pytest.raises(InitiativeError, match="firm"):
        make_design(village_panel(), initiative(("村00", "2021-05"), unit_kind="firm"))


def test_pooling_counts_a_village_from_its_first_start() -> None:
    pooled = pool_initiatives(
        [
            initiative(("村00", "2021-05"), ("村01", "2020-03")),
            initiative(("村01", "2019-02"), id="flowers"),
        ]
    )
    starts = {host.unit: host.start for host in pooled.treated}
    assert starts == {"村00": datetime.date(2021, 5, 1), "村01": datetime.date(2019, 2, 1)}


def test_the_hash_moves_with_the_data_and_with_who_is_compared_and_with_nothing_else() -> None:
    base = make_design(village_panel(), initiative(("村00", "2021-05")))
    same = make_design(village_panel(), initiative(("村00", "2021-09")))
    assert base.design_hash == same.design_hash
    others = [
        make_design(village_panel(), initiative(("村00", "2022-05"))),
        make_design(village_panel(), initiative(("村01", "2021-05"))),
        make_design(village_panel(), initiative(("村00", "2021-05")), form="level"),
        make_design(village_panel(9), initiative(("村00", "2021-05"))),
    ]
    assert len({base.design_hash, *(one.design_hash for one in others)}) == 5


def test_nothing_in_a_design_can_be_changed_after_its_hash_is_taken() -> None:
    design = make_design(village_panel(), initiative(("村00", "2021-05")))
    with pytest.raises(ValueError, match="read-only"):
        design.y[0, 0] = 1


def test_the_detectable_effect_does_not_read_the_outcome_of_hosts() -> None:
    panel = village_panel()
    doubled = pl.when(unit="村00").then(pl.col("income_yuan") * 2).otherwise("income_yuan")
    other = Panel(panel.frame.with_columns(income_yuan=doubled), "year", "village", (), (), True)
    ours = initiative(("村00", "2021-05"))
    assert (
        make_design(panel, ours).minimum_detectable_effect
        == make_design(other, ours).minimum_detectable_effect
    )


def test_the_detectable_effect_agrees_with_simulated_power() -> None:
    # One treated unit and 40 comparison units of independent noise: by its definition, a true
    # effect of that size must be found in 80% of samples by a 5% z test that knows the noise.
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(41, 6))
    frame = pl.DataFrame(
        {
            "unit": np.repeat(np.arange(41), 6),
            "period": np.tile(np.arange(1, 7), 41),
            "outcome": noise.ravel(),
            "cohort": np.where(np.repeat(np.arange(41), 6) == 0, 4, 0),
        }
    )
    design = design_from_frame(
        frame, unit="unit", period="period", outcome="outcome", cohort="cohort"
    )
    effect = design.minimum_detectable_effect
    assert effect is not None
    draws = rng.normal(size=(20_000, 41, 6))
    changes = draws[:, :, 3:].mean(axis=2) - draws[:, :, :3].mean(axis=2)
    estimates = changes[:, 0] - changes[:, 1:].mean(axis=1)
    true_effect = (1.959964 + 0.841621) * estimates.std()
    power = (np.abs(estimates + true_effect) > 1.959964 * estimates.std()).mean()
    assert abs(power - 0.80) < 0.015
    # The design sees one sample of 40 comparison units: its spread has a relative error of 11%.
    assert abs(effect / true_effect - 1) < 0.35


@given(st.permutations(range(40)))
def test_the_order_of_rows_in_a_frame_does_not_matter(order: list[int]) -> None:
    frame = pl.DataFrame(
        {
            "id": [i for i in range(8) for _ in range(5)],
            "year": list(range(2001, 2006)) * 8,
            "y": [float(i * 7 % 5 + t) for i in range(8) for t in range(5)],
            "first": [2003 if i < 3 else 0 for i in range(8) for _ in range(5)],
        }
    )
    names = {"unit": "id", "period": "year", "outcome": "y", "cohort": "first"}
    shuffled = frame[list(order)]
    assert (
        design_from_frame(shuffled, **names).design_hash
        == design_from_frame(frame, **names).design_hash
    )


@pytest.mark.parametrize("never", [0, None, float("inf"), float("nan")])
def test_every_coding_of_never_treated_means_the_same(never: float | None) -> None:
    cohort = [2003.0 if i < 2 else never for i in range(6) for _ in range(4)]
    frame = pl.DataFrame(
        {
            "id": [i for i in range(6) for _ in range(4)],
            "year": list(range(2001, 2005)) * 6,
            "y": [float(i + t) for i in range(6) for t in range(4)],
            "first": cohort,
        },
        schema_overrides={"first": pl.Float64},
    )
    design = design_from_frame(frame, unit="id", period="year", outcome="y", cohort="first")
    assert design.cohort == (2003, 2003, None, None, None, None)


def test_a_unit_with_two_cohorts_and_a_key_that_occurs_twice_are_refused() -> None:
    frame = pl.DataFrame(
        {"id": [1, 1, 2, 2], "year": [1, 2, 1, 2], "y": [1.0] * 4, "first": [1, 2, 0, 0]}
    )
    names = {"unit": "id", "period": "year", "outcome": "y", "cohort": "first"}
    with pytest.raises(DesignError):
        design_from_frame(frame, **names)
    twice = frame.with_columns(year=1, first=0)
    with pytest.raises(DesignError):
        design_from_frame(twice, **names)


def test_a_host_without_all_its_periods_is_refused_by_name_and_period() -> None:
    gaps = (("村00", 2020), ("村00", 2022))
    with pytest.raises(DesignError) as error:
        make_design(village_panel(missing=gaps), initiative(("村00", "2021-05")))
    assert "村00, 2 of 8 periods missing or not positive (2020, 2022)" in str(error.value)
    assert "supply the ledgers of those periods" in str(error.value)


def test_a_start_after_the_panel_is_refused_in_words() -> None:
    with pytest.raises(DesignError, match="no unit starts within the periods"):
        make_design(village_panel(), initiative(("村00", "2030-01")))
