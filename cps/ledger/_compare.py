"""What a delivery changed of an earlier one, and what the initiatives can be told from."""

from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path

import polars as pl

from cps.errors import LedgerError, Text, UsageError
from cps.ledger._given import CELL, Given, shown
from cps.ledger._log import Log, Source, visible
from cps.ledger.cells import normal, read_month
from cps.ledger.containers.record import Unreadable
from cps.ledger.containers.text import decode
from cps.ledger.names import ALLOWED, Registry, read_name

_FEW_BEFORE = 6


def revisions(given: Given, previous: pl.DataFrame) -> None:
    """Say which figures of a previous delivery were changed or are gone.

    Parameters
    ----------
    given : Given
    previous : polars.DataFrame
        The earlier delivery's series, its units settled the same way.
    """
    now = given.series.unique(CELL, keep="first", maintain_order=True)
    before = previous.unique(CELL, keep="first", maintain_order=True).select(
        *CELL, pl.col("cents").alias("was")
    )
    both = now.join(before, on=CELL, how="inner")
    changed = both.filter(pl.col("cents").ne_missing(pl.col("was")))
    if changed.height and both.height:
        ratio = changed.select((pl.col("cents") / pl.col("was")).alias("r"))["r"].drop_nulls()
        times = float(ratio.median() or 0) if len(ratio) else 0.0  # type: ignore[arg-type]
        power = next((p for p in (10_000, 100, 1_000) if abs(times / p - 1) < 0.01), None) or next(
            (-p for p in (10_000, 100, 1_000) if times and abs(times * p - 1) < 0.01), None
        )
        if power and changed.height * 2 > both.height:
            given.say(
                "W-LEDGER-UNIT-SLIP",
                "warn",
                Text(
                    f"与上次报送相比，{changed.height:,} 个数都成了 {power:,} 倍"
                    if power > 0
                    else f"与上次报送相比，{changed.height:,} 个数都成了 1/{-power:,}",
                    f"{changed.height:,} figures changed by one factor ({power:,}) since the last delivery",
                ),
                changed.row(0, named=True),
                mend=Text("核对单位（元、万元）", "check the unit"),
            )
    given.say_each(
        "W-LEDGER-REVISED",
        "warn",
        lambda entry: Text(
            f"上次报送为 {shown(entry['was']) or '缺数'}，这次为 {shown(entry['cents']) or '缺数'}",
            f"was {shown(entry['was']) or 'missing'}, is now {shown(entry['cents']) or 'missing'}",
        ),
        changed,
        mend=Text("确认是有意更正，并说明原因", "confirm the correction, and say why"),
    )
    gone = before.join(now, on=CELL, how="anti")
    if gone.height:
        one = gone.sort("period_start", "unit").row(0, named=True)
        given.log.add(
            "W-LEDGER-GONE",
            "warn",
            Text(
                f"上次报送的 {gone.height:,} 个数这次没有了，首个是 {one['unit']} "
                f"{one['period_start']:%Y-%m} {one['item']}",
                f"{gone.height:,} figures of the last delivery are gone; the first is "
                f"{one['unit']} {one['period_start']:%Y-%m} {one['item']}",
            ),
            source=given.sources[0] if given.sources else Source("", ""),
            mend=Text("补回，或说明原因", "bring them back, or say why"),
        )


def check_schedule(given: Given, path: Path) -> None:
    """Check a table of initiatives (shape D) against the months and villages of the ledgers.

    Raises
    ------
    UsageError, LedgerError
        If the table is missing or has no such columns.
    """
    source = Source(path.name, "", is_text=True)
    starts = _starts(path, source, given.log, given.registry)
    monthly = given.series.filter(pl.col("frequency") == "month")
    if monthly.is_empty() or not starts:
        return
    months = monthly["period_start"].unique().sort().to_list()
    units = set(monthly["unit"].unique().to_list())
    _alone(given.log, source, starts, units)
    for line, name, unit, start in starts:
        at = (line - 1, 2)
        before = sum(month < start for month in months)
        after = sum(month >= start for month in months)
        if unit not in units:
            what = Text(f"“{unit}”没有台账数据", f"{unit} has no ledger")
            _say(given.log, "W-INITIATIVE-NO-DATA", what, source, at=(line - 1, 1), value=unit)
        elif not after:
            what = Text(
                f"“{name}”{start:%Y-%m} 启动，数据止于 {months[-1]:%Y-%m}，没有启动后的数据",
                f"{name} starts {start:%Y-%m}, the data end {months[-1]:%Y-%m}: nothing after it",
            )
            _say(given.log, "W-INITIATIVE-NO-POST", what, source, at=at, value=f"{start:%Y-%m}")
        elif before < _FEW_BEFORE:
            what = Text(
                f"“{name}”在“{unit}”启动前只有 {before} 个月的数据，难以判断此前趋势",
                f"{name} in {unit}: {before} months before its start, too few to see a trend",
            )
            _say(given.log, "W-INITIATIVE-SHORT-PRE", what, source, at=at, value=f"{start:%Y-%m}")


_Start = tuple[int, str, str, datetime.date]


