"""What the source article and other publications state: typed facts with their ambiguity."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cps.errors import CpsError, Finding, LedgerError, Text, nearest, unknown_choice

FOLDER = Path(__file__).parents[1] / "data" / "facts"
BACKGROUND = "ctx"  # scheme id of facts that belong to no scheme

KINDS = ("quantity", "entity", "rule", "derived", "context", "case")
CLAIM_ROLES = ("input", "process", "output", "outcome", "context")
ATTRIBUTIONS = ("none", "associative", "explicit_causal")
PERIOD_BASES = ("explicit", "explicit_start_only", "inferred", "as_of_writing", "unspecified")
PLACE_LEVELS = ("village", "office", "subdistrict", "county_city", "prefecture", "firm")
EXTERNAL_CHECKS = ("none", "confirmed", "contradicted")
CONFIDENCES = ("high", "medium", "low")

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_Record = TypeVar("_Record")


class Comparator(StrEnum):
    """How a published figure binds: ``approx_ge`` is 余/多 (at least), ``approx_lt`` is 近."""

    EQUAL = "="
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    BETWEEN = "between"
    APPROX_AT_LEAST = "approx_ge"
    APPROX_LESS = "approx_lt"
    APPROX = "approx"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the source states, as it states it, with what it leaves open.

    Parameters
    ----------
    value, value_to : Decimal or None
        In ``unit``; ``value_to`` is the upper end of a range.
    base_value : Decimal or None
        ``value`` × ``base_multiplier``, in ``base_unit`` (``CNY``, ``person`` …).
    text : str
        What is stated where it is no number.
    paraphrase, ambiguity_note, external_note : str
        English notes; ``ambiguity_code`` is stable, empty where nothing is open.
    """

    id: str
    kind: str
    scheme_id: str
    scheme: Text
    indicator: Text
    comparator: Comparator | None
    value: Decimal | None
    value_to: Decimal | None
    text: str
    unit: str
    base_multiplier: Decimal | None
    base_value: Decimal | None
    base_unit: str
    claim_role: str | None
    attribution: str
    period: str
    period_start: datetime.date | None
    period_end: datetime.date | None
    period_basis: str
    place: str
    place_level: str
    paraphrase: str
    ambiguity_code: str
    ambiguity_note: str
    formula: str
    external_check: str
    external_note: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme that the source names: what is claimed and how an effect could be evaluated."""

    id: str
    name: Text
    claim: str
    claim_strength: str
    indicator: str
    series_needed: str
    unit_of_analysis: str
    causally_evaluable: str
    design: str
    threats: str


@dataclass(frozen=True, slots=True)
class ContextFigure:
    """A figure published elsewhere, with its address and how far it can be trusted."""

    id: str
    topic: str
    place: str
    indicator: Text
    period: str
    comparator: Comparator | None
    value: Decimal | None
    value_to: Decimal | None
    text: str  # a value that is no number, such as a date
    unit: str
    provenance: str
    confidence: str
    source_address: str
    source_date: str
    note: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts, schemes and context figures of a folder, in file order."""

    folder: Path
    facts: tuple[Fact, ...]
    schemes: tuple[Scheme, ...]
    context: tuple[ContextFigure, ...]

    @property
    def ids(self) -> frozenset[str]:
        """Every id that something may stand for: facts and context figures."""
        return frozenset([one.id for one in self.facts] + [one.id for one in self.context])

    def fact(self, fact_id: str) -> Fact:
        """Give one fact by id.

        Raises
        ------
        UsageError
            If there is none; names the nearest.
        """
        found = {one.id: one for one in self.facts}
        if fact_id not in found:
            raise unknown_choice(Text("事实", "fact"), fact_id, found, where="facts.csv")
        return found[fact_id]


