"""Tidy tables (a row a village, month and item), read column by column at any size."""

from __future__ import annotations

import polars as pl

from cps.errors import Text
from cps.ledger._figures import CORRECT
from cps.ledger._log import KEPT, personal
from cps.ledger._reading import NOTE_LIKE, NOTE_START, Reading, Row
from cps.ledger._tidy_keys import (
    TOTAL,
    Table,
    areas_of,
    distinct,
    items_of,
    mapped,
    months_of,
    names_of,
)
from cps.ledger.cells import header_name, is_people_unit, money_unit
from cps.ledger.rows import ENTRIES_SCHEMA, ITEM_NAMES, ITEMS
from cps.units import YUAN_PER_UNIT

_FAST = r"^[0-9]{1,8}(\.[0-9]{1,6})?$"  # numbers that the column-wise arithmetic holds exactly
_FASTEST_UNIT = 10_000
_COMMON_UNITS = ("元", "万元", "亿元")
_STATE_UNIT = Text(
    "补充单位列（元、万元、人），或在表头写明，如“数值（万元）”",
    "add a column unit (元, 万元, 人), or state it in the header: value (万元)",
)


def read_tidy(reading: Reading) -> pl.DataFrame:
    """Read a tidy sheet to entries.

    Returns
    -------
    polars.DataFrame, columns as ``ENTRIES_SCHEMA``
    """
    table = _rows_of_data(reading)
    if table.frame.is_empty():
        return pl.DataFrame(schema=ENTRIES_SCHEMA)
    units = _units(table)
    if units is None:
        return pl.DataFrame(schema=ENTRIES_SCHEMA)
    frame = table.frame.select("row").with_columns(
        names_of(table).alias("unit"),
        months_of(table).alias("period_start"),
        items_of(table).alias("item"),
        units.alias("given"),
        table.text("value").alias("value"),
        table.text("item").str.strip_chars().alias("item_name"),
        areas_of(table).alias("area"),
    )
    whole = frame.filter(
        pl.col("unit").is_not_null()
        & pl.col("period_start").is_not_null()
        & pl.col("item").is_not_null()
    )
    valued = _values(table, whole)
    valued = _without_totals(table, valued)
    return valued.select(
        "unit",
        "area",
        pl.lit(None).alias("project"),
        "period_start",
        pl.lit(reading.layout.frequency).alias("frequency"),
        "item",
        "item_name",
        "cents",
        pl.lit(None, dtype=pl.String).alias("text"),
        "emptiness",
        "row",
        pl.lit(table.roles["value"]).alias("column"),
        pl.lit(reading.number).alias("source"),
    ).cast(ENTRIES_SCHEMA)  # type: ignore[arg-type]


# -- rows


