"""Joint covariances, against the formula of difference-in-differences with shared units."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.record import Design
from cps.errors import DesignError, UsageError
from cps.estimators.registry import refit
from cps.synthesis.joint_covariance import (
    influence_covariance,
    jackknife_influence,
    join_estimates,
    resample_effects,
)
from cps.synthesis.multiplicity import romano_wolf_resampled
from cps.synthesis.rank_sets import rank_sets

N_DONORS, N_PERIODS, START = 24, 6, 3
HOSTS = {"a": ["h0", "h1", "h2"], "b": ["h2", "h3", "h4"], "c": ["h5", "h6"]}
DID = {"weights": "did", "errors": "none"}


def _outcomes(seed: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = [f"h{k}" for k in range(7)] + [f"d{k:02d}" for k in range(N_DONORS)]
    return {name: 10 * rng.random() + rng.standard_normal(N_PERIODS) for name in names}


def _design(name: str, outcomes: dict[str, np.ndarray], **more) -> Design:
    hosts = HOSTS[name]
    rows = [
        {
            "unit": unit,
            "period": t,
            "y": series[t],
            "start": START if unit in hosts else None,
            "z": 1.0 * t * (unit < "e"),
        }
        for unit, series in outcomes.items()
        if unit in hosts or unit.startswith("d")
        for t in range(N_PERIODS)
    ]
    return cps.design_from_frame(
        pl.DataFrame(rows), unit="unit", period="period", outcome="y", cohort="start", **more
    )


def _refits(outcomes: dict[str, np.ndarray]) -> dict:
    return {name: refit(_design(name, outcomes), "synthetic_did", options=DID) for name in HOSTS}


def _by_formula(outcomes: dict[str, np.ndarray]) -> np.ndarray:
    """Difference of means: each pair shares every donor, and some hosts."""
    gains = np.array(
        [s[START:].mean() - s[:START].mean() for name, s in outcomes.items() if name[0] == "d"]
    )
    variance = gains.var(ddof=1)
    return np.array(
        [
            [
                variance * (1 / N_DONORS + len(set(a) & set(b)) / len(a) / len(b))
                for b in HOSTS.values()
            ]
            for a in HOSTS.values()
        ]
    )


def test_resampled_effects_vary_together_as_the_formula_says() -> None:
    outcomes = _outcomes()
    # With one start, imputation is the difference of means, and takes many outcomes at once.
    many = {name: refit(_design(name, outcomes), "imputation") for name in HOSTS}
    found = resample_effects(many, draws=4000)
    expected = _by_formula(outcomes)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    # 4,000 draws tell a correlation to 0.016; three of those.
    np.testing.assert_allclose(found.covariance / scale, expected / scale, atol=0.05)
    assert found.n_pool == N_DONORS
    assert found.n_shared == N_DONORS + 1


def test_the_jackknife_sees_the_same_dependence() -> None:
    outcomes = _outcomes()
    influence = {name: jackknife_influence(one) for name, one in _refits(outcomes).items()}
    found = influence_covariance(influence)
    # Written out: each unit's deviation from its group's mean gain, over the group's size less one.
    gain = {name: s[START:].mean() - s[:START].mean() for name, s in outcomes.items()}
    donors = [name for name in gain if name[0] == "d"]
    expected = np.zeros((3, 3))
    for i, a in enumerate(HOSTS.values()):
        for j, b in enumerate(HOSTS.values()):
            for unit in [*donors, *(set(a) & set(b))]:
                parts = [
                    (gain[unit] - np.mean([gain[u] for u in group])) / (len(group) - 1)
                    for group in ((donors, donors) if unit in donors else (a, b))
                ]
                n, m = len(a) + N_DONORS, len(b) + N_DONORS
                expected[i, j] += parts[0] * parts[1] * ((n - 1) * (m - 1) / n / m) ** 0.5
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-8)
    assert found.kind == "influence"


def test_effects_keep_their_own_errors_and_take_the_correlation() -> None:
    outcomes = _outcomes()
    refits = _refits(outcomes)
    effects = {
        name: cps.estimate(one.design, "synthetic_did", options={"weights": "did", "draws": 99})
        for name, one in refits.items()
    }
    source = resample_effects(refits, draws=199)
    joint = join_estimates(effects, source)
    np.testing.assert_allclose(
        np.sqrt(np.diag(np.array(joint.covariance))),
        [one.overall.se for one in effects.values()],
    )
    assert joint.correlation[0][1] > joint.correlation[0][2] > 0
    assert joint.measure == effects["a"].measure
    np.testing.assert_allclose(
        joint.error_ratio,
        np.sqrt(np.diag(np.array(joint.covariance)) / np.diag(source.covariance)),
    )
    from_draws = join_estimates(effects, source, scale="source")
    np.testing.assert_allclose(from_draws.covariance, source.covariance)
    turned = join_estimates({name: effects[name] for name in "cab"}, source)
    assert turned.covariance[1][2] == joint.covariance[0][1]
    assert joint.freedom == N_DONORS - 1
    ranks = rank_sets(joint.estimates, joint.covariance, freedom=joint.freedom)
    assert ranks.n_estimated == 3
    assert source.draws is not None
    tested = romano_wolf_resampled(joint.estimates, source.draws)
    assert tested.n_tested == 3


def test_an_initiative_without_an_effect_stays_in_its_place_without_numbers() -> None:
    refits = _refits(_outcomes())
    effects = {
        name: cps.estimate(one.design, "synthetic_did", options={"weights": "did", "draws": 99})
        for name, one in refits.items()
    }
    nothing = dataclasses.replace(effects["b"].overall, att=None, se=None)
    effects["b"] = dataclasses.replace(effects["b"], overall=nothing)
    joint = join_estimates(effects, resample_effects(refits, draws=99))
    assert joint.estimates[1] is None
    assert joint.covariance[1] == (None, None, None)
    assert joint.covariance[0][2] is not None
    assert rank_sets(joint.estimates, joint.covariance).rank[1] is None


def test_the_same_seed_draws_the_same_and_leaves_designs_as_they_were() -> None:
    refits = _refits(_outcomes())
    before = refits["a"].design.y.copy()
    first, second = (resample_effects(refits, draws=99, seed=8) for _ in range(2))
    np.testing.assert_array_equal(first.covariance, second.covariance)
    np.testing.assert_array_equal(refits["a"].design.y, before)


def test_what_can_not_be_moved_between_units_is_refused() -> None:
    outcomes = _outcomes()
    with_z = refit(
        _design("a", outcomes, covariates=["z"]), "synthetic_did", options={"weights": "did"}
    )
    with pytest.raises(DesignError, match="covariates"):
        resample_effects({"a": with_z, "b": _refits(outcomes)["b"]}, draws=99)


def test_too_few_common_comparison_units_are_refused() -> None:
    outcomes = _outcomes()
    few = {
        name: _design(
            name,
            {u: s for u, s in outcomes.items() if u[0] == "h" or int(u[1:]) % 2 == half},
        )
        for half, name in enumerate("ab")
    }
    with pytest.raises(DesignError, match="0 units serve"):
        resample_effects(
            {name: refit(one, "synthetic_did", options=DID) for name, one in few.items()}, draws=99
        )


def test_an_only_host_is_beyond_the_jackknife() -> None:
    outcomes = {u: s for u, s in _outcomes().items() if u not in ("h5",)}
    with pytest.raises(DesignError, match="h6"):
        jackknife_influence(refit(_design("c", outcomes), "synthetic_did", options=DID))


def test_effects_that_are_not_of_a_kind_are_refused() -> None:
    refits = _refits(_outcomes())
    source = resample_effects(refits, draws=99)
    effects = {
        name: cps.estimate(one.design, "synthetic_did", options={"weights": "did", "draws": 99})
        for name, one in refits.items()
    }
    mixed = {**effects, "a": dataclasses.replace(effects["a"], measure="log_points")}
    other = {**effects, "a": dataclasses.replace(effects["a"], method="imputation")}
    bare = {
        **effects,
        "a": dataclasses.replace(
            effects["a"], overall=dataclasses.replace(effects["a"].overall, se=None)
        ),
    }
    unsure = {**effects, "b": dataclasses.replace(effects["b"], is_reliable=False)}
    for given, words in (
        (unsure, "too few are treated .*: b"),
        (mixed, "different measures"),
        (other, "different designs or methods"),
        (bare, "no standard error: a"),
        ({"x": effects["a"]}, "no initiative named"),
    ):
        with pytest.raises(UsageError, match=words):
            join_estimates(given, source)
    with pytest.raises(UsageError, match="nothing between"):
        resample_effects({"a": refits["a"]})
    with pytest.raises(UsageError, match="not finite"):
        influence_covariance({"a": {"u": np.nan}, "b": {"u": 1.0}})


def test_analytic_errors_of_one_host_are_refused_and_the_resampled_ones_taken() -> None:
    outcomes = {name: s for name, s in _outcomes().items() if name not in ("h0", "h1", "h3", "h4")}
    designs = {name: _design(name, outcomes) for name in "ab"}
    refits = {name: refit(one, "group_time_att") for name, one in designs.items()}
    effects = {name: cps.estimate(one, "group_time_att") for name, one in designs.items()}
    source = resample_effects(refits, draws=99)
    with pytest.raises(UsageError, match="too few are treated"):
        join_estimates(effects, source)
    # Both have the one host h2: nothing sets them apart.
    joint = join_estimates(effects, source, scale="source")
    assert joint.correlation[0][1] == pytest.approx(1.0)
    with pytest.raises(UsageError, match="no error to test"):
        rank_sets(joint.estimates, joint.covariance)
