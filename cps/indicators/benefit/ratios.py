"""Confidence sets of ratios that stay honest when the denominator can be zero (Fieller)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import Text, UsageError

Kind = Literal["interval", "outside", "everything", "point"]


@dataclass(frozen=True, slots=True)
class RatioSet:
    """All ratios that the estimates don't rule out at their level.

    Parameters
    ----------
    estimate : float or None
        Numerator over denominator; None if the denominator is zero.
    kind : {"interval", "outside", "everything", "point"}
        ``interval``: lower to upper, bounded; ``outside``: at most ``lower``, or at least ``upper``;
        ``everything``: no ratio is ruled out; ``point``: nothing is uncertain.
    lower, upper : float or None
        None for ``everything``.
    level : float
    g : float or None
        (critical value × error of the denominator / denominator)²; the set is bounded if below 1; None at zero.
    words : Text
    """

    estimate: float | None
    kind: Kind
    lower: float | None
    upper: float | None
    level: float
    g: float | None
    words: Text

    def holds(self, ratio: float) -> bool:
        """Tell whether a ratio is in the set."""
        if self.lower is None or self.upper is None:
            return True
        if self.kind == "outside":
            return ratio <= self.lower or ratio >= self.upper
        return self.lower <= ratio <= self.upper


def ratio_set(
    numerator: float,
    denominator: float,
    *,
    numerator_se: float,
    denominator_se: float,
    covariance: float = 0.0,
    level: float = 0.95,
    critical: float | None = None,
) -> RatioSet:
    r"""Give Fieller's confidence set for the ratio of two normal means.

    It is :math:`\{\theta: (a - \theta b)^2 \le q^2 (v_a - 2\theta v_{ab} + \theta^2 v_b)\}`.

    Parameters
    ----------
    numerator, denominator : float
        Estimates in any units; the ratio is in the one per the other.
    numerator_se, denominator_se : float
        Standard errors; 0 for what is known.
    covariance : float
        Of the two estimates.
    critical : float or None
        q: the normal quantile of ``level`` if None; give Student's where degrees of freedom are few.

    Raises
    ------
    UsageError
        If a number isn't one, an error is negative, the covariance impossible, or nothing is
        uncertain while the denominator is zero.

    References
    ----------
    Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical
    Society B 16, 175–185, doi:10.1111/j.2517-6161.1954.tb00159.x. von Luxburg, U. & Franz, V. H.
    (2009). A geometric approach to confidence sets for ratios. Statistica Sinica 19, 1095–1117.
    """
    a, b, v, w = numerator, denominator, numerator_se**2, denominator_se**2
    _require_sense([a, b, v, w, covariance], numerator_se, denominator_se, covariance, level)
    q = NormalDist().inv_cdf((1 + level) / 2) if critical is None else critical
    square, cross, constant = b * b - q * q * w, a * b - q * q * covariance, a * a - q * q * v
    estimate = a / b if b * b else None  # 0 too where its square is too small for a float
    g = q * q * w / (b * b) if b * b else None
    root = cross * cross - square * constant
    # (a − θb)² against its variance is zero at the estimate: no root can be lost but to rounding.
    spread = float(np.sqrt(max(root, 0.0)))
    if square > 0:
        ends = ((cross - spread) / square, (cross + spread) / square)
        kind: Kind = "point" if v == w == 0 else "interval"
    elif square < 0 and root > 0:
        ends = ((cross + spread) / square, (cross - spread) / square)
        kind = "outside"
    elif b * b == 0 and w == 0:
        raise _refuse(
            Text("分母为零且没有误差，比值没有意义", "the denominator is zero without any error"),
            Text("没有增加量时不计算单位成本", "there is no cost per unit of nothing"),
        )
    else:
        return RatioSet(
            estimate, "everything", None, None, level, g, _words("everything", (), level)
        )
    return RatioSet(estimate, kind, *ends, level, g, _words(kind, ends, level))


def cost_set(
    outlay: float, units: float, lower: float, upper: float, *, level: float = 0.95
) -> RatioSet:
    """Give what one unit costs where the outlay is known, from an interval of the units.

    The set is the outlay over every number in the interval: Fieller's, if the interval is a normal
    one, and as good as the interval if it isn't (one that was translated from logarithms, say).
    Where the interval holds zero the set is unbounded.

    Parameters
    ----------
    outlay : float
        Positive.
    units, lower, upper : float
        Estimate and interval, at ``level``.

    Raises
    ------
    UsageError
        If the outlay is not positive, the interval is none, or nothing is uncertain and there are
        no units.

    Examples
    --------
    >>> cost_set(100.0, 4.0, 2.0, 5.0).upper, cost_set(100.0, 4.0, -1.0, 5.0).kind
    (50.0, 'outside')
    """
    if not (outlay > 0 and lower <= upper and np.isfinite([outlay, units, lower, upper]).all()):
        raise _refuse(
            Text("投入不为正，或区间不成立", "the outlay is not positive, or the interval is none"),
            Text("先完成估计，并填写投资", "estimate first, and give the outlays"),
        )
    if lower == upper == 0:
        raise _refuse(
            Text("分母为零且没有误差，比值没有意义", "the denominator is zero without any error"),
            Text("没有增加量时不计算单位成本", "there is no cost per unit of nothing"),
        )
    square = units * units  # 0 too where it is too small for a float
    estimate = outlay / units if square else None
    g = ((upper - lower) / 2) ** 2 / square if square else None
    ends: tuple[float, ...] = ()
    kind: Kind = "everything"  # one end of the interval is zero: nothing but one sign is ruled out
    if lower < 0 < upper:
        kind, ends = "outside", (outlay / lower, outlay / upper)
    elif lower * upper > 0:
        kind, ends = "point" if lower == upper else "interval", (outlay / upper, outlay / lower)
    low, high = ends or (None, None)
    return RatioSet(estimate, kind, low, high, level, g, _words(kind, ends, level))


def ratio_set_of_draws(
    numerators: ArrayLike, denominators: ArrayLike, *, level: float = 0.95
) -> RatioSet:
    """Give the set from joint draws of numerator and denominator, by their moments.

    Percentiles of the draws' ratio would always be bounded, and wrong where the denominator's draws
    lie on both sides of zero.

    Parameters
    ----------
    numerators, denominators : array_like, shape (n_draws,)
    """
    a, b = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    covariance = np.cov(a, b) if a.size > 1 else np.zeros((2, 2))
    limit = float(np.sqrt(max(covariance[0, 0] * covariance[1, 1], 0.0)))
    return ratio_set(
        float(a.mean()),
        float(b.mean()),
        numerator_se=float(np.sqrt(covariance[0, 0])),
        denominator_se=float(np.sqrt(covariance[1, 1])),
        covariance=float(np.clip(covariance[0, 1], -limit, limit)),
        level=level,
    )


def affordable_share(costs: ArrayLike, gains: ArrayLike, prices: ArrayLike) -> NDArray[np.float64]:
    """Give for each price the share of draws in which the gain is worth its cost at that price.

    The acceptability curve: unlike the ratio it needs no denominator. A draw counts if
    price × gain > cost.

    Parameters
    ----------
    costs, gains : array_like, shape (n_draws,)
    prices : array_like, shape (n_prices,)
        What a unit of gain is taken to be worth, in the unit of cost.

    References
    ----------
    van Hout, B. A., Al, M. J., Gordon, G. S. & Rutten, F. F. H. (1994). Costs, effects and
    C/E-ratios alongside a clinical trial. Health Economics 3, 309–319, doi:10.1002/hec.4730030505.
    """
    price = np.asarray(prices, dtype=float)[:, None]
    worth = price * np.asarray(gains, dtype=float) > np.asarray(costs, dtype=float)
    return np.asarray(worth.mean(axis=1))


def _words(kind: Kind, ends: tuple[float, ...], level: float) -> Text:
    share = f"{100 * level:.0f}%"
    if kind == "everything":
        return Text(
            f"分母与零无法区分，{share} 置信集为全部实数：单位成本不能确定",
            f"the denominator can't be told from zero: no ratio is ruled out at {share}",
        )
    low, high = _told(ends[0]), _told(ends[1])
    if kind == "outside":
        return Text(
            f"分母与零无法区分，{share} 置信集无界：不高于 {low} 或不低于 {high}（含无穷大）",
            f"the denominator can't be told from zero: the {share} set is unbounded, at most {low} "
            f"or at least {high} (infinity included)",
        )
    if kind == "point":
        return Text(f"确定值 {low}", f"known to be {low}")
    return Text(f"{share} 区间 {low} 至 {high}", f"{share} interval {low} to {high}")


def _told(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def _require_sense(
    values: list[float], a_se: float, b_se: float, covariance: float, level: float
) -> None:
    if not all(np.isfinite(one) for one in values) or a_se < 0 or b_se < 0:
        raise _refuse(
            Text("估计值或标准误不是有效数字", "an estimate or its error is no number"),
            Text("先完成估计", "estimate first"),
        )
    if abs(covariance) > a_se * b_se * (1 + 1e-9):
        raise _refuse(
            Text("协方差大于两个标准误之积", "the covariance exceeds the product of the errors"),
            Text("核对协方差", "check the covariance"),
        )
    if not 0 < level < 1:
        raise _refuse(
            Text(f"置信水平 {level} 应在 0 与 1 之间", f"level {level} must lie between 0 and 1"),
            Text("例如 0.95", "for example 0.95"),
        )


def _refuse(what: Text, mend: Text) -> UsageError:
    return UsageError(what, where="ratio_set", mend=mend)