def _rows_of_data(reading: Reading) -> Table:
    header, layout = reading.header, reading.layout
    first = header.end
    width = len(header.names)
    roles = {
        role: at
        for role, names in layout.columns.items()
        if (at := header.column(names)) is not None
    }
    frame = _filled_frame(reading, first, width, list(roles.values())).with_row_index(
        "row", offset=first
    )
    named = [f"c{c}" for c in range(width)]
    n_full = pl.sum_horizontal(
        (pl.col(one).str.strip_chars() != "").cast(pl.UInt16) for one in frame.columns[1:]
    )
    frame = frame.with_columns(n_full.alias("n_full")).filter(pl.col("n_full") > 0)
    key = pl.col(f"c{roles['unit']}")
    lone = pl.coalesce(
        pl.when(pl.col(one).str.strip_chars() != "").then(pl.col(one)) for one in named
    )
    is_note = (
        (pl.col("n_full") == 1)
        & lone.str.contains(NOTE_LIKE)
        & ~lone.str.contains(r"[;|\t].*[;|\t]")
    ) | (
        pl.col(f"c{roles['value']}").str.strip_chars().eq("")
        & key.str.contains(NOTE_START)
        & key.str.contains(r"[:：、]")
    )
    ragged = _ragged(reading, first, width)
    notes = frame.filter(is_note)["row"].to_list()
    for row, n in ragged:
        if row not in notes:
            reading.width(row, n, width)
    wrong = [row for row, _ in ragged]
    heads = frame.filter(
        key.map_elements(header_name, return_dtype=pl.String).is_in(list(layout.columns["unit"]))
        if frame.height < 50_000
        else key.str.strip_chars().is_in(list(layout.columns["unit"]))
    )
    table = Table(reading, frame.drop("n_full"), roles)
    for row in notes[:KEPT]:
        reading.skipped.append((row, "note"))
        text = next(one for one in table.cells(row) if one.strip())
        reading.add(
            "W-LEDGER-NOTE",
            "warn",
            Text("数据之下的说明，未读取", "a note among the data: not read"),
            row,
            0,
            value=text[:40],
            mend=Text("如是数据，请补全该行", "complete the row if it is data"),
        )
    again = heads["row"].to_list()
    for row in again[:KEPT]:
        reading.skipped.append((row, "header again"))
        what = Text("表头重复，已略过", "the header again: passed over")
        reading.add("N-LEDGER-HEADER-AGAIN", "note", what, row, 0)
        names = [header_name(one) for one in table.cells(row)[:width]]
        if any(names[at] not in layout.columns[role] for role, at in roles.items()):
            reading.add(
                "E-LEDGER-SECOND-TABLE",
                "reject",
                Text("下面的表头与上面不同", "a header below, other than the one above"),
                row,
                0,
                mend=Text("按同一列序排列，或分成两个文件", "use one order of columns"),
            )
    gone = {*notes, *again, *wrong}
    if gone:
        table.frame = table.frame.filter(~pl.col("row").is_in(list(gone)))
    table.frame = table.frame.select("row", *named)
    _say_hidden(reading, roles["unit"])
    _say_personal(table)
    return table


def _filled_frame(reading: Reading, first: int, width: int, keys: list[int]) -> pl.DataFrame:
    """Give the data's frame with merged key cells repeated in the rows that they span."""
    frame = reading.sheet.frame(first, width)
    changed: dict[int, list[str]] = {}
    for top, left, bottom, right in reading.sheet.merged:
        if left == right and left in keys and top >= first:
            column = changed.setdefault(left, frame[f"c{left}"].to_list())
            for r in range(top - first, min(bottom - first + 1, len(column))):
                column[r] = column[top - first]
    return frame.with_columns(
        pl.Series(f"c{at}", column, dtype=pl.String) for at, column in changed.items()
    )


def _ragged(reading: Reading, first: int, width: int) -> list[tuple[int, int]]:
    sheet = reading.sheet
    if not sheet.is_text:
        return []
    if sheet.wide is not None:
        return [(r, n) for r, n in sheet.ragged if r >= first and n != width]
    return [
        (r, len(row))
        for r, row in enumerate(sheet.grid)
        if r >= first and any(row) and (len(row) < width or any(row[width:]))
    ]


def _say_hidden(reading: Reading, at: int) -> None:
    first = reading.header.end
    for row in sorted(reading.sheet.hidden_rows):
        if row >= first:
            reading.add(
                "W-LEDGER-HIDDEN-ROW",
                "warn",
                Text("隐藏的行也已读取", "a hidden row was read too"),
                row,
                at,
                mend=Text("如不应读取，请删除该行", "delete it if it should not be"),
            )


def _say_personal(table: Table) -> None:
    """Say where personal data stands; none of these columns but the names is ever kept."""
    if table.reading.sheet.rows is not None:
        return
    for column in table.frame.columns[1:]:
        found = table.frame.filter(
            pl.col(column).str.contains(
                r"(^|[^0-9])1[3-9][0-9]{9}([^0-9.]|$)|[1-9][0-9]{16}[0-9Xx]"
            )
        )
        for row, text in found.select("row", column).head(KEPT).iter_rows():
            if personal(text) and column != f"c{table.roles['value']}":
                what = Text("有电话或身份证号，已隐去", "a telephone or identity number: removed")
                table.reading.add("N-LEDGER-PERSONAL", "note", what, row, int(column[1:]))


