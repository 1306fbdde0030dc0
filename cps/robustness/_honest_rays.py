"""The extreme rays of a cone, by double description."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TINY = 1e-10


def extreme_rays(equations: Floats) -> Floats:
    """Give the extreme rays of ``{g ≥ 0, equations @ g = 0}``, each with largest entry 1.

    Fukuda & Prodon (1996), doi:10.1007/3-540-61576-8_77. Rays are joined only if they are
    adjacent: no third ray is zero wherever both are.

    Parameters
    ----------
    equations : ndarray, shape (n_equations, n)

    Returns
    -------
    ndarray, shape (n_rays, n)
    """
    return _rays(np.ascontiguousarray(equations, dtype=float).tobytes(), equations.shape[1])


@lru_cache(maxsize=64)
def _rays(content: bytes, n: int) -> Floats:
    """Remember them: the sets of one study differ in everything but these."""
    rays = np.eye(n)
    left = list(np.frombuffer(content).reshape(-1, n))
    while left:
        values = [_value(rays, one) for one in left]
        # The equation that joins fewest pairs goes first: it keeps the list short.
        pairs = [int((one > 0).sum() * (one < 0).sum()) for one in values]
        chosen = int(np.argmin(pairs))
        value = values[chosen]
        del left[chosen]
        kept = [rays[value == 0]]
        support = rays > 0
        for above in np.flatnonzero(value > 0):
            for below in np.flatnonzero(value < 0):
                both = support[above] | support[below]
                if (~(support & ~both).any(axis=1)).sum() == 2:
                    joined = value[above] * rays[below] - value[below] * rays[above]
                    joined[~both] = 0.0
                    kept.append(joined[None] / joined.max())
        rays = np.concatenate(kept)
    rays.flags.writeable = False
    return rays


def _value(rays: Floats, equation: Floats) -> Floats:
    value = rays @ equation
    value[np.abs(value) <= _TINY * (np.abs(rays) @ np.abs(equation))] = 0.0
    return np.asarray(value)
