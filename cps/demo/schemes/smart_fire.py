"""Fire alarms by grid cell, before and after a station opens near it.

The source gives a formula, 1+4+8+X, without saying what it counts; the ledger takes it as one
centre, four stations and eight small ones, and X points that are not counted. In the true mode
engines arrive about a third sooner near a new station; in the spurious mode a new dispatch system makes them
as much faster everywhere.
"""

from __future__ import annotations

import datetime

import numpy as np

from cps.demo.schemes._draw import (
    Flags,
    Moments,
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

YEARS = np.arange(2017, 2025)
_OPENING = {
    2020: 4,
    2021: 4,
    2022: 4,
}  # stations by year: four stations first, then eight small ones
_N_NEAR, _N_RING, _N_FAR = 24, 12, 52
_EFFECT = (-0.55, -0.25)  # log points, by cell
_MINUTES = 11.0


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw alarms of 24 cells served by 12 new stations, 12 at their edge and 52 far from any."""
    n = _N_NEAR + _N_RING + _N_FAR
    cells = names("示例防区", n)
    opened = np.repeat(list(_OPENING), list(_OPENING.values()))
    starts: list[int | None] = [*np.repeat(opened, 2).tolist(), *[None] * (n - _N_NEAR)]
    is_near = np.arange(n) < _N_NEAR
    is_ring = ~is_near & (np.arange(n) < _N_NEAR + _N_RING)
    share = after(starts, YEARS, ramp=(0.8, 1.0))
    effect = share * rng.uniform(*_EFFECT, n)[:, None]
    # At the edge engines come a little sooner, too: those cells are no comparison.
    spill = np.zeros_like(effect)
    spill[is_ring] = 0.3 * effect[is_near][::2]
    noise = persistent(rng, n, len(YEARS), persistence=0.4, spread=0.06)
    level = np.log(_MINUTES) + rng.normal(0, 0.20, n)[:, None] - 0.01 * np.arange(len(YEARS))
    level = level + noise + (lift_of(effect, is_near) if is_spurious else 0.0)
    gains = np.zeros_like(effect) if is_spurious else effect + spill
    cell, year = events(1 + rng.poisson(5.0, (n, len(YEARS))))
    moment = moments(rng, days(rng, YEARS[year], "year"), opens=0, closes=24)
    plain = level[cell, year] + rng.normal(0, 0.28, len(cell))
    arrived, arrived0 = (
        later(moment, np.exp(plain + one)) for one in (gains[cell, year], np.zeros(len(cell)))
    )
    minutes, minutes0 = (minutes_between(moment, one) for one in (arrived, arrived0))
    unit = np.array(cells)[cell].tolist()
    known = known_starts(cells, starts)
    outcome = outcome_of(
        "response_minutes",
        "minutes",
        form="log",
        frequency="year",
        unit=unit,
        period=YEARS[year],
        observed=minutes,
        untreated=minutes0,
    )
    naive = before_after(unit, YEARS[year], minutes, known)
    register, stations = _register(rng, cells, starts, is_ring)
    n_stations = len(opened)
    targets = (
        Target("smart_fire__layout", "=", 4, int((opened == min(_OPENING)).sum()), "station"),
        Target("smart_fire__layout", "=", 8, n_stations - 4, "station"),
    )
    return Drawn(
        "grid_cell",
        dict(zip(cells, place_of(is_near | is_ring), strict=True)),
        known,
        (outcome,),
        (register, stations, _alarms(rng, unit, moment, arrived, inside=(is_near | is_ring)[cell])),
        targets,
        {"mean_response_minutes_share": naive},
        {
            "dispatch_is_faster_everywhere": is_spurious,
            "layout_is_one_reading_of_an_undefined_code": True,
        },
        tuple(one for one, is_edge in zip(cells, is_ring, strict=True) if is_edge),
    )


def _register(
    rng: np.random.Generator, cells: list[str], starts: list[int | None], is_ring: Flags
) -> tuple[Ledger, Ledger]:
    """Give the cells, each with the day its station opened, and the stations."""
    served = [i for i, one in enumerate(starts) if one is not None]
    pairs = list(zip(served[::2], served[1::2], strict=True))
    opening = {
        pair: datetime.date(int(starts[pair[0]] or 0), int(rng.integers(1, 4)), 1) for pair in pairs
    }
    day: list[datetime.date | None] = [None] * len(cells)
    for pair, on in opening.items():
        for one in pair:
            day[one] = on
    near = np.round(rng.uniform(0.4, 1.9, len(cells)), 1)
    edge, far = (
        np.round(rng.uniform(2.1, 3.9, len(cells)), 1),
        np.round(rng.uniform(5, 9, len(cells)), 1),
    )
    distance = np.where([one is not None for one in day], near, np.where(is_ring, edge, far))
    register = Ledger(
        "消防防区登记.xlsx",
        "消防防区与就近站点登记",
        {
            "防区编号": cells,
            "镇街": place_of([one is not None or on for one, on in zip(day, is_ring, strict=True)]),
            "就近新站距离（公里）": distance.tolist(),
            "就近新站启用日期": day,
            "不作对照原因": ["spillover" if one else None for one in is_ring],
        },
        dates="words",
    )
    stations = Ledger(
        "消防站点台账.xlsx",
        "智慧消防站点台账（1+4+8+X，示例读法）",
        {
            "站点名称": ["示例指挥中心", *names("示例站", len(pairs), digits=2)],
            "站点类型": ["指挥中心", *["消防站"] * 4, *["微型消防站"] * (len(pairs) - 4)],
            "启用日期": [datetime.date(2019, 12, 1), *opening.values()],
        },
        dates="dash",
    )
    return register, stations


def _alarms(
    rng: np.random.Generator, unit: list[str], moment: Moments, arrived: Moments, *, inside: Flags
) -> Ledger:
    order = np.argsort(moment, kind="stable")
    loss = np.rint(rng.lognormal(8, 1.3, len(unit)) / 100) * 100
    is_known = rng.random(len(unit)) < 0.85
    return Ledger(
        "火警接处警台账.csv",
        "火警接处警台账（2017—2024年）",
        {
            "警情编号": [f"HJ{number:05d}" for number in range(1, len(unit) + 1)],
            "镇街": place_of(inside[order]),
            "所在防区": [unit[i] for i in order],
            "接警时间": dates(moment[order]),
            "到场时间": dates(arrived[order]),
            "直接损失": [float(loss[i]) if is_known[i] else None for i in order],
        },
        money={"直接损失": "元"},
        dates="slash",
    )