def _alone(log: Log, source: Source, starts: list[_Start], units: set[str]) -> None:
    treated = {unit for _, _, unit, _ in starts}
    never = units - treated
    if len(never) < 2:
        names = "、".join(sorted(never)) or "无"
        what = Text(
            f"没有启动任何项目的村只有 {len(never)} 个（{names}），无从比较",
            f"{len(never)} villages have no initiative: there is little or nothing to compare with",
        )
        mend = Text("加入没有项目的村的台账", "add ledgers of villages without initiatives")
        log.add("W-INITIATIVE-NO-CONTROL", "warn", what, source=source, mend=mend)
    at: dict[tuple[str, datetime.date], list[tuple[int, str]]] = {}
    for line, name, unit, start in starts:
        at.setdefault((unit, start), []).append((line, name))
    for (unit, start), given in at.items():
        together = list(dict.fromkeys(name for _, name in given))
        if len(together) > 1:
            what = Text(
                f"“{unit}”在 {start:%Y-%m} 同时启动 {'、'.join(together)}，其影响无法分开",
                f"{unit} starts {', '.join(together)} in {start:%Y-%m}: they can't be told apart",
            )
            _say(
                log,
                "W-INITIATIVE-CONFOUNDED",
                what,
                source,
                at=(given[-1][0] - 1, 0),
                value=together[-1],
            )


def _say(
    log: Log, code: str, what: Text, source: Source, *, at: tuple[int, int], value: str
) -> None:
    log.add(
        code,
        "warn",
        what,
        source=source,
        at=at,
        mend=Text("核对启动月份；报告中须写明", "check the start; the report must say so"),
        value=value,
    )


_HEADERS = {
    "initiative": ("initiative", "项目", "项目名称"),
    "village": ("village", "村名", "村"),
    "start": ("start", "启动", "启动月份", "开始"),
    "end": ("end", "结束", "结束月份"),
}


def _starts(path: Path, source: Source, log: Log, registry: Registry | None) -> list[_Start]:
    try:
        text, _ = decode(path.read_bytes())
    except OSError as error:
        raise UsageError(
            Text("找不到项目表", "there is no such table of initiatives"),
            where=visible(str(path)),
            mend=Text("检查 --initiatives 的路径", "check the path given to --initiatives"),
        ) from error
    except Unreadable as error:
        raise LedgerError(error.remark.what, where=path.name, mend=error.remark.mend) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [normal(one).lower() for one in next(reader, [])]
    places = {
        role: next((header.index(one) for one in names if one in header), None)
        for role, names in _HEADERS.items()
    }
    lacks = [role for role, at in places.items() if at is None and role != "end"]
    if lacks:
        raise LedgerError(
            Text(f"项目表缺少列：{'、'.join(lacks)}", f"the table lacks {', '.join(lacks)}"),
            where=path.name,
            mend=Text("表头应为 initiative,village,start,end", "initiative,village,start,end"),
        )
    starts: list[_Start] = []
    for row in reader:
        cells = {
            role: row[at] if at is not None and at < len(row) else "" for role, at in places.items()
        }
        if not any(one.strip() for one in row):
            continue
        line = reader.line_num
        names = {role: read_name(cells[role]) for role in ("initiative", "village")}
        bad = next((role for role, one in names.items() if one.problem is not None), None)
        if bad is not None:
            problem = names[bad].problem or ALLOWED
            column = places[bad] or 0
            log.add(
                "E-INITIATIVE-NAME",
                "reject",
                problem,
                source=source,
                at=(line - 1, column),
                mend=ALLOWED,
                value=cells[bad],
            )
            continue
        start = read_month(cells["start"])
        unit = names["village"].name
        known = registry.unit(unit) if registry is not None else unit
        if known is None and registry is not None:
            near = registry.suggestion(unit)
            log.add(
                "E-INITIATIVE-VILLAGE",
                "reject",
                Text(f"“{unit}”不在村名册中", f"{unit} is in no registry of villages"),
                source=source,
                at=(line - 1, places["village"] or 0),
                mend=Text(
                    f"是否为“{near}”？" if near else "登记该村",
                    f"is it {near}?" if near else "add it",
                ),
                value=unit,
            )
        if start.date is None:
            log.add(
                "E-INITIATIVE-START",
                "reject",
                start.problem or Text("没有启动月份", "no start"),
                source=source,
                at=(line - 1, places["start"] or 0),
                mend=Text("用 2024-01 的写法", "write it as 2024-01"),
                value=cells["start"],
            )
        elif (end := read_month(cells["end"]).date) and end < start.date:
            log.add(
                "E-INITIATIVE-END",
                "reject",
                Text(f"结束 {end:%Y-%m} 早于启动", f"it ends {end:%Y-%m}, before its start"),
                source=source,
                at=(line - 1, places["end"] or 0),
                mend=Text("核对起止月份", "check both months"),
                value=cells["end"],
            )
        elif cells["end"].strip() and end is None:
            log.add(
                "E-INITIATIVE-END",
                "reject",
                read_month(cells["end"]).problem or Text("不是月份", "no month"),
                source=source,
                at=(line - 1, places["end"] or 0),
                mend=Text("用 2024-01 的写法，或留空", "write it as 2024-01, or leave it empty"),
                value=cells["end"],
            )
        elif known is not None and any(
            one[1:] == (names["initiative"].name, known, start.date) for one in starts
        ):
            log.add(
                "W-INITIATIVE-TWICE",
                "warn",
                Text("与前面一行相同，只计一次", "the same as a row above: counted once"),
                source=source,
                at=(line - 1, 0),
                mend=Text("删去重复的一行", "remove one of them"),
            )
        elif known is not None:
            starts.append((line, names["initiative"].name, known, start.date))
    return starts
