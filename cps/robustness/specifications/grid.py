"""The grid as it was declared: which choices there are, and every cell that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

from cps.design.record import Design
from cps.dropin import read_toml
from cps.errors import Text, UsageError
from cps.estimators._options import Given
from cps.estimators.registry import settled_options
from cps.provenance import sha256_json
from cps.result import Effect
from cps.robustness.specifications.record import Dimension, Option
from cps.strict import Table

OWN = Path(__file__).with_name("grid.toml")
HEADLINE = "headline"  # of a method that the grid does not hold
# What can be chosen in each dimension but the method, which the grid names itself.
_KNOWN = {
    "method": None,
    "controls": ("never", "not_yet"),
    "donors": ("all", "own_area", "other_areas", "alike"),
    "ring": ("out", "in"),
    "before": ("all", "short"),
    "calendar": ("all", "no_shock", "no_break"),
    "form": ("log", "level"),
    "covariates": ("with", "without"),
}
# What the headline chooses, whatever its method, controls and form.
_BASE = {
    "donors": "all",
    "ring": "out",
    "before": "all",
    "calendar": "all",
    "covariates": "with",
}
# Options that choose how errors are found, not what is estimated.
_INFERENCE = frozenset({"errors", "draws", "placebo_pool", "interval"})
_NUMBERS = (
    "fewest_comparison",
    "draws",
    "fewest_draws",
    "fewest_placebos",
    "years_before",
    "alike_within",
)


@dataclass(frozen=True, slots=True)
class Method:
    """An estimator with its options, as the method and the controls chosen make it."""

    estimator: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Grid:
    """What a grid file declares; ``methods`` by (method, controls)."""

    numbers: dict[str, int]
    shock_years: tuple[int, ...]
    dimensions: tuple[Dimension, ...]
    methods: dict[tuple[str, str], Method]
    sha256: str


@dataclass(frozen=True, slots=True)
class Declared:
    """The grid for one design: every cell by its choices, before anything is estimated.

    Parameters
    ----------
    cells : tuple of dict of dimension to option
    headline : int
        Number of the headline's cell.
    """

    grid: Grid
    dimensions: tuple[Dimension, ...]
    methods: dict[tuple[str, str], Method]
    cells: tuple[dict[str, str], ...]
    headline: int
    sha256: str


def read_grid(path: Path | None = None) -> Grid:
    """Read a grid file; the package's own if None.

    Raises
    ------
    UsageError
        If the file is not TOML, or a key, an option or a method in it is unknown.
    """
    chosen = path or OWN
    # A file that was edited meanwhile is read again; one that is missing, refused below.
    return _read(chosen, chosen.stat().st_mtime_ns if chosen.exists() else 0)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Grid:
    content = read_toml(path)
    table = Table(content, path.name, UsageError)
    table.keys([*_NUMBERS, "shock_years", "dimension", "method"], [])
    dimensions = tuple(_dimension(one) for one in table.rows("dimension"))
    methods = {}
    for one in table.rows("method"):
        one.keys(["name", "controls", "estimator", "options"], [])
        controls = one.choice("controls", _KNOWN["controls"] or ())
        estimator = one.text("estimator")
        # Settled now: an option that does not exist is refused here, not in mid-run.
        options = settled_options(estimator, one.value("options", dict))
        methods[one.slug("name"), controls] = Method(estimator, options)
    _require_whole(table, dimensions, sorted({name for name, _ in methods}))
    return Grid(
        {name: int(table.value(name, int)) for name in _NUMBERS},
        tuple(int(year) for year in table.value("shock_years", list)),
        dimensions,
        methods,
        sha256_json(content),
    )


def _require_whole(table: Table, dimensions: Sequence[Dimension], methods: Sequence[str]) -> None:
    """Refuse a grid without the choices that the headline makes, or with one twice."""
    by_name = {one.name: [option.name for option in one.options] for one in dimensions}
    for names, where in (
        ([one.name for one in dimensions], "dimension"),
        *((options, f"dimension › {name}") for name, options in by_name.items()),
    ):
        for place, name in enumerate(names):
            if name in names[:place]:
                raise table.fault(
                    where,
                    Text(f"“{name}”列了两次", f"{name!r} is listed twice"),
                    Text("只留一个", "keep one of them"),
                )
    for name in by_name.get("method", ()):
        table.check_choice("dimension › method", name, methods)
    for name, option in (("method", ""), ("controls", ""), *_BASE.items()):
        options = by_name.get(name)
        if (options is None and not option) or (options and option and option not in options):
            missing = f"{name} › {option}" if option else name
            raise table.fault(
                "dimension",
                Text(
                    f"缺少主结果所取的“{missing}”",
                    f"{missing!r}, as the headline has it, is missing",
                ),
                Text(f"补上 {missing}", f"add {missing}"),
            )


def _dimension(table: Table) -> Dimension:
    table.keys(["name", "title", "options"], [])
    name = table.choice("name", _KNOWN)
    options = []
    for row in table.rows("options"):
        row.keys(["name", "zh", "en", "means_zh", "means_en"], [])
        known = _KNOWN[name]
        option = row.slug("name") if known is None else row.choice("name", known)
        title = Text(row.text("zh"), row.text("en"))
        options.append(Option(option, title, Text(row.text("means_zh"), row.text("means_en"))))
    return Dimension(name, table.bilingual("title"), tuple(options))


def declare(grid: Grid, design: Design, effect: Effect, *, said: Mapping[str, Text]) -> Declared:
    """Lay out every specification of one design, the headline's among them.

    The product of all dimensions, but for controls that a method does not know. A dimension that
    says nothing of this design is left out: covariates where there are none, the form of a rate. A
    headline by a method that the grid lacks is one cell more.

    Parameters
    ----------
    effect : Effect
        The headline.
    said : mapping
        What the placeholders of the options' words stand for: ``years``, ``shock``, ``regime``.
    """
    methods, base = _with_headline(grid, design, effect)
    dimensions = tuple(
        dataclasses.replace(one, options=tuple(_filled(option, said) for option in options))
        for one in grid.dimensions
        if (options := _options(one, design, methods))
    )
    names = [one.name for one in dimensions]
    stands = {name: base[name] for name in names}
    cells = tuple(
        choices
        for taken in product(*([option.name for option in one.options] for one in dimensions))
        if (choices := dict(zip(names, taken, strict=True)))
        and (choices["method"], choices["controls"]) in methods
        and (choices["method"] != HEADLINE or choices == stands)
    )
    headline = cells.index(stands)
    return Declared(
        grid,
        dimensions,
        methods,
        cells,
        headline,
        sha256_json(
            {
                "grid": grid.sha256,
                "design": design.design_hash,
                "cells": [list(one.values()) for one in cells],
                "headline": headline,
                "methods": [
                    [*key, one.estimator, one.options] for key, one in sorted(methods.items())
                ],
            }
        ),
    )


def _with_headline(
    grid: Grid, design: Design, effect: Effect
) -> tuple[dict[tuple[str, str], Method], dict[str, str]]:
    """Find the headline's method in the grid, or add it; give its choices in every dimension."""
    methods = dict(grid.methods)
    own = next(
        (
            key
            for key, one in methods.items()
            if one.estimator == effect.method and _same(one.options, effect.options)
        ),
        None,
    )
    if own is None:
        controls = "not_yet" if effect.options.get("control") == "not_yet" else "never"
        own = (HEADLINE, controls)
        methods = {own: Method(effect.method, dict(effect.options)), **methods}
    return methods, {**_BASE, "method": own[0], "controls": own[1], "form": design.form}


def _same(options: Given, others: Given) -> bool:
    return {name: value for name, value in options.items() if name not in _INFERENCE} == {
        name: value for name, value in others.items() if name not in _INFERENCE
    }


def _options(
    dimension: Dimension, design: Design, methods: Mapping[tuple[str, str], Method]
) -> tuple[Option, ...]:
    if dimension.name == "covariates" and design.covariates is None:
        return ()
    if dimension.name == "form" and design.form == "rate":
        return ()
    if dimension.name == "method" and any(name == HEADLINE for name, _ in methods):
        return (_AS_HEADLINE, *dimension.options)
    return dimension.options


_AS_HEADLINE = Option(
    HEADLINE,
    Text("主结果的方法", "The headline's"),
    Text("主结果所用的方法与选项", "method and options of the headline"),
)


def _filled(option: Option, said: Mapping[str, Text]) -> Option:
    def fill(text: Text) -> Text:
        return Text(
            text.zh.format(**{name: one.zh for name, one in said.items()}),
            text.en.format(**{name: one.en for name, one in said.items()}),
        )

    return dataclasses.replace(option, title=fill(option.title), means=fill(option.means))


def fill_caches() -> None:
    """Read the package's own grid."""
    read_grid()
