"""Treated units' gaps from factors: projected on the comparison units' factors, or all fitted at once.

Xu (2017), Political Analysis 25(1), 57-76, doi:10.1017/pan.2016.2: factors come from units that
are never treated, loadings of the treated from their own pre-periods; the number of factors is
that of the smallest error when one pre-period at a time is left out. Conventions are those of R
``gsynth``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.estimators._factors import ROUGH, FactorFit, fit_factors
from cps.estimators._factors_cells import Panel

Floats = NDArray[np.float64]
# Fewer factors win unless one more lowers the error by this share.
_GAIN = 1e-3


@dataclass(frozen=True, slots=True)
class Model:
    """How counterfactuals are made: with ``r`` factors, by projection or all at once."""

    r: int
    effects: str
    is_projected: bool
    tolerance: float = 1e-9

    def fit(
        self,
        panel: Panel,
        start: FactorFit | None = None,
    ) -> FactorFit:
        """Fit the untreated outcome: on comparison units alone, or on all cells of ``seen``."""
        rows = ~panel.is_treated if self.is_projected else np.ones(len(panel.y), dtype=bool)
        return fit_factors(
            panel.y[rows],
            self.r,
            covariates=None if panel.covariates is None else panel.covariates[:, rows],
            observed=panel.seen[rows],
            effects=self.effects,
            tolerance=self.tolerance,
            start=start,
        )

    def gaps(
        self,
        panel: Panel,
        start: FactorFit | None = None,
    ) -> Floats:
        """Give observed less counterfactual of the treated units, shape (n_treated, n_periods)."""
        found = self.fit(panel, start)
        if not self.is_projected:
            return np.asarray((panel.y - found.fitted)[panel.is_treated])
        left = self.left_over(found, panel)
        basis = self.basis(found)
        gaps = np.empty_like(left)
        for row, (values, mask) in enumerate(zip(left, panel.seen[panel.is_treated], strict=True)):
            loading = np.linalg.lstsq(basis[mask], values[mask], rcond=None)[0]
            gaps[row] = values - basis @ loading
        return gaps

    def basis(self, found: FactorFit) -> Floats:
        """What loadings multiply: the factors, and a constant where units have effects."""
        constant = np.ones((len(found.factors), int(self.effects in ("two_way", "unit"))))
        return np.concatenate([found.factors, constant], axis=1)

    def left_over(self, found: FactorFit, panel: Panel) -> Floats:
        """Take mean, period effects and covariates out of the treated units' outcome."""
        left = panel.y[panel.is_treated] - found.level - found.periods
        if panel.covariates is not None:
            left = left - np.tensordot(found.beta, panel.covariates[:, panel.is_treated], 1)
        return np.asarray(left)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was tried in choosing the number of factors, one entry for each number tried."""

    r: tuple[int, ...]
    mspe: tuple[float, ...]
    pc: tuple[float, ...]
    chosen: int


def choose_factors(
    panel: Panel,
    *,
    effects: str,
    is_projected: bool,
    most: int,
    criterion: str = "mspe",
) -> Choice:
    """Choose the number of factors by leaving out one pre-period of the treated at a time.

    Parameters
    ----------
    most : int
        Largest number to try; fewer if the shortest pre-period allows no more.
    criterion : {"mspe", "pc"}
        ``pc``: the information criterion of Bai & Ng (2002) as R ``gsynth`` computes it.
    """
    n_pre = int(panel.seen[panel.is_treated].sum(axis=1).min())
    n_units, n_periods = panel.y.shape
    room = n_pre - (2 if effects in ("two_way", "unit") else 1)
    # Leaving out one period tells little of models with nearly as many coefficients as periods:
    # R gsynth tries them; with six periods estimates then vary three times as much.
    room = min(room, n_pre // 2 - 1)
    n_fitted = int((~panel.is_treated).sum()) if is_projected else n_units
    tried = range(max(min(most, room, n_fitted - 2, n_periods - 2), 0) + 1)
    errors, criteria = [], []
    best = 0
    for r in tried:
        model = Model(r, effects, is_projected)
        found = model.fit(panel)
        criteria.append(found.pc)
        leave = _left_out_projected if is_projected else _left_out_at_once
        errors.append(leave(model, found, panel))
        if errors[best] - errors[r] > _GAIN * errors[best]:
            best = r
    chosen = int(np.argmin(criteria)) if criterion == "pc" else best
    return Choice(tuple(tried), tuple(errors), tuple(criteria), chosen)


def _left_out_projected(model: Model, found: FactorFit, panel: Panel) -> float:
    """Mean square of leave-one-out errors, from the leverages of one regression per unit."""
    left = model.left_over(found, panel)
    basis = model.basis(found)
    squares, n = 0.0, 0
    for values, mask in zip(left, panel.seen[panel.is_treated], strict=True):
        inner = np.linalg.qr(basis[mask])[0]
        error = values[mask] - inner @ (inner.T @ values[mask])
        room = 1 - (inner**2).sum(axis=1)
        squares += float(((error / np.maximum(room, 1e-10)) ** 2).sum())
        n += len(error)
    return squares / n


def _left_out_at_once(model: Model, found: FactorFit, panel: Panel) -> float:
    treated, seen = panel.is_treated, panel.seen
    rough = Model(model.r, model.effects, False, ROUGH)
    squares, n = 0.0, 0
    for period in np.flatnonzero(seen[treated].any(axis=0)):
        without = seen.copy()
        without[treated, period] = False
        gone = seen[:, period] & treated
        if not without[gone].any(axis=1).all():
            continue
        fitted = rough.fit(dataclasses.replace(panel, seen=without), found).fitted
        squares += float(((panel.y - fitted)[gone, period] ** 2).sum())
        n += int(gone.sum())
    return squares / n if n else float("inf")


def parametric_draws(panel: Panel, model: Model, *, n_draws: int, seed: int) -> Floats:
    """Draw gaps of a panel without effect: Xu's parametric bootstrap (algorithm 2).

    Prediction errors of treated units are those of comparison units that are treated as such, the
    others being drawn anew; they and the comparison units' residuals are laid on the fitted panel,
    and gaps are estimated again. By projection one comparison unit stands in for all treated units
    at once, as in R ``gsynth``; fitted all at once, copies of one unit would make a factor of their
    own, and each treated unit has another stand-in. ``panel.seen`` must lack nothing but the
    treated cells.

    Returns
    -------
    ndarray, shape (n_draws, n_treated, n_periods)
    """
    rng = np.random.default_rng(seed)
    treated, others = np.flatnonzero(panel.is_treated), np.flatnonzero(~panel.is_treated)
    found = model.fit(panel)
    warm = found if model.is_projected else None
    rough = Model(model.r, model.effects, model.is_projected, ROUGH)
    fitted = panel.y[treated] - model.gaps(panel, found)
    fitted_others = found.fitted if model.is_projected else found.fitted[others]
    residuals = panel.y[others] - fitted_others
    order = np.concatenate([treated, others])

    def estimate(values: Floats, rows: NDArray[np.int64]) -> Floats:
        drawn = dataclasses.replace(
            panel,
            y=values,
            covariates=None if panel.covariates is None else panel.covariates[:, rows],
            seen=panel.seen[order],
            starts=panel.starts[order],
            rows=rows,
        )
        return rough.gaps(drawn, warm)

    n = len(treated)
    errors = np.empty((n_draws, n, panel.y.shape[1]))
    for draw in range(n_draws):
        if model.is_projected:
            stand_ins = np.full(n, rng.choice(others))
        else:
            stand_ins = rng.choice(others, n, replace=2 * n > len(others))
        rest = rng.choice(np.setdiff1d(others, stand_ins), len(others))
        rows = np.concatenate([stand_ins, rest])
        errors[draw] = estimate(panel.y[rows], rows)
    drawn = np.empty_like(errors)
    for draw in range(n_draws):
        one = errors[rng.integers(n_draws, size=n), np.arange(n)]
        kept = rng.integers(len(others), size=len(others))
        noise = residuals[rng.integers(len(others), size=len(others))]
        values = np.concatenate([fitted + one, fitted_others[kept] + noise])
        drawn[draw] = estimate(values, np.concatenate([treated, others[kept]]))
    return drawn
