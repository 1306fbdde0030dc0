"""Interaction-weighted effects: known truths, the regression written out, and invariants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.errors import DesignError
from cps.estimators import interaction_weighted
from cps.estimators.registry import estimate, point_estimate, refit
from tests.estimators._panels import design, panel, shuffles, starts, with_gaps


def written_out(one, *, reference: int = -1):
    """Regress on every dummy, cluster by unit, and average by observations: (att, se) after start."""
    seen = ~np.isnan(one.y)
    unit, place = np.nonzero(seen)
    event = np.asarray(one.periods)[place] - starts(one)[0][unit]
    cohort = starts(one)[0][unit]
    w = np.ones(len(unit)) if one.weights is None else one.weights[seen]
    cells = sorted({(g, e) for g, e in zip(cohort, event, strict=True) if np.isfinite(g)})
    cells = [(g, e) for g, e in cells if e != reference]
    x = np.column_stack(
        [
            *((cohort == g) & (event == e) for g, e in cells),
            *([] if one.covariates is None else [c[seen] for c in one.covariates]),
            unit[:, None] == np.arange(len(one.units)),
            place[:, None] == np.arange(1, len(one.periods)),
        ]
    ).astype(float)
    bread = np.linalg.pinv(x.T @ (w[:, None] * x), rcond=1e-12)
    slopes = bread @ x.T @ (w * one.y[seen])
    error = one.y[seen] - x @ slopes
    cluster = unit if one.cluster is None else np.unique(one.cluster, return_inverse=True)[1][unit]
    scores = np.array(
        [((w * error)[:, None] * x)[cluster == c].sum(axis=0) for c in np.unique(cluster)]
    )
    n, n_clusters = len(unit), len(np.unique(cluster))
    k = len(cells) + (0 if one.covariates is None else len(one.covariates)) + len(one.periods)
    factor = n_clusters / (n_clusters - 1) * (n - 1) / (n - k)
    covariance = factor * bread @ scores.T @ scores @ bread
    share = np.zeros(x.shape[1])
    for k, (g, e) in enumerate(cells):
        if e >= 0:
            share[k] = w[(cohort == g) & (event == e)].sum()
    share /= share.sum()
    return float(share @ slopes), float(np.sqrt(share @ covariance @ share))


@pytest.mark.parametrize(
    "given",
    [{}, {"weights": "w"}, {"weights": "wt"}, {"covariates": ["x"]}, {"cluster": "group"}],
    ids=str,
)
def test_the_average_and_its_error_are_those_of_the_regression_written_out(given) -> None:
    one = design(panel(effect=1.0, growth=0.5, noise=1.0), **given)
    overall = estimate(one, "interaction_weighted").overall
    att, se = written_out(one)
    # Two direct solutions; the slow one inverts a singular matrix by its pseudo-inverse.
    assert overall.att == pytest.approx(att, abs=1e-8)
    assert overall.se == pytest.approx(se, abs=1e-8)


def test_gaps_are_borne() -> None:
    one = design(with_gaps(panel(effect=1.0, noise=1.0)), missing="keep")
    overall = estimate(one, "interaction_weighted").overall
    assert (overall.att, overall.se) == pytest.approx(written_out(one), abs=1e-8)


def test_the_table_of_means_is_the_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    one = design(panel(effect=1.0, growth=0.5, noise=1.0), weights="w", cluster="group")
    quick = estimate(one, "interaction_weighted")
    monkeypatch.setattr(interaction_weighted, "_is_plain", lambda *_: False)
    slow = estimate(one, "interaction_weighted")
    assert quick.overall.att == pytest.approx(slow.overall.att, abs=1e-10)
    np.testing.assert_allclose(quick.event_covariance, slow.event_covariance, atol=1e-10)
    for a, b in zip(quick.group_time, slow.group_time, strict=True):
        assert (a.cohort, a.period) == (b.cohort, b.period)
        assert a.estimate.att == pytest.approx(b.estimate.att, abs=1e-10)
        assert a.estimate.se == pytest.approx(b.estimate.se, abs=1e-10)


def test_effects_by_cohort_are_those_of_group_time_differences_against_the_never_treated() -> None:
    one = design(panel(effect=1.0, growth=0.5, noise=1.0))
    ours = estimate(one, "interaction_weighted")
    theirs = estimate(one, "group_time_att", options={"control": "never", "base": "universal"})
    plain = {(c.cohort, c.period): c.estimate.att for c in theirs.group_time}
    for cell in ours.group_time:
        assert cell.estimate.att == pytest.approx(plain[cell.cohort, cell.period], abs=1e-9)
    assert ours.overall.att == pytest.approx(theirs.aggregations["simple"].att)


def test_growing_effects_are_found_exactly_where_two_way_effects_miss_them() -> None:
    one = design(panel(effect=2.0, growth=1.0))
    effect = estimate(one, "interaction_weighted")
    for shown in effect.by_event_time:
        truth = 2.0 + shown.event_time if shown.event_time >= 0 else 0.0
        assert shown.estimate.att == pytest.approx(truth, abs=1e-9)
    cells = [2.0 + e for n, last in ((3, 6), (4, 4), (2, 2)) for e in range(last) for _ in range(n)]
    assert effect.overall.att == pytest.approx(np.mean(cells))
    assert abs(point_estimate(one, "two_way_fixed_effects") - np.mean(cells)) > 0.2


def test_without_never_treated_units_the_last_cohort_is_the_comparison() -> None:
    frame = panel([2017] * 3 + [2019] * 3 + [2021] * 3, effect=2.0, growth=0.5)
    effect = estimate(design(frame), "interaction_weighted")
    assert "N-EST-LAST-COHORT" in {f.code for f in effect.findings}
    assert {c.cohort for c in effect.group_time} == {2017, 2019}
    assert max(c.period for c in effect.group_time) == 2020
    for shown in effect.by_event_time:
        truth = 2.0 + 0.5 * shown.event_time if shown.event_time >= 0 else 0.0
        assert shown.estimate.att == pytest.approx(truth, abs=1e-9)
    assert effect.n_comparison == 3
    with pytest.raises(DesignError, match="no never-treated"):
        estimate(design(frame), "interaction_weighted", options={"control": "never"})


def test_a_single_cohort_of_two_has_no_comparison_left_after_the_reference() -> None:
    one = design(panel([2021] * 3 + [2021] * 2 + [2022] * 2, effect=1.0), anticipation=1)
    with pytest.raises(DesignError, match="no cohort has both"):
        estimate(one, "interaction_weighted")


def test_the_reference_moves_before_anticipation() -> None:
    one = design(panel(effect=2.0), anticipation=1)
    effect = estimate(one, "interaction_weighted")
    by_event = {e.event_time: e.estimate for e in effect.by_event_time}
    assert by_event[-2].se is None
    assert by_event[-2].att == 0.0
    assert by_event[-1].att == pytest.approx(0.0, abs=1e-9)
    assert effect.overall.att == pytest.approx(2.0)


def test_many_assignments_at_once_are_one_after_another() -> None:
    for given in ({}, {"weights": "w"}, {"covariates": ["x"]}):
        one = design(panel(effect=1.0, noise=1.0), **given)
        assigned = shuffles(one, 4)
        batch = refit(one, "interaction_weighted").under(assigned)
        for row, value in zip(assigned, batch, strict=True):
            frame = panel([None if np.isinf(s) else int(s) for s in row], noise=1.0)
            frame = frame.with_columns(y=pl.Series(one.y.ravel()))
            if given:
                own = panel(effect=1.0, noise=1.0)
                frame = frame.with_columns(own["x"], own["w"])
            other = point_estimate(design(frame, **given), "interaction_weighted")
            assert value == pytest.approx(other, abs=1e-9)


def test_shifts_of_units_and_years_change_nothing_and_scale_scales() -> None:
    frame = panel(effect=1.0, noise=1.0)
    base = estimate(design(frame), "interaction_weighted").overall
    moved = frame.with_columns(
        y=-3.0
        * (pl.col("y") + 50 * pl.col("unit").str.slice(1).cast(pl.Int64) + pl.col("year") % 3)
    )
    other = estimate(design(moved), "interaction_weighted").overall
    assert other.att == pytest.approx(-3 * base.att)
    assert other.se == pytest.approx(3 * base.se)


def test_waves_years_apart_use_the_last_one_before_the_start() -> None:
    frame = panel([2018] * 3 + [2020] * 3 + [None] * 4, effect=2.0, growth=0.5).filter(
        pl.col("year") % 3 != 1
    )  # 2015, 2016, 2018, 2019, 2021, 2022
    for method in ("interaction_weighted", "imputation"):
        effect = estimate(design(frame), method)
        truth = [2.0 + 0.5 * e for e in (0, 1, 3, 4)] + [2.0 + 0.5 * e for e in (1, 2)]
        assert effect.overall.att == pytest.approx(np.mean(truth), abs=1e-9)
    assert refit(design(frame), "interaction_weighted").under(starts(design(frame)))[
        0
    ] == pytest.approx(np.mean(truth))
    stacked = estimate(design(frame), "stacked", options={"pre": 1, "post": 1}).overall
    assert stacked.att == pytest.approx(np.mean([2.0, 2.5, 2.5, 3.0]))


def test_cohorts_of_one_unit_are_warned_of() -> None:
    one = design(panel([2017, 2018, 2019, 2020, 2021] + [None] * 8, effect=1.0, noise=1.0))
    effect = estimate(one, "interaction_weighted")
    (warning,) = [f for f in effect.findings if f.code == "W-EST-ALONE-IN-COHORT"]
    assert warning.count == 5


def test_one_cluster_for_all_is_refused() -> None:
    frame = panel(effect=1.0, noise=1.0).with_columns(group=pl.lit("all"))
    for method in ("interaction_weighted", "imputation", "stacked", "two_way_fixed_effects"):
        with pytest.raises(DesignError, match="in one cluster"):
            estimate(design(frame, cluster="group"), method)


def test_the_last_cohort_as_comparison_is_the_regression_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = design(panel([2017] * 3 + [2019] * 4 + [2021] * 3, effect=1.0, noise=1.0), weights="w")
    quick = estimate(one, "interaction_weighted")
    monkeypatch.setattr(interaction_weighted, "_is_plain", lambda *_: False)
    slow = estimate(one, "interaction_weighted")
    assert quick.overall.att == pytest.approx(slow.overall.att, abs=1e-10)
    assert quick.overall.se == pytest.approx(slow.overall.se, abs=1e-10)
    np.testing.assert_allclose(quick.event_covariance, slow.event_covariance, atol=1e-10)
