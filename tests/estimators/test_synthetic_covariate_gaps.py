"""Synthetic control on covariates with gaps: averages of what is there, refusals where nothing is."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import DesignError
from cps.estimators.registry import estimate, refit

YEARS = np.arange(2008, 2025)
START = 2020
OPTIONS = (
    {"fit": "outcomes"},
    {"fit": "outcomes", "augment": "ridge", "covariates": "residualise"},
    {"fit": "covariates", "predictors": "x:2010-2019; y:2012; y:2019", "v": "equal"},
)


def panel(x: np.ndarray, *, seed: int = 3) -> Design:
    """Twelve units, the first of them treated; NaN in ``x`` is a gap."""
    rng = np.random.default_rng(seed)
    n = len(x)
    y = 10 + rng.uniform(0, 2, (n, 2)) @ np.stack([np.linspace(0, 5, 17), np.sin(YEARS * 0.9)])
    y = y + rng.normal(0, 0.3, y.shape)
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:02d}" for i in range(n) for _ in YEARS],
            "year": np.tile(YEARS, n),
            "y": y.ravel(),
            "x": pl.Series(x.ravel()).fill_nan(None),
            "cohort": pl.Series([START if i == 0 else None for i in range(n) for _ in YEARS]),
        }
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        covariates=("x",),
        missing="keep_covariates",
    )


def gappy(seed: int = 5) -> np.ndarray:
    """Half of what precedes 2014 is missing, and everything after the start."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (12, 1)) + rng.normal(0, 0.2, (12, len(YEARS)))
    x[:, YEARS < 2014] = np.where(rng.random((12, 6)) < 0.5, np.nan, x[:, YEARS < 2014])
    x[:, YEARS >= START] = np.nan
    return x


@pytest.mark.parametrize("options", OPTIONS)
def test_averages_over_what_is_there_are_those_of_a_panel_filled_with_them(
    options: dict[str, str],
) -> None:
    x = gappy()
    first = 2010 if options["fit"] == "covariates" else 2008
    window = (first <= YEARS) & (YEARS < START)
    middle = np.nanmean(x[:, window], axis=1, keepdims=True)
    with_gaps = estimate(panel(x), "synthetic_control", options=options)
    filled = estimate(
        panel(np.broadcast_to(middle, x.shape).copy()), "synthetic_control", options=options
    )
    assert with_gaps.n_comparison == 11
    # The same averages, summed in another order.
    assert with_gaps.overall.att == pytest.approx(filled.overall.att, abs=1e-9)
    assert with_gaps.overall.p_value == filled.overall.p_value


def test_a_window_without_any_value_is_refused_by_unit_covariate_and_years() -> None:
    x = gappy()
    x[4, YEARS < 2012] = np.nan
    design = panel(x)
    options = {"fit": "covariates", "predictors": "x:2008-2011; y:2019"}
    with pytest.raises(DesignError) as caught:
        estimate(design, "synthetic_control", options=options)
    assert "u04, x:2008-2011" in caught.value.what.en
    assert "u04, x:2008-2011" in caught.value.what.zh
    wider = estimate(
        design, "synthetic_control", options={"fit": "covariates", "predictors": "x:2008-2019"}
    )
    assert wider.overall.att is not None


def test_a_covariate_seen_only_after_the_start_is_refused_for_whole_paths_too() -> None:
    x = gappy()
    x[2, YEARS < START] = np.nan
    with pytest.raises(DesignError, match="u02, x:2008-2019"):
        estimate(panel(x), "synthetic_control")


def test_a_start_before_anything_was_observed_has_no_number() -> None:
    x = np.where(YEARS < 2014, np.nan, gappy())
    x[:, (YEARS >= 2014) & (YEARS < START)] = 1.0 + np.arange(12)[:, None]
    again = refit(panel(x), "synthetic_control")
    starts = np.full((2, 12), np.inf)
    starts[0, 3], starts[1, 3] = 2012, START
    found = again.under(starts)
    assert np.isnan(found[0])
    assert np.isfinite(found[1])
