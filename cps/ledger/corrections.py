"""Known errors of ledgers as records: was, now, reason, who. The files are never touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cps.dropin import read_toml
from cps.errors import LedgerError, Text, UsageError
from cps.ledger._log import Log, Source
from cps.ledger.cells import normal
from cps.ledger.workbook import Sheet

_KEYS = ("file", "cell", "was", "now", "reason", "who")
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})$")


@dataclass(frozen=True, slots=True)
class Correction:
    """One cell that is known to be wrong.

    ``was`` is the text that stands there, ``now`` what is read in its place.
    """

    file: str
    sheet: str  # empty for a text file, or a workbook's only sheet
    cell: str
    was: str
    now: str
    reason: str
    who: str
    where: str


@dataclass(slots=True)
class Corrections:
    """Corrections by the file that they mend."""

    by_file: dict[str, list[Correction]] = field(default_factory=dict)

    def apply(self, file: str, sheets: Sequence[Sheet], log: Log) -> None:
        """Put the corrected text in place, and say so.

        Raises
        ------
        LedgerError
            If the old value no longer stands there: the correction may no longer be right.
        """
        for one in self.by_file.get(file, []):
            fitting = [sheet for sheet in sheets if one.sheet in ("", sheet.name)]
            if len(fitting) != 1:
                raise _gone(one, Text("没有这张工作表", "there is no such sheet"))
            sheet = fitting[0]
            row, column = _place(one)
            grid = sheet.grid
            stands = grid[row][column] if row < len(grid) and column < len(grid[row]) else ""
            if normal(stands) != normal(one.was):
                raise _gone(one, Text(f"该处现为“{stands}”", f"{stands!r} stands there now"))
            grid[row][column] = one.now
            sheet.marks.pop((row, column), None)
            sheet.wide = None
            log.add(
                "N-LEDGER-CORRECTED",
                "note",
                Text(
                    f"按更正记录由“{one.was}”改读作“{one.now}”：{one.reason}（{one.who}）",
                    f"{one.was!r} is read as {one.now!r}: {one.reason} ({one.who})",
                ),
                source=Source(file, sheet.name, sheet.is_text),
                at=(row, column),
                value=one.was,
            )


def load_corrections(path: Path | None) -> Corrections:
    """Read corrections: a TOML file, or all those of a folder, with ``[[correction]]`` tables.

    Raises
    ------
    UsageError
        If one lacks a key, or is not TOML.
    """
    if path is None:
        return Corrections()
    paths = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    made = Corrections()
    for one in paths:
        for number, record in enumerate(read_toml(one).get("correction", []), start=1):
            where = f"{one} › correction {number}"
            lacks = [key for key in _KEYS if not str(record.get(key, "")) and key != "was"]
            if lacks or "was" not in record:
                lacks = lacks or ["was"]
                raise UsageError(
                    Text(f"更正记录缺少：{'、'.join(lacks)}", f"it lacks: {', '.join(lacks)}"),
                    where=where,
                    mend=Text(
                        "写全 file、sheet、cell、was、now、reason、who",
                        "give file, sheet, cell, was, now, reason and who",
                    ),
                )
            texts = {key: str(record[key]) for key in _KEYS}
            made.by_file.setdefault(texts["file"], []).append(
                Correction(**texts, sheet=str(record.get("sheet", "")), where=where)
            )
    return made


def _place(one: Correction) -> tuple[int, int]:
    match = _REFERENCE.match(one.cell)
    if not match:
        raise _gone(one, Text(f"“{one.cell}”不是单元格", f"{one.cell!r} is no cell"))
    column = -1
    for letter in match[1]:
        column = (column + 1) * 26 + ord(letter) - 65
    return int(match[2]) - 1, column


def _gone(one: Correction, why: Text) -> LedgerError:
    return LedgerError(
        Text(
            f"更正的原值“{one.was}”已不在 {one.file} {one.sheet} {one.cell}：{why.zh}",
            f"the value to be corrected, {one.was!r}, is not at {one.file} {one.sheet} {one.cell}: "
            f"{why.en}",
        ),
        where=one.where,
        mend=Text(
            "台账可能已重报：核对后删去或改写这条更正",
            "the ledger was delivered anew, perhaps: check it, then remove or rewrite the correction",
        ),
    )
