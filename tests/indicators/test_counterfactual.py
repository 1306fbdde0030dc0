"""The distribution without the initiatives: worlds whose truth is known, and refusals."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from cps.errors import DesignError, UsageError
from cps.indicators import distribution as of
from cps.indicators.counterfactual import INDICES, distribution_without
from cps.indicators.effects import draw_effects, hosts_at
from cps.indicators.grid import grid_of_array

N, K = 30, 5


def world(seed=0, effect=3e5):
    """Give incomes without initiatives, who has which, and the true effects."""
    rng = np.random.default_rng(seed)
    without = 2e5 + rng.lognormal(np.log(7e5), 0.8, N)
    membership = np.zeros((N, K))
    membership[np.argsort(without)[: 3 * K], np.repeat(np.arange(K), 3)] = 1  # the poorer half
    return without, membership, np.linspace(0, effect, K)


def take(values, membership, effects, draws, **options):
    grid = grid_of_array(values, periods=[2023])
    return distribution_without(
        grid, period=2023, membership=membership, effects=effects, draws=draws, **options
    )


def row(found, name):
    return next(one for one in found.rows if one.indicator == name)


def test_known_effects_taken_away_leave_the_world_as_it_was_for_every_index():
    without, membership, effects = world()
    found = take(
        without + membership @ effects, membership, effects, np.tile(effects, (50, 1)), scale="yuan"
    )
    assert row(found, "gini").without == pytest.approx(float(of.gini_of(without)), rel=1e-12)
    assert row(found, "share_above_100").without == pytest.approx(100 * (without > 1e6).mean())
    assert row(found, "poorest_fifth_mean").without == pytest.approx(np.sort(without)[:6].mean())
    assert {one.indicator for one in found.rows} == set(INDICES)
    for one in found.rows:
        # Effects without error leave none in what they change.
        assert one.without_low == pytest.approx(one.without)
        assert one.without_high == pytest.approx(one.without)


def test_effects_in_logs_divide_and_reach_no_value_below_zero():
    without, membership, _ = world()
    effects = np.full(K, 0.4)
    draws = draw_effects(effects, np.eye(K), draws=300)
    found = take(
        without * np.exp(membership @ effects), membership, effects, draws, scale="log_points"
    )
    assert row(found, "theil_l").without == pytest.approx(float(of.theil_l_of(without)))
    assert all(one.n_defined == 300 for one in found.rows)


def test_no_effect_changes_nothing():
    without, membership, _ = world()
    found = take(without, membership, np.zeros(K), np.zeros((20, K)), scale="yuan")
    for one in found.rows:
        assert one.difference == 0
        assert one.probability_higher == 0.5


def test_the_mean_s_interval_is_the_normal_one_in_closed_form():
    without, membership, effects = world()
    covariance = np.diag(np.full(K, 4e9)) + 2e9  # what the estimates share is in it
    draws = draw_effects(effects, covariance, draws=40_000, seed=3)
    found = row(
        take(without + membership @ effects, membership, effects, draws, scale="yuan"), "mean"
    )
    shares = membership.sum(axis=0) / N
    error = np.sqrt(shares @ covariance @ shares)
    assert found.difference == pytest.approx(shares @ effects)
    # 40,000 draws: a 2.5% percentile is off by about 1.3% of the error.
    assert found.difference_low == pytest.approx(shares @ effects - 1.96 * error, abs=0.05 * error)
    assert found.difference_high == pytest.approx(shares @ effects + 1.96 * error, abs=0.05 * error)
    without_sharing = draw_effects(effects, np.diag(np.diag(covariance)), draws=4_000, seed=3)
    narrower = row(
        take(without + membership @ effects, membership, effects, without_sharing, scale="yuan"),
        "mean",
    )
    assert narrower.difference_high < found.difference_high


def test_intervals_cover_the_truth_in_95_of_100_worlds():
    rng = np.random.default_rng(21)
    covariance = np.diag(np.full(K, 6e8)) + 3e8
    root = np.linalg.cholesky(covariance)
    names = ("gini", "poorest_fifth_mean", "theil_t", "median")
    hits = dict.fromkeys(names, 0)
    for seed in range(250):
        without, membership, effects = world(seed)
        estimates = effects + root @ rng.standard_normal(K)
        draws = draw_effects(estimates, covariance, draws=400, seed=seed)
        found = take(
            without + membership @ effects,
            membership,
            estimates,
            draws,
            scale="yuan",
            indices=names,
        )
        truth = {
            "gini": of.gini_of(without),
            "poorest_fifth_mean": of.poorest_fifth_of(without),
            "theil_t": of.theil_t_of(without),
            "median": of.median_of(without),
        }
        for name in names:
            one = row(found, name)
            hits[name] += one.without_low <= truth[name] <= one.without_high
    for name in ("gini", "theil_t", "poorest_fifth_mean"):
        # Two errors of a share of 95% in 250 worlds are 2.8 points; 400 draws cost half a point.
        assert hits[name] / 250 == pytest.approx(0.95, abs=0.035), name
    # The median moves only where a unit crosses it: its interval may be a point and hold all the same.
    assert hits["median"] / 250 > 0.9


def test_each_initiative_alone_and_all_together():
    without, membership, effects = world()
    found = take(
        without + membership @ effects,
        membership,
        effects,
        np.tile(effects, (10, 1)),
        scale="yuan",
        initiatives=[f"举措{k}" for k in range(K)],
        indices=("mean", "gini"),
    )
    table = found.by_initiative
    means = [
        gap
        for name, gap in zip(table["indicator"], table["difference"], strict=True)
        if name == "mean"
    ]
    # Means are linear: there, and only there, the initiatives add up to the whole.
    assert sum(means) == pytest.approx(row(found, "mean").difference)
    assert table["initiative"][:2] == ("举措0", "举措0")


def test_what_is_taken_for_granted_is_said():
    without, membership, effects = world()
    found = take(without, membership, effects, np.tile(effects, (5, 1)), scale="yuan")
    said = "".join(note.zh for note in found.notes)
    assert "无外溢" in said
    assert "单位间效应的差异未计入" in said
    own = np.eye(N)[:, :3]
    alone = take(without, own, np.zeros(3), np.zeros((5, 3)), scale="yuan")
    assert "单位间效应的差异未计入" not in "".join(note.zh for note in alone.notes)


def test_an_index_that_fails_in_many_draws_has_no_interval_and_a_reason():
    values = np.array([1e5, 5e5, 9e5])
    membership = np.array([[1.0], [0], [0]])
    draws = np.random.default_rng(1).normal(9e4, 3e4, (500, 1))  # below zero in a third of them
    found = take(values, membership, [9e4], draws, scale="yuan", indices=("gini", "mean"))
    gini = row(found, "gini")
    assert gini.without is not None
    assert gini.without_low is None
    assert "对数效应" in gini.notes[0].zh
    assert row(found, "mean").without_low is not None
    assert any("收入为负" in note.zh for note in found.notes)


def test_an_effect_that_was_not_identified_is_refused_with_the_units_named():
    values = np.array([1e6, 2e6, 3e6])
    membership = np.array([[1.0, 0], [0, 1], [0, 0]])
    with pytest.raises(DesignError, match="not identified: 2"):
        take(values, membership, [1e5, np.nan], np.zeros((5, 2)), scale="yuan")
    # An initiative that nobody here has may be unknown.
    membership[1] = 0
    found = take(values, membership, [1e5, np.nan], np.tile([1e5, np.nan], (5, 1)), scale="yuan")
    assert row(found, "mean").without == pytest.approx(2e6 - 1e5 / 3)
    assert found.n_treated == 1


def test_a_total_with_a_gap_is_absent_while_indices_are_of_those_that_reported():
    values = np.array([1e6, np.nan, 3e6])
    found = take(values, np.ones((3, 1)), [1e5], np.full((5, 1), 1e5), scale="yuan")
    assert row(found, "total").without is None
    assert row(found, "mean").without == pytest.approx(1.9e6)
    assert (found.n_reported, found.n_units) == (2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"membership": np.ones((2, 1))}, "shapes"),
        ({"scale": "percent"}, "fit the data"),
        ({"indices": ("growth_year_on_year",)}, "can't be asked"),
        ({"indices": ("ginni",)}, "gini"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {
        "membership": np.ones((3, 1)),
        "effects": [1.0],
        "draws": np.ones((5, 1)),
        "scale": "yuan",
    }
    with pytest.raises(UsageError, match=message):
        take(np.array([1e6, 2e6, 3e6]), **{**given, **change})


def test_draws_have_the_mean_and_covariance_asked_for():
    covariance = np.array([[4.0, 3.0], [3.0, 4.0]])
    draws = draw_effects([1.0, -1.0], covariance, draws=100_000)
    assert draws.mean(axis=0) == pytest.approx([1, -1], abs=0.03)
    assert np.cov(draws.T) == pytest.approx(covariance, abs=0.1)
    singular = draw_effects([0.0, 0.0], np.ones((2, 2)), draws=100)
    assert singular[:, 0] == pytest.approx(singular[:, 1])


def test_an_initiative_is_there_from_its_start_on():
    starts = [[2021, np.nan], [2024, 2023]]
    assert hosts_at(starts, 2023).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "matrix", [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]], [[1.0, np.nan], [np.nan, 1.0]]]
)
def test_what_is_no_covariance_is_refused(matrix):
    with pytest.raises(UsageError):
        draw_effects([0.0, 0.0], matrix)


def test_the_record_is_plain_json():
    without, membership, effects = world()
    found = take(without, membership, effects, np.tile(effects, (5, 1)), scale="yuan")
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["period"] == 2023
