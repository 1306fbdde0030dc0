"""Initiative files: TOML read strictly into records, every fault named by file and key."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from cps.design.record import Assumption, Exclusion, Initiative, TreatedUnit
from cps.dropin import read_toml
from cps.errors import InitiativeError, Text, UsageError, nearest, unknown_choice
from cps.panel.record import OUTCOME_MEASURES
from cps.periods import Frequency, parse_start
from cps.provenance import sha256_file

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
]
_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_KIND = Text("共富项目", "initiative")
_TYPE_WORDS: dict[type, Text] = {
    str: Text("文字", "text"),
    bool: Text("true 或 false", "true or false"),
    int: Text("整数", "a whole number"),
    list: Text("列表", "a list"),
    dict: Text("表", "a table"),
}


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
            raise _fault(
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
    initiative = Initiative(
        id=_identifier(table, path),
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
    )
    _check_consistency(initiative, table)
    return initiative


def _identifier(table: _Table, path: Path) -> str:
    identifier = table.slug("id")
    if identifier != path.stem:
        raise table.fault(
            "id",
            Text(
                f"编号“{identifier}”与文件名不一致", f"the id {identifier!r} is not the file's name"
            ),
            Text(
                f"编号写为 {path.stem}，或将文件改名为 {identifier}.toml",
                f"write id = {path.stem!r}, or rename the file to {identifier}.toml",
            ),
        )
    return identifier


def _outcomes(table: _Table) -> tuple[str, ...]:
    outcomes = table.texts("outcomes")
    for outcome in outcomes:
        table.check_choice("outcomes", outcome, OUTCOME_MEASURES)
    if not outcomes:
        raise table.fault(
            "outcomes",
            Text("没有列出结果变量", "no outcome is listed"),
            Text(
                f"从中选择：{'、'.join(OUTCOME_MEASURES)}",
                f"choose from: {', '.join(OUTCOME_MEASURES)}",
            ),
        )
    return outcomes


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


class _Table:
    """One TOML table with the place it stands at, so that each fault can say where."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self.content = content
        self.where = where

    def fault(self, key: str, what: Text, mend: Text) -> InitiativeError:
        return _fault(what, where=f"{self.where} › {key}", mend=mend)

    def keys(self, required: list[str], optional: list[str]) -> None:
        """Refuse keys that do not exist, then keys that are missing."""
        known = [*required, *optional]
        for key in self.content:
            self.check_choice(key, key, known, kind=Text("键", "key"))
        for key in required:
            if key not in self.content:
                raise self.fault(
                    key,
                    Text(f"缺少“{key}”", f"the key {key!r} is missing"),
                    Text(f"补上 {key}", f"add {key}"),
                )

    def check_choice(
        self,
        key: str,
        value: str,
        choices: Iterable[str],
        *,
        kind: Text = Text("选项", "choice"),  # noqa: B008 (a frozen record)
    ) -> None:
        names = list(choices)
        if value in names:
            return
        near = nearest(value, names)
        raise self.fault(
            key,
            Text(f"没有“{value}”这个{kind.zh}", f"there is no {kind.en} {value!r}"),
            Text(
                (f"是否想写“{near}”？" if near else "") + f"可选：{'、'.join(names)}",
                (f"did you mean {near!r}? " if near else "") + f"choose one of: {', '.join(names)}",
            ),
        )

    def value(self, key: str, kind: type, *, default: Any = None) -> Any:
        if key not in self.content:
            if default is None:
                self.keys([key], list(self.content))
            return default
        value = self.content[key]
        if type(value) is not kind:  # bool is an int to isinstance
            word = _TYPE_WORDS[kind]
            raise self.fault(
                key,
                Text(f"“{value}”不是{word.zh}", f"{value!r} is not {word.en}"),
                Text(f"改为{word.zh}", f"make it {word.en}"),
            )
        return value

    def text(self, key: str, *, default: str | None = None) -> str:
        value = self.value(key, str, default=default)
        if not value.strip() or value != value.strip():
            raise self.fault(
                key,
                Text("文字为空或首尾有空格", "the text is empty, or begins or ends with a space"),
                Text("填写文字，去掉首尾空格", "fill it in, without spaces at its ends"),
            )
        return value

    def slug(self, key: str, *, default: str | None = None) -> str:
        value = self.text(key, default=default)
        if not _SLUG.fullmatch(value):
            raise self.fault(
                key,
                Text(f"“{value}”不是英文标识", f"{value!r} is not a plain identifier"),
                Text(
                    "只用小写字母、数字和下划线，以字母开头",
                    "use lower-case letters, digits and _, beginning with a letter",
                ),
            )
        return value

    def choice(self, key: str, choices: Iterable[str], *, default: str | None = None) -> str:
        value = self.text(key, default=default)
        self.check_choice(key, value, choices)
        return value

    def texts(self, key: str, *, default: list[str] | None = None) -> tuple[str, ...]:
        values = self.value(key, list, default=default)
        items = _Table({f"{key}[{i + 1}]": item for i, item in enumerate(values)}, self.where)
        found = tuple(items.text(name) for name in items.content)
        for number, item in enumerate(found):
            if item in found[:number]:
                raise self.fault(
                    f"{key}[{number + 1}]",
                    Text(f"“{item}”列了两次", f"{item!r} is listed twice"),
                    Text("只留一个", "keep one of them"),
                )
        return found

    def table(self, key: str, *, default: dict[str, Any] | None = None) -> _Table:
        return _Table(self.value(key, dict, default=default), f"{self.where} › {key}")

    def bilingual(self, key: str) -> Text:
        table = self.table(key)
        table.keys(["zh", "en"], [])
        return Text(zh=table.text("zh"), en=table.text("en"))

    def rows(self, key: str, *, default: list[Any] | None = None) -> list[_Table]:
        values = self.value(key, list, default=default)
        items = _Table({f"{key}[{i + 1}]": item for i, item in enumerate(values)}, self.where)
        return [items.table(name) for name in items.content]


def _table(path: Path) -> _Table:
    try:
        return _Table(read_toml(path), path.name)
    except UsageError as error:
        raise InitiativeError(error.what, where=error.where, mend=error.mend) from error


def _fault(what: Text, *, where: str, mend: Text) -> InitiativeError:
    return InitiativeError(what, where=where, mend=mend)
