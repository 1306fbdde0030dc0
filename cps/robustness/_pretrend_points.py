"""Scrambled Sobol points: those of ``scipy.stats.qmc.Sobol``, without its slow import.

Joe & Kuo (2008), doi:10.1137/070709359, for the directions; Matoušek (1998),
doi:10.1006/jcom.1998.0489, for the scrambling: a random linear map of the digits, and a shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 30
# Of each dimension after the first: a primitive polynomial, its coefficients read as binary digits,
# and the first directions.
_DIRECTIONS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (3, (1,)),
    (7, (1, 3)),
    (11, (1, 3, 1)),
    (13, (1, 1, 1)),
    (19, (1, 1, 3, 3)),
    (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
    (41, (1, 1, 5, 5, 5)),
    (47, (1, 1, 7, 11, 19)),
    (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)),
    (61, (1, 3, 5, 5, 31)),
    (67, (1, 3, 3, 9, 7, 49)),
    (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
    (103, (1, 1, 1, 15, 7, 5)),
    (109, (1, 3, 1, 15, 13, 25)),
    (115, (1, 1, 5, 5, 19, 61)),
)
MOST = len(_DIRECTIONS) + 1


def sobol_points(n: int, power: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Give the first ``2 ** power`` points of a scrambled Sobol sequence.

    Parameters
    ----------
    n : int
        Dimensions, at most ``MOST``.

    Returns
    -------
    ndarray, shape (n, 2 ** power)
    """
    rng = np.random.default_rng(seed).spawn(1)[0]  # as scipy takes it
    shift = rng.integers(2, size=(n, _BITS), dtype=np.uint32) @ (
        2 ** np.arange(_BITS, dtype=np.uint32)
    )
    mixing = np.tril(rng.integers(2, size=(n, _BITS, _BITS), dtype=np.uint32))
    mixing[:, np.arange(_BITS), np.arange(_BITS)] = 1
    digits = 2 ** np.arange(_BITS - 1, -1, -1, dtype=np.int64)
    directions = np.array([_directions(one) for one in range(n)], dtype=np.int64)
    given = (directions[:, :power, None] // digits) % 2
    mixed = (given @ np.swapaxes(mixing, 1, 2).astype(np.int64)) % 2 @ digits
    # In the order of Gray's code each point differs from the last by one direction.
    changed = [(place & -place).bit_length() - 1 for place in range(1, 2**power)]
    steps = np.concatenate([shift.astype(np.int64)[:, None], mixed[:, changed]], axis=1)
    return np.asarray(np.bitwise_xor.accumulate(steps, axis=1) / 2**_BITS)


def _directions(dimension: int) -> list[int]:
    if dimension == 0:
        found = [1] * _BITS
    else:
        polynomial, first = _DIRECTIONS[dimension - 1]
        degree, found = len(first), list(first)
        for place in range(degree, _BITS):
            new = found[place - degree]
            for k in range(degree):
                if polynomial >> (degree - 1 - k) & 1:
                    new ^= found[place - 1 - k] << (k + 1)
            found.append(new)
    return [one << (_BITS - 1 - place) for place, one in enumerate(found)]