def _units(table: Table) -> pl.Series | None:
    """Give each row's unit as text; None, and said, if there is none anywhere."""
    reading = table.reading
    if "measure_unit" in table.roles:
        return table.text("measure_unit")
    in_header = reading.header.units[table.roles["value"]] or reading.money
    if in_header is None:
        reading.add(
            "E-LEDGER-NO-MEASURE",
            "reject",
            Text("哪里都没有写单位（unit）", "no unit (单位) is stated anywhere"),
            reading.header.first_row,
            table.roles["value"],
            mend=_STATE_UNIT,
        )
        return None
    # One unit for the whole sheet can only be of money; people are counted as they are.
    texts = table.text("item")
    found = {
        one: "人"
        if ITEMS.get(reading.layout.items.get(header_name(one), "")) == "persons"
        else in_header
        for one in distinct(texts)
    }
    return mapped(texts, found, pl.String)


# -- values


def _values(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Add ``cents`` and ``emptiness``; rows that can't be read are said and left out."""
    frame = frame.with_columns(_factors(table, frame).alias("factor"))
    frame = frame.filter(pl.col("factor").is_not_null())
    marked = _marked_rows(table)
    is_fast = pl.col("value").str.contains(_FAST) & (pl.col("factor") <= _FASTEST_UNIT)
    if marked:
        is_fast &= ~pl.col("row").is_in(marked)
    micro = (
        (pl.col("value").cast(pl.Float64, strict=False) * 1e6).round().cast(pl.Int64, strict=False)
    )
    frame = frame.with_columns(
        pl.when(is_fast).then(micro * pl.col("factor").abs()).alias("scaled"),
    )
    # A negative factor marks people: they are whole.
    per = pl.when(pl.col("factor") < 0).then(1_000_000).otherwise(10_000)
    is_exact = pl.col("scaled").is_not_null() & (pl.col("scaled") % per == 0)
    frame = frame.with_columns(pl.when(is_exact).then(pl.col("scaled") // 10_000).alias("cents"))
    slow = frame.filter(pl.col("cents").is_null())
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("emptiness"))
    if slow.is_empty():
        return frame
    read: dict[int, tuple[int | None, str | None]] = {}
    at, reading = table.roles["value"], table.reading
    cells_of = dict(zip(slow["row"].to_list(), slow["value"].to_list(), strict=True))
    cache: dict[tuple[str, str, str], tuple[int | None, str | None]] = {}
    for row, unit, item, given in slow.select("row", "unit", "item", "given").iter_rows():
        text = cells_of[row]
        key = (text, item, given)
        if key in cache and row not in marked and len(cache) > KEPT:
            read[row] = cache[key]
            continue
        cells = [""] * len(reading.header.names)
        cells[at] = text
        label = unit if unit != TOTAL else "合计"
        cell = reading.number_at(Row(row, cells, label), at, item, _plain_unit(given))
        if cell.problem is None:
            cents = None if cell.value is None else int(cell.value * 100)
            read[row] = cache[key] = (cents, cell.emptiness)
    slowly = pl.DataFrame(
        {
            "row": pl.Series(list(read), dtype=pl.UInt32),
            "cents_read": pl.Series([one[0] for one in read.values()], dtype=pl.Int64),
            "emptiness_read": pl.Series([one[1] for one in read.values()], dtype=pl.String),
        }
    )
    joined = frame.join(slowly, on="row", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce("cents", "cents_read").alias("cents"),
        pl.coalesce("emptiness", "emptiness_read").alias("emptiness"),
    ).filter(pl.col("cents").is_not_null() | pl.col("emptiness").is_not_null())


def _marked_rows(table: Table) -> list[int]:
    at = table.roles["value"]
    return [
        row
        for (row, column), mark in table.reading.sheet.marks.items()
        if column == at and mark != "formula"
    ]


def _plain_unit(text: str) -> str:
    return money_unit(text) or ("人" if is_people_unit(text) else header_name(text))


def _factors(table: Table, frame: pl.DataFrame) -> pl.Series:
    """Give 元 a unit for money and -1 for people; what does not fit its item is said."""
    units = distinct(frame["given"])
    money = {one: int(YUAN_PER_UNIT[unit]) for one in units if (unit := money_unit(one))}
    people = {one: -1 for one in units if is_people_unit(one)}
    counts = [one for one in distinct(frame["item"]) if ITEMS[one] == "persons"]
    factors = pl.select(
        pl.when(frame["item"].is_in(counts))
        .then(mapped(frame["given"], people, pl.Int64))
        .otherwise(mapped(frame["given"], money, pl.Int64))
        .alias("factor")
    ).to_series()
    rare = [one for one in money if money_unit(one) not in _COMMON_UNITS]
    odd = frame.select("row", "item", "given").filter(
        factors.is_null() | frame["given"].is_in(rare)
    )
    pairs = odd.select("item", "given").unique(maintain_order=True)
    for item, given in pairs.head(4 * KEPT).rows():
        rows = odd.filter((pl.col("item") == item) & (pl.col("given") == given))["row"]
        _say_unit(table, item, given, table.frame["row"].is_in(rows.implode()))
    table.reading.log.totals["E-LEDGER-UNIT"] += max(pairs.height - 4 * KEPT, 0)
    return factors


def _say_unit(table: Table, item: str, given: str, mask: pl.Series) -> None:
    role = "measure_unit" if "measure_unit" in table.roles else "value"
    unit, measure = money_unit(given), ITEMS[item]
    if measure == "yuan" and unit is not None:
        what = Text(f"少见的单位“{unit}”，已换算为元", f"a rare unit, {unit}: converted to 元")
        table.report("W-LEDGER-UNIT-RARE", "warn", what, mask, role, mend=CORRECT)
        return
    name = ITEM_NAMES.get(item, item)
    right = "人" if measure == "persons" else "元、万元"
    what = (
        Text(f"“{name}”没有写单位", f"{name} has no unit")
        if not given.strip()
        else Text(f"“{name}”的单位写成“{given.strip()[:20]}”", f"{name} in {given.strip()[:20]!r}")
    )
    mend = Text(f"单位应为{right}", f"its unit is {right}")
    table.report("E-LEDGER-UNIT", "reject", what, mask, role, mend=mend)


def _without_totals(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Check rows of totals against the villages of their month, say so, and drop them."""
    if not (frame["unit"] == TOTAL).any():
        return frame
    is_total = pl.col("unit") == TOTAL
    totals, rest = frame.filter(is_total), frame.filter(~is_total)
    sums = rest.group_by("period_start", "item").agg(
        pl.col("cents").sum().alias("ours"), pl.col("cents").null_count().alias("n_missing")
    )
    checked = totals.join(sums, on=["period_start", "item"], how="left", maintain_order="left")
    log, at = table.reading.log, table.roles["value"]
    for row, stated, ours, n_missing in checked.select(
        "row", "cents", "ours", "n_missing"
    ).iter_rows():
        is_off = stated is not None and not n_missing and abs((ours or 0) - stated) >= 100
        what = (
            Text(
                f"合计为 {stated / 100:,.2f}，各村之和为 {(ours or 0) / 100:,.2f}；合计行未读取",
                f"the total says {stated / 100:,.2f}, the villages give {(ours or 0) / 100:,.2f}",
            )
            if is_off
            else Text("合计行（已核对），未当作村读取", "a row of totals (checked): not a village")
        )
        log.add(
            "W-LEDGER-TOTAL" if is_off else "W-LEDGER-TOTAL-ROW",
            "warn",
            what,
            source=table.reading.source,
            at=(row, at),
            said=table.said(row),
            mend=Text("删去合计行", "delete rows of totals"),
            value=table.cells(row)[at],
        )
        table.reading.skipped.append((row, "total"))
    return rest
