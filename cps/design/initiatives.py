"""Initiative files: TOML read strictly into records, every fault named by file and key."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import get_args

from cps.design._appraisal import read_appraisal
from cps.design.record import Assumption, Exclusion, Initiative, TreatedUnit
from cps.dropin import read_toml
from cps.errors import InitiativeError, Text, UsageError, unknown_choice
from cps.panel.record import OUTCOME_MEASURES
from cps.periods import Frequency, parse_start
from cps.provenance import sha256_file
from cps.strict import Table as _Table

FOLDER = Path(__file__).parents[2] / "data" / "initiatives"
MONEY_SOURCES: tuple[str, ...] = ("province", "city", "county", "town", "village", "social")
EXCLUSION_REASONS: tuple[str, ...] = (
    "spillover",
    "contaminated",
    "giant",
    "overlap",
    "missing",
    "not_in_panel",
    "always_treated",
    "not_listed",
    "other",
)
QUALITIES: tuple[str, ...] = ("good", "fair", "poor")
IMPACTS: tuple[str, ...] = ("high", "medium", "low")
PROVENANCES: tuple[str, ...] = ("published", "illustrative")

_REQUIRED = [
    "id",
    "name",
    "description",
    "format",
    "provenance",
    "stands_for",
    "is_synthetic",
    "outcomes",
    "treated",
]
_OPTIONAL = [
    "unit_kind",
    "frequency",
    "comparison_areas",
    "exclusions",
    "anticipation",
    "assumptions",
    "outcome_names",
    "appraisal",
]
_KIND = Text("共富项目", "initiative")


def load_initiatives(folder: Path | None = None) -> tuple[Initiative, ...]:
    """Read every initiative file of a folder, in order of id.

    Parameters
    ----------
    folder : Path, optional
        Folder of ``<id>.toml`` files; by default ``data/initiatives`` of this checkout.

    Raises
    ------
    InitiativeError
        If a file is incomplete, has a key or a choice that does not exist, contradicts itself, or
        if two files carry the same id.
    UsageError
        If the folder holds no initiative.
    """
    folder = FOLDER if folder is None else Path(folder)
    paths = _paths(folder)
    seen: dict[str, Path] = {}
    tables: list[_Table] = []
    for path in paths:
        tables.append(_table(path))
        identifier = tables[-1].text("id")
        if identifier in seen:
            raise InitiativeError(
                Text(
                    f"编号“{identifier}”已被 {seen[identifier].name} 使用",
                    f"the id {identifier!r} is already used by {seen[identifier].name}",
                ),
                where=f"{path.name} › id",
                mend=Text(
                    f"改为与文件名一致的编号：{path.stem}",
                    f"give each file its own id, the file's name: {path.stem}",
                ),
            )
        seen[identifier] = path
    return tuple(_read(path, table) for path, table in zip(paths, tables, strict=True))


def load_initiative(id: str, folder: Path | None = None) -> Initiative:
    """Read one initiative by id; faults in other files do not matter.

    Raises
    ------
    UsageError
        If there is no such initiative; lists the ids and the nearest one.
    InitiativeError
        If its file is faulty, see ``load_initiatives``.
    """
    folder = FOLDER if folder is None else Path(folder)
    paths = {path.stem: path for path in _paths(folder)}
    if id not in paths:
        raise unknown_choice(_KIND, id, paths, where=str(folder))
    return _read(paths[id], _table(paths[id]))


def _paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise UsageError(
            Text("文件夹中没有共富项目文件", "the folder holds no initiative file"),
            where=str(folder),
            mend=Text(
                "放入至少一个 <编号>.toml，或检查路径", "add an <id>.toml, or check the path"
            ),
        )
    return paths


def _read(path: Path, table: _Table) -> Initiative:
    table.keys(_REQUIRED, _OPTIONAL)
    appraisal, appraisal_source = read_appraisal(table.table("appraisal", default={}))
    initiative = Initiative(
        id=table.identifier(path),
        name=table.bilingual("name"),
        description=table.bilingual("description"),
        format=table.slug("format"),
        provenance=table.choice("provenance", PROVENANCES),  # type: ignore[arg-type]
        stands_for=table.texts("stands_for"),
        is_synthetic=table.value("is_synthetic", bool),
        unit_kind=table.slug("unit_kind", default="village"),
        frequency=table.choice("frequency", get_args(Frequency), default="year"),  # type: ignore[arg-type]
        outcomes=_outcomes(table),
        treated=tuple(_treated(row) for row in table.rows("treated")),
        comparison_areas=table.texts("comparison_areas", default=[]),
        exclusions=tuple(_exclusion(row) for row in table.rows("exclusions", default=[])),
        anticipation=table.value("anticipation", int, default=0),
        assumptions=tuple(_assumption(row) for row in table.rows("assumptions", default=[])),
        source_sha256=sha256_file(path),
        outcome_names=_outcome_names(table),
        appraisal=appraisal,
        appraisal_source=appraisal_source,
    )
    _check_consistency(initiative, table)
    return initiative


def _outcomes(table: _Table) -> tuple[str, ...]:
    outcomes = table.texts("outcomes")
    known = [*OUTCOME_MEASURES, *table.table("outcome_names", default={}).content]
    for outcome in outcomes:
        table.check_choice("outcomes", outcome, known)
    if not outcomes:
        raise table.fault(
            "outcomes",
            Text("没有列出结果变量", "no outcome is listed"),
            Text(
                f"从中选择：{'、'.join(known)}",
                f"choose from: {', '.join(known)}",
            ),
        )
    return outcomes


def _outcome_names(table: _Table) -> dict[str, Text]:
    """Read the names of outcomes that the vocabulary does not have: those of other schemes."""
    names = table.table("outcome_names", default={})
    return {name: names.bilingual(name) for name in names.content}


def _treated(row: _Table) -> TreatedUnit:
    row.keys(["unit", "start"], ["cost_yuan"])
    costs = row.table("cost_yuan", default={})
    for source in costs.content:
        costs.check_choice(source, source, MONEY_SOURCES)
    amounts = {source: costs.value(source, int) for source in costs.content}
    for source, amount in amounts.items():
        if amount < 0:
            raise costs.fault(
                source,
                Text(f"金额为负：{amount} 元", f"the amount is negative: {amount} yuan"),
                Text("填写不小于零的整数元", "give whole yuan, zero or more"),
            )
    return TreatedUnit(unit=row.text("unit"), start=_start(row), cost_yuan=amounts)


def _start(row: _Table) -> datetime.date:
    value = row.content["start"]
    if type(value) is datetime.date:
        return value
    try:
        return parse_start(value if isinstance(value, str) else "")
    except ValueError as error:
        raise row.fault(
            "start",
            Text(f"“{value}”不是开始时间", f"{value!r} is not a start date"),
            Text(
                '写成 "2019"、"2019-05" 或 "2019-05-01"',
                'write "2019", "2019-05" or "2019-05-01"',
            ),
        ) from error


def _exclusion(row: _Table) -> Exclusion:
    row.keys(["reason", "explanation"], ["unit", "area"])
    if ("unit" in row.content) == ("area" in row.content):
        raise row.fault(
            "unit",
            Text(
                "须且只须指明一个村（unit）或一个镇街（area）",
                "an exclusion names either a unit or an area, one of them",
            ),
            Text("保留 unit 或 area 之一", "keep one of unit and area"),
        )
    return Exclusion(
        unit=row.text("unit") if "unit" in row.content else None,
        area=row.text("area") if "area" in row.content else None,
        reason=row.choice("reason", EXCLUSION_REASONS),
        explanation=row.bilingual("explanation"),
    )


def _assumption(row: _Table) -> Assumption:
    row.keys(["text", "quality", "impact"], [])
    return Assumption(
        text=row.bilingual("text"),
        quality=row.choice("quality", QUALITIES),  # type: ignore[arg-type]
        impact=row.choice("impact", IMPACTS),  # type: ignore[arg-type]
    )


def _check_consistency(initiative: Initiative, table: _Table) -> None:
    units = [treated.unit for treated in initiative.treated]
    if not units:
        raise table.fault(
            "treated",
            Text("没有列出实施村", "no treated unit is listed"),
            Text("至少写一个 [[treated]]", "write at least one [[treated]]"),
        )
    for number, unit in enumerate(units):
        if unit in units[:number]:
            raise table.fault(
                f"treated[{number + 1}] › unit",
                Text(f"“{unit}”列了两次", f"{unit!r} is listed twice"),
                Text("每个实施村只留一条", "keep one entry for each treated unit"),
            )
    for number, exclusion in enumerate(initiative.exclusions):
        if exclusion.unit in units:
            raise table.fault(
                f"exclusions[{number + 1}] › unit",
                Text(
                    f"“{exclusion.unit}”既是实施村又被排除出对照",
                    f"{exclusion.unit!r} is treated, and excluded from the comparison too",
                ),
                Text("删去其中一条", "delete one of the two entries"),
            )
    if initiative.anticipation < 0:
        raise table.fault(
            "anticipation",
            Text("预期期数为负", "the number of periods of anticipation is negative"),
            Text("填写 0 或正整数", "give 0 or a positive whole number"),
        )


def _table(path: Path) -> _Table:
    try:
        return _Table(read_toml(path), path.name, InitiativeError)
    except UsageError as error:
        raise InitiativeError(error.what, where=error.where, mend=error.mend) from error
