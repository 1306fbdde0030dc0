"""Write scheme ledgers as a clerk's office keeps them, mild dirt included, the same bytes each time."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cps.demo._ledgers import MARK
from cps.demo.schemes._record import Ledger
from cps.ledger.delivery import seal
from cps.provenance import atomic_path

PREFIX = "合成_"
FOOTNOTE = "注：本表为合成的示例数据，不代表任何真实单位。"
_CREATED = datetime.datetime(2025, 1, 1)  # the same bytes whenever it is written
_RECEIVED = datetime.date(2025, 1, 1)
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_YUAN = {"元": 1, "千元": 1_000, "万元": 10_000}
_DIGITS = {"元": 2, "千元": 5, "万元": 6}
# One number cell in so many is written with full-width digits, another with a comma.
_ODD = 90
_DAY: dict[str, Callable[[datetime.date], str]] = {
    "dash": lambda one: one.isoformat(),
    "slash": lambda one: f"{one.year}/{one.month}/{one.day}",
    "words": lambda one: f"{one.year}年{one.month}月{one.day}日",
}


def write_ledger(folder: Path, ledger: Ledger, *, seed: int) -> Path:
    """Write one ledger and its sidecar; give the ledger's path.

    A title that says synthetic, the header, a row an event, and a note that says synthetic again.
    CSV is GB18030 and shows money in its unit; both kinds carry the unit in the header's brackets.
    """
    rng = np.random.default_rng([seed, len(ledger.name)])
    header = [
        f"{name}（{ledger.money[name]}）" if name in ledger.money else name
        for name in ledger.columns
    ]
    columns = [
        _shown(values, ledger.money.get(name), ledger.dates, rng)
        for name, values in ledger.columns.items()
    ]
    head = [[f"{ledger.title} {MARK}"], header]
    path = folder / f"{PREFIX}{ledger.name}"
    rows = list(zip(*columns, strict=True))
    if path.suffix == ".csv":
        _write_csv(path, head, rows)
    else:
        _write_xlsx(path, head, rows)
    seal(path, licence=f"{MARK}，仅供演示", supplier="cps demo", received=_RECEIVED)
    return path


def _shown(
    values: Sequence[Any], unit: str | None, dates: str, rng: np.random.Generator
) -> list[str]:
    odd = rng.integers(0, _ODD, len(values)).tolist()
    empty = "…" if any(isinstance(one, int | float) for one in values) else "—"
    return [
        (empty if chance == 0 else "") if value is None else _cell(value, unit, dates, chance)
        for value, chance in zip(values, odd, strict=True)
    ]


def _cell(value: Any, unit: str | None, dates: str, chance: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime.datetime):
        return f"{_DAY[dates](value.date())} {value:%H:%M}"
    if isinstance(value, datetime.date):
        return _DAY[dates](value)
    return _number(value, unit, chance)


def _number(value: float, unit: str | None, chance: int) -> str:
    if unit is not None:
        digits = _DIGITS[unit]
        text = f"{value / _YUAN[unit]:.{digits}f}"
        if chance == 1 and unit == "元":
            text = f"{value:,.2f}"
    else:
        text = repr(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.translate(_WIDE) if chance == 2 else text


def _write_csv(path: Path, head: list[list[str]], rows: Sequence[Sequence[str]]) -> None:
    width = len(head[-1])
    table = [*(one + [""] * (width - len(one)) for one in head), *rows]
    table.append([FOOTNOTE, *[""] * (width - 1)])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(table)
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("gb18030"))


def _write_xlsx(path: Path, head: list[list[str]], rows: Sequence[Sequence[str]]) -> None:
    import xlsxwriter

    with atomic_path(path) as temporary:
        book = xlsxwriter.Workbook(str(temporary), {"strings_to_formulas": False})
        book.set_properties({"created": _CREATED, "title": MARK})
        sheet = book.add_worksheet("台账")
        sheet.set_column(0, len(head[-1]) - 1, 14)
        for number, row in enumerate([*head, *rows, [FOOTNOTE]]):
            for column, text in enumerate(row):
                if _is_plain(text):
                    sheet.write_number(number, column, float(text))
                elif text:
                    sheet.write_string(number, column, text)
        book.close()


def _is_plain(text: str) -> bool:
    """Tell whether an office would have typed it as a number."""
    body = text.removeprefix("-")
    return body.isascii() and body.replace(".", "", 1).isdigit() and not _is_code(body)


def _is_code(body: str) -> bool:
    return len(body) > 1 and body[0] == "0" and body[1] != "."
