"""The debiased t-test: an independent slow version, size, refusals."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.inference.debiased_t_test import fold_effects, t_estimate
from cps.estimators.registry import estimate


def series(n_pre: int, n_post: int, seed: int, n_donors: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    donors = rng.normal(size=(n_donors, n_pre + n_post))
    weights = np.zeros(n_donors)
    weights[:3] = [0.5, 0.3, 0.2]
    return weights @ donors + rng.normal(0, 0.5, n_pre + n_post), donors


def design_of(treated: np.ndarray, donors: np.ndarray, n_pre: int) -> Design:
    y = np.vstack([treated, donors])
    frame = pl.DataFrame(
        [
            (f"u{i:02d}", 1 + t, float(y[i, t]), n_pre + 1 if i == 0 else None)
            for i in range(len(y))
            for t in range(y.shape[1])
        ],
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def test_folds_agree_with_a_slow_independent_version() -> None:
    from scipy.optimize import minimize

    treated, donors = series(13, 5, seed=1)
    ours, size = fold_effects(treated, donors, 13, folds=3, kind="sc")
    assert size == 4
    for k, first in enumerate((1, 5, 9)):  # the first of 13 periods is in no fold
        held = list(range(first, first + 4))
        kept = [t for t in range(13) if t not in held]
        slow = minimize(
            lambda w, kept=kept: ((treated[kept] - w @ donors[:, kept]) ** 2).sum(),
            np.full(6, 1 / 6),
            bounds=[(0, 1)] * 6,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-15, "maxiter": 2000},
        ).x
        gap = treated - slow @ donors
        # The slow solver's weights are good to about 1e-7.
        assert ours[k] == pytest.approx(gap[13:].mean() - gap[held].mean(), abs=1e-5)


def test_the_error_is_the_folds_spread_blown_up_for_the_post_period() -> None:
    parts = np.array([1.0, 2.0, 4.0])
    found = t_estimate(parts, 4, 6, 0.9)
    se = np.sqrt(1 + 12 / 6) * parts.std(ddof=1) / np.sqrt(3)
    assert found.att == pytest.approx(7 / 3)
    assert found.se == pytest.approx(se)
    # 2.919986: the 95% quantile of t with two degrees of freedom, from any table.
    assert found.ci_high is not None
    assert found.ci_high - 7 / 3 == pytest.approx(2.919986 * se, rel=1e-6)


def test_without_an_effect_the_test_rejects_at_about_its_level() -> None:
    rejections = []
    for seed in range(200):
        treated, donors = series(30, 20, seed)
        parts, size = fold_effects(treated, donors, 30, folds=3, kind="sc")
        p_value = t_estimate(parts, size, 20, 0.9).p_value
        rejections.append(p_value is not None and p_value < 0.1)
    # 200 panels: 10% ± 3 standard errors of 2.1 points.
    assert np.mean(rejections) == pytest.approx(0.1, abs=0.065)


def test_an_effect_added_to_the_post_period_is_added_to_the_estimate() -> None:
    treated, donors = series(20, 8, seed=3)
    moved = treated + 5.0 * (np.arange(28) >= 20)
    for kind in ("sc", "did"):
        options = {"weights": kind, "errors": "none"}
        plain, other = (
            estimate(
                design_of(one, donors, 20),
                "synthetic_did",
                inference="debiased_t_test",
                options=options,
            )
            for one in (treated, moved)
        )
        assert plain.overall.att is not None and other.overall.att is not None
        assert other.overall.att - plain.overall.att == pytest.approx(5.0, abs=1e-9)
        assert other.overall.se == pytest.approx(plain.overall.se, rel=1e-9)
        assert {one.code for one in other.findings} >= {"N-INF-DEBIASED", "W-INF-FEW-PERIODS"}
        assert all(one.estimate.se is None for one in other.by_event_time)


def test_too_few_pre_periods_for_the_folds_are_refused_in_words() -> None:
    treated, donors = series(4, 4, seed=5)
    with pytest.raises(DesignError, match="can't be split into 5 folds"):
        estimate(
            design_of(treated, donors, 4),
            "synthetic_did",
            inference="debiased_t_test",
            options={"weights": "sc", "errors": "none"},
            inference_options={"folds": 5},
        )


def test_factor_models_are_refused() -> None:
    treated, donors = series(12, 4, seed=6)
    with pytest.raises(DesignError, match="no form that can be refitted"):
        estimate(
            design_of(treated, donors, 12),
            "interactive_fixed_effects",
            inference="debiased_t_test",
            options={"errors": "none"},
        )
