"""Estimates as weighted sums: they give themselves back, and their joint errors follow a formula."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.registry import refit
from cps.result import Effect
from cps.synthesis.joint_covariance import resample_effects
from cps.synthesis.linear_forms import fixed_weight_covariance, linear_form

N_DONORS, N_PERIODS = 20, 8
STARTS = {"a": {"h0": 4, "h1": 6}, "b": {"h1": 6, "h2": 6}, "c": {"h3": 5}}
METHODS = (
    ("synthetic_did", {"weights": "sdid", "solver": "exact"}),
    ("synthetic_did", {"weights": "did"}),
    ("synthetic_did", {"weights": "sc", "solver": "exact"}),
    ("imputation", {}),
    ("group_time_att", {"control": "never", "base": "universal"}),
    ("interaction_weighted", {}),
    ("stacked", {}),
)


def _design(name: str, *, starts: dict[str, int] | None = None, seed: int = 5, **more) -> Design:
    rng = np.random.default_rng(seed)
    hosts = starts or STARTS[name]
    units = [*(f"h{k}" for k in range(4)), *(f"d{k:02d}" for k in range(N_DONORS))]
    series = {unit: 9 * rng.random() + rng.standard_normal(N_PERIODS).cumsum() for unit in units}
    rows = [
        {"unit": unit, "period": t, "y": series[unit][t], "start": hosts.get(unit), "z": t * 0.5}
        for unit in units
        if unit in hosts or unit.startswith("d")
        for t in range(N_PERIODS)
    ]
    return cps.design_from_frame(
        pl.DataFrame(rows),
        unit="unit",
        period="period",
        outcome="y",
        cohort="start",
        name=name,
        **more,
    )


def _effect(design: Design, method: str = "imputation", **options: str) -> Effect:
    return cps.estimate(design, method, options=options)


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_weights_give_the_estimate_back_and_ignore_what_all_units_share(
    method: str, options: dict[str, str]
) -> None:
    design = _design("a")
    effect = _effect(design, method, **options)
    form = linear_form(design, effect)
    assert (form.weights * design.y).sum() == pytest.approx(effect.overall.att, abs=1e-8)
    # A shock to everybody in one period is nobody's effect.
    np.testing.assert_allclose(form.weights.sum(axis=0), 0, atol=1e-8)
    if options.get("weights") != "sc":  # levels stay where no pre-period is taken off
        np.testing.assert_allclose(form.weights.sum(axis=1), 0, atol=1e-8)
    # Hosts weigh one in all after their start.
    is_treated = np.arange(N_PERIODS)[None] >= design.starts[:, None]
    assert form.weights[is_treated].sum() == pytest.approx(1.0)


def test_with_one_start_the_covariance_is_that_of_differences_of_means() -> None:
    starts = {"a": {"h0": 4, "h1": 4, "h2": 4}, "b": {"h2": 4, "h3": 4}}
    designs = {name: _design(name, starts=one) for name, one in starts.items()}
    effects = {name: _effect(one, "synthetic_did", weights="did") for name, one in designs.items()}
    found = fixed_weight_covariance(designs, effects)
    y = designs["a"].y[designs["a"].is_donor]
    variance = (y[:, 4:].mean(axis=1) - y[:, :4].mean(axis=1)).var(ddof=1)
    shared = np.array([[1 / 3, 1 / 6], [1 / 6, 1 / 2]])  # one host of three and two
    np.testing.assert_allclose(found.covariance, variance * (1 / N_DONORS + shared), rtol=1e-10)
    assert (found.n_pool, found.freedom, found.n_shared) == (N_DONORS, N_DONORS - 1, N_DONORS + 1)


def test_of_a_linear_method_it_is_what_resampling_comes_to() -> None:
    designs = {name: _design(name) for name in STARTS}
    effects = {name: _effect(one) for name, one in designs.items()}
    found = fixed_weight_covariance(designs, effects).covariance
    drawn = resample_effects(
        {name: refit(one, "imputation") for name, one in designs.items()}, draws=4000
    ).covariance
    scale = np.sqrt(np.outer(np.diag(found), np.diag(found)))
    # 4,000 draws tell a correlation to 0.016, a variance to 2%; three of those.
    np.testing.assert_allclose(drawn / scale, found / scale, atol=0.07)
    assert found[0, 1] > 3 * found[0, 2] > 0


def test_methods_may_differ_between_initiatives() -> None:
    designs = {name: _design(name) for name in STARTS}
    effects = {
        name: _effect(designs[name], method, **options)
        for name, (method, options) in zip(STARTS, METHODS[:1] + METHODS[3:5], strict=True)
    }
    found = fixed_weight_covariance(designs, effects)
    assert found.methods == {"a": "synthetic_did", "b": "imputation", "c": "group_time_att"}
    assert np.linalg.eigvalsh(found.covariance)[0] > 0


def test_an_effect_of_another_panel_or_with_other_numbers_is_refused() -> None:
    design = _design("a")
    with pytest.raises(DesignError, match="not estimated from this panel"):
        linear_form(_design("a", seed=6), _effect(design))
    effect = _effect(design, "synthetic_did", weights="did")
    changed = dataclasses.replace(
        effect, weights=tuple(dataclasses.replace(one, weight=0.5) for one in effect.weights)
    )
    with pytest.raises(DesignError, match="the weights give"):
        linear_form(design, changed)


def test_what_is_no_weighted_sum_of_outcomes_is_refused() -> None:
    design = _design("a")
    with pytest.raises(DesignError, match="no weighted sum"):
        linear_form(design, _effect(design, "matrix_completion"))
    with_z = _design("a", covariates=["z"])
    with pytest.raises(DesignError, match="covariates"):
        linear_form(with_z, _effect(with_z, "synthetic_did"))
    nothing = dataclasses.replace(
        _effect(design), overall=dataclasses.replace(_effect(design).overall, att=None)
    )
    with pytest.raises(DesignError, match="no estimate"):
        linear_form(design, nothing)
