"""Trouble in grid cells, found by patrols and, from its first day in a cell, by sensors.

Sensors find more, small matters above all, and small matters are closed sooner: the mean time to
closure falls in both modes. In the true mode like events are closed about 30% sooner, too; in the
spurious mode they are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cps.demo.schemes._draw import (
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
    place_of,
    start_days,
)
from cps.demo.schemes._record import Drawn, Ledger, Target

QUARTERS = 4 * 2021 + np.arange(14)  # 2021Q1 to 2024Q2
GRADES = np.array(["较大", "一般"])
FEEDS = ("水域哨兵", "货车感知")  # named by the source
KINDS = np.array(["水域污染", "交通拥堵", "公共场所安全"])  # named by the source
_N_INSIDE, _N_OUTSIDE = 40, 80
_STARTS = 4 * 2022 + 2 + np.arange(4)  # quarters in which sensors go live
_HOURS = np.array([20.0, 4.0])  # to closure, by grade
_EFFECT = (-0.45, -0.20)  # log points, by cell
_FOUND = np.array(
    [[1.2, 1.6], [1.4, 5.0]]
)  # events a cell and quarter beyond the first: grade × sensor


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw events of 40 cells where sensors go live in turn and of 80 that have none."""
    n = _N_INSIDE + _N_OUTSIDE
    cells = names("示例网格", n)
    starts = [*rng.permutation(np.repeat(_STARTS, 10)), *[None] * _N_OUTSIDE]
    is_in = np.arange(n) < _N_INSIDE
    share = after(starts, QUARTERS, ramp=(0.7, 1.0))
    effect = share * rng.uniform(*_EFFECT, n)[:, None]
    noise = persistent(rng, n, len(QUARTERS), persistence=0.3, spread=0.10)
    level = rng.normal(0, 0.25, n)[:, None] - 0.012 * np.arange(len(QUARTERS)) + noise
    if is_spurious:
        level = level + lift_of(effect, is_in)
    cell, quarter, grade = _found(rng, (share > 0).astype(int))
    log_hours = np.log(_HOURS)[grade] + level[cell, quarter] + rng.normal(0, 0.55, len(cell))
    gain = np.zeros(len(cell)) if is_spurious else effect[cell, quarter]
    day = days(rng, QUARTERS[quarter], "quarter")
    found = moments(rng, day, opens=6, closes=22)
    closed, closed0 = (later(found, 60 * np.exp(log_hours + one)) for one in (gain, 0 * gain))
    hours, hours0 = (minutes_between(found, one) / 60 for one in (closed, closed0))
    unit, inside = np.array(cells)[cell].tolist(), is_in[cell]
    known = known_starts(cells, starts)
    # Without sensors fewer matters would have been found, small ones above all.
    usual, more = _FOUND[grade, 0], _FOUND[grade, (share[cell, quarter] > 0).astype(int)]
    is_found_anyway = rng.random(len(cell)) < usual / more
    outcomes = tuple(
        outcome_of(
            name,
            "hours",
            form="log",
            frequency="quarter",
            unit=unit,
            period=QUARTERS[quarter],
            observed=hours,
            untreated=hours0,
            keep=keep,
            keep_untreated=keep_untreated,
        )
        for name, keep, keep_untreated in (
            ("closure_hours", grade == 0, None),
            ("all_closure_hours", None, is_found_anyway | (grade == 0)),
        )
    )
    by_sensor = (share[cell, quarter] > 0) & (rng.random(len(cell)) < np.array([0.4, 0.8])[grade])
    ledgers = (
        _register(cells, start_days(rng, starts, "quarter")),
        _log(
            rng=rng,
            unit=unit,
            found=found,
            closed=closed,
            grade=grade,
            by_sensor=by_sensor,
            inside=inside,
        ),
    )
    naive = before_after(unit, QUARTERS[quarter], hours, known)
    targets = (
        Target("digital_ground_governance__sensor_feed", "=", 2, len(FEEDS), "feed"),
        Target("digital_ground_governance__early_handling", "=", 3, len(KINDS), "kind"),
    )
    is_late = share[cell, quarter] > 0
    notes = {
        "small_matters_before_pct": 100 * float(grade[inside & ~is_late].mean()),
        "small_matters_after_pct": 100 * float(grade[inside & is_late].mean()),
        "events_found_a_cell_and_quarter_before": float(
            (inside & ~is_late).sum() / (share[is_in] == 0).sum()
        ),
        "events_found_a_cell_and_quarter_after": float(
            (inside & is_late).sum() / (share[is_in] > 0).sum()
        ),
    }
    return Drawn(
        "grid_cell",
        dict(zip(cells, place_of(is_in), strict=True)),
        known,
        outcomes,
        ledgers,
        targets,
        {"mean_closure_hours_share": naive},
        notes,
    )


def _found(rng: np.random.Generator, has_sensor: Whole) -> tuple[Whole, Whole, Whole]:
    """Draw cell, quarter and grade of events; one serious event a cell and quarter at least."""
    parts = [events((1 - grade) + rng.poisson(_FOUND[grade][has_sensor])) for grade in (0, 1)]
    grade = np.repeat([0, 1], [len(one[0]) for one in parts])
    cell, quarter = (np.concatenate([one[i] for one in parts]) for i in (0, 1))
    order = np.lexsort((grade, quarter, cell))
    return cell[order], quarter[order], grade[order]


def _register(cells: list[str], day: list[Any]) -> Ledger:
    return Ledger(
        "网格与感知设备登记.xlsx",
        "网格与感知设备登记表",
        {
            "网格编号": cells,
            "镇街": place_of([one is not None for one in day]),
            "感知设备启用日期": day,
            "接入感知": [None if one is None else FEEDS[i % 2] for i, one in enumerate(day)],
        },
        dates="words",
    )


def _log(
    *,
    rng: np.random.Generator,
    unit: list[str],
    found: Moments,
    closed: Moments,
    grade: Whole,
    by_sensor: Flags,
    inside: Flags,
) -> Ledger:
    order = np.argsort(found, kind="stable")
    return Ledger(
        "网格事件台账.csv",
        "网格事件处置台账",
        {
            "事件编号": [f"SJ{number:05d}" for number in range(1, len(unit) + 1)],
            "镇街": place_of(inside[order]),
            "所属网格": [unit[i] for i in order],
            "事件类别": KINDS[rng.integers(0, 3, len(unit))].tolist(),
            "事件等级": GRADES[grade[order]].tolist(),
            "发现方式": np.where(by_sensor[order], "数智感知", "地巡上报").tolist(),
            "发现时间": dates(found[order]),
            "办结时间": dates(closed[order]),
        },
    )
