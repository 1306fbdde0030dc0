"""What income is made of, and how much of it is subsidy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import PanelError, Text, UsageError
from cps.indicators.record import FloatArray

TOLERANCE = 0.5  # 元: a total that is off by less is a matter of rounding


@dataclass(frozen=True, slots=True)
class Structure:
    """Shares of a sum over the units that reported every part.

    Parameters
    ----------
    shares_pct : dict of str to float
        By part; they sum to 100.
    amounts : dict of str to float
        Sums by part, in the parts' unit.
    concentration : float
        Herfindahl index of the shares: 1/k for k equal parts, 1 for one part alone.
    n : int
        Units that reported every part.
    """

    shares_pct: dict[str, float]
    amounts: dict[str, float]
    concentration: float
    n: int


@dataclass(frozen=True, slots=True)
class Dependence:
    """How far units live on subsidies.

    Parameters
    ----------
    share_pct : float
        Subsidies ÷ (income + subsidies), sums over units.
    median_share_pct : float
        The median unit's own share.
    above_half_pct : float
        Share of units more than half of whose money is subsidy.
    n : int
    """

    share_pct: float
    median_share_pct: float
    above_half_pct: float
    n: int


def income_structure(
    parts: Mapping[str, ArrayLike], *, total: ArrayLike | None = None
) -> Structure | None:
    """Give the shares of the parts of a sum.

    Parameters
    ----------
    parts : mapping of str to array_like, shape (n,)
        NaN is not reported; a unit counts only if it reported every part.
    total : array_like, shape (n,), optional
        What the parts should sum to, unit by unit: checked where it is reported.

    Returns
    -------
    Structure or None
        None where no unit reported every part or the sum is not positive.

    Raises
    ------
    UsageError
        Without parts, or with a negative part: shares of a sum need parts of one sign.
    PanelError
        If parts do not sum to the total; says how many units and by how much at most.
    """
    if not parts:
        raise UsageError(
            Text("没有给出收入的组成部分", "no parts of the income were given"),
            where="income_structure(parts=…)",
            mend=Text(
                "给出经营收入、投资收益、发包及上交收入等", "give operating, investment, rent …"
            ),
        )
    arrays = np.array([np.asarray(one, dtype=float) for one in parts.values()])
    whole = np.isfinite(arrays).all(axis=0)
    if not whole.any():
        return None
    chosen = arrays[:, whole]
    if (chosen < 0).any():
        raise UsageError(
            Text("有组成部分为负，占比无意义", "a part is negative: its share means nothing"),
            where="income_structure(parts=…)",
            mend=Text("先查明冲销或负数来源", "find out first what was reversed"),
        )
    sums = chosen.sum(axis=1)
    if sums.sum() <= 0:
        return None
    if total is not None:
        _require_identity(chosen.sum(axis=0), np.asarray(total, dtype=float)[whole])
    shares = sums / sums.sum()
    return Structure(
        shares_pct=dict(zip(parts, (100 * shares).tolist(), strict=True)),
        amounts=dict(zip(parts, sums.tolist(), strict=True)),
        concentration=float((shares**2).sum()),
        n=int(whole.sum()),
    )


def subsidy_dependence(income: ArrayLike, subsidies: ArrayLike) -> Dependence | None:
    """Give how much of income and subsidies together is subsidy; None where nothing is positive.

    ``income`` must not hold the subsidies already (经营性收入 never does).

    Parameters
    ----------
    income, subsidies : array_like, shape (n,), 元
        NaN is not reported; a unit counts only with both. No subsidy is 0, and must be said so.
    """
    own, given = np.asarray(income, dtype=float), np.asarray(subsidies, dtype=float)
    together = own + given
    fits = np.isfinite(together) & (together > 0) & (given >= 0) & (own >= 0)
    if not fits.any():
        return None
    shares = given[fits] / together[fits]
    return Dependence(
        share_pct=float(100 * given[fits].sum() / together[fits].sum()),
        median_share_pct=float(100 * np.median(shares)),
        above_half_pct=float(100 * (shares > 0.5).mean()),
        n=int(fits.sum()),
    )


def _require_identity(sums: FloatArray, total: FloatArray) -> None:
    gap = np.abs(sums - total)
    off = np.isfinite(gap) & (gap > TOLERANCE)
    if off.any():
        raise PanelError(
            Text(
                f"{int(off.sum())} 个单位的合计与各项之和不符，最多相差 {gap[off].max():,.2f} 元",
                f"the parts of {int(off.sum())} units do not sum to their total, by up to "
                f"CNY {gap[off].max():,.2f}",
            ),
            where="income_structure(total=…)",
            mend=Text(
                "核对台账合计，或补上所缺项目", "check the total, or add the part that is lacking"
            ),
        )
