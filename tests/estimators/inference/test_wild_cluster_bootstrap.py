"""The wild cluster bootstrap: against a slow version of itself, and what it does with few treated."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators._wild import wild_bootstrap
from cps.estimators.registry import estimate

Floats = np.ndarray


def sample(seed: int, n_clusters: int = 7) -> tuple[Floats, Floats, Floats]:
    """A regression with clusters of unequal size and an effect shared within clusters."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), rng.integers(3, 8, n_clusters))
    x = np.column_stack([rng.normal(size=(len(cluster), 2)), np.ones(len(cluster))])
    x[:, 0] += rng.normal(size=n_clusters)[cluster]
    y = x @ [0.4, -1.0, 2.0] + rng.normal(size=n_clusters)[cluster] + rng.normal(size=len(cluster))
    return y, x, cluster


def t_of(y: Floats, x: Floats, cluster: Floats, null: float) -> float:
    """Cluster-robust t of the first coefficient, the slow way."""
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    inverse = np.linalg.inv(x.T @ x)
    residual = y - x @ beta
    meat = np.zeros((x.shape[1], x.shape[1]))
    for c in np.unique(cluster):
        score = x[cluster == c].T @ residual[cluster == c]
        meat += np.outer(score, score)
    g, n, k = len(np.unique(cluster)), len(y), x.shape[1]
    variance = inverse @ meat @ inverse * g / (g - 1) * (n - 1) / (n - k)
    return float((beta[0] - null) / np.sqrt(variance[0, 0]))


def slow_p(
    y: Floats, x: Floats, cluster: Floats, *, null: float, shared: Floats, restricted: bool
) -> float:
    """Build each of the 2^h samples and regress anew."""
    own = t_of(y, x, cluster, null)
    if restricted:
        rest = np.linalg.lstsq(x[:, 1:], y - null * x[:, 0], rcond=None)[0]
        fitted, centre = x[:, 1:] @ rest + null * x[:, 0], null
    else:
        beta = np.linalg.lstsq(x, y, rcond=None)[0]
        fitted, centre = x @ beta, float(beta[0])
    n = int(shared.max()) + 1
    sizes = []
    for code in range(2**n):
        signs = 1.0 - 2.0 * ((code >> np.arange(n)) & 1)
        sizes.append(abs(t_of(fitted + signs[shared] * (y - fitted), x, cluster, centre)))
    as_large = sum(one >= abs(own) * (1 - 1e-9) for one in sizes)
    return as_large / 2**n if restricted else (1 + as_large) / (1 + 2**n)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("null", [0.0, 0.7])
def test_the_fast_form_gives_what_rebuilding_every_sample_gives(
    restricted: bool, null: float
) -> None:
    y, x, cluster = sample(1)
    found = wild_bootstrap(
        y, x, cluster, 0, null=null, restricted=restricted, kind="rademacher", draws=200
    )
    assert found.is_enumerated
    assert found.t == pytest.approx(t_of(y, x, cluster, null))
    assert found.p_value == pytest.approx(
        slow_p(y, x, cluster, null=null, shared=cluster, restricted=restricted)
    )


def test_weights_finer_than_clusters_agree_with_the_slow_form_too() -> None:
    y, x, cluster = sample(2, n_clusters=5)
    shared = np.unique(2 * cluster + (np.arange(len(y)) % 2), return_inverse=True)[1]
    found = wild_bootstrap(
        y, x, cluster, 0, kind="rademacher", draws=2**10, boot_cluster=shared, null=0.1
    )
    assert found.is_enumerated
    assert found.p_value == pytest.approx(
        slow_p(y, x, cluster, null=0.1, shared=shared, restricted=True)
    )


def test_weights_shared_across_clusters_agree_with_the_slow_form_too() -> None:
    y, x, cluster = sample(8, n_clusters=6)
    shared = np.arange(len(y)) % 8
    found = wild_bootstrap(
        y, x, cluster, 0, kind="rademacher", draws=2**8, boot_cluster=shared, null=0.1
    )
    assert found.p_value == pytest.approx(
        slow_p(y, x, cluster, null=0.1, shared=shared, restricted=True)
    )


