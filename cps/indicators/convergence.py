"""Do poorer units catch up? Spread of logs, and regression to the mean without its illusion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import DesignError, Text
from cps.indicators.record import FloatArray

WEAK = 10.0  # first-stage F below which an instrument is called weak (Staiger & Stock 1997)
FEWEST = 8
Method = Literal["instrument", "reliability", "none"]


@dataclass(frozen=True, slots=True)
class SigmaConvergence:
    """Spread of log values over the same units in two periods.

    Parameters
    ----------
    sd_now, sd_base : float
        Standard deviation of logs over n.
    change : float
        ``sd_now − sd_base``; below 0 is convergence.
    n : int
        Units with a positive value in both periods.
    """

    sd_now: float
    sd_base: float
    change: float
    n: int


@dataclass(frozen=True, slots=True)
class BetaConvergence:
    r"""How much of a gap in logs is left, with and without error in the base year.

    Model: :math:`y_{iT} = a + \rho\, y^*_{i0} + e_i` where the base year's log value is
    :math:`y_{i0} = y^*_{i0} + u_i`; ρ below 1 is convergence.

    Parameters
    ----------
    method : {"instrument", "reliability", "none"}
    rho : float or None
        Corrected; None where it can't be done.
    rho_se, rho_low, rho_high : float or None
    beta_per_year : float or None
        ``(ρ − 1) ÷ years``: the slope of yearly log growth on the base year's log value.
    speed_per_year, half_life_years : float or None
        ``−ln ρ ÷ years`` and ``ln 2 ÷ speed``; only for 0 < ρ < 1.
    naive_rho : float
        Without correction: too low whenever the base year has error.
    bounds : tuple of float or None
        Where ρ lies if nothing is known of the error but that it is no one else's business: from the
        plain to the reverse regression (Gini 1921; Frisch 1934). None where they don't bound.
    reliability : float or None
        Share of the base year's variance that is no error: as given, or plain ρ ÷ corrected ρ.
    first_stage_f : float or None
    n : int
    years : float
    explanation : Text
        What was done, or why it can't be.
    """

    method: Method
    rho: float | None
    rho_se: float | None
    rho_low: float | None
    rho_high: float | None
    beta_per_year: float | None
    speed_per_year: float | None
    half_life_years: float | None
    naive_rho: float
    bounds: tuple[float, float] | None
    reliability: float | None
    first_stage_f: float | None
    n: int
    years: float
    explanation: Text


def sigma_convergence(now: ArrayLike, base: ArrayLike) -> SigmaConvergence | None:
    """Compare the spread of logs of the same units; None with fewer than two of them.

    References
    ----------
    Barro, R. J. & Sala-i-Martin, X. (1992). Convergence. Journal of Political Economy 100(2),
    223–251. doi:10.1086/261816
    """
    later, earlier = _logs(now, base)
    if later.size < 2:
        return None
    sd_now, sd_base = float(later.std()), float(earlier.std())
    return SigmaConvergence(sd_now, sd_base, sd_now - sd_base, later.size)


def beta_convergence(
    now: ArrayLike,
    base: ArrayLike,
    *,
    years: float,
    instrument: ArrayLike | None = None,
    reliability: float | None = None,
    level: float = 0.95,
) -> BetaConvergence:
    r"""Estimate convergence with error in the base year taken out.

    An error (or a windfall) in the base year is in the growth that follows with the other sign, so
    that the plain regression finds convergence where there is none: its ρ is λρ with λ the
    reliability of the base year. With ``instrument`` (another year's values, whose own errors have
    nothing to do with the base year's) ρ is ``cov(y_T, z) ÷ cov(y_0, z)``; with ``reliability`` it is
    the plain ρ ÷ λ; with neither it can't be had, and bounds are given instead.

    Parameters
    ----------
    now, base : array_like, shape (n,)
        Values (not logs) of the same units; pairs with a missing or not positive value are left out.
    years : float
        Between the two.
    instrument : array_like, shape (n,), optional
    reliability : float, optional
        In (0, 1]; taken as known.
    level : float
        Of the interval, which speaks of the process that drove the units and would drive others, not
        of a draw of units.

    Returns
    -------
    BetaConvergence
        With ``rho`` None where the instrument is weak (first-stage F below 10) or nothing was given.

    Raises
    ------
    DesignError
        With fewer than 8 units, no spread in the base year, or a reliability outside (0, 1].

    References
    ----------
    Barro, R. J. & Sala-i-Martin, X. (1992). doi:10.1086/261816
    Quah, D. (1993). Galton's fallacy and tests of the convergence hypothesis. Scandinavian Journal of
    Economics 95(4), 427–443. doi:10.2307/3440905
    Temple, J. R. W. (1998). Robustness tests of the augmented Solow model. Journal of Applied
    Econometrics 13(4), 361–375.
    doi:10.1002/(SICI)1099-1255(199807/08)13:4<361::AID-JAE501>3.0.CO;2-X
    Staiger, D. & Stock, J. H. (1997). Instrumental variables regression with weak instruments.
    Econometrica 65(3), 557–586. doi:10.2307/2171753
    """
    if reliability is not None and not 0 < reliability <= 1:
        raise _refused(
            Text(
                f"可靠性比率 {reliability} 不在 (0, 1]",
                f"reliability {reliability} is not in (0, 1]",
            ),
            Text("用复核样本估计：无误差方差占总方差之比", "estimate it from a re-measured sample"),
        )
    columns = (now, base) if instrument is None else (now, base, instrument)
    logs = _logs(*columns)
    later, earlier = logs[0], logs[1]
    n = later.size
    if n < FEWEST or earlier.std() < 1e-12:
        raise _refused(
            Text(
                f"两期都有正值的单位只有 {n} 个，或基年没有差距",
                f"{n} units have positive values in both periods, or there is no gap in the base year",
            ),
            Text(f"至少要 {FEWEST} 个有差距的单位", f"it takes {FEWEST} units that differ"),
        )
    covariance = np.cov(later, earlier, ddof=0)
    naive = float(covariance[0, 1] / covariance[1, 1])
    bounds = (naive, float(covariance[0, 0] / covariance[0, 1])) if naive > 0 else None
    plain = _plain(naive, bounds, n=n, years=years)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    if instrument is not None:
        rho, se, strength = _instrumented(later, earlier, logs[2])
        plain = replace(plain, first_stage_f=strength)
        if strength < WEAK:
            return replace(plain, explanation=_weak_words(strength))
        words = Text(
            f"以另一年的值作工具变量（第一阶段 F = {strength:.1f}），前提是两年的误差互不相干",
            f"Another year stands in as instrument (first-stage F = {strength:.1f}); it takes for "
            "granted that the two years' errors have nothing to do with each other",
        )
        known = replace(plain, method="instrument", reliability=naive / rho, explanation=words)
        return _corrected(known, rho, z * se, se=se)
    if reliability is not None:
        se = _robust_error(later - later.mean(), earlier - earlier.mean(), naive) / reliability
        words = Text(
            f"按给定的可靠性比率 {reliability:g} 校正，比率当作已知",
            f"Corrected by the reliability given, {reliability:g}, taken as known",
        )
        known = replace(plain, method="reliability", reliability=reliability, explanation=words)
        return _corrected(known, naive / reliability, z * se, se=se)
    return plain


def reliability_of_pair(first: ArrayLike, second: ArrayLike) -> float | None:
    """Estimate the reliability of log values from two measurements of the same units and year.

    It is ``cov ÷ √(var₁ var₂)`` of the logs, their errors being independent (Fuller 1987, Measurement
    Error Models, ch. 1; doi:10.1002/9780470316665). None where it is not positive.
    """
    one, two = _logs(first, second)
    if one.size < 3 or one.std() == 0 or two.std() == 0:
        return None
    found = float(np.corrcoef(one, two)[0, 1])
    return found if found > 0 else None


def _instrumented(y: FloatArray, x: FloatArray, z: FloatArray) -> tuple[float, float, float]:
    """Give slope, its robust error and the robust first-stage F of one regressor, one instrument."""
    y, x, z = y - y.mean(), x - x.mean(), z - z.mean()
    n = y.size
    cross = float(z @ x)
    rho = float(z @ y) / cross
    residual = y - rho * x
    se = float(np.sqrt(((z * residual) ** 2).sum() * n / (n - 2)) / abs(cross))
    first = cross / float(z @ z)
    first_se = float(np.sqrt(((z * (x - first * z)) ** 2).sum() * n / (n - 2)) / (z @ z))
    return rho, se, float("inf") if first_se == 0 else (first / first_se) ** 2


def _robust_error(y: FloatArray, x: FloatArray, slope: float) -> float:
    n = y.size
    residual = y - slope * x
    return float(np.sqrt(((x * residual) ** 2).sum() * n / (n - 2)) / (x @ x))


def _corrected(found: BetaConvergence, rho: float, half: float, *, se: float) -> BetaConvergence:
    speed = float(-np.log(rho) / found.years) if 0 < rho < 1 else None
    return replace(
        found,
        rho=rho,
        rho_se=se,
        rho_low=rho - half,
        rho_high=rho + half,
        beta_per_year=(rho - 1) / found.years,
        speed_per_year=speed,
        half_life_years=float(np.log(2) / speed) if speed else None,
    )


def _plain(
    naive: float, bounds: tuple[float, float] | None, *, n: int, years: float
) -> BetaConvergence:
    return BetaConvergence(
        method="none",
        rho=None,
        rho_se=None,
        rho_low=None,
        rho_high=None,
        beta_per_year=None,
        speed_per_year=None,
        half_life_years=None,
        naive_rho=naive,
        bounds=bounds,
        reliability=None,
        first_stage_f=None,
        n=n,
        years=years,
        explanation=_NOTHING,
    )


_NOTHING = Text(
    "既无另一年的值可作工具变量，也无可靠性比率，基年误差无法校正；未校正的斜率偏向“收敛”",
    "neither another year to stand in as instrument nor a reliability was given: error in the base "
    "year can't be taken out, and the plain slope leans towards convergence",
)


def _weak_words(strength: float) -> Text:
    return Text(
        f"工具变量太弱（第一阶段 F = {strength:.1f}，不足 {WEAK:g}），基年误差无法校正",
        f"the instrument is too weak (first-stage F = {strength:.1f}, below {WEAK:g}): error in the "
        "base year can't be taken out",
    )


def _logs(*columns: ArrayLike) -> tuple[FloatArray, ...]:
    arrays = np.array([np.asarray(one, dtype=float) for one in columns])
    with np.errstate(invalid="ignore"):
        whole = (arrays > 0).all(axis=0) & np.isfinite(arrays).all(axis=0)
    return tuple(np.log(arrays[:, whole]))


def _refused(what: Text, mend: Text) -> DesignError:
    return DesignError(what, where="beta_convergence", mend=mend)
