"""The event study that questions of parallel trends are put to: coefficients with covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Text
from cps.estimators.registry import estimate
from cps.periods import PERIODS_PER_YEAR
from cps.result import Effect
from cps.robustness._honest import EventStudy

Floats = NDArray[np.float64]
FEW = 5  # treated units of a cohort below which analytic errors are too small
MOST = 20  # coefficients; noise in the covariance rules beyond
_SHARE = 0.7  # of the covariance's degrees of freedom that coefficients may take up


@dataclass(frozen=True, slots=True)
class Vector:
    """An event study without its base period, in the order of time.

    Parameters
    ----------
    times : ndarray of int
        Periods (or years) from the base period: … −2, −1, 1, 2 …
    base : int
        Event time of the base period (or year): −1, earlier if effects are anticipated.
    n_treated : ndarray, shape as times
    beta, sigma : ndarray
    is_effect : ndarray of bool, shape as times
        True where a coefficient is an effect, not the time in which one is anticipated.
    freedom : int or None
        Degrees of freedom of ``sigma``, where it is estimated from so many independent units.
    is_student : bool
        True where ``sigma`` is the comparison units' sample covariance.
    unit : Text
        What ``times`` counts.
    source : Text
        Where the numbers come from, to stand in a sentence.
    """

    times: NDArray[np.int64]
    base: int
    n_treated: Floats
    beta: Floats
    sigma: Floats
    is_effect: NDArray[np.bool_]
    freedom: int | None
    is_student: bool
    unit: Text
    source: Text

    @property
    def n_pre(self) -> int:
        """Number of coefficients before the base period."""
        return int((self.times < 0).sum())

    @property
    def headline(self) -> Floats:
        """Weights of the average effect per treated unit and period, shape (n_post,)."""
        weight = (self.n_treated * self.is_effect)[self.n_pre :]
        return np.asarray(weight / weight.sum())

    @property
    def first(self) -> Floats:
        """Weights that pick the first effect, shape (n_post,)."""
        chosen = np.zeros(len(self.times) - self.n_pre)
        chosen[int(self.is_effect[self.n_pre :].argmax())] = 1.0
        return chosen

    def study(self, l_vec: Floats, level: float = 0.95, *, n_fitted: int = 0) -> EventStudy:
        """Ask for one number; where few comparison units lend their noise, it is widened."""
        return EventStudy(self.beta, self.widened(level, n_fitted=n_fitted), self.n_pre, l_vec)

    def widened(self, level: float = 0.95, *, n_fitted: int = 0) -> Floats:
        """Give ``sigma`` such that normal quantiles times errors are Student's.

        An estimator whose ``n_fitted`` weights are chosen to make its variance small finds chance
        patterns in a sample covariance: the variance it claims is too small by ``(ν − q) / ν``, and
        its true one too large by ``(ν − 1) / (ν − q − 1)``, as in growth curves (Rao 1967).
        """
        if self.freedom is None or not self.is_student:
            return self.sigma
        from scipy.special import stdtrit

        share, nu, q = 0.5 + level / 2, self.freedom, n_fitted
        student = float(stdtrit(nu - q, share)) / NormalDist().inv_cdf(share)
        return self.sigma * student**2 * nu / (nu - q) * (nu - 1) / (nu - q - 1)


def periods_before(design: Design) -> int:
    """Count the periods before the start, of the cohort that has most."""
    last = max(design.cohorts) - design.anticipation
    return sum(period < last for period in design.periods)


def lead_p_value(design: Design, event_time: int) -> float | None:
    """Give the p-value of one coefficient in the comparison units' noise; None if it can't be."""
    from scipy.special import stdtr

    found = _of_comparison(design)
    if found is None or found.freedom is None or event_time - found.base not in found.times:
        return None
    at = int(np.flatnonzero(found.times == event_time - found.base)[0])
    ratio = abs(found.beta[at]) / float(np.sqrt(found.sigma[at, at]))
    return float(2 * stdtr(found.freedom, -ratio))


def is_few(design: Design) -> bool:
    """Tell whether a cohort has too few treated units for errors of its own."""
    return min(sum(one == g for one in design.cohort) for g in design.cohorts) < FEW


def event_vector(design: Design, effect: Effect) -> Vector | Text:
    """Give the coefficients and their covariance, or the reason why there are none.

    Those of the effect where it has them from a universal base; else those of group-time effects.
    Where a cohort has few treated units, so that its own errors would be too small, the noise is
    taken from the comparison units (treated units' noise being like theirs) if that can be done.
    """
    few = is_few(design)
    found = (_of_comparison(design) if few else None) or _of_effect(
        design, effect, effect.method_name
    )
    if found is None:
        options = {"control": "never" if design.n_donors else "not_yet", "base": "universal"}
        try:
            plain = estimate(design, "group_time_att", options=options)
        except DesignError as error:
            return error.what
        found = _of_effect(design, plain, plain.method_name) or _of_comparison(design)
    if found is None:
        return Text(
            "没有可用的事件研究协方差（对照单位太少或面板有缺口）",
            "no covariance of an event study to be had (too few comparison units, or gaps)",
        )
    if not len(found.times):
        return Text(
            "事件研究各期没有标准误", "the coefficients of the event study have no standard errors"
        )
    found = _by_year(design, found)
    room = MOST if found.freedom is None else min(MOST, int(_SHARE * found.freedom))
    if room < 3:
        return Text(
            f"单位太少（协方差的自由度仅 {found.freedom}），无法同时估量启动前后各期的误差",
            f"too few units ({found.freedom} degrees of freedom) to gauge the errors of periods "
            "before and after the start together",
        )
    found = _nearest(found, room)
    if not _is_regular(found.sigma):
        return Text(
            "事件研究的协方差矩阵奇异（单位或波动太少）",
            "the covariance of the event study is singular (too few units, or no noise)",
        )
    if found.n_pre < 2 or not found.is_effect.any():
        return Text(
            "启动前除基期外不足两期，或启动后没有估计",
            "fewer than two periods before the base period, or no effect after the start",
        )
    return found


def _is_regular(sigma: Floats) -> bool:
    deviation = np.sqrt(np.diag(sigma))
    if not len(deviation):
        return True  # too short: said next
    if not np.isfinite(sigma).all() or (deviation <= 0).any():
        return False
    correlation = sigma / np.outer(deviation, deviation)
    return float(np.linalg.eigvalsh(correlation)[0]) > 1e-8


def _of_effect(design: Design, effect: Effect, name: Text) -> Vector | None:
    times = np.array([one.event_time for one in effect.by_event_time], dtype=np.int64)
    base = -1 - design.anticipation
    if not effect.event_covariance or base not in times:
        return None
    beta = np.array([np.nan if one.estimate.att is None else one.estimate.att
                     for one in effect.by_event_time])  # fmt: skip
    sigma = np.array(effect.event_covariance, dtype=float)
    at = int(np.flatnonzero(times == base)[0])
    if beta[at] != 0 or sigma[at].any() or effect.options.get("base") == "varying":
        return None
    size = np.array([float(one.n_treated) for one in effect.by_event_time])
    source = Text(f"按“{name.zh}”的事件研究", f"event study by {name.en[:1].lower()}{name.en[1:]}")
    freedom = None
    if effect.inference == "analytic":
        freedom = len(set(design.cluster or design.units)) - 1 - len(design.cohorts)
    return _contiguous(times, size, beta, sigma, base=base, freedom=freedom, source=source)


def _of_comparison(design: Design) -> Vector | None:
    """Plain differences from the last period before the start, with the comparison's noise."""
    if (
        not design.is_balanced
        or design.n_donors < 4
        or not any(g - design.anticipation > design.periods[0] for g in design.cohorts)
        or design.covariates is not None
        or design.weights is not None
        or design.cluster is not None
    ):
        return None
    start = design.starts
    times, size, beta, sigma = comparison_event_study(
        design.y, start, design.is_donor, np.asarray(design.periods), design.anticipation
    )
    freedom = design.n_donors - 1
    source = Text(
        f"按等权双重差分、以对照单位的波动计误差（自由度 {freedom}）的事件研究",
        f"event study by plain differences, with the comparison units' noise ({freedom} degrees of "
        "freedom)",
    )
    base = -1 - design.anticipation
    plain = _contiguous(times, size, beta, sigma, base=base, freedom=freedom, source=source)
    return replace(plain, is_student=True)


def comparison_event_study(
    y: Floats,
    start: Floats,
    is_donor: NDArray[np.bool_],
    periods: NDArray[np.int64],
    anticipation: int,
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Estimate an event study whose errors are those of never-treated units.

    Every treated unit's change from its base period less the comparison's mean change, averaged by
    event time. The covariance is what the same sums of comparison units would have: exact over
    all ways to choose stand-ins.

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    start : ndarray, shape (n_units,)
        First treated period; infinity for never.
    is_donor : ndarray of bool, shape (n_units,)
    periods : ndarray, shape (n_periods,)

    Returns
    -------
    times, n_treated, beta, sigma
        Over all event times, the base period's with zeros.
    """
    cohorts = np.unique(start[np.isfinite(start)])
    cohorts = cohorts[cohorts - anticipation > periods.min()]  # those with a base period
    members = [np.flatnonzero(start == g) for g in cohorts]
    sizes = np.array([float(len(one)) for one in members])
    event = (periods[None, :] - cohorts[:, None]).astype(np.int64)
    times = np.unique(event)
    n_treated = np.array([sizes[(event == e).any(axis=1)].sum() for e in times])
    noise = np.cov(y[is_donor].T)
    mean = y[is_donor].mean(axis=0)
    beta, sigma = np.zeros(len(times)), np.zeros((len(times), len(times)))
    total = np.zeros((len(times), len(periods)))
    for g, rows, size, line in zip(cohorts, members, sizes, event, strict=True):
        base = int(np.flatnonzero(periods < g - anticipation)[-1])
        take = np.zeros((len(times), len(periods)))
        place = np.searchsorted(times, line)
        take[place, np.arange(len(periods))] += size / n_treated[place]
        take[place, base] -= size / n_treated[place]
        beta += take @ (y[rows].mean(axis=0) - mean)
        sigma += take @ noise @ take.T / size
        total += take
    sigma += total @ noise @ total.T / is_donor.sum()
    return times, n_treated, beta, sigma


def _contiguous(
    times: NDArray[np.int64],
    size: Floats,
    beta: Floats,
    sigma: Floats,
    *,
    base: int,
    freedom: int | None,
    source: Text,
) -> Vector:
    """Keep the run of event times around the base period that has no gap."""
    variance = np.diag(sigma)
    place = {
        int(e): i
        for i, e in enumerate(times)
        if np.isfinite(beta[i]) and (variance[i] > 0 or e == base)
    }
    before = list(takewhile(place.__contains__, range(base - 1, int(times.min()) - 1, -1)))
    after = list(takewhile(place.__contains__, range(base + 1, int(times.max()) + 1)))
    kept = [place[e] for e in (*reversed(before), *after)]
    return Vector(
        times=times[kept] - base,
        base=base,
        n_treated=size[kept],
        beta=beta[kept],
        sigma=sigma[np.ix_(kept, kept)],
        is_effect=times[kept] >= 0,
        freedom=freedom,
        is_student=False,
        unit=Text("期", "period"),
        source=source,
    )


def _by_year(design: Design, one: Vector) -> Vector:
    """Average months or quarters into full years from the start, if there are too many of them."""
    length = PERIODS_PER_YEAR[design.frequency]
    if length == 1 or len(one.times) <= MOST:
        return one
    # The base period, zero in every respect, belongs to the year before the start.
    year = np.where(one.times < 0, -((-one.times) // length), (one.times - 1) // length + 1)
    full = [
        int(y) for y in np.unique(year) if (year == y).sum() == (length - 1 if y == 0 else length)
    ]
    if 0 not in full:
        return one
    mean = np.array([(year == y) / length for y in full])
    change = mean - mean[full.index(0)]
    kept = [i for i, y in enumerate(full) if y != 0]
    return replace(
        one,
        times=np.array([full[i] for i in kept], dtype=np.int64),
        base=-1,
        n_treated=(mean @ one.n_treated)[kept],
        beta=(change @ one.beta)[kept],
        sigma=(change @ one.sigma @ change.T)[np.ix_(kept, kept)],
        is_effect=np.array([bool(one.is_effect[year == full[i]].any()) for i in kept]),
        unit=Text("年", "year"),
    )


def _nearest(one: Vector, room: int) -> Vector:
    """Keep the coefficients nearest to the start, no more than the covariance can bear."""
    if len(one.times) <= room:
        return one
    n_post = len(one.times) - one.n_pre
    n_pre = max(min(one.n_pre, room - room // 2), room - n_post)
    low, high = one.n_pre - n_pre, one.n_pre + (room - n_pre)
    part = slice(low, high)
    return replace(
        one,
        times=one.times[part],
        n_treated=one.n_treated[part],
        beta=one.beta[part],
        sigma=one.sigma[part, part],
        is_effect=one.is_effect[part],
        source=Text(
            f"{one.source.zh}（仅取最近的前 {n_pre} {one.unit.zh}、后 {room - n_pre} {one.unit.zh}）",
            f"{one.source.en} (nearest {n_pre} {one.unit.en}s before and {room - n_pre} after)",
        ),
    )