def load_facts(folder: Path | None = None) -> Facts:
    """Read ``facts.csv``, ``schemes.csv`` and ``context.csv`` strictly.

    Parameters
    ----------
    folder : Path or None
        By default ``data/facts`` of this checkout.

    Raises
    ------
    LedgerError
        If a file or column is missing, a number, date, choice or reference is wrong, an id comes
        twice, a period ends before it starts, or ``value_base`` is not ``value_num`` ×
        ``base_multiplier``. Names file, line and column; all faults of a file are in ``findings``.
    """
    home = folder or FOLDER
    schemes = _read(home / "schemes.csv", "scheme_id", _scheme)
    known = [BACKGROUND, *(one.id for one in schemes)]
    facts = _read(home / "facts.csv", "fact_id", lambda row: _fact(row, known))
    context = _read(home / "context.csv", "bm_id", _context)
    return Facts(home, facts, schemes, context)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a file whose cells know where they stand."""

    path: Path
    line: int
    cells: dict[str, str]

    def fault(self, column: str, what: Text, mend: Text) -> LedgerError:
        where = f"{self.path.name} › 第 {self.line} 行 (line {self.line}) › {column}"
        return LedgerError(what, where=where, mend=mend)

    def text(self, column: str) -> str:
        if column not in self.cells:
            near = nearest(column, self.cells)
            raise LedgerError(
                Text(f"缺少列 {column}", f"column {column} is missing"),
                where=f"{self.path.name} › 第 1 行 (line 1) › {column}",
                mend=Text(
                    f"是否把它写成了“{near}”？" if near else f"补上列 {column}",
                    f"is it the column named {near!r}?" if near else f"add the column {column}",
                ),
            )
        return self.cells[column].strip()

    def required(self, column: str) -> str:
        value = self.text(column)
        if not value:
            raise self.fault(
                column, Text("不能为空", "must not be empty"), Text("补填", "fill it in")
            )
        return value

    def number(self, column: str) -> Decimal | None:
        value = self.text(column)
        if not value:
            return None
        if value.isascii() and _NUMBER.fullmatch(value):
            return Decimal(value)
        raise self.fault(
            column,
            Text(f"“{value}”不是数字", f"{value!r} is not a number"),
            Text("写成如 46 或 0.01 的十进制数", "write a plain decimal such as 46 or 0.01"),
        )

    def date(self, column: str) -> datetime.date | None:
        value = self.text(column)
        try:
            return datetime.date.fromisoformat(value) if value else None
        except ValueError as error:
            raise self.fault(
                column,
                Text(f"“{value}”不是日期", f"{value!r} is not a date"),
                Text("写成如 2023-12-31", "write it as 2023-12-31"),
            ) from error

    def choice(self, column: str, choices: Sequence[str]) -> str:
        value = self.text(column)
        if value in choices:
            return value
        near = nearest(value, choices)
        raise self.fault(
            column,
            Text(f"没有“{value}”这一选项", f"{value!r} is not a choice"),
            Text(
                (f"是否想写“{near}”？" if near else "") + f"可选：{'、'.join(choices)}",
                (f"did you mean {near!r}? " if near else "")
                + f"choose one of: {', '.join(choices)}",
            ),
        )

    def comparator(self) -> Comparator | None:
        if not self.text("comparator"):
            return None
        return Comparator(self.choice("comparator", [one.value for one in Comparator]))


def _read(path: Path, key_column: str, make: Callable[[_Row], _Record]) -> tuple[_Record, ...]:
    records: list[_Record] = []
    faults: list[CpsError] = []
    seen: dict[str, int] = {}
    for row in _rows(path):
        try:
            key = row.required(key_column)
            if key in seen:
                raise row.fault(
                    key_column,
                    Text(
                        f"“{key}”已在第 {seen[key]} 行出现",
                        f"{key!r} is already on line {seen[key]}",
                    ),
                    Text("每个编号只用一次", "use each id once"),
                )
            seen[key] = row.line
            records.append(make(row))
        except LedgerError as fault:
            faults.append(fault)
    if faults:
        first = faults[0]
        findings = dict.fromkeys(
            Finding("E-FACT", "reject", one.what, one.where, one.mend) for one in faults
        )
        raise LedgerError(first.what, where=first.where, mend=first.mend, findings=findings)
    return tuple(records)


def _rows(path: Path) -> list[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            header = next(reader, [])
            rows = []
            for cells in reader:
                row = _Row(path, reader.line_num, dict(zip(header, cells, strict=False)))
                if len(cells) != len(header):
                    raise row.fault(
                        "*",
                        Text(
                            f"有 {len(cells)} 格，应为 {len(header)} 格",
                            f"{len(cells)} cells, expected {len(header)}",
                        ),
                        Text("检查逗号与引号", "check commas and quotes"),
                    )
                rows.append(row)
            return rows
    except FileNotFoundError as error:
        raise LedgerError(
            Text("找不到文件", "the file does not exist"),
            where=str(path),
            mend=Text("恢复该文件或检查目录", "restore the file or check the folder"),
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LedgerError(
            Text(f"不是有效的 UTF-8 CSV：{error}", f"not valid UTF-8 CSV: {error}"),
            where=str(path),
            mend=Text("另存为 UTF-8 CSV", "save it as UTF-8 CSV"),
        ) from error


def _fact(row: _Row, scheme_ids: Sequence[str]) -> Fact:
    value, value_to = row.number("value_num"), row.number("value_num_to")
    multiplier, base = row.number("base_multiplier"), row.number("value_base")
    comparator = row.comparator()
    start, end = row.date("period_start"), row.date("period_end")
    _check_range(row, value, "value_num_to", comparator=comparator)
    _check_base(row, value, multiplier, base=base)
    if start and end and end < start:
        raise row.fault(
            "period_end",
            Text(f"期末 {end} 早于期初 {start}", f"period ends {end}, before its start {start}"),
            Text("更正其中一个日期", "correct one of the dates"),
        )
    return Fact(
        id=row.text("fact_id"),
        kind=row.choice("kind", KINDS),
        scheme_id=row.choice("scheme_id", scheme_ids),
        scheme=Text(row.required("scheme_zh"), row.required("scheme_en")),
        indicator=Text(row.required("indicator_zh"), row.required("indicator_en")),
        comparator=comparator,
        value=value,
        value_to=value_to,
        text=row.text("value_text"),
        unit=row.text("unit_zh"),
        base_multiplier=multiplier,
        base_value=base,
        base_unit=row.text("base_unit"),
        claim_role=row.choice("claim_role", ("", *CLAIM_ROLES)) or None,
        attribution=row.choice("attribution", ATTRIBUTIONS),
        period=row.text("period_zh"),
        period_start=start,
        period_end=end,
        period_basis=row.choice("period_basis", PERIOD_BASES),
        place=row.text("place_zh"),
        place_level=row.choice("place_level", PLACE_LEVELS),
        paraphrase=row.required("paraphrase_en"),
        ambiguity_code=row.text("ambiguity_code"),
        ambiguity_note=row.text("ambiguity_note"),
        formula=row.text("formula"),
        external_check=row.choice("external_check", EXTERNAL_CHECKS),
        external_note=row.text("external_note"),
    )


def _check_range(
    row: _Row, value: Decimal | None, to_column: str, *, comparator: Comparator | None
) -> None:
    value_to = row.number(to_column)
    if value is not None and comparator is None:
        raise row.fault(
            "comparator",
            Text("有数值而没有比较符", "a number without a comparator"),
            Text("写明 =、> 等", "say =, > and so on"),
        )
    if (comparator is Comparator.BETWEEN) != (value_to is not None):
        raise row.fault(
            to_column,
            Text("区间须有上限，且只有区间才有", "a range, and only a range, has an upper end"),
            Text("补上或删去上限", "add or drop the upper end"),
        )
    if value is not None and value_to is not None and value_to < value:
        raise row.fault(
            to_column,
            Text(f"上限 {value_to} 小于下限 {value}", f"upper end {value_to} is below {value}"),
            Text("更正区间", "correct the range"),
        )


def _check_base(
    row: _Row, value: Decimal | None, multiplier: Decimal | None, *, base: Decimal | None
) -> None:
    present = [one is not None for one in (value, multiplier, base)]
    if any(present) and not all(present):
        raise row.fault(
            "value_base",
            Text(
                "数值、倍数和基准值须同时填写", "value, multiplier and base value belong together"
            ),
            Text("补全这三列", "fill all three columns"),
        )
    if value is not None and multiplier is not None and value * multiplier != base:
        raise row.fault(
            "value_base",
            Text(
                f"{base} 不等于 {value} × {multiplier} = {value * multiplier:f}",
                f"{base} is not {value} × {multiplier} = {value * multiplier:f}",
            ),
            Text("更正数值、倍数或基准值", "correct value, multiplier or base value"),
        )


def _scheme(row: _Row) -> Scheme:
    return Scheme(
        id=row.text("scheme_id"),
        name=Text(row.required("scheme_zh"), row.required("scheme_en")),
        claim=row.required("text_claim"),
        claim_strength=row.required("claim_strength"),
        indicator=row.required("indicator_to_track"),
        series_needed=row.required("series_needed"),
        unit_of_analysis=row.required("unit_of_analysis"),
        causally_evaluable=row.required("causally_evaluable"),
        design=row.required("design"),
        threats=row.text("main_threats"),
    )


def _context(row: _Row) -> ContextFigure:
    is_date = row.text("unit") == "date"
    value = None if is_date else row.number("value")
    value_to = row.number("value_to")
    comparator = row.comparator()
    _check_range(row, value, "value_to", comparator=comparator)
    return ContextFigure(
        id=row.text("bm_id"),
        topic=row.required("topic"),
        place=row.required("place"),
        indicator=Text(row.required("indicator_zh"), row.required("indicator_en")),
        period=row.text("period"),
        comparator=comparator,
        value=value,
        value_to=value_to,
        text=row.text("value") if is_date else "",
        unit=row.text("unit"),
        provenance=row.required("provenance"),
        confidence=row.choice("confidence", CONFIDENCES),
        source_address=row.required("source_url"),
        source_date=row.text("source_date"),
        note=row.text("note"),
    )
