"""Randomisation inference: exactness by going through every assignment, intervals by brute force."""

from __future__ import annotations

import dataclasses
from itertools import permutations as every_order

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError
from cps.estimators._ranks import accept_half_width, accept_interval, counted_p
from cps.estimators.inference._assign import assign, count_permutations, permutations
from cps.estimators.registry import estimate, point_estimate
from cps.result import Effect, Estimate

PLAIN = {"events": "none"}


def panel(
    starts: list[int | None],
    *,
    effect: float = 0.0,
    seed: int = 0,
    n_periods: int = 8,
    cluster: list[str] | None = None,
) -> Design:
    """Units with heavy-tailed errors, so that nothing here leans on a normal distribution."""
    rng = np.random.default_rng(seed)
    y = rng.standard_t(2, (len(starts), n_periods)).cumsum(axis=1)
    rows = [
        {
            "unit": f"u{i:02d}",
            "year": t + 1,
            "y": float(y[i, t] + (effect if start is not None and t + 1 >= start else 0.0)),
            "start": start,
            "cluster": cluster[i] if cluster else f"u{i:02d}",
        }
        for i, start in enumerate(starts)
        for t in range(n_periods)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"start": pl.Int64})
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="start",
        cluster="cluster" if cluster else None,
    )


def randomised(design: Design, **options: str | float) -> Effect:
    """Estimate with randomisation inference and no event times."""
    return estimate(
        design, "group_time_att", inference="randomisation", inference_options={**PLAIN, **options}
    )


def without(design: Design, effect: float) -> Design:
    """Take a constant effect out of the treated cells."""
    start = np.array([np.inf if one is None else one for one in design.cohort])
    treated = np.asarray(design.periods)[None, :] >= start[:, None]
    y = np.where(treated, design.y - effect, design.y)
    return dataclasses.replace(design, y=y, y_natural=y)


def slow_p(design: Design, effect: float) -> float:
    """Give the p-value of a constant effect by estimating every assignment one by one."""
    clean = without(design, effect)
    actual = design.cohort
    orders = sorted(set(every_order([one or 0 for one in actual])))
    sizes = {
        order: abs(
            point_estimate(
                subset_design(clean, cohort=[one or None for one in order]), "group_time_att"
            )
            or 0.0
        )
        for order in orders
    }
    own = sizes[tuple(one or 0 for one in actual)]
    return sum(one >= own * (1 - 1e-9) for one in sizes.values()) / len(sizes)


def test_the_orders_of_starts_are_all_given_once() -> None:
    values = np.array([3.0, 3.0, 5.0, np.inf, np.inf, np.inf])
    found, is_all = permutations(values, 999, np.random.default_rng(0), without=None)
    assert is_all
    assert {tuple(row) for row in found} == set(every_order(values.tolist()))
    assert len(found) == count_permutations(values) == 60
    others, _ = permutations(values, 999, np.random.default_rng(0), without=values)
    assert {tuple(row) for row in others} == set(every_order(values.tolist())) - {tuple(values)}


def test_where_orders_are_many_each_draw_keeps_the_starts() -> None:
    values = np.array([3.0, 5.0, 5.0, *[np.inf] * 20])
    found, is_all = permutations(values, 50, np.random.default_rng(0), without=values)
    assert not is_all
    assert found.shape == (50, 23)
    assert (np.sort(found, axis=1) == np.sort(values)).all()


def test_whoever_was_treated_the_test_rejects_no_more_often_than_its_level() -> None:
    # Exact, not simulated: the same outcomes, each unit in turn taken for the treated one.
    base = panel([5] + [None] * 24, seed=3)
    p_values = []
    for treated in range(25):
        cohort = [5 if unit == treated else None for unit in range(25)]
        p_values.append(randomised(subset_design(base, cohort=cohort)).overall.p_value)
    ordered = np.sort(np.array(p_values, dtype=float))
    # The k-th smallest of n p-values is k / n: every level is met exactly, none is exceeded.
    assert ordered == pytest.approx(np.arange(1, 26) / 25)


def test_the_p_value_is_that_of_estimating_every_assignment_one_by_one() -> None:
    design = panel([4, 6, None, None, None, None], effect=3.0, seed=1)
    assert randomised(design).overall.p_value == pytest.approx(slow_p(design, 0.0))


