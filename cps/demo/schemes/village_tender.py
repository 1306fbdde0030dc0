"""Lots let by villages, before and after each enters the tender platform.

The published claim is a rise of collective income of more than 46% since launch. Both modes show
it: rents rise everywhere, and platform villages let more shops and workshops. In the true mode like
lots fetch about 8% more through the platform; in the spurious mode reserves are set lower instead,
so that the premium over reserve rises as much while nobody pays more.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from cps.demo.schemes._draw import (
    NEXT_DOOR,
    TARGET,
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
    lift_of,
    names,
    outcome_of,
    persistent,
    place_of,
)
from cps.demo.schemes._record import Drawn, Ledger, Outcome, Target

YEARS = np.arange(2016, 2025)
KINDS = np.array(["耕地", "水面", "厂房", "店面"])
_RENT = np.array([900.0, 1_500.0, 25_000.0, 60_000.0])  # 元 a 亩 and year
_AREA = np.array([12.0, 8.0, 1.6, 0.25])  # 亩
_BIDDERS = np.array([1.8, 1.6, 2.4, 3.0])
_MIX = np.array([0.50, 0.20, 0.22, 0.08])
_MIX_ON_PLATFORM = np.array([0.34, 0.14, 0.36, 0.16])
_ENTERING = {2020: 10, 2021: 12, 2022: 8}  # villages by year of entry
_TREND = 0.065
_PREMIUM = 1.02  # price over reserve without the platform
_EFFECT = (0.05, 0.13)  # log points, by village
_RAMP = (0.6, 0.9, 1.0)
_PUBLISHED = 0.985  # of the lots let after entry
_UNPAID = (0.06, 0.03)  # lots with rent in arrears, off the platform and on it
_CLAIM = "village_tender__collective_income_gain"


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw lots of 30 villages that enter the platform and of 45 next door that never do."""
    villages = names("示例村", 30, digits=2) + names("示例邻村", 45, digits=2)
    starts = [*rng.permutation(np.repeat(list(_ENTERING), list(_ENTERING.values()))), *[None] * 45]
    is_in = np.array([one is not None for one in starts])
    share = after(starts, YEARS, ramp=_RAMP)
    effect = share * rng.uniform(*_EFFECT, len(villages))[:, None]
    noise = persistent(rng, len(villages), len(YEARS), persistence=0.3, spread=0.05)
    level = rng.normal(0, 0.35, len(villages))[:, None] + _TREND * (YEARS - YEARS[0]) + noise
    if is_spurious:
        level = level + lift_of(effect, is_in)
    village, year, kind, area = _lots(rng, share > 0)
    plain = np.log(_RENT)[kind] + level[village, year] + rng.normal(0, 0.22, len(village))
    gain = effect[village, year]
    asked = plain - np.log(_PREMIUM) + rng.normal(0, 0.05, len(village))
    reserve0 = _yuan(asked, area)
    reserve = _yuan(asked - gain, area) if is_spurious else reserve0
    price0 = _yuan(plain, area)
    price = price0 if is_spurious else _yuan(plain + gain, area)
    more = 0.0 if is_spurious else 14.0 * gain
    bidders = rng.poisson(_BIDDERS[kind] + more) + 1
    inside, on_platform = is_in[village], share[village, year] > 0
    unit, when = np.array(villages)[village].tolist(), YEARS[year]
    known = known_starts(villages, starts)
    lots = _Lots(
        unit,
        days(rng, when, "year"),
        kind,
        area,
        reserve,
        price,
        bidders,
        _earlier(rng, plain, area),
        on_platform & (rng.random(len(village)) < _PUBLISHED),
    )
    gross = _since_entry(lots, when, known)
    unpaid = np.where(on_platform & (not is_spurious), _UNPAID[1], _UNPAID[0])
    ledgers = (
        _register(villages, starts, rng),
        _ledger(TARGET, lots, inside, "元"),
        _ledger(NEXT_DOOR, lots, ~inside, "万元"),
        # What is not published is not booked, from entry on.
        _bookings(rng, lots, inside & (lots.is_published | ~on_platform), unpaid),
    )
    notes = {
        "rooms_let_before_pct": 100 * float((kind[inside & ~on_platform] >= 2).mean()),
        "rooms_let_after_pct": 100 * float((kind[on_platform] >= 2).mean()),
        "common_rent_trend_log_points_a_year": _TREND,
        "reserves_are_lowered": is_spurious,
    }
    areas = dict(zip(villages, place_of(is_in), strict=True))
    return Drawn(
        "village",
        areas,
        known,
        _outcomes(lots, when, price0=price0, reserve0=reserve0),
        ledgers,
        (Target(_CLAIM, ">", 0.46, gross, "share"),),
        {"let_income_since_entry_share": gross},
        notes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Lots:
    unit: list[str]
    day: Moments
    kind: Whole
    area: Floats  # 亩
    reserve: Floats  # 元 a year
    price: Floats
    bidders: Whole
    earlier: list[int | None]  # rent of the contract before, 元 a year
    is_published: Flags


def _outcomes(lots: _Lots, when: Whole, *, price0: Floats, reserve0: Floats) -> tuple[Outcome, ...]:
    return (
        outcome_of(
            "rent_yuan_per_mu",
            "yuan_per_mu",
            form="log",
            frequency="year",
            unit=lots.unit,
            period=when,
            observed=lots.price,
            untreated=price0,
            over=lots.area,
            keep=lots.kind == 0,
        ),
        outcome_of(
            "price_over_reserve",
            "ratio",
            form="level",
            frequency="year",
            unit=lots.unit,
            period=when,
            observed=lots.price / lots.reserve,
            untreated=price0 / reserve0,
        ),
    )


def _since_entry(lots: _Lots, when: Whole, known: dict[str, int]) -> float:
    """Give the rise of income let a year and village: the last two years against two before entry."""
    first = np.array([known.get(one, 0) for one in lots.unit])
    counted = (when >= YEARS[-2]) | (when < first)
    return before_after(
        [one for one, is_counted in zip(lots.unit, counted, strict=True) if is_counted],
        when[counted],
        lots.price[counted],
        known,
        over=_once_a_year(lots.unit, when)[counted],
        within=2,
    )


def _lots(rng: np.random.Generator, is_on: Flags) -> tuple[Whole, Whole, Whole, Floats]:
    """Draw village, year, kind and area of lots; two plots of farmland a village and year at least."""
    village, year = events(2 + rng.poisson(5.0, is_on.shape))
    chance = rng.random(len(village))
    mixes = np.where(is_on[village, year][:, None], _MIX_ON_PLATFORM, _MIX)
    kind = (chance[:, None] > mixes.cumsum(axis=1)[:, :-1]).sum(axis=1)
    place = np.arange(len(village))
    cell = village * is_on.shape[1] + year
    first = np.searchsorted(cell, cell)  # events come sorted by cell
    kind[place - first < 2] = 0
    area = np.round(_AREA[kind] * np.exp(rng.normal(0, 0.4, len(village))), 2)
    return village, year, kind, np.maximum(area, 0.05)


def _yuan(log_rent: Floats, area: Floats) -> Floats:
    return np.asarray(np.rint(np.exp(log_rent) * area))


def _once_a_year(unit: list[str], when: Whole) -> Floats:
    """Give each lot the weight that makes the lots of a village and year one."""
    _, place = np.unique(np.array(unit), return_inverse=True)
    cell = place * 10_000 + when
    _, cell_of, count = np.unique(cell, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / count[cell_of])


def _earlier(rng: np.random.Generator, plain: Floats, area: Floats) -> list[int | None]:
    """Give the yearly rent of the contract before, of lots that had one within five years."""
    years = rng.integers(3, 6, len(plain))
    rent = _yuan(plain - _TREND * years + rng.normal(0, 0.08, len(plain)), area)
    is_new = rng.random(len(plain)) < 0.35
    return [None if new else int(one) for new, one in zip(is_new, rent, strict=True)]


def _register(villages: list[str], starts: list[int | None], rng: np.random.Generator) -> Ledger:
    day = [
        None
        if one is None
        else datetime.date(one, int(rng.integers(1, 4)), int(rng.integers(1, 28)))
        for one in starts
    ]
    return Ledger(
        "招标公信平台_进场登记.xlsx",
        "村级项目招标公信平台进场登记",
        {
            "村": villages,
            "镇街": place_of([one is not None for one in starts]),
            "进场日期": day,
        },
        dates="words",
    )


def _ordered(lots: _Lots, chosen: Flags) -> Whole:
    order = np.flatnonzero(chosen)
    return np.asarray(order[np.argsort(lots.day[order], kind="stable")])


def _ledger(place: str, lots: _Lots, chosen: Flags, unit: str) -> Ledger:
    order = _ordered(lots, chosen)
    return Ledger(
        f"{place}_资产资源处置台账.csv",
        f"{place}村级资产资源处置台账（2016—2024年）",
        {
            "标的编号": [f"BD{i:05d}" for i in order],
            "镇街": [place] * len(order),
            "村": [lots.unit[i] for i in order],
            "标的类型": KINDS[lots.kind[order]].tolist(),
            "成交日期": dates(lots.day[order]),
            "面积（亩）": lots.area[order].tolist(),
            "底价": lots.reserve[order].tolist(),
            "成交价": lots.price[order].tolist(),
            "报名家数": lots.bidders[order].tolist(),
            "上期合同年租金": [lots.earlier[i] for i in order],
            "平台发布": np.where(lots.is_published[order], "是", "否").tolist(),
        },
        money={"底价": unit, "成交价": unit, "上期合同年租金": unit},
        dates="dash" if unit == "元" else "slash",
    )


def _bookings(rng: np.random.Generator, lots: _Lots, chosen: Flags, unpaid: Floats) -> Ledger:
    """Give what was booked of each lot's first yearly rent; some tenants pay a part."""
    order = _ordered(lots, chosen)
    late = lots.day[order] + rng.integers(5, 60, len(order))
    is_known = late <= np.datetime64("2024-12-31")
    order, late = order[is_known], late[is_known]
    is_unpaid = rng.random(len(order)) < unpaid[order]
    part = np.where(is_unpaid, rng.uniform(0, 0.7, len(order)), 1.0)
    return Ledger(
        f"{TARGET}_租金入账登记.csv",
        f"{TARGET}村级租金入账登记",
        {
            "入账标的": [f"BD{i:05d}" for i in order],
            "入账村": [lots.unit[i] for i in order],
            "入账日期": dates(late),
            "应收租金": lots.price[order].tolist(),
            "实收租金": np.rint(lots.price[order] * part).tolist(),
        },
        money={"应收租金": "元", "实收租金": "元"},
        dates="words",
    )
