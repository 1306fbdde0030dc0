"""Effects of initiatives as joint draws, and what must hold before they are taken away."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import DesignError, Text, UsageError
from cps.indicators.record import FloatArray, Grid

Scale = Literal["yuan", "log_points"]


def draw_effects(
    effects: ArrayLike, covariance: ArrayLike, *, draws: int = 2000, seed: int = 0
) -> FloatArray:
    """Draw effects jointly from a normal distribution.

    Parameters
    ----------
    effects : array_like, shape (k,)
    covariance : array_like, shape (k, k)
        Of the estimates, what they share included.
    draws, seed : int

    Returns
    -------
    ndarray, shape (draws, k)

    Raises
    ------
    UsageError
        If shapes don't fit, a value is missing, or the matrix is not a covariance.
    """
    centre, matrix = np.asarray(effects, dtype=float), np.asarray(covariance, dtype=float)
    if centre.ndim != 1 or matrix.shape != (centre.size, centre.size):
        raise misuse(
            Text("效应与协方差的形状不符", "effects and covariance don't fit"),
            Text("k 个效应配 k×k 协方差", "k effects take a k × k covariance"),
        )
    if not np.isfinite(centre).all() or not np.isfinite(matrix).all():
        raise misuse(
            Text("效应或协方差有缺项", "an effect or a covariance is missing"),
            Text("先去掉未识别的举措，或给出其范围", "leave out what was not identified"),
        )
    roots, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    slack = 1e-8 * max(float(np.abs(roots).max(initial=0.0)), 1e-300)
    if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=slack) or roots.min(initial=0.0) < -slack:
        raise misuse(
            Text("给出的不是协方差矩阵", "the matrix is no covariance: not symmetric, or negative"),
            Text("检查符号与顺序", "check its signs and its order"),
        )
    normal = np.random.default_rng(seed).standard_normal((draws, centre.size))
    return centre + normal * np.sqrt(np.clip(roots, 0, None)) @ vectors.T


def hosts_at(starts: ArrayLike, period: int) -> FloatArray:
    """Give which unit has which initiative at a date.

    Parameters
    ----------
    starts : array_like, shape (n_units, k)
        First period of each initiative in each unit; NaN where it never came.
    period : int

    Returns
    -------
    ndarray, shape (n_units, k)
        1 where it has started, 0 elsewhere.
    """
    given = np.asarray(starts, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.where(given <= period, 1.0, 0.0)


def check_effects(
    grid: Grid,
    membership: ArrayLike,
    effects: ArrayLike,
    draws: ArrayLike,
    *,
    n_names: int,
    scale: Scale,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give membership, effects and draws as arrays; raises UsageError if they don't fit."""
    shares = np.asarray(membership, dtype=float)
    centre = np.asarray(effects, dtype=float)
    drawn = np.asarray(draws, dtype=float)
    fits = (
        shares.ndim == 2
        and centre.ndim == 1
        and drawn.ndim == 2
        and shares.shape == (len(grid.units), centre.size)
        and drawn.shape[1] == centre.size
        and drawn.shape[0] > 1
        and n_names in (0, centre.size)
        and bool(np.isfinite(shares).all())
    )
    if not fits:
        raise misuse(
            Text(
                f"形状不符：单位×举措 {shares.shape}，效应 {centre.shape}，模拟 {drawn.shape}",
                f"shapes don't fit: membership {shares.shape}, effects {centre.shape}, draws "
                f"{drawn.shape}",
            ),
            Text(
                "应为（单位数, k）、（k,）、（次数, k）",
                "expected (n_units, k), (k,) and (n_draws, k)",
            ),
        )
    if scale not in ("yuan", "log_points") or (scale == "yuan" and grid.measure != "yuan"):
        raise misuse(
            Text(f"效应的单位“{scale}”与数据不符", f"effects in {scale!r} don't fit the data"),
            Text("元（数据须以元计）或 log_points", "yuan (for data in 元) or log_points"),
        )
    return shares, centre, drawn


def require_effects(grid: Grid, shares: FloatArray, centre: FloatArray, drawn: FloatArray) -> None:
    """Raise DesignError, naming units, if an effect that some unit has is missing."""
    is_absent = ~np.isfinite(centre) | ~np.isfinite(drawn).all(axis=0)
    hit = (shares[:, is_absent] != 0).any(axis=1)
    if hit.any():
        names = [unit for unit, is_hit in zip(grid.units, hit, strict=True) if is_hit]
        shown = names[:5]
        raise DesignError(
            Text(
                f"{len(names)} 个承办单位的效应未识别：{'、'.join(shown)}"
                + ("……" if len(names) > 5 else ""),
                f"the effect on {len(names)} treated units is not identified: {', '.join(shown)}"
                + (" …" if len(names) > 5 else ""),
            ),
            where="distribution_without(effects=…)",
            mend=Text(
                "给出其效应，或把这些单位移出数据并说明",
                "give their effects, or leave these units out of the grid and say so",
            ),
        )


def misuse(what: Text, mend: Text) -> UsageError:
    """Make the error for a question that can't be asked."""
    return UsageError(what, where="distribution_without", mend=mend)