@pytest.mark.parametrize("restricted", [True, False])
def test_the_interval_ends_where_the_test_starts_to_reject(restricted: bool) -> None:
    y, x, cluster = sample(3, n_clusters=9)

    def test(null: float) -> float:
        return wild_bootstrap(
            y, x, cluster, 0, null=null, restricted=restricted, kind="rademacher"
        ).p_value

    found = wild_bootstrap(y, x, cluster, 0, restricted=restricted, kind="rademacher")
    assert found.ci_low is not None
    assert found.ci_high is not None
    step = 1e-4 * (found.ci_high - found.ci_low)
    for end, outwards in ((found.ci_low, -step), (found.ci_high, step)):
        assert test(end + outwards) <= 0.05 < test(end - outwards)


def test_every_kind_of_weight_agrees_within_chance_where_clusters_are_many() -> None:
    y, x, cluster = sample(4, n_clusters=40)
    p_values = [
        wild_bootstrap(y, x, cluster, 0, null=0.2, kind=kind, draws=4999).p_value
        for kind in ("rademacher", "webb", "mammen", "normal")
    ]
    # Monte Carlo errors of .007 each, and the distributions differ a little with 40 clusters.
    assert max(p_values) - min(p_values) < 0.06


def test_scale_labels_and_other_columns_basis_do_not_matter() -> None:
    y, x, cluster = sample(5)
    mixed = x.copy()
    mixed[:, 1:] = x[:, 1:] @ np.array([[2.0, 1.0], [0.5, -3.0]])
    relabelled = np.array([30, 0, 6, 2, 51, 1, 4])[cluster]
    first = wild_bootstrap(y, x, cluster, 0, kind="rademacher")
    other = wild_bootstrap(10 * y, mixed, relabelled, 0, kind="rademacher")
    assert other.p_value == first.p_value
    assert first.ci_low is not None
    assert other.ci_low == pytest.approx(10 * first.ci_low)


def test_three_clusters_have_no_p_value_low_enough_for_an_interval() -> None:
    y, x, cluster = sample(6, n_clusters=3)
    found = wild_bootstrap(y, x, cluster, 0, kind="rademacher")
    assert found.p_value_floor == pytest.approx(2 / 8)
    assert (found.ci_low, found.ci_high) == (None, None)


