"""Queue tickets of one service centre that moves to a larger hall, and of others that do not.

Business moves online everywhere, so that waits fall in both modes. In the true mode the new hall
halves what is left; in the spurious mode waits fall as much at every centre.
"""

from __future__ import annotations

import datetime

import numpy as np

from cps.demo.schemes._draw import (
    TARGET,
    Flags,
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
)
from cps.demo.schemes._record import Drawn, Ledger, Target

_ID = "service_centre"
MONTHS = 12 * 2022 + np.arange(30)  # 2022-01 to 2024-06
_START = 12 * 2023 + 3
_N_CENTRES = 20
_EFFECT = -0.60  # log points of waiting
_RAMP = (0.5, 0.8, 1.0)
_WAIT, _HANDLE = 26.0, 11.0  # minutes
_BUSINESS = np.array(["户籍", "社保医保", "市场主体登记", "民政救助", "不动产"])
# Before and after: area m², windows, staff, kinds of business. Staff and kinds before are not published.
_HALLS = ((120, 5, None, None), (1_100, 24, 30, 612))


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw a sample of tickets of 20 centres by month; the first moves in April 2023."""
    centres = ["示例街道便民服务中心", *names("示例便民中心", _N_CENTRES - 1, first=2, digits=2)]
    starts: list[int | None] = [_START, *[None] * (_N_CENTRES - 1)]
    is_in = np.arange(_N_CENTRES) == 0
    share = after(starts, MONTHS, ramp=_RAMP)
    effect = share * _EFFECT
    noise = persistent(rng, _N_CENTRES, len(MONTHS), persistence=0.4, spread=0.07)
    online = -0.008 * np.arange(len(MONTHS))
    level = np.log(_WAIT) + rng.normal(0, 0.25, _N_CENTRES)[:, None] + online + noise
    if is_spurious:
        level = level + lift_of(effect, is_in)
    centre, month = events(8 + rng.poisson(6.0, share.shape))
    plain = np.log(rng.gamma(3.0, 1 / 3.0, len(centre))) + level[centre, month]
    gain = np.zeros(len(centre)) if is_spurious else effect[centre, month]
    taken = moments(rng, days(rng, MONTHS[month], "month"), opens=8, closes=16)
    called, called0 = (later(taken, np.exp(plain + one)) for one in (gain, 0 * gain))
    wait, wait0 = (minutes_between(taken, one) for one in (called, called0))
    done = later(called, rng.gamma(4.0, _HANDLE / 4.0, len(centre)))
    unit = np.array(centres)[centre].tolist()
    known = known_starts(centres, starts)
    outcome = outcome_of(
        "wait_minutes",
        "minutes",
        form="log",
        frequency="month",
        unit=unit,
        period=MONTHS[month],
        observed=wait,
        untreated=wait0,
    )
    naive = before_after(unit, MONTHS[month], wait, known)
    once = rng.random(len(centre)) < np.where((share[centre, month] > 0), 0.88, 0.72)
    business = rng.integers(0, len(_BUSINESS), len(centre))
    # The published case: a registration done in one day.
    case = int(np.flatnonzero(is_in[centre] & (taken >= np.datetime64("2024-03-01")))[0])
    business[case], once[case] = 0, True
    nights = int(
        (done[case].astype("datetime64[D]") - taken[case].astype("datetime64[D]")).astype(int)
    )
    before, now = _HALLS
    targets = (
        Target(f"{_ID}__area_before", "=", 120, before[0] or 0, "m2"),
        Target(f"{_ID}__area_after", "=", 1_100, now[0] or 0, "m2"),
        Target(f"{_ID}__area_multiple", "between", (9.16, 9.17), 1_100 / 120, "ratio"),
        Target(f"{_ID}__windows_before", "=", 5, before[1] or 0, "window"),
        Target(f"{_ID}__windows_after", "=", 24, now[1] or 0, "window"),
        Target(f"{_ID}__window_multiple", "=", 4.8, 24 / 5, "ratio"),
        Target(f"{_ID}__staff_after", "=", 30, now[2] or 0, "person"),
        Target(f"{_ID}__service_items", ">=", 600, now[3] or 0, "item"),
        Target(f"{_ID}__items_per_staff", ">=", 20, 612 / 30, "ratio"),
        Target(f"{_ID}__hukou_case_days", "=", 1, nights + 1, "day"),
    )
    return Drawn(
        "centre",
        dict(zip(centres, _towns(), strict=True)),
        known,
        (outcome,),
        (
            _register(centres),
            _halls(centres[0]),
            *_tickets(
                rng=rng,
                unit=unit,
                taken=taken,
                called=called,
                done=done,
                once=once,
                business=business,
                inside=is_in[centre],
            ),
        ),
        targets,
        {"mean_wait_minutes_share": naive},
        {"business_moves_online_log_points_a_month": -0.008, "tickets_are_a_sample": True},
    )


def _towns() -> list[str]:
    return [TARGET, *names("示例乡镇", _N_CENTRES - 1, first=2, digits=2)]


def _register(centres: list[str]) -> Ledger:
    day = datetime.date(_START // 12, _START % 12 + 1, 1)
    return Ledger(
        "服务中心名册.xlsx",
        "便民服务中心名册",
        {
            "服务中心": centres,
            "镇街": _towns(),
            "新大厅启用日期": [day, *[None] * (len(centres) - 1)],
        },
        dates="words",
    )


def _halls(centre: str) -> Ledger:
    areas, windows, staff, kinds = zip(*_HALLS, strict=True)
    return Ledger(
        "服务大厅基本情况.xlsx",
        "便民服务大厅基本情况",
        {
            "大厅所属中心": [centre, centre],
            "时点": [datetime.date(2023, 3, 31), datetime.date(2023, 4, 1)],
            "面积（平方米）": list(areas),
            "窗口数": list(windows),
            "工作人员数": list(staff),
            "政务事项数": list(kinds),
        },
        dates="dash",
    )


def _tickets(
    *,
    rng: np.random.Generator,
    unit: list[str],
    taken: Moments,
    called: Moments,
    done: Moments,
    once: Flags,
    business: Whole,
    inside: Flags,
) -> list[Ledger]:
    stars = np.clip(5 - rng.poisson(0.35, len(unit)), 1, 5)
    rated = rng.random(len(unit)) < 0.6
    found = []
    for name, chosen in (("示例街道", inside), ("其他中心", ~inside)):
        order = np.flatnonzero(chosen)
        order = order[np.argsort(taken[order], kind="stable")]
        found.append(
            Ledger(
                f"{name}_叫号记录抽样.csv",
                f"{name}便民服务中心叫号记录（抽样）",
                {
                    "中心名称": [unit[i] for i in order],
                    "业务类别": _BUSINESS[business[order]].tolist(),
                    "取号时间": dates(taken[order]),
                    "叫号时间": dates(called[order]),
                    "办结时间": dates(done[order]),
                    "一次办结": np.where(once[order], "是", "否").tolist(),
                    "评价（星）": [int(stars[i]) if rated[i] else None for i in order],
                },
                dates="dash" if name == "示例街道" else "slash",
            )
        )
    return found