def test_the_interval_holds_the_effects_that_are_not_rejected_and_no_others() -> None:
    design = panel([4, 6, None, None, None], effect=3.0, seed=4)
    level = 0.8
    found = estimate(
        design, "group_time_att", inference="randomisation", level=level, inference_options=PLAIN
    ).overall
    assert found.ci_low is not None
    assert found.ci_high is not None
    width = found.ci_high - found.ci_low
    for inside in np.linspace(found.ci_low + 1e-6 * width, found.ci_high - 1e-6 * width, 5):
        assert slow_p(design, float(inside)) > 1 - level
    for outside in (found.ci_low - 1e-6 * width, found.ci_high + 1e-6 * width):
        assert slow_p(design, float(outside)) <= 1 - level + 1e-12


def test_the_studentised_interval_is_where_its_own_test_stops_rejecting() -> None:
    design = panel([3, 3, 4, *[None] * 7], effect=2.0, seed=2, n_periods=5)
    options: dict[str, str | float] = {"statistic": "t", "draws": 19}
    found = randomised(design, **options).overall
    assert found.ci_low is not None
    assert found.ci_high is not None
    step = 1e-4 * (found.ci_high - found.ci_low)
    for end, outwards in ((found.ci_low, -step), (found.ci_high, step)):
        inside = randomised(without(design, end - outwards), **options).overall.p_value
        outside = randomised(without(design, end + outwards), **options).overall.p_value
        assert inside is not None
        assert outside is not None
        assert outside <= 0.05 < inside


def test_placebos_that_do_not_move_give_the_same_interval_either_way() -> None:
    placebos = np.random.default_rng(0).normal(size=39)
    half = accept_half_width(placebos, 0.95)
    assert accept_interval(1.0, placebos, np.zeros(39), 0.95) == pytest.approx((1 - half, 1 + half))
    assert counted_p(half * 1.001, placebos) <= 0.05 < counted_p(half * 0.999, placebos)


def test_too_few_units_give_a_p_value_and_its_floor_but_no_interval() -> None:
    effect = randomised(panel([5] + [None] * 12, effect=100.0))
    assert effect.overall.p_value == effect.p_value_floor == pytest.approx(1 / 13)
    assert effect.overall.ci_low is None
    assert effect.overall.ci_high is None
    (said,) = [one for one in effect.findings if one.code == "W-INF-FLOOR"]
    assert "0.077" in said.what.zh
    assert "0.077" in said.what.en


def test_half_treated_with_one_start_can_reach_two_assignments_only() -> None:
    # The mirror image of an assignment has the same size of estimate: the floor counts both.
    effect = randomised(panel([5, 5, 5, None, None, None], effect=1000.0))
    assert effect.p_value_floor == pytest.approx(2 / 20)


def test_shifts_scales_names_and_order_of_units_do_not_matter() -> None:
    design = panel([5, *[None] * 21], effect=2.0, seed=5)
    found = randomised(design).overall
    rng = np.random.default_rng(0)
    moved = 3 * design.y + rng.normal(size=(22, 1)) + rng.normal(size=(1, 8))
    order = rng.permutation(22)
    other = dataclasses.replace(
        design,
        units=tuple(f"v{i}" for i in range(22)),
        y=moved[order],
        y_natural=moved[order],
        cohort=tuple(design.cohort[i] for i in order),
        is_donor=design.is_donor[order],
    )
    again = randomised(other).overall
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert again.p_value == found.p_value
    assert (again.ci_low, again.ci_high) == pytest.approx((3 * found.ci_low, 3 * found.ci_high))


def test_the_same_seed_gives_the_same_numbers_and_the_design_is_left_alone() -> None:
    design = panel([5, 6, *[None] * 30], seed=6)
    before = design.y.copy()
    first, second = (randomised(design, draws=99) for _ in range(2))
    assert first.overall == second.overall
    assert (design.y == before).all()


def test_clusters_are_permuted_as_their_means_would_be() -> None:
    cluster = [f"c{i // 3:02d}" for i in range(66)]
    starts: list[int | None] = [5] * 3 + [None] * 63
    design = panel(starts, effect=4.0, seed=7, cluster=cluster)
    means = panel([5] + [None] * 21)
    y = design.y.reshape(22, 3, 8).mean(axis=1)
    means = dataclasses.replace(means, y=y, y_natural=y)
    found, of_means = randomised(design), randomised(means)
    assert found.overall.p_value == of_means.overall.p_value
    assert found.p_value_floor == pytest.approx(1 / 22)
    assert found.overall.ci_low == pytest.approx(of_means.overall.ci_low)


