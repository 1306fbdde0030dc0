"""The safety net's monthly register, its applications and its watch list; no effect lies in it.

Whom the net reaches can be counted, and whom it misses or takes in by error; what it changed in
their lives can't be told from these ledgers, so both modes are the same.
"""

from __future__ import annotations

import datetime

import numpy as np

from cps.demo.schemes._draw import Flags, dates, names
from cps.demo.schemes._record import Drawn, Ledger, Target

_ID = "safety_net"
# Two groups are named by the source, and six of the seven services; the rest is not.
GROUPS = ["困境儿童", "低保对象", *names("示例群体", 7, first=3, digits=1)]
MODES = ["示例模式一", "示例模式二"]
SERVICES = [
    *(
        "居家养老服务",
        "兜底保障服务",
        "法律援助服务",
        "慈善救助服务",
        "疾病筛查服务",
        "低保低边服务",
    ),
    "其他服务（未具名）",
]
MONTHS = 12 * 2023 + np.arange(18)  # 2023-01 to 2024-06
LINE_YUAN = 1_100  # a head and month, invented
_N_APPLICATIONS, _N_WATCHED = 900, 640
MISSED, TAKEN_IN = 0.08, 0.04  # of the eligible, of the others
_NEAR, _MOVED = 100, 0.5  # 元 from the line; share of those just over it who state less
_BASE = (60, 340)  # persons a service in the first month


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw eighteen months of the register, 900 applications and a watch list of 640 persons."""
    register = _register(rng)
    applications, is_eligible, is_in, n_moved = _applications(rng)
    watch, reached = _watch(rng)
    targets = (
        Target(f"{_ID}__n_groups", "=", 9, len(set(GROUPS)), "category"),
        Target(f"{_ID}__n_modes", "=", 2, len(set(MODES)), "mode"),
        Target(f"{_ID}__n_services", "=", 7, len(set(SERVICES)), "item"),
    )
    notes = {
        "missed_of_the_eligible_share": round(float((~is_in[is_eligible]).mean()), 4),
        "taken_in_of_the_others_share": round(float(is_in[~is_eligible].mean()), 4),
        "reached_of_the_watch_list_share": round(reached, 4),
        "applications_that_state_less_than_they_earn": n_moved,
        "no_effect_is_in_these_ledgers": True,
    }
    return Drawn("person", {}, {}, (), (register, applications, watch), targets, {}, notes)


def _register(rng: np.random.Generator) -> Ledger:
    """Give a row a month, service and group: persons served and 元 paid."""
    shape = (len(MONTHS), len(SERVICES), len(GROUPS))
    base = rng.uniform(*_BASE, shape[1:]) * rng.uniform(0.2, 1.2, len(GROUPS)) / 6
    growth = 1 + 0.004 * np.arange(len(MONTHS))
    persons = rng.poisson(base[None] * growth[:, None, None])
    a_head = rng.uniform(80, 620, shape[1:])
    paid = np.rint(persons * a_head[None])
    month, service, group = np.indices(shape)
    return Ledger(
        "民生兜底月报.csv",
        "民生兜底保障月报",
        {
            "月份": [f"{m // 12}年{m % 12 + 1}月" for m in MONTHS[month.ravel()]],
            "服务项目": [SERVICES[i] for i in service.ravel()],
            "保障模式": [MODES[i % 2] for i in service.ravel()],
            "对象类别": [GROUPS[i] for i in group.ravel()],
            "保障人数": persons.ravel().tolist(),
            "发放金额": paid.ravel().tolist(),
        },
        money={"发放金额": "元"},
    )


def _applications(rng: np.random.Generator) -> tuple[Ledger, Flags, Flags, int]:
    """Give applications with the income that decides; who is under the line, who was taken in, how many moved."""
    earned = np.rint(rng.normal(1_050, 320, _N_APPLICATIONS).clip(100, 2_600))
    is_near = (earned >= LINE_YUAN) & (earned < LINE_YUAN + _NEAR)
    is_moved = is_near & (rng.random(_N_APPLICATIONS) < _MOVED)
    # Some who earn a little over the line state a little under it.
    income = np.where(is_moved, LINE_YUAN - rng.integers(1, _NEAR, _N_APPLICATIONS), earned)
    is_eligible = income < LINE_YUAN
    chance = rng.random(_N_APPLICATIONS)
    is_in = np.where(is_eligible, chance >= MISSED, chance < TAKEN_IN)
    day = np.datetime64("2023-01-01") + np.sort(rng.integers(0, 500, _N_APPLICATIONS))
    paid = day + np.rint(rng.gamma(5.0, 6.0, _N_APPLICATIONS)).astype(np.int64) + 3
    taken = is_in.tolist()
    ledger = Ledger(
        "救助申请台账.xlsx",
        "社会救助申请与认定台账",
        {
            "申请编号": [f"JZ{number:04d}" for number in range(1, _N_APPLICATIONS + 1)],
            "申请对象": [f"示例对象{number:04d}" for number in range(1, _N_APPLICATIONS + 1)],
            "申请日期": dates(day),
            "家庭人均月收入": income.tolist(),
            "认定线": [LINE_YUAN] * _N_APPLICATIONS,
            "认定结果": ["纳入" if one else "未纳入" for one in taken],
            "首次发放日期": [on if ok else None for on, ok in zip(dates(paid), taken, strict=True)],
        },
        money={"家庭人均月收入": "元", "认定线": "元"},
        dates="words",
    )
    return ledger, is_eligible, is_in, int(is_moved.sum())


def _watch(rng: np.random.Generator) -> tuple[Ledger, float]:
    """Give persons that are watched for hardship, and whether the net reached each."""
    is_reached: Flags = rng.random(_N_WATCHED) < 0.91
    group = rng.integers(0, len(GROUPS), _N_WATCHED)
    ledger = Ledger(
        "监测对象清单.csv",
        "困难群众监测对象清单",
        {
            "监测对象": [f"示例监测{number:04d}" for number in range(1, _N_WATCHED + 1)],
            "监测类别": [GROUPS[i] for i in group],
            "监测月份": [datetime.date(2024, 6, 1)] * _N_WATCHED,
            "是否保障到位": np.where(is_reached, "是", "否").tolist(),
        },
        dates="slash",
    )
    return ledger, float(is_reached.mean())
