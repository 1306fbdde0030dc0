"""Present values, internal rates of return, ratios and payback of yearly money flows.

Flows are by year, year 0 first; year 0 is not discounted, year t is divided by (1 + rate)^t, as the
Green Book does (HM Treasury, The Green Book, annex on discounting).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import Text, UsageError

Floats = NDArray[np.float64]
_LARGEST = 1e6  # of 1 + rate and of its inverse: beyond it there are no rates, only rounding
_NOTHING = 1e-15  # of the largest flow: below a float's own error
_TOUCH = 1e-7  # relative: a double root that arithmetic has split or lifted off zero


@dataclass(frozen=True, slots=True)
class InternalRates:
    """All rates at which a project's present value is zero.

    Parameters
    ----------
    rates : tuple of float
        Ascending, each above −1; 0.08 is 8% a year. Empty if there is none.
    words : Text
        Says plainly whether there is none, one or several, and what follows.
    """

    rates: tuple[float, ...]
    words: Text

    @property
    def only(self) -> float | None:
        """Give the rate where there is exactly one, otherwise None."""
        return self.rates[0] if len(self.rates) == 1 else None


def discount_factors(n_years: int, rate: float) -> Floats:
    """Give 1 / (1 + rate)^t for t = 0 … n_years − 1.

    Raises
    ------
    UsageError
        If the rate is −100% or less.

    Examples
    --------
    >>> discount_factors(3, 0.035).round(4).tolist()
    [1.0, 0.9662, 0.9335]
    """
    if not rate > -1:
        raise UsageError(
            Text(f"折现率 {rate} 应大于 −1", f"discount rate {rate} must be above −1"),
            where="discount_factors(rate=…)",
            mend=Text("3.5% 写作 0.035", "write 3.5% as 0.035"),
        )
    return np.asarray((1.0 + rate) ** -np.arange(n_years, dtype=float))


def present_value(flows: ArrayLike, rate: float) -> Floats:
    """Discount flows, shape (…, n_years), to year 0: shape (…). Of net flows this is the NPV."""
    given = np.asarray(flows, dtype=float)
    # Not a matrix product: those may add up in another order with other threads.
    return np.asarray((given * discount_factors(given.shape[-1], rate)).sum(axis=-1))


def benefit_cost_ratio(benefits: ArrayLike, costs: ArrayLike, rate: float) -> Floats:
    """Give present benefits over present costs, NaN where costs come to nothing or less.

    Parameters
    ----------
    benefits, costs : array_like, shape (…, n_years)
        Both as positive amounts.
    """
    above, below = present_value(benefits, rate), present_value(costs, rate)
    return np.asarray(
        np.divide(above, below, out=np.full_like(above + below, np.nan), where=below > 0)
    )


def internal_rates(flows: ArrayLike) -> InternalRates:
    r"""Find every rate r > −1 with :math:`\sum_t f_t (1 + r)^{-t} = 0`.

    Roots are those of the polynomial in x = 1/(1 + r), polished on the polynomial itself; a root
    that touches zero without crossing is kept.

    Raises
    ------
    UsageError
        If all flows are zero, or one is not a number: every rate, or none, would do.

    References
    ----------
    Lorie, J. H. & Savage, L. J. (1955). Three problems in rationing capital. Journal of Business 28,
    229–239, doi:10.1086/294081.

    Examples
    --------
    >>> [round(one, 6) for one in internal_rates([-1600, 10000, -10000]).rates]
    [0.25, 4.0]
    """
    given = np.asarray(flows, dtype=float).ravel()
    if not np.isfinite(given).all() or not given.any():
        raise UsageError(
            Text("现金流全为零或不是数", "the flows are all zero, or one is not a number"),
            where="internal_rates(flows)",
            mend=Text("给出各年净现金流", "give each year's net flow"),
        )
    rates = _rates(given)
    return InternalRates(rates, _rates_in_words(given, rates))


def _rates(given: Floats) -> tuple[float, ...]:
    used = given / np.abs(given).max()
    used = np.trim_zeros(np.where(np.abs(used) < _NOTHING, 0.0, used))
    if (used >= 0).all() or (used <= 0).all():
        return ()
    roots = np.roots(used[::-1])
    near = roots[np.abs(roots.imag) <= 1e-4 * np.abs(roots)].real
    found: list[float] = []
    for root in np.sort(near[(near > 1 / _LARGEST) & (near < _LARGEST)]):
        x = _polish(used, float(root))
        size = np.abs(used) @ x ** np.arange(used.size)
        if abs(_value(used, x)) <= _TOUCH**2 * size and not any(
            abs(x - one) <= 10 * _TOUCH * x for one in found
        ):
            found.append(x)
    return tuple(sorted(1 / x - 1 for x in found))


def _value(used: Floats, x: float) -> float:
    return float(np.polynomial.polynomial.polyval(x, used))


def _polish(used: Floats, x: float) -> float:
    slope = np.polynomial.polynomial.polyder(used)
    for _ in range(50):
        rise = float(np.polynomial.polynomial.polyval(x, slope))
        step = _value(used, x) / rise if rise else 0.0
        if not 0 < x - step < 2 * x or abs(step) <= 1e-16 * x:
            break
        x -= step
    return x


def _rates_in_words(given: Floats, rates: tuple[float, ...]) -> Text:
    if len(rates) == 1:
        share = f"{100 * rates[0]:.1f}%"
        return Text(f"内部收益率 {share}", f"internal rate of return {share}")
    if rates:
        zh = "、".join(f"{100 * one:.1f}%" for one in rates)
        en = ", ".join(f"{100 * one:.1f}%" for one in rates)
        return Text(
            f"有 {len(rates)} 个内部收益率（{zh}），不能单独据此取舍，应看净现值",
            f"{len(rates)} internal rates of return ({en}): none decides by itself; look at the "
            "present value",
        )
    if (given >= 0).all():
        return Text("没有支出，内部收益率不存在", "nothing is spent: there is no internal rate")
    if (given <= 0).all():
        return Text(
            "没有净收益，投入收不回，内部收益率不存在",
            "nothing comes back: there is no internal rate",
        )
    total = present_value(given, 0.035)
    sign = ("正", "positive") if total > 0 else ("负", "negative")
    return Text(
        f"任何折现率下净现值都不为零（恒为{sign[0]}），内部收益率不存在",
        f"the present value is zero at no rate (always {sign[1]}): there is no internal rate",
    )


def modified_rate(flows: ArrayLike, *, finance: float, reinvest: float) -> Floats:
    """Give the modified internal rate of return: there is never more than one.

    What is paid in is discounted to year 0 at ``finance``, what comes out is carried to the last
    year at ``reinvest``; the rate turns the one into the other. NaN where nothing is paid in, −1
    where nothing comes out.

    Parameters
    ----------
    flows : array_like, shape (…, n_years)
        Net flows.

    References
    ----------
    Lin, S. A. Y. (1976). The modified internal rate of return and investment criterion. The
    Engineering Economist 21(4), 237–247, doi:10.1080/00137917608902796.

    Examples
    --------
    >>> float(modified_rate([-100, 0, 121], finance=0.06, reinvest=0.06).round(9))
    0.1
    """
    given = np.asarray(flows, dtype=float)
    n_years = given.shape[-1] - 1
    paid = -present_value(np.minimum(given, 0.0), finance)
    earned = present_value(np.maximum(given, 0.0), reinvest) * (1 + reinvest) ** n_years
    share = np.divide(earned, paid, out=np.full_like(paid, np.nan), where=paid > 0)
    return np.asarray(share ** (1 / n_years) - 1 if n_years else np.full_like(paid, np.nan))


def payback_years(flows: ArrayLike, rate: float = 0.0) -> Floats:
    """Give the years until the cumulative (discounted) flow reaches zero and stays there.

    Within a year the flow is taken to be even. NaN where it isn't reached within the flows: an
    investment that is paid back and falls behind again isn't paid back until it is for good.

    Parameters
    ----------
    flows : array_like, shape (…, n_years)
        Net flows.
    rate : float
        0 for simple payback.

    Examples
    --------
    >>> float(payback_years([-100, 40, 40, 40]))
    2.5
    """
    given = np.asarray(flows, dtype=float)
    n_years = given.shape[-1]
    reached = np.cumsum(given * discount_factors(n_years, rate), axis=-1)
    # A debt of rounding errors is no debt.
    slack = 1e-12 * np.abs(given).sum(axis=-1, keepdims=True)
    behind = reached < -slack
    last_behind = np.where(behind.any(axis=-1), n_years - 1 - behind[..., ::-1].argmax(axis=-1), -1)
    at = np.clip(last_behind, 0, max(n_years - 2, 0))[..., None]
    debt = -np.take_along_axis(reached, at, axis=-1)[..., 0]
    then = np.take_along_axis(reached, np.minimum(at + 1, n_years - 1), axis=-1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        years = last_behind + debt / (then + debt)
    years = np.where(last_behind < 0, 0.0, years)
    return np.asarray(np.where(last_behind >= n_years - 1, np.nan, years))
