"""The ledgers of a scheme file: columns, and what is made of them row by row."""

from __future__ import annotations

from decimal import Decimal

from cps.errors import Text
from cps.ledger.tables import TYPES, Column, TableLayout
from cps.schemes.record import DERIVED, Derived, SchemeLedger
from cps.strict import Table
from cps.units import YUAN_PER_UNIT

_DATES = ("date", "month", "moment")
_NUMBERS = ("number", "money")


def read_ledger(table: Table) -> SchemeLedger:
    """Read one ``[[ledgers]]``.

    Raises
    ------
    SchemeError
    """
    table.keys(["id", "name", "columns"], ["key", "derived", "is_complete_log"])
    columns = tuple(_column(one) for one in table.rows("columns"))
    types = {one.id: one.type for one in columns}
    if len(types) < len(columns) or not columns:
        raise table.fault(
            "columns",
            Text("没有列，或两列同名", "there are no columns, or two of one id"),
            Text("每列一个编号", "give each column an id of its own"),
        )
    key = table.texts("key", default=[])
    for one in key:
        table.check_choice("key", one, types)
    derived: list[Derived] = []
    for row in table.rows("derived", default=[]):
        derived.append(made := _derived(row, types))
        types[made.id] = _type_of(made)
    layout = TableLayout(table.slug("id"), table.bilingual("name"), columns, key)
    is_complete = table.value("is_complete_log", bool, default=False)
    return SchemeLedger(layout, tuple(derived), is_complete)


def types_of(ledger: SchemeLedger) -> dict[str, str]:
    """Give the type of each column of a ledger, made ones too."""
    types = {one.id: one.type for one in ledger.layout.columns}
    for one in ledger.derived:
        types[one.id] = _type_of(one)
    return types


def _column(table: Table) -> Column:
    table.keys(
        ["id", "heads", "type"],
        ["unit", "is_optional", "is_required_value", "min", "max", "choices"],
    )
    kind = table.choice("type", TYPES)
    for key, types in (("min", _NUMBERS), ("max", _NUMBERS), ("choices", ("text",))):
        if key in table.content and kind not in types:
            raise table.fault(
                key,
                Text(f"{kind} 列没有 {key}", f"a column of type {kind} has no {key}"),
                Text(f"删去 {key}，或改列的类型", f"drop {key}, or change the type"),
            )
    if kind == "money":
        table.check_choice("unit", table.text("unit", default="元"), YUAN_PER_UNIT)
    return Column(
        id=table.slug("id"),
        heads=table.texts("heads"),
        type=kind,
        unit=table.text("unit", default="元"),
        is_optional=table.value("is_optional", bool, default=False),
        is_required_value=table.value("is_required_value", bool, default=False),
        low=_bound(table, "min"),
        high=_bound(table, "max"),
        choices=table.texts("choices", default=[]),
    )


def _bound(table: Table, key: str) -> Decimal | None:
    return Decimal(str(number_of(table, key))) if key in table.content else None


def number_of(table: Table, key: str) -> float:
    """Give a number, whole or not; a truth value is none.

    Raises
    ------
    SchemeError
    """
    value = table.content.get(key)
    if type(value) not in (int, float):
        raise table.fault(
            key,
            Text(f"“{value}”不是数字", f"{value!r} is not a number"),
            Text("填写数字，不加引号", "give a number, without quotation marks"),
        )
    return float(value or 0)


def _derived(table: Table, types: dict[str, str]) -> Derived:
    rule = table.choice("rule", DERIVED)
    keys = DERIVED[rule]
    table.keys(["id", "rule", *keys], [])
    given: dict[str, str | float] = {}
    for key in keys:
        if key in ("limit", "low", "high"):
            given[key] = number_of(table, key)
            continue
        name = table.text(key)
        allowed = _allowed(rule)
        table.check_choice(
            key, name, [one for one, kind in types.items() if not allowed or kind in allowed]
        )
        given[key] = name
    identifier = table.slug("id")
    if identifier in types:
        raise table.fault(
            "id",
            Text(f"已有名为“{identifier}”的列", f"there is a column {identifier!r} already"),
            Text("换一个编号", "give it another id"),
        )
    return Derived(identifier, rule, given)


def _allowed(rule: str) -> tuple[str, ...]:
    if rule.endswith("_between"):
        return ("date", "moment")
    if rule in ("is_missing", "is_known"):
        return ()
    return _DATES if rule == "year" else _NUMBERS


def _type_of(one: Derived) -> str:
    if one.rule in ("at_most", "at_least", "within", "is_missing", "is_known"):
        return "flag"
    return "number"
