"""How a ledger is read: the layout that matched, what failed of the others, rows passed over."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

from cps.errors import Finding
from cps.ledger._layout import Header, Layout, find_header, load_layouts, nearest_header
from cps.ledger._log import Log, Source, visible
from cps.ledger._reading import Reading
from cps.ledger.read import read_sheet
from cps.ledger.rows import findings_html
from cps.ledger.sources import find, open_database
from cps.ledger.workbook import Opened, Opener, Sheet, cell_name

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class SheetPreview:
    """One sheet: its layout, or the layouts that it misses and by what."""

    sheet: str
    n_rows: int
    layout: str | None
    header: str  # the cell where it begins, or empty
    columns: tuple[tuple[str, str], ...]  # header and what it is read as
    n_entries: int
    skipped: tuple[tuple[int, str], ...]  # line and why
    near_misses: tuple[tuple[str, str], ...]  # layout and what it lacks


@dataclass(frozen=True, slots=True)
class Preview:
    """What ``preview`` shows; a table in JupyterLab, text elsewhere."""

    file: str
    kind: str
    sheets: tuple[SheetPreview, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        lines = [f"{self.file} ({self.kind})"]
        for one in self.sheets:
            lines.append(f"  {visible(one.sheet)}: {one.n_rows} 行 rows")
            lines += [f"    {text}" for text in _lines(one)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<h4>{html.escape(self.file)} ({html.escape(self.kind)})</h4>"]
        for one in self.sheets:
            items = "".join(f"<li>{html.escape(text)}</li>" for text in _lines(one))
            parts.append(
                f"<p><strong>{html.escape(visible(one.sheet))}</strong> · {one.n_rows} 行 rows</p>"
                f"<ul>{items}</ul>"
            )
        return "".join(parts) + findings_html(self.findings)


def _lines(one: SheetPreview) -> list[str]:
    lines = []
    if one.layout:
        lines.append(f"版式 layout: {one.layout}, 表头 header {one.header}")
        lines += [f"{visible(name)} → {role}" for name, role in one.columns]
        lines.append(f"读出 read: {one.n_entries} 个数 figures")
    else:
        lines.append("没有相符的版式 no layout fits")
        lines += [f"{layout}: 缺少 lacks {lacks}" for layout, lacks in one.near_misses]
    lines += [f"略过 passed over: {line} ({why})" for line, why in one.skipped[:_SHOWN]]
    if len(one.skipped) > _SHOWN:
        lines.append(f"… +{len(one.skipped) - _SHOWN}")
    return lines


def preview(path: Path | str, *, formats: Path | None = None) -> Preview:
    """Show how a ledger would be read: layouts, columns, rows passed over and why.

    Parameters
    ----------
    path : path or URL
        One file, or a database.
    formats : Path or None
        Folder with further layouts.

    Raises
    ------
    LedgerError
        If there is no such file.
    """
    layouts = load_layouts(formats)
    log = Log()
    ((name, place), *_) = find(path, log)
    if isinstance(place, str):
        opened = open_database(place)
    else:
        with Opener() as opener:
            opened = opener.open(place)
            return _preview(name, opened, layouts, log)
    return _preview(name, opened, layouts, log)


def _preview(name: str, opened: Opened, layouts: dict[str, Layout], log: Log) -> Preview:
    for remark in opened.remarks:
        log.remark(remark, name)
    sheets = tuple(_sheet(name, one, layouts, log) for one in opened.sheets)
    return Preview(name, opened.kind or "?", sheets, log.findings())


def _sheet(file: str, sheet: Sheet, layouts: dict[str, Layout], log: Log) -> SheetPreview:
    fitting = [(one, header) for one in layouts.values() if (header := find_header(sheet, one))]
    if len(fitting) != 1:
        both = tuple((one.id, "—（与他者同时相符 fits too）") for one, _ in fitting)
        near = tuple(
            (one.layout.id, "、".join(one.lacks)) for one in nearest_header(sheet, layouts)[:5]
        )
        return SheetPreview(sheet.name, sheet.n_rows, None, "", (), 0, (), both or near)
    layout, header = fitting[0]
    source = Source(file, sheet.name, sheet.is_text, layout.id, False, sheet.lines)
    reading = Reading(source, 0, sheet, layout, header, log)
    n_entries = read_sheet(reading).height
    return SheetPreview(
        sheet=sheet.name,
        n_rows=sheet.n_rows,
        layout=layout.id,
        header=cell_name(header.first_row, 0),
        columns=tuple(_columns(layout, header)),
        n_entries=n_entries,
        skipped=tuple((source.line(row), why) for row, why in reading.skipped),
        near_misses=(),
    )


def _columns(layout: Layout, header: Header) -> list[tuple[str, str]]:
    from cps.ledger._layout import month_of_header

    roles = {name: role for role, names in layout.columns.items() for name in names}
    found = []
    for name, unit in zip(header.names, header.units, strict=True):
        month = month_of_header(name) if layout.kind == "wide" else None
        role = roles.get(name) or layout.values.get(name) or (f"{month:%Y-%m}" if month else "")
        shown = f"{name}（{unit}）" if unit else name
        if name:
            found.append((shown, role or "未读取 not read"))
    return found
