"""A small scheme of its own: waiting rooms of fourteen centres, six of them refitted."""

from __future__ import annotations

import csv
import datetime
import random
from pathlib import Path

SCHEME = """
id = "waiting_rooms"
name = { zh = "示例候办厅", en = "Example waiting rooms" }
is_evaluable = "yes"
unit_kind = "centre"
frequency = "quarter"
claims = []
series_needed = [{ zh = "叫号记录", en = "The queue log" }]

[reason]
zh = "各厅改造日期先后不一。"
en = "Rooms were refitted one after another."

[[ledgers]]
id = "register"
name = { zh = "中心名册", en = "Register of centres" }
key = ["centre"]
columns = [
    { id = "centre", heads = ["中心名称"], type = "text", is_required_value = true },
    { id = "town", heads = ["镇街"], type = "text" },
    { id = "refitted", heads = ["改造日期"], type = "date" },
    { id = "exclusion", heads = ["不作对照原因"], type = "text", is_optional = true },
]

[[ledgers]]
id = "queue"
name = { zh = "叫号记录", en = "Queue log" }
is_complete_log = true
columns = [
    { id = "centre", heads = ["中心名称", "中心"], type = "text", is_required_value = true },
    { id = "taken", heads = ["取号时间"], type = "moment", is_required_value = true },
    { id = "called", heads = ["叫号时间"], type = "moment" },
    { id = "fee", heads = ["工本费"], type = "money", is_optional = true, min = 0 },
    { id = "kind", heads = ["业务类别"], type = "text", choices = ["户籍", "社保"] },
]
derived = [
    { id = "wait", rule = "minutes_between", from = "taken", to = "called" },
    { id = "is_short", rule = "at_most", of = "wait", limit = 15 },
]

[[outcomes]]
id = "wait_minutes"
name = { zh = "等候时间", en = "waiting time" }
measure = "minutes"
form = "level"
ledger = "queue"
unit = "centre"
period = "taken"
take = "mean"
of = "wait"

[[outcomes]]
id = "tickets"
name = { zh = "取号数", en = "tickets taken" }
measure = "count"
form = "level"
ledger = "queue"
unit = "centre"
period = "taken"
take = "count"

[[indicators]]
id = "short_pct"
name = { zh = "一刻钟内叫号率", en = "Called within a quarter of an hour" }
formula = { zh = "等候不超过 15 分钟的号 ÷ 已叫的号", en = "waits of 15 minutes or less ÷ calls" }
measure = "percent"
ledger = "queue"
take = "share"
of = "is_short"
period = "taken"

[[indicators]]
id = "tickets"
name = { zh = "取号数", en = "Tickets taken" }
formula = { zh = "取号记录数", en = "number of tickets" }
measure = "count"
ledger = "queue"
take = "count"

[units]
ledger = "register"
unit = "centre"
area = "town"
start = "refitted"
exclude = "exclusion"

[design]
description = { zh = "与未改造的厅比较。", en = "Set against rooms that were not refitted." }
methods = { zh = "双重差分", en = "difference-in-differences" }
"""
EFFECT = -6.0  # minutes
N_TREATED, N_ALL = 6, 14
STARTS = ("2022-04-01", "2022-10-01")
YEARS = range(2020, 2024)


def write_waiting_rooms(folder: Path) -> None:
    """Write a register and a queue log in GB18030, with the dirt that ledgers have."""
    rng = random.Random(7)
    register = [["示例数据（合成）：中心名册"], ["中心名称", "镇街", "改造日期", "不作对照原因"]]
    queue = [
        ["示例数据（合成）：叫号记录"],
        ["中心名称", "取号时间", "叫号时间", "工本费（元）", "业务类别"],
    ]
    for place in range(N_ALL):
        name = f"示例中心{place + 1:02d}"
        start = STARTS[place % 2] if place < N_TREATED else ""
        register.append([name, "示例街道" if place < N_TREATED else "示例邻镇", start, ""])
        own = rng.gauss(30, 3)
        for year in YEARS:
            for month in range(1, 13):
                for _ in range(rng.randint(2, 5)):
                    taken = datetime.datetime(
                        year, month, rng.randint(1, 28), rng.randint(9, 16), 5
                    )
                    is_after = bool(start) and taken.date().isoformat() >= start
                    wait = own + 0.1 * (12 * (year - 2020) + month) + rng.gauss(0, 2)
                    wait += EFFECT if is_after else 0.0
                    called = taken + datetime.timedelta(minutes=round(wait))
                    row = [name, f"{taken:%Y-%m-%d %H:%M}", f"{called:%Y/%m/%d %H:%M}"]
                    queue.append([*row, "１０.５", rng.choice(["户籍", "社保"])])
    queue.append(["合计", "", "", "", ""])
    queue.append(["注：本表为合成数据"])
    for name, rows in (("合成_中心名册.csv", register), ("合成_叫号记录.csv", queue)):
        with (folder / name).open("w", encoding="gb18030", newline="") as handle:
            csv.writer(handle).writerows(rows)
