"""Plans: power agrees with what is known of the test, and is honest where assignments are few."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.record import Design
from cps.errors import DesignError, UsageError
from cps.panel.record import Panel
from cps.planning._findings import cell_findings
from cps.planning._tests import Trials, smallest_found
from cps.planning.power import plan
from cps.planning.record import PowerCell
from tests.design.panels import initiative
from tests.design.test_power import persistent
from tests.robustness.worlds import noise, world

PLAIN = {"weights": "did"}


def iid_design(n: int = 60, *, t: int = 8, seed: int = 0) -> Design:
    """Units with independent noise of standard deviation 1; the first one is treated."""
    return world(noise(n + 1, seed=seed, t=t), [2020, *[None] * n])


def village_panel(n: int = 40, *, sd: float = 0.2, seed: int = 0, drop: bool = False) -> Panel:
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(13.5, 0.5, (n, 1)) + sd * rng.normal(size=(n, 8)))
    frame = pl.DataFrame(
        {
            "unit": [f"村{i:02d}" for i in range(n) for _ in range(8)],
            "area": ["甲镇" if i % 2 else "乙镇" for i in range(n) for _ in range(8)],
            "period": np.tile(np.arange(2016, 2024), n),
            "period_label": [str(y) for _ in range(n) for y in range(2016, 2024)],
            "regime": [None] * (8 * n),
            "is_synthetic": [True] * (8 * n),
            "income_yuan": level.round().astype(np.int64).ravel(),
        },
        schema_overrides={"period": pl.Int32, "regime": pl.String},
    )
    if drop:
        frame = frame.with_columns(
            income_yuan=pl.when(unit="村00", period=2018).then(None).otherwise("income_yuan")
        )
    return Panel(frame, "year", "village", (), (), True)


def test_the_power_is_that_of_the_z_test_with_known_noise() -> None:
    # Many units of independent noise: differences-in-differences of k units, b before and a after,
    # has the standard error sd * sqrt((1/b + 1/a) * (1/k + 1/(n - k))), and a rank among many
    # assignments is nearly a z test. 60 units know the noise to 9%, and 200 draws and windows that
    # overlap know shares to some points: the detectable size is asked for to 15%.
    found = plan(
        iid_design(),
        n_treated=[2, 8],
        periods_after=[1, 3],
        sizes=[1.0, 2.0],
        scale="absolute",
        options=PLAIN,
    )
    for cell in found.cells:
        k = cell.n_treated
        se = np.sqrt((1 / 3 + 1 / cell.periods_after) * (1 / k + 1 / (60 - k)))
        truth = (1.959964 + 0.841621) * se
        assert cell.minimum_detectable == pytest.approx(truth, rel=0.15)
        assert cell.false_alarms == pytest.approx(0.05, abs=0.01)
        assert cell.n_windows == 8 - 3 - cell.periods_after + 1


def test_more_villages_and_larger_effects_are_found_more_often() -> None:
    found = plan(village_panel(), n_treated=[2, 4, 8], periods_after=[2], options=PLAIN)
    detectable = [cell.minimum_detectable for cell in found.cells]
    assert detectable == sorted(detectable, reverse=True)
    for cell in found.cells:
        assert list(cell.power) == sorted(cell.power)


def test_what_is_needed_follows_from_the_cells() -> None:
    found = plan(village_panel(), n_treated=[2, 4, 8, 16], periods_after=[1, 3], options=PLAIN)
    table = found.needed_table()
    for size, after, needed in zip(
        table["size"], table["periods_after"], table["n_treated_needed"], strict=True
    ):
        enough = [
            cell.n_treated
            for cell in found.cells
            if cell.periods_after == after and (cell.minimum_detectable or np.inf) <= float(size)
        ]
        assert needed == (min(enough) if enough else None)
    best = found.needed(0.30)
    assert best is not None
    assert best.n_treated == min(
        one
        for one, size in zip(table["n_treated_needed"], table["size"], strict=True)
        if one is not None and size == 0.30
    )
    assert found.needed(1e-6) is None


def test_a_share_in_logs_and_the_amount_it_means_agree() -> None:
    found = plan(village_panel(), n_treated=[4], periods_after=[2], options=PLAIN)
    (cell,) = found.cells
    assert cell.minimum_detectable_natural == pytest.approx(
        (cell.minimum_detectable or 0.0) * found.typical_level
    )
    # The same question asked in 元; villages differ in level, so the two need not agree exactly.
    amounts = plan(
        village_panel(),
        n_treated=[4],
        periods_after=[2],
        options=PLAIN,
        scale="absolute",
        sizes=[100_000.0],
    )
    ratio = (amounts.cells[0].minimum_detectable or 0.0) / (cell.minimum_detectable_natural or 1.0)
    assert 0.6 < ratio < 1.4


def test_hosts_of_initiatives_gaps_and_other_areas_take_no_part() -> None:
    base = plan(village_panel(drop=True), n_treated=[2], periods_after=[1], options=PLAIN)
    assert base.n_units == 39
    hosted = initiative(("村01", "2019-01"), ("村02", "2019-01"))
    less = plan(village_panel(), others=[hosted], n_treated=[2], periods_after=[1], options=PLAIN)
    assert less.n_units == 38
    near = plan(village_panel(), areas=["甲镇"], n_treated=[2], periods_after=[1], options=PLAIN)
    assert near.n_units == 20
    with pytest.raises(UsageError, match="甲镇"):
        plan(village_panel(), areas=["甲"], n_treated=[2], periods_after=[1])


def test_a_design_serves_as_ground_with_what_it_has_settled_and_nothing_else() -> None:
    design = iid_design(30)
    joint = dataclasses.replace(
        design,
        other_cohorts={"flowers": (None, 2018, *[None] * 29)},
        is_donor=np.array([False, False, *[True] * 29]),
    )
    found = plan(joint, n_treated=[2], periods_after=[2], scale="absolute", options=PLAIN)
    assert found.n_units == 29
    assert found.outcome == "y"
    for wrong in ({"form": "log"}, {"areas": ["甲镇"]}):
        with pytest.raises(UsageError, match="settled already"):
            plan(design, n_treated=[2], periods_after=[2], **wrong)  # type: ignore[arg-type]


def test_planned_units_are_tried_as_they_are_and_their_few_assignments_are_said() -> None:
    found = plan(
        village_panel(), units=["村03", "村07"], periods_after=[2], sizes=[0.1, 3.0], options=PLAIN
    )
    (cell,) = found.cells
    assert found.units == ("村03", "村07")
    assert cell.n_treated == 2
    assert cell.n_assignments == cell.n_windows == 4
    assert cell.power[1] == 1.0
    assert "W-PLAN-FEW-ASSIGNMENTS" in {one.code for one in found.findings}


def test_where_no_p_value_can_be_small_enough_nothing_is_ever_found_and_it_is_said() -> None:
    found = plan(
        iid_design(9),
        n_treated=[1],
        periods_after=[2],
        sizes=[100.0],
        scale="absolute",
        options=PLAIN,
    )
    (cell,) = found.cells
    assert cell.p_value_floor == pytest.approx(1 / 9)
    assert cell.power == (0.0,)
    assert cell.minimum_detectable is None
    assert "W-PLAN-NO-SMALL-P" in {one.code for one in found.findings}


def test_cells_without_room_are_absent_with_a_reason_and_none_at_all_is_refused() -> None:
    found = plan(village_panel(), n_treated=[2], periods_after=[2, 9], options=PLAIN)
    assert [cell.periods_after for cell in found.cells] == [2]
    (finding,) = [one for one in found.findings if one.code == "W-PLAN-FEW-PERIODS"]
    assert "no room for 3 before the start and 9 after" in finding.what.en
    with pytest.raises(DesignError, match="no room"):
        plan(village_panel(), n_treated=[2], periods_after=[9], options=PLAIN)
    with pytest.raises(DesignError, match="leave any comparison"):
        plan(village_panel(), n_treated=[39], periods_after=[1], options=PLAIN)


@pytest.mark.parametrize(
    "wrong",
    [{"n_treated": [0]}, {"sizes": [-0.1]}, {"periods_after": [0]}, {"power": 1.0}, {"sizes": []}],
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="positive"):
        plan(village_panel(), **wrong)


def test_an_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="村03"):
        plan(village_panel(), units=["村3"])


def test_the_same_seed_gives_the_same_plan_and_the_source_is_untouched() -> None:
    design = iid_design()
    before = design.y.copy()
    one, two = (
        plan(design, n_treated=[3], periods_after=[2], scale="absolute", seed=5, options=PLAIN)
        for _ in range(2)
    )
    assert one == two
    assert (design.y == before).all()
    other = plan(design, n_treated=[3], periods_after=[2], scale="absolute", seed=6, options=PLAIN)
    assert other.cells != one.cells


def test_an_inference_that_finds_effects_where_there_are_none_is_shown_up() -> None:
    # Restated intervals of no width find everything: the plan must count false alarms and say so.
    trials = Trials(
        np.array([0.4, -0.2, 0.1]),
        None,
        False,
        low=np.array([0.3, -0.3, 0.0]),
        high=np.array([0.5, -0.1, 0.2]),
    )
    assert trials.found(np.zeros(3), 0.05).tolist() == [True, True, False]
    cell = PowerCell(2, 1, 3, 1, None, 2 / 3, (1.0,), 0.1, 0.1)
    codes = {one.code for one in cell_findings(cell, 0.05)}
    assert codes == {"W-PLAN-FALSE-ALARMS", "W-PLAN-FEW-ASSIGNMENTS"}


def test_analytic_intervals_of_two_treated_units_raise_false_alarms_and_it_is_said() -> None:
    # Two units say next to nothing of their own noise: at 5% a third of nothing is found.
    found = plan(
        iid_design(30),
        n_treated=[2],
        periods_after=[3],
        scale="absolute",
        sizes=[2.0],
        method="group_time_att",
        inference="own",
        start=2018,
        n_draws=80,
    )
    (cell,) = found.cells
    assert cell.false_alarms is not None
    assert cell.false_alarms > 0.15
    assert cell.p_value_floor is None
    (finding,) = [one for one in found.findings if one.code == "W-PLAN-FALSE-ALARMS"]
    assert f"{cell.false_alarms:.2f}" in finding.what.en
    assert f"{cell.false_alarms:.2f}" in finding.what.zh


def test_villages_of_the_domain_need_the_effects_that_the_domain_says() -> None:
    # 20% yearly noise that fades by 0.7 a year, 3 + 3 years, 30 villages: in log points about 0.18
    # for 15 of them and 0.28 for 4. Six panels of 30 villages know it to a twentieth.
    found: dict[int, list[float]] = {4: [], 15: []}
    for seed in range(6):
        y = persistent(30, np.random.default_rng(seed), t=10)
        design = world(np.exp(np.vstack([y[:1], y])), [2019, *[None] * 30], form="log")
        for cell in plan(design, n_treated=[4, 15], periods_after=[3], options=PLAIN).cells:
            found[cell.n_treated].append(float(np.log1p(cell.minimum_detectable or np.nan)))
    assert np.mean(found[15]) == pytest.approx(0.18, abs=0.02)
    assert np.mean(found[4]) == pytest.approx(0.28, abs=0.03)


def test_a_way_of_inference_without_an_interval_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(UsageError, match="way of inference"):
        plan(iid_design(12), n_treated=[2], periods_after=[2], inference="guess", n_draws=3)


def test_one_start_alone_can_be_pretended_with_any_method() -> None:
    found = plan(
        iid_design(30),
        n_treated=[2],
        periods_after=[2],
        scale="absolute",
        sizes=[1.0, 3.0],
        method="joint_effects",
        start=2019,
        n_draws=60,
    )
    (cell,) = found.cells
    assert cell.n_windows == 1
    assert cell.n_assignments == 60
    assert cell.power[1] > cell.power[0]


def test_a_method_that_does_not_move_with_the_effect_is_refused() -> None:
    from cps.planning.power import _Question, _require_shift

    class Half:
        def under(self, starts: np.ndarray, *, y: np.ndarray) -> np.ndarray:
            return np.array([float(y[0, 3:].mean()) / 2])

    design = iid_design(10)
    question = _Question(
        design, "half", {}, None, {}, 0.95, 0.8, "absolute", (1.0,), 3, (), None, 10, 0, 1.0
    )
    with pytest.raises(DesignError, match="does not move with the effect"):
        _require_shift(
            question,
            Half(),  # type: ignore[arg-type]
            design.y,
            np.array([[0]]),
            start=2017,
            base=float(design.y[0, 3:].mean()) / 2,
        )


def test_a_rank_test_of_trials_counts_by_hand() -> None:
    trials = Trials(np.array([1.0, -2.0, 3.0, 0.5]), np.array([1.0, -2.0, 3.0, 0.5]), True)
    assert trials.floor == 0.25
    # The largest has p = 1/4, the second 2/4, and so on.
    assert trials.found(np.zeros(4), 0.25).tolist() == [False, False, True, False]
    assert trials.found(np.zeros(4), 0.5).tolist() == [False, True, True, False]
    # With 10 added, every trial lies beyond all others.
    assert trials.found(np.full(4, 10.0), 0.25).tolist() == [True] * 4


def test_the_smallest_size_found_is_the_one_where_power_crosses_its_target() -> None:
    assert smallest_found(lambda size: float(size >= 0.37), 0.8, 3.0) == pytest.approx(
        0.37, rel=1e-4
    )
    assert smallest_found(lambda size: 0.5, 0.8, 3.0) is None


def test_a_plan_is_marked_synthetic_and_is_a_public_verb() -> None:
    found = cps.plan(village_panel(), n_treated=[2], periods_after=[1], options=PLAIN)
    assert found.is_synthetic
    assert found.source_hash
    assert set(found.table()) >= {"n_treated", "periods_after", "minimum_detectable"}
