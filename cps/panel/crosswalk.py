"""Names of units: which are known, where they lie, what they were called before."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cps.dropin import read_toml
from cps.errors import Finding, PanelError, Text, UsageError, nearest
from cps.ledger.cells import normal
from cps.ledger.rows import Figures
from cps.periods import parse_start

Places = Callable[[pl.Series], pl.DataFrame]
UNITS = Path(__file__).parents[2] / "data" / "units.toml"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Rename:
    """A unit that became another: a merger, a change of name, or a part of a split."""

    old: str
    new: str
    start: datetime.date | None  # rows from this day on; None: always
    end: datetime.date | None  # rows before this day
    weight: float | None


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """What ``data/units.toml`` declares."""

    path: Path
    areas: dict[str, str | None]  # unit -> area
    aliases: dict[str, str]  # other name -> unit
    renames: tuple[Rename, ...]


def load_crosswalk(path: Path | None = None) -> Crosswalk:
    """Read a crosswalk of unit names.

    The file holds ``[[area]]`` tables (``name``, ``units``), ``[[alias]]`` tables (``name``,
    ``unit``) and ``[[rename]]`` tables (``old``, ``new``, ``from``, ``to``, ``weight``).

    Raises
    ------
    UsageError
        If it is missing, or not of this form.
    PanelError
        If a name has two areas or meanings, or a split has no weight.
    """
    where = path or UNITS
    file = read_toml(where)
    areas: dict[str, str | None] = {}
    try:
        for area in file.get("area", []):
            for unit in area["units"]:
                if areas.setdefault(unit, area.get("name")) != area.get("name"):
                    raise _twice(where, unit)
        aliases = {one["name"]: one["unit"] for one in file.get("alias", [])}
        renames = tuple(_rename(one) for one in file.get("rename", []))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            Text(
                f"对照表缺少或写错：{error}", f"a key of the crosswalk is missing or wrong: {error}"
            ),
            where=str(where),
            mend=Text(
                "area 需要 name、units；alias 需要 name、unit；rename 需要 old、new",
                "area has name and units; alias name and unit; rename old and new",
            ),
        ) from error
    for name, unit in aliases.items():
        if unit not in areas or name in areas:
            raise _twice(where, name)
    _require_weights(where, renames)
    return Crosswalk(where, areas, aliases, renames)


def to_units(figures: Figures, crosswalk: Crosswalk) -> tuple[pl.DataFrame, list[Finding]]:
    """Give the figures with ``unit``, ``home`` (the unit's area) and ``weight``; report odd areas.

    Raises
    ------
    PanelError
        If a name is not in the crosswalk; names file › sheet › cell and the nearest name.
    """
    # Ledger names come with full-width forms folded; the crosswalk is written as people write.
    named = {**{unit: unit for unit in crosswalk.areas}, **crosswalk.aliases}
    plain = {normal(name): unit for name, unit in named.items()}
    mapping = pl.DataFrame(
        {"name": list(plain), "unit": list(plain.values())},
        schema={"name": pl.Categorical, "unit": pl.Categorical},
    )
    homes = pl.DataFrame(
        {
            "unit": list(crosswalk.areas),
            "home": [area and normal(area) for area in crosswalk.areas.values()],
        },
        schema={"unit": pl.Categorical, "home": pl.Categorical},
    )
    rows = figures.frame
    moved = _moved(rows, crosswalk)
    if moved.height:
        gone = moved.select("name", "period_start").unique()
        rows = rows.join(gone, on=["name", "period_start"], how="anti")
    strange = rows.select("name", "at").join(mapping, on="name", how="anti")
    if strange.height:
        raise _unknown(strange, plain, figures.places, crosswalk.path)
    direct = rows.join(
        mapping.join(homes, on="unit", how="left"),
        on="name",
        how="left",
        maintain_order="left",
    ).with_columns(pl.lit(1.0).alias("weight"))
    both = direct
    if moved.height:
        renamed = moved.join(homes, on="unit", how="left", maintain_order="left")
        both = pl.concat([direct, renamed.select(direct.columns)])
    return both, _odd_areas(both, figures.places)


def _moved(rows: pl.DataFrame, crosswalk: Crosswalk) -> pl.DataFrame:
    """Give the rows of units that became others in their time, as those others' with ``weight``."""
    renamed = pl.DataFrame(
        [(normal(one.old), one.new, one.start, one.end, one.weight) for one in crosswalk.renames],
        schema={
            "name": pl.Categorical,
            "unit": pl.Categorical,
            "start": pl.Date,
            "end": pl.Date,
            "weight": pl.Float64,
        },
        orient="row",
    )
    in_time = (pl.col("start").is_null() | (pl.col("period_start") >= pl.col("start"))) & (
        pl.col("end").is_null() | (pl.col("period_start") < pl.col("end"))
    )
    # A split has several new units to an old one: the join multiplies its rows, by weight.
    found = rows.join(renamed, on="name", how="inner").filter(in_time.fill_null(True))
    return found.with_columns(pl.col("weight").fill_null(1.0))


def _rename(entry: dict[str, Any]) -> Rename:
    return Rename(
        entry["old"],
        entry["new"],
        parse_start(str(entry["from"])) if entry.get("from") else None,
        parse_start(str(entry["to"])) if entry.get("to") else None,
        float(entry["weight"]) if "weight" in entry else None,
    )


def _require_weights(where: Path, renames: tuple[Rename, ...]) -> None:
    for one in renames:
        others = [two for two in renames if two.old == one.old and two.start == one.start]
        total = sum(two.weight or 0 for two in others)
        if len(others) > 1 and (any(two.weight is None for two in others) or abs(total - 1) > 1e-9):
            raise PanelError(
                Text(
                    f"“{one.old}”拆分为 {len(others)} 个单位，权重未写全或合计不为 1",
                    f"{one.old} is split into {len(others)} units without weights that sum to 1",
                ),
                where=f"{where} › rename › {one.old}",
                mend=Text("为每个新单位写明 weight", "give each new unit its weight"),
            )


def _twice(where: Path, name: str) -> PanelError:
    return PanelError(
        Text(f"“{name}”有两种含义，或指向未登记的单位", f"{name} has two meanings, or none"),
        where=f"{where} › {name}",
        mend=Text("每个名称只登记一次", "declare each name once, its unit under [[area]]"),
    )


def _unknown(rows: pl.DataFrame, known: dict[str, str], places: Places, path: Path) -> PanelError:
    # The sheet's own order, not the row's: a person looks from the top.
    first = rows.unique("name", keep="first", maintain_order=True)
    names = first["name"].to_list()
    near = _lookalike(names[0], known) or nearest(names[0], known)
    shown = first.head(_SHOWN)
    where = "\n         ".join(
        f"{place} ({name})" for place, name in zip(_named(places(shown["at"])), names, strict=False)
    )
    hint_zh = f"如是“{near}”，请改正台账；" if near else ""
    hint_en = f"if it is {near}, correct the ledger; " if near else ""
    return PanelError(
        Text(
            f"有 {len(names)} 个村名不在对照表中，首个是“{names[0]}”",
            f"{len(names)} names are in no crosswalk; the first is {names[0]}",
        ),
        where=where,
        mend=Text(f"{hint_zh}如是新村名，请登记到 {path}", f"{hint_en}else add it to {path}"),
    )


def _lookalike(name: str, known: dict[str, str]) -> str | None:
    """Give the known name that differs only by letters typed for digits."""
    typed = name.translate(str.maketrans("OolI〇", "00110"))
    return typed if typed in known else None


def _odd_areas(rows: pl.DataFrame, places: Places) -> list[Finding]:
    odd = (
        rows.lazy()
        .select("at", "name", "unit", "area", "home")
        .filter(pl.col("area") != pl.col("home"))  # neither is null
        .unique("unit", keep="first", maintain_order=True)
        .collect()
    )
    if odd.is_empty():
        return []
    return [
        Finding(
            "W-PANEL-AREA",
            "warn",
            Text(
                f"台账写“{one['area']}”，对照表为“{one['home']}”，按对照表处理",
                f"the ledger says {one['area']}, the crosswalk {one['home']}: the latter is used",
            ),
            f"{place} ({one['name']})",
            Text("核对所属镇街", "check where it belongs"),
        )
        for one, place in zip(odd.to_dicts(), _named(places(odd["at"])), strict=True)
    ]


def _named(places: pl.DataFrame) -> list[str]:
    return [" › ".join(one) for one in places.iter_rows()]
