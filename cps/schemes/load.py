"""Scheme files: TOML read strictly into records, every fault named by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from cps.design.initiatives import IMPACTS, QUALITIES
from cps.design.record import Assumption
from cps.dropin import read_toml
from cps.errors import SchemeError, Text, UsageError, unknown_choice
from cps.facts import Facts, load_facts
from cps.periods import Frequency
from cps.provenance import sha256_file
from cps.schemes._load_ledgers import read_ledger
from cps.schemes._load_measures import (
    check_measurement,
    read_indicator,
    read_outcome,
)
from cps.schemes.record import (
    EVALUABLE,
    UNIT_KINDS,
    Register,
    Scheme,
    SchemeDesign,
)
from cps.strict import Table

FOLDER = Path(__file__).parents[2] / "data" / "schemes"
KIND = Text("举措", "scheme")

_REQUIRED = ["id", "name", "is_evaluable", "reason", "claims", "unit_kind"]
_OPTIONAL = [
    "frequency",
    "series_needed",
    "threats",
    "ledgers",
    "units",
    "outcomes",
    "indicators",
    "design",
    "initiatives",
]


def load_schemes(folder: Path | None = None, *, facts: Facts | None = None) -> tuple[Scheme, ...]:
    """Read every scheme file of a folder, in the order of the facts, then of id.

    Parameters
    ----------
    folder : Path or None
        Folder of ``<id>.toml`` files; ``data/schemes`` of this checkout if None.
    facts : Facts or None
        The published facts that claims must name; those of this checkout if None.

    Raises
    ------
    SchemeError
        If a file is incomplete, has a key or a choice that does not exist, names a fact, column or
        ledger that is not there, or contradicts itself.
    UsageError
        If the folder holds no scheme.
    """
    known = facts or load_facts()
    schemes = [_read(path, known) for path in _paths(folder)]
    order = {one.id: place for place, one in enumerate(known.schemes)}
    return tuple(sorted(schemes, key=lambda one: (order.get(one.id, len(order)), one.id)))


def load_scheme(id: str, folder: Path | None = None, *, facts: Facts | None = None) -> Scheme:
    """Read one scheme by id; faults in other files do not matter.

    Raises
    ------
    UsageError
        If there is no such scheme; lists the ids and the nearest one.
    SchemeError
        If its file is faulty, see ``load_schemes``.
    """
    return _read(scheme_file(id, folder), facts or load_facts())


def scheme_file(id: str, folder: Path | None = None) -> Path:
    """Give the file of a scheme by its id, or the file itself where a path to one is given.

    Raises
    ------
    UsageError
        If there is no such scheme; lists the ids and the nearest one.
    """
    if id.endswith(".toml") and Path(id).is_file():
        return Path(id)
    paths = {path.stem: path for path in _paths(folder)}
    if id not in paths:
        raise unknown_choice(KIND, id, paths, where=str(folder or FOLDER))
    return paths[id]


def read_scheme_file(path: Path, *, facts: Facts | None = None) -> Scheme:
    """Read one scheme file, wherever it lies; ``load_schemes`` says what is refused."""
    return _read(path, facts or load_facts())


def _paths(folder: Path | None) -> list[Path]:
    home = FOLDER if folder is None else Path(folder)
    paths = sorted(home.glob("*.toml"))
    if not paths:
        raise UsageError(
            Text("文件夹中没有举措文件", "the folder holds no scheme file"),
            where=str(home),
            mend=Text(
                "放入至少一个 <编号>.toml，或检查路径", "add an <id>.toml, or check the path"
            ),
        )
    return paths


def _read(path: Path, facts: Facts) -> Scheme:
    try:
        table = Table(read_toml(path), path.name, SchemeError)
    except UsageError as error:
        raise SchemeError(error.what, where=error.where, mend=error.mend) from error
    table.keys(_REQUIRED, _OPTIONAL)
    scheme = Scheme(
        id=table.identifier(path),
        name=table.bilingual("name"),
        is_evaluable=table.choice("is_evaluable", EVALUABLE),
        reason=table.bilingual("reason"),
        claims=_claims(table, path.stem, facts),
        unit_kind=table.choice("unit_kind", UNIT_KINDS),
        frequency=table.choice("frequency", get_args(Frequency), default="year"),  # type: ignore[arg-type]
        series_needed=_texts(table, "series_needed"),
        threats=_texts(table, "threats"),
        ledgers=tuple(read_ledger(one) for one in table.rows("ledgers", default=[])),
        register=_register(table) if "units" in table.content else None,
        outcomes=tuple(read_outcome(one) for one in table.rows("outcomes", default=[])),
        indicators=tuple(read_indicator(one) for one in table.rows("indicators", default=[])),
        design=_design(table.table("design")) if "design" in table.content else None,
        uses_initiatives=table.value("initiatives", bool, default=False),
        source_sha256=sha256_file(path),
    )
    _check(scheme, table)
    return scheme


def _claims(table: Table, scheme_id: str, facts: Facts) -> tuple[str, ...]:
    claims = table.texts("claims")
    own = [one.id for one in facts.facts if one.scheme_id == scheme_id]
    for claim in claims:
        table.check_choice("claims", claim, own, kind=Text("事实", "fact of this scheme"))
    return claims


def _texts(table: Table, key: str) -> tuple[Text, ...]:
    found = []
    for row in table.rows(key, default=[]):
        row.keys(["zh", "en"], [])
        found.append(Text(zh=row.text("zh"), en=row.text("en")))
    return tuple(found)


def _register(table: Table) -> Register:
    units = table.table("units")
    units.keys(["ledger", "unit", "start"], ["area", "exclude"])
    return Register(
        ledger=units.text("ledger"),
        unit=units.text("unit"),
        area=units.text("area") if "area" in units.content else None,
        start=units.text("start"),
        exclude=units.text("exclude") if "exclude" in units.content else None,
    )


def _design(table: Table) -> SchemeDesign:
    table.keys(["description", "methods"], ["comparison_areas", "anticipation", "assumptions"])
    anticipation = table.value("anticipation", int, default=0)
    if anticipation < 0:
        raise table.fault(
            "anticipation",
            Text("预期期数为负", "the number of periods of anticipation is negative"),
            Text("填写 0 或正整数", "give 0 or a positive whole number"),
        )
    assumptions = []
    for row in table.rows("assumptions", default=[]):
        row.keys(["text", "quality", "impact"], [])
        assumptions.append(
            Assumption(
                text=row.bilingual("text"),
                quality=row.choice("quality", QUALITIES),  # type: ignore[arg-type]
                impact=row.choice("impact", IMPACTS),  # type: ignore[arg-type]
            )
        )
    return SchemeDesign(
        description=table.bilingual("description"),
        methods=table.bilingual("methods"),
        comparison_areas=table.texts("comparison_areas", default=[]),
        anticipation=anticipation,
        assumptions=tuple(assumptions),
    )


def _check(scheme: Scheme, table: Table) -> None:
    """Refuse what contradicts itself, or names what the file does not have."""
    for key, ids in (
        ("ledgers", [one.id for one in scheme.ledgers]),
        ("outcomes", [one.id for one in scheme.outcomes]),
        ("indicators", [one.id for one in scheme.indicators]),
    ):
        for place, name in enumerate(ids):
            if name in ids[:place]:
                raise table.fault(
                    f"{key}[{place + 1}] › id",
                    Text(f"“{name}”列了两次", f"{name!r} is listed twice"),
                    Text("每个编号只用一次", "use each id once"),
                )
    _check_register(scheme, table)
    taken = {
        "outcomes": [one.measurement for one in scheme.outcomes],
        "indicators": [one.measurement for one in scheme.indicators],
    }
    for key, found in taken.items():
        for place, one in enumerate(found, start=1):
            where = f"{key}[{place}]"
            check_measurement(scheme.ledgers, one, table, where, needs_unit=key == "outcomes")
    if scheme.design is not None and (
        scheme.is_evaluable == "no" or scheme.register is None or not scheme.outcomes
    ):
        raise table.fault(
            "design",
            Text(
                "有设计，却没有单位登记（units）、结果变量（outcomes），或注明无法评估",
                "there is a design, but no register of units or no outcome, or it can't be evaluated",
            ),
            Text("补齐 units 与 outcomes，或删去 design", "add units and outcomes, or drop design"),
        )
    if scheme.is_evaluable != "no" and not scheme.series_needed:
        raise table.fault(
            "series_needed",
            Text("没有写明所需数据", "it does not say which series are needed"),
            Text("写明评估所需的数据", "name the series that an evaluation needs"),
        )


def _check_register(scheme: Scheme, table: Table) -> None:
    register = scheme.register
    if register is None:
        return
    units = table.table("units")
    units.check_choice("ledger", register.ledger, [one.id for one in scheme.ledgers])
    columns = {one.id: one for one in scheme.ledger(register.ledger).layout.columns}
    for key, name, types in (
        ("unit", register.unit, ("text",)),
        ("area", register.area, ("text",)),
        ("start", register.start, ("date", "month", "moment")),
        ("exclude", register.exclude, ("text",)),
    ):
        if name is not None:
            units.check_choice(key, name, [one for one, c in columns.items() if c.type in types])
