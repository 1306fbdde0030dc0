"""The outcomes and indicators of a scheme file: which value is taken of which rows."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

from cps.errors import Text
from cps.schemes._load_ledgers import number_of, types_of
from cps.schemes.record import (
    SPANS,
    TAKES,
    Indicator,
    Measurement,
    SchemeLedger,
    SchemeOutcome,
)
from cps.strict import Table

_TAKING = ["ledger", "take"]
_MAY = [
    "of",
    "by",
    "limit",
    "unit",
    "period",
    "start",
    "end",
    "until",
    "classes",
    "weights",
    "is_renormalised",
    "only",
    "least",
]
_DATES = ("date", "month", "moment")
_NUMBERS = ("number", "money")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "unit": ("text",),
    "period": _DATES,
    "start": _DATES,
    "end": _DATES,
    "classes": ("text",),
    "by": _NUMBERS,
}


def read_outcome(table: Table) -> SchemeOutcome:
    """Read one ``[[outcomes]]``.

    Raises
    ------
    SchemeError
    """
    table.keys(["id", "name", "measure", "form", *_TAKING], _MAY)
    return SchemeOutcome(
        id=table.slug("id"),
        name=table.bilingual("name"),
        measure=table.text("measure"),
        form=table.choice("form", ("level", "log")),  # type: ignore[arg-type]
        measurement=_measurement(table),
    )


def read_indicator(table: Table) -> Indicator:
    """Read one ``[[indicators]]``.

    Raises
    ------
    SchemeError
    """
    table.keys(["id", "name", "formula", "measure", *_TAKING], [*_MAY, "over"])
    over = table.choice("over", ("mean", "median")) if "over" in table.content else None
    if (over is None) != ("unit" not in table.content):
        raise table.fault(
            "over",
            Text("over 与 unit 须同时给出", "over and unit belong together"),
            Text("补上或删去其一", "give both, or neither"),
        )
    return Indicator(
        id=table.slug("id"),
        name=table.bilingual("name"),
        formula=table.bilingual("formula"),
        measure=table.text("measure"),
        measurement=_measurement(table),
        over=over,
    )


def _measurement(table: Table) -> Measurement:
    take = table.choice("take", TAKES)
    for key in TAKES[take]:
        if key not in table.content:
            raise table.fault(
                key,
                Text(f"“{take}”需要 {key}", f"{take!r} needs {key!r}"),
                Text(f"补上 {key}", f"add {key}"),
            )
    named = {key: table.text(key) for key in _COLUMNS if key in table.content}
    least = table.value("least", int, default=1)
    return Measurement(
        ledger=table.text("ledger"),
        take=take,
        of=table.text("of") if "of" in table.content else None,
        limit=number_of(table, "limit") if "limit" in table.content else None,
        until=_until(table),
        weights=_weights(table),
        is_renormalised=table.value("is_renormalised", bool, default=False),
        only=_only(table),
        least=max(least, 1),
        **named,
    )


def _until(table: Table) -> datetime.date | None:
    if "until" not in table.content:
        return None
    try:
        return datetime.date.fromisoformat(table.text("until"))
    except ValueError as error:
        raise table.fault(
            "until",
            Text("不是日期", "it is no date"),
            Text('写成 "2024-12-31"', 'write "2024-12-31"'),
        ) from error


def _weights(table: Table) -> dict[str, float]:
    weights = table.table("weights", default={})
    found = {name: number_of(weights, name) for name in weights.content}
    if found and not (
        min(found.values()) >= 0 and math.isclose(sum(found.values()), 1.0, abs_tol=1e-9)
    ):
        raise table.fault(
            "weights",
            Text("权重有负数，或合计不为 1", "weights are negative or do not sum to 1"),
            Text("改为合计为 1 的权重", "give weights that sum to 1"),
        )
    return found


def _only(table: Table) -> dict[str, tuple[str, ...]]:
    only = table.table("only", default={})
    found = {}
    for column in only.content:
        values = only.value(column, list)
        if not values or any(type(one) not in (str, bool) for one in values):
            raise only.fault(
                column,
                Text("应为文字或 true/false 的列表", "it must be a list of texts or truth values"),
                Text('写成 ["已办结"] 或 [true]', 'write ["done"] or [true]'),
            )
        found[column] = tuple(
            one if isinstance(one, str) else ("true" if one else "false") for one in values
        )
    return found


def check_measurement(
    ledgers: Sequence[SchemeLedger],
    taken: Measurement,
    table: Table,
    where: str,
    *,
    needs_unit: bool,
) -> None:
    """Refuse a measurement that names what its ledger does not have.

    Raises
    ------
    SchemeError
    """
    table.check_choice(f"{where} › ledger", taken.ledger, [one.id for one in ledgers])
    types = types_of(next(one for one in ledgers if one.id == taken.ledger))
    for key, allowed in _COLUMNS.items():
        name = getattr(taken, key)
        if name is not None:
            known = [one for one, kind in types.items() if kind in allowed]
            table.check_choice(f"{where} › {key}", name, known)
    if taken.of is not None:
        allowed = ("flag",) if taken.take == "share" else _NUMBERS
        known = [one for one, kind in types.items() if kind in allowed]
        table.check_choice(f"{where} › of", taken.of, known)
    for column in taken.only:
        known = [one for one, kind in types.items() if kind in ("text", "flag")]
        table.check_choice(f"{where} › only", column, known)
    if needs_unit:
        keys = ["unit"] if taken.take in SPANS else ["unit", "period"]
        for key in keys:
            if getattr(taken, key) is None:
                raise table.fault(
                    f"{where} › {key}",
                    Text(f"缺少“{key}”", f"the key {key!r} is missing"),
                    Text("指明单位列和日期列", "name the columns of the unit and of the date"),
                )
