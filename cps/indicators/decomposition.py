"""Theil's T and L split into what lies within groups and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cps.indicators.distribution import theil_l_of, theil_t_of


@dataclass(frozen=True, slots=True)
class GroupPart:
    """One group's share in an index.

    Parameters
    ----------
    group : str
    n : int
    population_share, income_share : float
    mean : float
        In the values' unit.
    index : float
        The index inside the group.
    within, between : float
        What the group adds to each; both sum to the parts of the whole over all groups.
    """

    group: str
    n: int
    population_share: float
    income_share: float
    mean: float
    index: float
    within: float
    between: float


@dataclass(frozen=True, slots=True)
class Decomposition:
    """An index as ``within + between``, which is ``total`` to the last digits of a float."""

    total: float
    within: float
    between: float
    groups: tuple[GroupPart, ...]


def decompose_theil(
    values: ArrayLike, groups: Sequence[str], *, index: Literal["t", "l"]
) -> Decomposition | None:
    r"""Split Theil's T or L by groups.

    .. math::
        T = \sum_g s_g T_g + \sum_g s_g \ln\frac{\mu_g}{\mu}, \qquad
        L = \sum_g w_g L_g + \sum_g w_g \ln\frac{\mu}{\mu_g}

    with income shares :math:`s_g` and population shares :math:`w_g`.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN (not reported) is left out.
    groups : sequence of str, length n
    index : {"t", "l"}

    Returns
    -------
    Decomposition or None
        None where the index is not defined. In T a group that has nothing adds 0.

    References
    ----------
    Shorrocks, A. F. (1980). The class of additively decomposable inequality measures. Econometrica
    48(3), 613–625. doi:10.2307/1913126
    """
    array = np.asarray(values, dtype=float)
    reported = np.isfinite(array)
    if not reported.any():
        return None
    given = array[reported]
    labels = np.asarray(groups)[reported]
    statistic = theil_t_of if index == "t" else theil_l_of
    total = float(statistic(given))
    if not np.isfinite(total):
        return None
    mean = given.mean()
    parts = []
    for group in sorted(set(labels.tolist())):
        own = given[labels == group]
        people = own.size / given.size
        income = float(own.sum() / given.sum())
        inside = float(statistic(own)) if own.sum() > 0 else 0.0
        weight = income if index == "t" else people
        gap = 0.0 if weight == 0 else float(np.log(own.mean() / mean))
        parts.append(
            GroupPart(
                group=str(group),
                n=own.size,
                population_share=people,
                income_share=income,
                mean=float(own.mean()),
                index=inside,
                within=weight * inside,
                between=weight * gap if index == "t" else -weight * gap,
            )
        )
    return Decomposition(
        total=total,
        within=float(sum(part.within for part in parts)),
        between=float(sum(part.between for part in parts)),
        groups=tuple(parts),
    )


def round_parts(total: float, parts: Sequence[float], *, digits: int) -> tuple[float, ...]:
    """Round parts so that, as printed, they add up to the total as printed.

    Each part moves by less than one last digit (largest remainders, Hamilton's rule).

    Examples
    --------
    >>> round_parts(0.2228, [0.1114, 0.1114], digits=3)
    (0.112, 0.111)
    """
    scale = 10**digits
    scaled = np.asarray(parts, dtype=float) * scale
    floors = np.floor(scaled)
    left = round(round(total, digits) * scale) - int(floors.sum())
    order = np.argsort(floors - scaled, kind="stable")
    floors[order[: max(left, 0)]] += 1
    return tuple(float(one / scale) for one in floors)
