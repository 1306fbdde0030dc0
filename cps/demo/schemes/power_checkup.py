"""Electricity bills of firms around a free check-up, with visits, hazards and contracts.

103 firms are checked, most of them after a quarter with a high penalty for a low power factor (so
that their bills would have come down anyway). Firms that ask for the check save more than others in
any case; 170 that asked still wait for theirs, and are what the checked ones can be compared with.
In the true mode the check lowers the cost of a kWh by about 4%, more in the 57 firms that take a
contract; in the spurious mode by nothing, while the bills of those checked fall all the same.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np

from cps.demo.schemes._draw import (
    TARGET,
    Flags,
    Floats,
    Moments,
    Whole,
    after,
    before_after,
    dates,
    known_starts,
    lift_of,
    names,
    outcome_of,
    persistent,
    start_days,
)
from cps.demo.schemes._record import Drawn, Ledger, Outcome, Target

QUARTERS = 4 * 2021 + np.arange(14)  # 2021Q1 to 2024Q2
MONTHS = 12 * 2021 + np.arange(3 * len(QUARTERS))
N_CHECKED, N_WAITING, N_OTHERS, N_CONTRACTS = 103, 170, 40, 57
_FIRST, _LAST = 4 * 2022 + 2, 4 * 2023 + 2  # quarters of the first and the last check
_PRICE = 0.72  # 元 a kWh
_FEE = 9_000  # 元 a year
_EFFECT = {True: (0.045, 0.075), False: (0.015, 0.035)}  # log points, with a contract and without
_RAMP = (0.7, 1.0)
_SAVING = 0.05  # log points that those who save anyway gain over all quarters
_SHOCK = 0.02
_ID = "power_checkup"
_N_VISITS, _N_HAZARDS, _LOSS = 912, 214, 20_640_000.0
_CASE = 0  # the firm that stands for the published case
_CASE_BILL, _CASE_CHARGE = (960_000.0, 999_000.0), 1_627.8
_KINDS = ("配电房环境", "变压器", "电缆与接头", "无功补偿装置", "安全工器具")
_ALARM = "报警处置"
_VISITS = ("诊断", "复查", "巡检", _ALARM)
_TRADES = ("纺织", "塑料制品", "五金", "印刷包装", "食品")


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw 313 firms by month: bills, visits, hazards, contracts."""
    n = N_CHECKED + N_WAITING + N_OTHERS
    firms = names("示例企业", n)
    is_checked, has_asked = np.arange(n) < N_CHECKED, np.arange(n) < N_CHECKED + N_WAITING
    shock = persistent(rng, n, len(QUARTERS), persistence=0.2, spread=_SHOCK)
    starts = _starts(rng, shock, n)
    contract = np.zeros(n, dtype=bool)
    contract[_CASE] = True
    contract[1 + rng.choice(N_CHECKED - 1, N_CONTRACTS - 1, replace=False)] = True
    low, high = (np.where(contract, *(_EFFECT[on][end] for on in (True, False))) for end in (0, 1))
    effect = -after(starts, QUARTERS, ramp=_RAMP) * rng.uniform(low, high)[:, None]
    level = _level(rng, has_asked, shock)
    if is_spurious:
        level = level + lift_of(effect, is_checked)
    bills = _bills(rng, level, effect * (not is_spurious), starts)
    known = known_starts(firms, starts)
    unit: list[str] = np.repeat(firms, len(MONTHS)).tolist()
    quarter = np.tile(np.repeat(QUARTERS, 3), n)
    day = start_days(rng, starts, "quarter")
    visits, hazards = _visits(rng, day), _hazards(rng, day)
    naive = before_after(unit, quarter, bills.paid.ravel(), known, over=bills.kwh.ravel(), within=4)
    ledgers = (
        _register(rng, firms, day, has_asked),
        *_bill_ledgers(firms, bills),
        *_work_ledgers(firms, day, visits, hazards),
        _contracts(rng, firms, day, contract),
    )
    areas = {one: TARGET for one, asked in zip(firms, has_asked, strict=True) if asked}
    return Drawn(
        "firm",
        areas,
        known,
        _outcomes(bills, unit, quarter),
        ledgers,
        _targets(bills, starts, contract, visits=visits[2], losses=hazards[2]),
        {"cost_of_a_kwh_share": naive},
        _notes(bills, starts, level=level, shock=shock, has_asked=has_asked),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Bills:
    """Shape (n_firms, n_months): kWh, 元 paid and the part that adjusts for the power factor."""

    kwh: Floats
    paid: Floats
    charge: Floats
    paid0: Floats
    charge0: Floats


def _outcomes(bills: _Bills, unit: list[str], quarter: Whole) -> tuple[Outcome, ...]:
    return (
        outcome_of(
            "cost_yuan_per_kwh",
            "yuan_per_kwh",
            form="log",
            frequency="quarter",
            unit=unit,
            period=quarter,
            observed=bills.paid.ravel(),
            untreated=bills.paid0.ravel(),
            over=bills.kwh.ravel(),
        ),
        outcome_of(
            "adjustment_share_pct",
            "percent",
            form="level",
            frequency="quarter",
            unit=unit,
            period=quarter,
            observed=bills.charge.ravel(),
            untreated=bills.charge0.ravel(),
            over=bills.paid.ravel(),
            over_untreated=bills.paid0.ravel(),
            times=100.0,
        ),
    )


def _targets(
    bills: _Bills,
    starts: list[int | None],
    contract: Flags,
    *,
    visits: list[str],
    losses: Floats,
) -> tuple[Target, ...]:
    before, late = _case_bills(bills, starts)
    return (
        Target(f"{_ID}__firms_diagnosed", "=", 103, sum(one is not None for one in starts), "firm"),
        Target(f"{_ID}__maintenance_contracts", "=", 57, int(contract.sum()), "firm"),
        Target(
            f"{_ID}__contract_conversion",
            "between",
            (0.55335, 0.55345),
            contract.sum() / 103,
            "share",
        ),
        Target(f"{_ID}__onsite_visits", ">=", 900, len(visits), "visit"),
        Target(f"{_ID}__hazards_removed", ">=", 200, len(losses), "hazard"),
        Target(f"{_ID}__equipment_loss_avoided", ">=", 2e7, float(losses.sum()), "yuan"),
        Target(f"{_ID}__alarm_handling_rate", "=", 1.0, _share_handled(visits), "share"),
        Target(f"{_ID}__case_annual_power_bill", "between", (9.5e5, 1e6), before, "yuan"),
        Target(f"{_ID}__case_bill_saving", "between", (5e4, 1e5), before - late, "yuan"),
        Target(f"{_ID}__case_service_fee", "=", 9_000, _FEE, "yuan"),
        Target(
            f"{_ID}__case_power_factor_charge",
            "=",
            _CASE_CHARGE,
            float(bills.charge[_CASE, _case_month(starts)]),
            "yuan",
        ),
    )


def _notes(
    bills: _Bills,
    starts: list[int | None],
    *,
    level: Floats,
    shock: Floats,
    has_asked: Flags,
) -> dict[str, Any]:
    """Say what moves the bills of those checked without the check, in log points of cost a kWh."""
    before = level[:, 5] - level[:, 0]  # no check yet
    dip = [shock[i, one - QUARTERS[0] - 1] for i, one in enumerate(starts) if one is not None]
    return {
        "those_who_asked_against_others_2021Q1_to_2022Q2_log_points": round(
            float(before[has_asked].mean() - before[~has_asked].mean()), 4
        ),
        "quarter_before_the_check_above_usual_log_points": round(float(np.mean(dip)), 4),
        "case_saving_due_to_the_check_yuan": round(_case_effect(bills, starts)),
        "loss_avoided_is_the_providers_own_estimate": True,
    }


def _starts(rng: np.random.Generator, shock: Floats, n: int) -> list[int | None]:
    """Let firms ask for the check in a quarter after a costly one, more often than not."""
    quarters = np.arange(_FIRST, _LAST + 1)
    before = shock[:N_CHECKED, quarters - QUARTERS[0] - 1] / _SHOCK
    weight = np.exp(1.2 * before)
    weight /= weight.sum(axis=1, keepdims=True)
    pick = (rng.random(N_CHECKED)[:, None] > weight.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return [*(int(one) for one in quarters[pick]), *[None] * (n - N_CHECKED)]


def _level(rng: np.random.Generator, has_asked: Flags, shock: Floats) -> Floats:
    n, steps = len(has_asked), len(QUARTERS)
    saves = rng.normal(np.where(has_asked, 0.9, 0.1), 0.5)[:, None]
    reform = np.where(QUARTERS >= 4 * 2021 + 3, 0.03, 0.0)  # prices freed in autumn 2021
    path = -_SAVING * np.arange(steps) / (steps - 1)
    return np.asarray(rng.normal(0, 0.08, n)[:, None] + reform + saves * path + shock)


def _bills(
    rng: np.random.Generator, level: Floats, effect: Floats, starts: list[int | None]
) -> _Bills:
    n = len(level)
    season = np.tile(np.array([0.9, 0.7, 1, 1, 1, 1.1, 1.2, 1.2, 1.05, 1, 1, 1.0]), 4)[
        : len(MONTHS)
    ]
    size = 70_000 * np.exp(rng.normal(-0.18, 0.6, n))
    noise = rng.normal(0, 0.10, (n, len(MONTHS)))
    kwh = np.rint(size[:, None] * season * np.exp(noise))
    usual = rng.normal(0.022, 0.012, n)[:, None]
    usual[_CASE] = 0.02
    month = np.repeat(level, 3, axis=1) + rng.normal(0, 0.01, (n, len(MONTHS)))
    part = np.repeat(level - level.mean(axis=1, keepdims=True), 3, axis=1)
    gain = np.repeat(effect, 3, axis=1)

    def paid(with_gain: Floats) -> tuple[Floats, Floats]:
        total = kwh * _PRICE * np.exp(month + with_gain)
        rate = np.clip(usual + 0.6 * (part + with_gain), -0.0075, 0.15)
        return total, total * rate / (1 + rate)

    _scale_case(rng, kwh, month, gain, starts)
    (paid1, charge1), (paid0, charge0) = paid(gain), paid(np.zeros_like(gain))
    place = _case_month(starts)
    for total, charge in ((paid1, charge1), (paid0, charge0)):
        total[_CASE, place] += _CASE_CHARGE - charge[_CASE, place]
        charge[_CASE, place] = _CASE_CHARGE
    return _Bills(kwh, *(np.round(one, 2) for one in (paid1, charge1, paid0, charge0)))


def _scale_case(
    rng: np.random.Generator, kwh: Floats, month: Floats, gain: Floats, starts: list[int | None]
) -> None:
    """Give the case firm the published bill before the check, and use that saves it 5 to 10万元 after."""
    start = 3 * (int(starts[_CASE] or 0) - QUARTERS[0])
    price = _PRICE * np.exp(month[_CASE] + gain[_CASE])
    year = slice(start - 12, start)
    kwh[_CASE] = np.rint(kwh[_CASE] * rng.uniform(*_CASE_BILL) / (kwh[_CASE] * price)[year].sum())
    bill = (kwh[_CASE] * price)[year].sum()
    wanted = bill - rng.uniform(60_000, 90_000)
    late = slice(start, start + 12)
    kwh[_CASE, start:] = np.rint(
        kwh[_CASE, start:] * wanted / (kwh[_CASE, late] * price[late]).sum()
    )


def _case_month(starts: list[int | None]) -> int:
    return 3 * (int(starts[_CASE] or 0) - int(QUARTERS[0])) - 4


def _case_bills(bills: _Bills, starts: list[int | None]) -> tuple[float, float]:
    """Give the case firm's bill of the year before the check, and of the year from it on."""
    start = 3 * (int(starts[_CASE] or 0) - int(QUARTERS[0]))
    paid = bills.paid[_CASE]
    return float(paid[start - 12 : start].sum()), float(paid[start : start + 12].sum())


def _case_effect(bills: _Bills, starts: list[int | None]) -> float:
    start = 3 * (int(starts[_CASE] or 0) - int(QUARTERS[0]))
    year = slice(start, start + 12)
    return float((bills.paid0[_CASE, year] - bills.paid[_CASE, year]).sum())


def _after_check(rng: np.random.Generator, firm: Whole, day: list[datetime.date | None]) -> Moments:
    """Draw a day between each firm's check and the end of the ledger."""
    first = np.array([day[i] for i in firm], dtype="datetime64[D]")
    span = (np.datetime64("2024-06-30") - first).astype(np.int64)
    return np.asarray(first + np.floor(rng.random(len(firm)) * span).astype(np.int64))


def _visits(
    rng: np.random.Generator, day: list[datetime.date | None]
) -> tuple[Whole, Moments, list[str]]:
    """Draw 912 visits, the first of each firm being the check itself: firm, day, purpose."""
    checked = np.arange(N_CHECKED)
    firm = np.concatenate([checked, rng.integers(0, N_CHECKED, _N_VISITS - N_CHECKED)])
    when = _after_check(rng, firm, day)
    when[:N_CHECKED] = np.array(day[:N_CHECKED], dtype="datetime64[D]")
    purpose = ["诊断"] * N_CHECKED
    purpose += rng.choice(_VISITS[1:], _N_VISITS - N_CHECKED, p=[0.3, 0.55, 0.15]).tolist()
    order = np.lexsort((firm, when))
    return firm[order], when[order], [purpose[i] for i in order]


def _results(purpose: list[str]) -> list[str | None]:
    """Give the result of each visit: all alarms are dealt with, as published; others have none."""
    return ["已处置" if one == _ALARM else None for one in purpose]


def _share_handled(purpose: list[str]) -> float:
    alarms = [one for one, what in zip(_results(purpose), purpose, strict=True) if what == _ALARM]
    return sum(one is not None for one in alarms) / len(alarms)


def _hazards(
    rng: np.random.Generator, day: list[datetime.date | None]
) -> tuple[Whole, Moments, Floats, Whole]:
    """Draw 214 hazards: firm, day found, 元 of loss that the provider says was avoided, days to mend."""
    firm = rng.integers(0, N_CHECKED, _N_HAZARDS)
    when = _after_check(rng, firm, day)
    loss = rng.lognormal(0, 0.9, _N_HAZARDS)
    loss = np.rint(loss * _LOSS / loss.sum() / 100) * 100 + 100
    order = np.lexsort((firm, when))
    return firm[order], when[order], loss[order], rng.integers(1, 21, _N_HAZARDS)


def _register(
    rng: np.random.Generator, firms: list[str], day: list[datetime.date | None], has_asked: Flags
) -> Ledger:
    return Ledger(
        "企业名册与诊断登记.xlsx",
        "规上及宗地企业名册与用电诊断登记",
        {
            "企业名称": firms,
            "镇街": [TARGET] * len(firms),
            "行业": rng.choice(_TRADES, len(firms)).tolist(),
            "首次诊断日期": day,
            "不作对照原因": [None if one else "未申请诊断" for one in has_asked],
        },
        dates="words",
    )


def _bill_ledgers(firms: list[str], bills: _Bills) -> list[Ledger]:
    """Give one file a year, as the bureau exports them."""
    found = []
    for year in np.unique(MONTHS // 12):
        place = np.flatnonzero(year == MONTHS // 12)
        rate = bills.charge[:, place] / (bills.paid[:, place] - bills.charge[:, place])
        factor = np.where(rate >= 0, 0.9 - 2 * rate, 0.9 - rate / 0.15)
        found.append(
            Ledger(
                f"电费账单_{year}.csv",
                f"企业电费账单（{year}年）",
                {
                    "户名": np.repeat(firms, len(place)).tolist(),
                    "账期": [f"{year}年{m % 12 + 1}月" for m in MONTHS[place]] * len(firms),
                    "用电量（千瓦时）": bills.kwh[:, place].ravel().astype(int).tolist(),
                    "平均功率因数": np.round(factor, 2).ravel().tolist(),
                    "力调电费": bills.charge[:, place].ravel().tolist(),
                    "应付电费": bills.paid[:, place].ravel().tolist(),
                },
                money={"力调电费": "元", "应付电费": "元"},
            )
        )
    return found


def _work_ledgers(
    firms: list[str],
    day: list[datetime.date | None],
    visits: tuple[Whole, Moments, list[str]],
    hazards: tuple[Whole, Moments, Floats, Whole],
) -> tuple[Ledger, Ledger]:
    firm, when, purpose = visits
    visited = Ledger(
        "上门服务记录.csv",
        "用电体检上门服务记录",
        {
            "序号": list(range(1, len(firm) + 1)),
            "服务企业": [firms[i] for i in firm],
            "上门日期": dates(when),
            "服务内容": purpose,
            "处置情况": _results(purpose),
        },
        dates="slash",
    )
    firm, when, loss, length = hazards
    found = Ledger(
        "隐患清单.xlsx",
        "用电安全隐患清单（五查合一）",
        {
            "隐患编号": [f"YH{number:04d}" for number in range(1, len(firm) + 1)],
            "隐患企业": [firms[i] for i in firm],
            "检查项": [_KINDS[i % len(_KINDS)] for i in range(len(firm))],
            "发现日期": dates(when),
            "整改完成日期": dates(when + length),
            "服务商估算减损": loss.tolist(),
        },
        money={"服务商估算减损": "万元"},
    )
    return visited, found


def _contracts(
    rng: np.random.Generator, firms: list[str], day: list[datetime.date | None], signed: Flags
) -> Ledger:
    who = np.flatnonzero(signed)
    fee = np.rint(_FEE * rng.uniform(0.6, 1.8, len(who)) / 500) * 500
    fee[0] = _FEE  # the published case
    on = [day[i] + datetime.timedelta(days=int(rng.integers(5, 60))) for i in who]  # type: ignore[operator]
    return Ledger(
        "运维合同登记.xlsx",
        "电力运维合同登记",
        {
            "合同企业": [firms[i] for i in who],
            "签约日期": on,
            "年服务费": fee.tolist(),
        },
        money={"年服务费": "元"},
        dates="words",
    )