def panel(starts: list[int | None], *, effect: float = 0.0, seed: int = 0) -> Design:
    """Unit and period effects and plain noise."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(len(starts), 1)) + rng.normal(size=8) + rng.normal(size=(len(starts), 8))
    rows = [
        (f"u{i:02d}", t + 1, float(y[i, t] + (effect if start and t + 1 >= start else 0)), start)
        for i, start in enumerate(starts)
        for t in range(8)
    ]
    frame = pl.DataFrame(rows, schema=["unit", "year", "y", "start"], orient="row")
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="start")


def p_of(design: Design, null: str) -> float:
    effect = estimate(
        design,
        "synthetic_did",
        inference="wild_cluster_bootstrap",
        options={"weights": "did", "errors": "none"},
        inference_options={"null": null, "by": "cluster", "draws": 999},
    )
    assert [one.code for one in effect.findings].count("W-INF-FEW-TREATED-CLUSTERS") == 1
    assert effect.overall.p_value is not None
    return effect.overall.p_value


def test_with_one_treated_unit_the_two_forms_err_in_opposite_directions_and_say_so() -> None:
    # MacKinnon & Webb (2018). The estimate's error is about .7 here: four is not to be missed.
    assert p_of(panel([5, *[None] * 29], effect=4.0), "restricted") > 0.05
    # Where there is nothing to find, a test at 5% should find it in one of twenty panels.
    found = [p_of(panel([5, *[None] * 29], seed=seed), "unrestricted") for seed in range(20)]
    assert sum(one <= 0.05 for one in found) > 10


def test_one_cohort_compared_is_the_same_regression_collapsed_or_not() -> None:
    # Difference-in-differences of means is both the panel's coefficient and the contrast's.
    from cps.estimators.inference._regression import is_coefficient, one_comparison, two_way

    design = panel([5, 5, 5, 5, 5, *[None] * 15], effect=1.0)
    att = estimate(design, "synthetic_did", options={"weights": "did"}).overall.att
    contrast = np.where(np.arange(8) < 4, -0.25, 0.25)
    assert is_coefficient(two_way(design), att, design)
    assert is_coefficient(one_comparison(design, contrast), att, design)
    found = estimate(design, "group_time_att", inference="wild_cluster_bootstrap").overall
    assert found.att == estimate(design, "group_time_att").overall.att
    assert found.att is not None
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < found.att < found.ci_high


def test_event_times_of_one_cohort_are_bootstrapped_as_the_headline_is() -> None:
    design = panel([5] * 6 + [None] * 14, effect=2.0)
    for method in ("group_time_att", "synthetic_did"):
        options = {"weights": "did", "errors": "none"} if method == "synthetic_did" else {}
        effect = estimate(
            design,
            method,
            options=options,
            inference="wild_cluster_bootstrap",
            inference_options={"draws": 999},
        )
        tested = [one.estimate for one in effect.by_event_time if one.estimate.p_value is not None]
        assert len(tested) >= 6
        assert all(one.se and one.ci_low is not None for one in tested)
    # Nothing that the method's own formula gave is left beside them.
    plain = estimate(design, "group_time_att")
    effect = estimate(design, "group_time_att", inference="wild_cluster_bootstrap")
    assert all(one.estimate.se is None for one in effect.group_time)
    assert any(one.estimate.se is not None for one in plain.group_time)
    assert effect.aggregations["simple"] == effect.overall


def test_anticipated_periods_and_gaps_are_left_out_as_the_regression_has_them() -> None:
    whole = panel([5] * 6 + [6] * 6 + [None] * 14, effect=2.0)
    y = whole.y.copy()
    y[20, 3] = np.nan
    design = dataclasses.replace(whole, y=y, y_natural=y, anticipation=1)
    effect = estimate(design, "two_way_fixed_effects", inference="wild_cluster_bootstrap")
    assert effect.overall.p_value is not None
    assert effect.overall.p_value < 0.05


@pytest.mark.parametrize("levels", ["cluster", "cohort"])
def test_repeated_cross_sections_have_levels_of_clusters_or_cohorts(levels: str) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (year, float(rng.normal() + (1.0 if town < 6 and year >= 4 else 0)), f"t{town:02d}", start)
        for town in range(18)
        for start in [4 if town < 6 else None]
        for year in range(8)
        for _ in range(3)
    ]
    frame = pl.DataFrame(rows, schema=["year", "y", "town", "start"], orient="row")
    design = design_from_frame(
        frame,
        unit=None,
        period="year",
        outcome="y",
        cohort="start",
        cluster="town",
        missing="keep",
    )
    found = estimate(
        design,
        "two_way_fixed_effects",
        options={"levels": levels},
        inference="wild_cluster_bootstrap",
    ).overall
    own = estimate(design, "two_way_fixed_effects", options={"levels": levels}).overall
    assert found.att == own.att
    assert found.p_value is not None
    assert found.p_value < 0.05
    # The same cluster-robust error, but for what counts as a parameter.
    assert found.se == pytest.approx(own.se, rel=0.03)


def test_an_estimate_that_is_no_coefficient_is_refused() -> None:
    staggered = panel([4, 4, 6, 6, *[None] * 10], effect=1.0)
    with pytest.raises(DesignError, match="neither the coefficient"):
        estimate(staggered, "group_time_att", inference="wild_cluster_bootstrap")
    with pytest.raises(DesignError, match="neither the coefficient"):
        estimate(
            panel([6, *[None] * 10], seed=3), "synthetic_did", inference="wild_cluster_bootstrap"
        )
