"""The assumptions of an appraisal: the package's own, replaced where an initiative states one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cps.dropin import read_toml
from cps.errors import Text, unknown_choice
from cps.indicators.benefit.jobs import fte_range
from cps.indicators.benefit.record import Assumptions, Spread

FILE = Path(__file__).with_name("assumptions.toml")
_JOBS = ("permanent_share", "seasonal_months")
_OWN = Text("项目文件", "the initiative's file")


@dataclass(frozen=True, slots=True)
class Assumed:
    """One assumption with its range, where it comes from and how well it is founded.

    Parameters
    ----------
    key : str
        As in ``assumptions.toml`` and in an initiative's ``[appraisal]``.
    unit : {"share", "money", "years", "months", "number"}
    values : tuple of float
        Low, most likely, high; least and most; or the discount rates.
    quality : {"good", "fair", "poor"} or None
        None for an initiative's own.
    is_own : bool
        True if the initiative states it.
    """

    key: str
    name: Text
    unit: str
    values: tuple[float, ...]
    quality: str | None
    source: Text
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything that an appraisal takes for granted, as values and as a list to print."""

    assumptions: Assumptions
    fte: tuple[float, float]
    listed: tuple[Assumed, ...]


def default_assumptions() -> Assumptions:
    """Give the package's own assumptions."""
    return basis_of({}).assumptions


def basis_of(own: Mapping[str, Sequence[float]], *, source: Text | None = None) -> Basis:
    """Put an initiative's own values in the place of the package's.

    Parameters
    ----------
    own : mapping of key to values
        As ``Initiative.appraisal`` holds them.
    source : Text or None
        Where they come from, in the initiative's words.

    Raises
    ------
    UsageError
        If there is no such assumption, or its values make no sense.
    """
    defaults = _defaults()
    for key in own:
        if key not in defaults or key == "rates":
            names = [name for name in defaults if name != "rates"]
            raise unknown_choice(Text("假设", "assumption"), key, names, where="[appraisal]")
    listed = tuple(
        Assumed(one.key, one.name, one.unit, tuple(own[key]), None, source or _OWN, is_own=True)
        if key in own
        else one
        for key, one in defaults.items()
    )
    values = {one.key: one.values for one in listed}
    spreads = {
        key: Spread(*one)
        for key, one in values.items()
        if key not in (*_JOBS, "rates", "life_years")
    }
    assumptions = Assumptions(
        horizon_years=int(values["life_years"][1]),
        persistence=spreads["persistence"],
        margin=spreads["surplus_share"],
        overrun=spreads["cost_overrun"],
        displacement=spreads["displacement"],
        residual=spreads["residual_share"],
        running_yuan=spreads["running_cost_yuan"],
        sharing=spreads["sharing"],
        rates=values["rates"],
    )
    permanent, months = (values[key] for key in _JOBS)
    fte = fte_range(
        permanent_share=(permanent[0], permanent[1]), seasonal_months=(months[0], months[1])
    )
    return Basis(assumptions, fte, listed)


@lru_cache(maxsize=1)
def _defaults() -> Mapping[str, Assumed]:
    return {
        key: Assumed(
            key,
            Text(**one["name"]),
            one["unit"],
            tuple(float(value) for value in one["range"]),
            one["quality"],
            Text(**one["source"]),
        )
        for key, one in read_toml(FILE).items()
    }


def fill_caches() -> None:
    """Read the package's own assumptions."""
    _defaults()