def test_within_clusters_only_units_of_one_cluster_change_places() -> None:
    cluster = [f"c{i // 4}" for i in range(16)]
    starts: list[int | None] = [5, None, None, None] * 2 + [None] * 8
    design = panel(starts, effect=2.0, seed=10, cluster=cluster)
    effect = randomised(design, scheme="within")
    assert effect.p_value_floor == pytest.approx(1 / 16)
    others = assign(design, "within", 999, 0).starts
    assert len({tuple(row) for row in others}) == 15
    assert (np.isfinite(others[:, :4]).sum(axis=1) == 1).all()
    assert not np.isfinite(others[:, 8:]).any()
    # A shock to a whole cluster moves the estimate by units, and not the rank within clusters.
    y = design.y + 5 * np.random.default_rng(0).normal(size=(4, 8)).repeat(4, axis=0)
    shocked = dataclasses.replace(design, y=y, y_natural=y)
    same = [randomised(one, scheme="within").placebos for one in (design, shocked)]
    gaps = [np.array(one) - np.array(one).mean() for one in same]
    assert gaps[0] == pytest.approx(gaps[1])
    by_unit = randomised(design)
    assert "W-INF-CLUSTERS-IGNORED" in {one.code for one in by_unit.findings}
    drawn = assign(design, "within", 7, 0)
    assert not drawn.is_all
    assert (np.isfinite(drawn.starts[:, 4:8]).sum(axis=1) == 1).all()


def test_starts_alone_can_be_permuted_among_the_treated() -> None:
    effect = randomised(panel([4, 5, 5, 6, *[None] * 4], seed=8), scheme="starts")
    # 4! / 2! orders of the four starts; nobody else is ever treated.
    assert effect.p_value_floor == pytest.approx(1 / 12)


def test_comparison_units_alone_give_the_estimate_plus_or_minus_a_placebo() -> None:
    design = panel([6, *[None] * 21], effect=5.0, seed=9)
    effect = estimate(
        design, "synthetic_did", inference="randomisation", inference_options={"scheme": "donors"}
    )
    own = estimate(design, "synthetic_did")
    att = own.overall.att
    assert att is not None
    half = np.sort(np.abs(effect.placebos))[::-1][0]
    assert len(effect.placebos) == 21
    assert effect.overall.ci_low == pytest.approx(att - half)
    assert effect.overall.p_value == own.overall.p_value


def test_a_method_that_bends_has_an_interval_that_its_test_ends() -> None:
    design = panel([6, *[None] * 19], effect=5.0, seed=9)

    def found(one: Design) -> Estimate:
        return estimate(
            one, "synthetic_did", inference="randomisation", inference_options=PLAIN
        ).overall

    inside = found(design)
    assert inside.ci_low is not None
    assert inside.ci_high is not None
    # The ends are searched to about a hundredth of the width, outwards.
    width = inside.ci_high - inside.ci_low
    for end, outwards in ((inside.ci_low, -0.01 * width), (inside.ci_high, 0.01 * width)):
        rejected, kept = (
            found(without(design, end + step)).p_value for step in (outwards, -outwards)
        )
        assert rejected is not None
        assert kept is not None
        assert rejected <= 0.05 < kept


def test_event_times_have_placebos_of_their_own_and_a_wider_band_for_all() -> None:
    effect = estimate(
        panel([5, *[None] * 40], effect=6.0), "group_time_att", inference="randomisation"
    )
    base = [one for one in effect.by_event_time if one.estimate.se is None]
    assert all(one.estimate.att == 0 for one in base)
    ranked = [one.estimate for one in effect.by_event_time if one.estimate.se is not None]
    assert len(ranked) >= 6
    for one in ranked:
        assert one.p_value is not None
        assert one.p_value >= 1 / 41
        assert one.ci_low is not None
        assert one.band_low is not None
        assert one.band_low <= one.ci_low
    assert len(effect.event_covariance) == len(effect.by_event_time)


@pytest.mark.parametrize(
    ("options", "starts", "says"),
    [
        ({"scheme": "starts"}, [5, *[None] * 9], "one start"),
        ({"scheme": "clusters"}, [5, *[None] * 9], "no clusters"),
        ({"scheme": "donors"}, [5, 5, 5, None, None, None], "comparison units"),
    ],
)
def test_what_cannot_be_reassigned_is_refused(
    options: dict[str, str], starts: list[int | None], says: str
) -> None:
    with pytest.raises(DesignError, match=says):
        randomised(panel(starts), **options)


def test_a_dose_tied_to_units_is_refused() -> None:
    design = panel([5, *[None] * 20])
    dosed = dataclasses.replace(design, dose=np.ones(design.y.shape))
    from cps.estimators.inference.randomisation import needs

    effect = estimate(design, "group_time_att")
    options = {"scheme": "auto", "statistic": "estimate"}
    assert not needs(design, effect, options)
    assert [one.code for one in needs(dosed, effect, options)] == ["E-INF-REASSIGN"]
