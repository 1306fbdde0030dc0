"""Any unit, any frequency, any scale goes the whole way: design, estimate, checks, run, page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.build import make_design
from cps.design.frame import design_from_frame
from cps.design.record import Design, Exclusion
from cps.errors import DesignError, Text, UsageError
from cps.estimators.registry import estimate
from cps.panel.record import Panel
from cps.periods import Frequency, label
from tests.design.panels import initiative

# The checks that this part of the package keeps; others have tests of their own.
CHECKS = [
    "bunching",
    "contaminated_controls",
    "leave_one_out",
    "overlap",
    "placebo_in_space",
    "placebo_in_time",
    "pre_fit",
    "spillover",
]


def frame(periods: list, first: object, *, n: int = 26, seed: int = 0) -> pl.DataFrame:
    """Units with positive outcomes that share their ups and downs; two start at ``first``."""
    rng = np.random.default_rng(seed)
    t = len(periods)
    size = np.exp(rng.normal(2, 0.5, (n, 1)) + 0.1 * rng.normal(size=(n, t)))
    size *= np.exp(0.3 * np.sin(np.arange(t)))[None, :]
    return pl.DataFrame(
        {
            "who": [f"n{i:02d}" for i in range(n) for _ in range(t)],
            "when": list(periods) * n,
            "what": (100 * size).ravel(),
            "people": np.repeat(rng.integers(200, 2_000, n), t),
            "first": [first if i < 2 else None for i in range(n) for _ in range(t)],
        },
        strict=False,
    )


YEARS = list(range(2015, 2025))
QUARTERS = [f"{year}Q{q}" for year in (2021, 2022, 2023) for q in (1, 2, 3, 4)]
MONTHS = [f"{year}-{m:02d}" for year in (2022, 2023) for m in range(1, 13)]
CASES: dict[str, tuple[pl.DataFrame, dict, str]] = {
    "villages, years, logs": (
        frame(YEARS, 2021),
        {"unit_kind": "village", "form": "log", "measure": "yuan"},
        "2021",
    ),
    "firms, quarters, levels": (
        frame(QUARTERS, "2023Q1"),
        {"unit_kind": "firm", "frequency": "quarter", "measure": "件"},
        "2023Q1",
    ),
    "lease lots, months, logs": (
        frame(MONTHS, "2023-07"),
        {"unit_kind": "lot", "frequency": "month", "form": "log", "measure": "元/亩"},
        "2023-07",
    ),
    "grid cells, fractional quarters, rates": (
        frame([2021 + q / 4 for q in range(12)], 2023.0),
        {"unit_kind": "cell", "frequency": "quarter", "form": "rate", "denominator": "people"},
        "2023Q1",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_frame_of_any_kind_becomes_a_page(case: str, tmp_path: Path) -> None:
    data, more, start = CASES[case]
    design = design_from_frame(
        data,
        unit="who",
        period="when",
        outcome="what",
        cohort="first",
        name="case",
        is_synthetic=True,
        **more,
    )
    assert design.minimum_detectable_effect is not None
    effect = cps.estimate(design, options={"weights": "did"})
    checks = cps.check_robustness(design, effect, names=CHECKS)
    assert [one.name for one in checks] == CHECKS
    assert all(one.explanation.zh and one.explanation.en for one in checks)
    assert {one.name: one.verdict for one in checks}["placebo_in_space"] is not None
    run = cps.make_run(design, None, effects=[effect], checks=checks)
    languages = ("zh", "en") if case.startswith("firms") else ("zh",)
    written = cps.write_report(run, tmp_path, languages=languages)
    pages = [path.read_text(encoding="utf-8") for path in written]
    assert len(pages) == len(languages)
    for page in pages:
        assert start in page
        assert "n00" in page
    assert "合成数据" in pages[0]


def test_a_rate_is_named_after_both_its_columns_and_divides_them() -> None:
    data, more, _ = CASES["grid cells, fractional quarters, rates"]
    one = design_from_frame(data, unit="who", period="when", outcome="what", cohort="first", **more)
    assert one.measure == "what/people"
    assert one.denominator is not None
    assert np.allclose(one.y, one.y_natural / one.denominator)


def panel(frequency: Frequency = "year", n: int = 20, t: int = 8) -> Panel:
    """Villages with income that has a season, from 2017 on; the last two lie elsewhere."""
    rng = np.random.default_rng(1)
    first = {"year": 2017, "quarter": 2017 * 4, "month": 2017 * 12}[frequency]
    season = 0.5 * np.sin(2 * np.pi * np.arange(t) / 12) if frequency == "month" else np.zeros(t)
    income = np.exp(11 + rng.normal(0, 0.5, (n, 1)) + season + 0.2 * rng.normal(size=(n, t)))
    data = pl.DataFrame(
        {
            "unit": [f"村{i:02d}" for i in range(n) for _ in range(t)],
            "area": [["甲镇", "乙镇", "丙镇", "丁镇"][i % 4] for i in range(n) for _ in range(t)],
            "period": [first + k for _ in range(n) for k in range(t)],
            "period_label": [label(first + k, frequency) for _ in range(n) for k in range(t)],
            "regime": [None] * (n * t),
            "is_synthetic": [True] * (n * t),
            "income_yuan": income.round().astype(np.int64).ravel(),
            "jobs_persons": rng.integers(1, 60, n * t),
            "people": np.repeat(rng.integers(300, 900, n), t),
        },
        schema_overrides={"period": pl.Int32, "regime": pl.String},
    )
    return Panel(data, frequency, "village", (), (), True)


def monthly() -> Design:
    return make_design(
        panel("month", t=84),
        initiative(("村00", "2021-05"), ("村01", "2022-03"), frequency="month"),
    )


def test_a_monthly_panel_of_84_months_is_designed_estimated_and_checked() -> None:
    one = monthly()
    assert len(one.periods) == 84
    assert one.cohorts == (2021 * 12 + 4, 2022 * 12 + 2)
    assert one.minimum_detectable_effect is not None
    effect = cps.estimate(one, options={"weights": "did"})
    # No effect was put in: months add up to little noise, 0.2 * sqrt((1/52 + 1/32) / 2 + …).
    assert abs(effect.overall.att or 9.0) < 0.1
    checks = cps.check_robustness(one, effect, names=CHECKS)
    assert {check.name for check in checks if check.verdict is False} <= {
        "overlap",
        "placebo_in_space",  # there is no effect to stand out
    }


def test_levels_promised_for_a_year_are_no_thresholds_of_a_month() -> None:
    assert monthly().thresholds == ()
    assert make_design(panel(), initiative(("村00", "2021-05"))).thresholds == (5e5, 1e6)


def test_a_season_that_all_villages_share_does_not_move_the_monthly_estimate() -> None:
    one = monthly()
    bare = panel("month", t=84)
    months = pl.col("period") % 12
    lumpy = bare.frame.with_columns(income_yuan=pl.col("income_yuan") * (1 + 3 * (months == 0)))
    other = make_design(
        Panel(lumpy, "month", "village", (), (), True),
        initiative(("村00", "2021-05"), ("村01", "2022-03"), frequency="month"),
    )
    plain = {"weights": "did"}
    assert cps.estimate(other, options=plain).overall.att == pytest.approx(
        cps.estimate(one, options=plain).overall.att, abs=1e-9
    )


def test_rates_covariates_weights_and_clusters_of_a_panel_enter_the_design() -> None:
    one = make_design(
        panel(),
        initiative(("村00", "2021-05")),
        form="rate",
        denominator="people",
        covariates=["jobs_persons"],
        weights="people",
        cluster="area",
    )
    assert one.form == "rate"
    assert one.measure == "yuan/people"
    assert one.denominator is not None
    assert np.allclose(one.y, one.y_natural / one.denominator)
    assert one.covariate_names == ("jobs_persons",)
    assert one.weights is not None
    assert (one.weights == one.denominator).all()
    assert one.cluster is not None
    assert one.cluster[one.units.index("村05")] == "乙镇"
    assert one.minimum_detectable_effect is not None


def test_columns_that_a_panel_does_not_have_are_refused_with_those_it_has() -> None:
    ours = initiative(("村00", "2021-05"))
    with pytest.raises(UsageError, match="jobs_persons"):
        make_design(panel(), ours, covariates=["jobs"])
    with pytest.raises(UsageError, match="people"):
        make_design(panel(), ours, weights="peoples")
    with pytest.raises(DesignError, match="a rate needs a denominator"):
        make_design(panel(), ours, form="rate")
    torn = panel()
    moved = torn.frame.with_columns(
        area=pl.when(unit="村03", period=2019).then(pl.lit("戊镇")).otherwise("area")
    )
    with pytest.raises(DesignError, match="村03"):
        make_design(Panel(moved, "year", "village", (), (), True), ours, cluster="area")


def test_a_joint_design_keeps_all_hosts_with_their_starts_and_none_of_them_as_donors() -> None:
    ours = initiative(("村00", "2020-05"), ("村01", "2021-05"))
    flowers = initiative(("村01", "2019-03"), ("村02", "2018-02"), id="flowers")
    late = initiative(("村03", "2031-01"), id="later")
    early = initiative(("村04", "2016-01"), id="old")
    near = Exclusion("村05", None, "spillover", Text("相邻", "next door"))
    ours = initiative(("村00", "2020-05"), ("村01", "2021-05"), exclusions=(near,))
    one = make_design(panel(), ours, others=[ours, flowers, late, early], joint=True)
    assert set(one.other_cohorts) == {"flowers"}
    starts = dict(zip(one.units, one.other_cohorts["flowers"], strict=True))
    assert {unit: start for unit, start in starts.items() if start} == {"村01": 2019, "村02": 2018}
    donors = {unit for unit, is_one in zip(one.units, one.is_donor, strict=True) if is_one}
    assert donors.isdisjoint({"村00", "村01", "村02", "村04", "村05"})
    assert "村03" in donors  # starts after the panel
    reasons = {exclusion.unit: exclusion for exclusion in one.exclusions}
    assert reasons["村04"].reason == "always_treated"
    assert "hosts old since 2017 or before" in reasons["村04"].explanation.en
    assert reasons["村05"].reason == "spillover"
    assert one.left_out[0].unit == "村05"
    # Without joint, the overlap is left out and said so, as ever.
    plain = make_design(panel(), ours, others=[flowers, late, early])
    assert plain.other_cohorts == {}
    assert plain.n_treated == 1


def test_a_joint_design_goes_to_its_method_and_no_other() -> None:
    ours = initiative(("村00", "2020-05"), ("村01", "2021-05"))
    flowers = initiative(("村01", "2019-03"), ("村02", "2018-02"), id="flowers")
    one = make_design(panel(), ours, others=[flowers], joint=True)
    effect = cps.estimate(one, "joint_effects")
    assert effect.n_treated == 2
    assert effect.tables["other_initiatives"]["initiative"][0] == "flowers"
    checks = cps.check_robustness(one, effect, names=CHECKS)
    assert {check.name: check.verdict for check in checks}["leave_one_out"] is not None
    with pytest.raises(DesignError, match="host other initiatives too"):
        cps.estimate(one, "synthetic_did")


def test_a_frame_of_firms_can_be_joint_too() -> None:
    data = frame(QUARTERS, "2023Q1").with_columns(
        grant=pl.when(pl.col("who").is_in(["n01", "n05"]))
        .then(pl.lit("2022Q1"))
        .when(pl.col("who") == "n06")
        .then(pl.lit("2021Q1")),
    )
    one = design_from_frame(
        data,
        unit="who",
        period="when",
        outcome="what",
        cohort="first",
        frequency="quarter",
        other_cohorts={"grant": "grant"},
    )
    starts = dict(zip(one.units, one.other_cohorts["grant"], strict=True))
    assert {unit: start for unit, start in starts.items() if start is not None} == {
        "n01": 2022 * 4,
        "n05": 2022 * 4,
    }
    assert not one.is_donor[one.units.index("n05")]
    assert "n06" not in one.units  # had it from the first period on
    assert [left.reason for left in one.exclusions] == ["always_treated"]
    assert cps.estimate(one, "joint_effects").overall.att is not None
    with pytest.raises(UsageError, match="grant"):
        design_from_frame(
            data,
            unit="who",
            period="when",
            outcome="what",
            cohort="first",
            frequency="quarter",
            other_cohorts={"grant": "grants"},
        )


def test_a_gap_in_a_covariate_alone_may_stay_and_methods_that_can_not_bear_it_say_so() -> None:
    frame = pl.DataFrame(
        {
            "unit": [f"u{i}" for i in range(8) for _ in range(6)],
            "year": list(range(2015, 2021)) * 8,
            "y": [float((3 * i + t * t) % 7 + t) for i in range(8) for t in range(6)],
            "first": [2019 if i < 2 else None for i in range(8) for _ in range(6)],
            "x": [None if (i, t) == (5, 0) else float(i + t) for i in range(8) for t in range(6)],
        }
    )
    roles = {"unit": "unit", "period": "year", "outcome": "y", "cohort": "first"}
    dropped = design_from_frame(frame, **roles, covariates=["x"])
    assert "u5" not in dropped.units
    (gone,) = dropped.exclusions
    assert gone.explanation.en == "covariate x missing in 1 periods"
    kept = design_from_frame(frame, **roles, covariates=["x"], missing="keep_covariates")
    assert "u5" in kept.units
    assert kept.is_balanced
    with pytest.raises(DesignError, match="a covariate has gaps") as caught:
        estimate(kept, "group_time_att")
    assert "synthetic_control" in caught.value.mend.en


def test_another_librarys_table_is_refused_with_the_way_to_turn_it() -> None:
    with pytest.raises(UsageError, match=r"polars\.DataFrame") as caught:
        design_from_frame({"unit": []}, unit="u", period="t", outcome="y", cohort="c")  # type: ignore[arg-type]
    assert "from_pandas" in caught.value.mend.en


def test_months_counted_from_one_keep_their_numbers_and_float_names_lose_their_point() -> None:
    frame = pl.DataFrame(
        {
            "unit": [float(4800000 + i) for i in range(4) for _ in range(3)],
            "month": [1, 2, 3] * 4,
            "y": [float((i * 5 + t * t) % 4) for i in range(4) for t in range(3)],
            "first": [3 if i == 0 else None for i in range(4) for _ in range(3)],
        }
    )
    design = design_from_frame(
        frame, unit="unit", period="month", outcome="y", cohort="first", frequency="month"
    )
    assert design.period_labels == ("1", "2", "3")
    assert design.units[0] == "4800000"


@pytest.mark.parametrize(
    ("said", "here"),
    [
        ("sdid", "synthetic_did"),
        ("TWFE", "two_way_fixed_effects"),
        ("gsynth", "interactive_fixed_effects"),
    ],
)
def test_a_method_called_as_elsewhere_is_told_its_name_here(said: str, here: str) -> None:
    frame = pl.DataFrame(
        {"u": ["a", "a", "b", "b"], "t": [1, 2, 1, 2], "y": [1.0, 2, 3, 5], "c": [2, 2, None, None]}
    )
    design = design_from_frame(frame, unit="u", period="t", outcome="y", cohort="c")
    with pytest.raises(UsageError) as caught:
        estimate(design, said)
    assert here in caught.value.mend.en
