"""Safety matters found at firms, each with its trace, in one subdistrict on a platform and in others.

The platform sets limits: an hour to report, half an hour to approve, an hour to accept; they are
kept afterwards in both modes. What firms themselves take to put a matter right falls by a quarter
in the true mode, and no more than elsewhere in the spurious one. In weeks around large holidays
nobody visits, and visits of the weeks before are more.
"""

from __future__ import annotations

import datetime

import numpy as np
from numpy.typing import NDArray

from cps.demo.schemes._draw import (
    Flags,
    Floats,
    Moments,
    Whole,
    after,
    before_after,
    dates,
    days,
    events,
    known_starts,
    later,
    lift_of,
    minutes_between,
    moments,
    names,
    outcome_of,
    persistent,
    place_of,
)
from cps.demo.schemes._record import Drawn, Ledger, Target

_ID = "clean_safety"
MONTHS = 12 * 2022 + np.arange(30)  # 2022-01 to 2024-06
_START = 12 * 2023 + 2
_N_OFFICES = 14
_EFFECT = -0.35  # log points of the time that firms take
_HOURS = 40.0
LIMITS = (60.0, 30.0, 60.0)  # minutes to report, approve, accept
_USUAL = (150.0, 200.0, 260.0)  # medians without the platform
_ON_PLATFORM = (25.0, 11.0, 26.0)
_STEP_SPREAD = (0.95, 0.50)  # of log minutes, without the platform and on it
_HOLIDAYS = ("2023-04-29", "2023-09-29", "2024-02-10", "2024-05-01")
_KINDS = np.array(["电气线路", "消防通道", "危化品存放", "特种设备", "有限空间"])


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw matters and weeks of 14 offices; the first goes on the platform in March 2023."""
    offices = ["示例街道安监", *names("示例乡镇安监", _N_OFFICES - 1, first=2, digits=2)]
    starts: list[int | None] = [_START, *[None] * (_N_OFFICES - 1)]
    is_in = np.arange(_N_OFFICES) == 0
    share = after(starts, MONTHS, ramp=(0.6, 1.0))
    effect = share * _EFFECT
    noise = persistent(rng, _N_OFFICES, len(MONTHS), persistence=0.3, spread=0.06)
    trend = -0.010 * np.arange(len(MONTHS))
    level = np.log(_HOURS) + rng.normal(0, 0.15, _N_OFFICES)[:, None] + trend + noise
    if is_spurious:
        level = level + lift_of(effect, is_in)
    office, month = events(5 + rng.poisson(4.0, share.shape))
    is_on = share[office, month] > 0
    plain = level[office, month] + rng.normal(0, 0.45, len(office))
    gain = np.zeros(len(office)) if is_spurious else effect[office, month]
    found = moments(rng, days(rng, MONTHS[month], "month"))
    reported, approved, accept = _steps(rng, is_on)
    report = later(found, reported)
    approve = later(report, approved)
    mended, mended0 = (later(approve, 60 * np.exp(plain + one)) for one in (gain, 0 * gain))
    hours, hours0 = (minutes_between(approve, one) / 60 for one in (mended, mended0))
    accepted = later(mended, accept)
    unit = np.array(offices)[office].tolist()
    known = known_starts(offices, starts)
    outcome = outcome_of(
        "rectification_hours",
        "hours",
        form="log",
        frequency="month",
        unit=unit,
        period=MONTHS[month],
        observed=hours,
        untreated=hours0,
    )
    naive = before_after(unit, MONTHS[month], hours, known)
    kept = [
        float((one[is_on] <= limit).mean()) for one, limit in _limits(reported, approved, accept)
    ]
    weeks = _weeks(rng)
    free = int(weeks.is_free[0].sum())
    targets = (
        Target(f"{_ID}__report_deadline", "<=", 3_600, 60 * LIMITS[0], "second"),
        Target(f"{_ID}__approval_deadline", "<=", 1_800, 60 * LIMITS[1], "second"),
        Target(f"{_ID}__accept_deadline", "<=", 3_600, 60 * LIMITS[2], "second"),
        Target(f"{_ID}__holiday_blackout", "=", 7, 7 * free / len(_HOLIDAYS), "day"),
    )
    notes = {
        "limits_kept_on_the_platform_share": dict(
            zip(("report", "approve", "accept"), (round(one, 4) for one in kept), strict=True)
        ),
        "visits_moved_to_the_week_before_share": _MOVED,
        "accidents_depend_on_the_free_weeks": False,
    }
    trace = _trace(rng, unit, (found, report, approve, mended, accepted))
    return Drawn(
        "office",
        dict(zip(offices, place_of(is_in), strict=True)),
        known,
        (outcome,),
        (_register(offices), trace, _week_ledger(offices, weeks)),
        targets,
        {"rectification_hours_share": naive},
        notes,
    )


_MOVED = 0.6  # more visits in the week before one without


class _Weeks:
    """Mondays, and by office and week: visits, accidents, whether nobody was to visit."""

    def __init__(self, monday: list[datetime.date], visits: Whole, accidents: Whole, free: Flags):
        self.monday, self.visits, self.accidents, self.is_free = monday, visits, accidents, free


def _steps(rng: np.random.Generator, is_on: Flags) -> tuple[Floats, Floats, Floats]:
    """Draw minutes to report, to approve and to accept."""
    spread = np.where(is_on, _STEP_SPREAD[1], _STEP_SPREAD[0])
    drawn = [
        np.maximum(
            np.rint(np.where(is_on, on, usual) * np.exp(spread * rng.normal(size=len(is_on)))), 1
        )
        for on, usual in zip(_ON_PLATFORM, _USUAL, strict=True)
    ]
    return drawn[0], drawn[1], drawn[2]


def _limits(*minutes: Floats) -> list[tuple[Floats, float]]:
    return list(zip(minutes, LIMITS, strict=True))


def _weeks(rng: np.random.Generator) -> _Weeks:
    first, n = datetime.date(2022, 1, 3), 129
    monday = [first + datetime.timedelta(weeks=one) for one in range(n)]
    free = np.zeros((_N_OFFICES, n), dtype=bool)
    for holiday in _HOLIDAYS:
        free[0, (datetime.date.fromisoformat(holiday) - first).days // 7] = True
    rate = np.full(free.shape, 14.0)
    rate[:, :-1] *= 1 + _MOVED * free[:, 1:]
    # A visit for cause is allowed even then.
    visits = np.where(free, rng.poisson(0.4, free.shape), rng.poisson(rate))
    return _Weeks(monday, visits, rng.poisson(0.06, free.shape), free)


def _register(offices: list[str]) -> Ledger:
    day = datetime.date(_START // 12, _START % 12 + 1, 1)
    return Ledger(
        "安监机构名册.xlsx",
        "安全监管机构与平台启用登记",
        {
            "监管机构": offices,
            "镇街": place_of([i == 0 for i in range(len(offices))]),
            "平台启用日期": [day, *[None] * (len(offices) - 1)],
        },
        dates="words",
    )


def _trace(rng: np.random.Generator, unit: list[str], steps: tuple[Moments, ...]) -> Ledger:
    found, report, approve, mended, accepted = steps
    order = np.argsort(found, kind="stable")
    firm = rng.integers(1, 400, len(unit))
    return Ledger(
        "助企服务平台隐患处置留痕.csv",
        "“助企服务”平台隐患处置留痕",
        {
            "隐患编号": [f"AJ{number:05d}" for number in range(1, len(unit) + 1)],
            "处置机构": [unit[i] for i in order],
            "企业": [f"示例企业{firm[i]:03d}" for i in order],
            "隐患类别": _KINDS[rng.integers(0, len(_KINDS), len(unit))].tolist(),
            "发现时间": dates(found[order]),
            "上报时间": dates(report[order]),
            "审批时间": dates(approve[order]),
            "整改完成时间": dates(mended[order]),
            "验收时间": dates(accepted[order]),
        },
    )


def _kinds_of(is_free: Flags) -> NDArray[np.str_]:
    """Say of each week whether it is without visits, just before such a week, or neither."""
    is_before = np.zeros_like(is_free)
    is_before[:, :-1] = is_free[:, 1:] & ~is_free[:, :-1]
    return np.where(is_free, "免检周", np.where(is_before, "免检前一周", "其他周"))


def _week_ledger(offices: list[str], weeks: _Weeks) -> Ledger:
    n = len(weeks.monday)
    return Ledger(
        "入企检查与事故周报.csv",
        "入企检查与事故周报",
        {
            "填报机构": np.repeat(offices, n).tolist(),
            "周起始日": weeks.monday * len(offices),
            "周类型": _kinds_of(weeks.is_free).ravel().tolist(),
            "入企检查次数": weeks.visits.ravel().tolist(),
            "事故起数": weeks.accidents.ravel().tolist(),
        },
        dates="slash",
    )
