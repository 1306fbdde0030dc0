"""What initiatives are, as a meta-regression takes it: format, start, wealth before, money."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cps.design.record import Design, Initiative, TreatedUnit
from cps.errors import Text, unknown_choice
from cps.indicators.benefit.record import PUBLIC_SOURCES
from cps.synthesis._moderators import Moderator
from cps.units import YUAN_PER_WAN

# Formats that are counted as one kind: fifteen formats can't be told from fifteen initiatives.
FAMILIES: dict[str, str] = {
    "bonsai": "farming",
    "brown_sugar": "farming",
    "jujube_garden": "farming",
    "rice_shrimp": "farming",
    "smart_agriculture": "farming",
    "flowers": "visitors",
    "homestay": "visitors",
    "night_market": "visitors",
    "red_tourism": "visitors",
    "rural_tourism": "visitors",
    "study_tours": "visitors",
    "courier_rents": "trade",
    "creative_culture": "trade",
    "live_streaming": "trade",
    "workshop": "trade",
}
FAMILY_NAMES: dict[str, Text] = {
    "farming": Text("种养加工", "farming and its produce"),
    "visitors": Text("旅游", "visitors"),
    "trade": Text("商贸、加工与文创", "trade, workshops and culture"),
}


def family_of(format_name: str) -> str:
    """Give the family that a format is counted with; a format of its own is its own family."""
    return FAMILIES.get(format_name, format_name)


def initiative_traits(
    initiatives: Sequence[Initiative],
    designs: Mapping[str, Design],
    *,
    families: Mapping[str, str] | None = None,
) -> dict[str, Moderator]:
    """Give the traits of initiatives for :func:`cps.synthesis.heterogeneity.regress_effects`.

    Parameters
    ----------
    initiatives : sequence of Initiative, length n
        In the order of the estimates.
    designs : mapping of str to Design
        By initiative: start and money are those of its treated units; those without a design have
        no wealth, and start and money of all their hosts.
    families : mapping of str to str, or None
        Format -> the kind that it is counted with; each format alone if None. Fifteen formats of
        fifteen initiatives can't be told from fifteen initiatives.

    Returns
    -------
    dict of str to sequence, each of length n
        ``format`` : word.
        ``start_year`` : mean over hosts of the year of start, months as parts.
        ``log_baseline`` : natural logarithm of the hosts' mean outcome before the first start, in
        the design's ``measure``; None where it is not above zero or not known.
        ``wan_per_host`` : money of all sources, 万元 a host; None where a host's is not known.
        ``public_wan_per_host`` : the part of it from province, city, county and town.

    Raises
    ------
    UsageError
        If ``families`` lacks a format.
    """
    for one in initiatives:
        if families is not None and one.format not in families:
            raise unknown_choice(
                Text("业态", "format"), one.format, families, where="initiative_traits › families"
            )
    hosts = [_hosts(one, designs.get(one.id)) for one in initiatives]
    return {
        "format": [one.format if families is None else families[one.format] for one in initiatives],
        "start_year": [_start_year(one) for one in hosts],
        "log_baseline": [_log_baseline(designs.get(one.id)) for one in initiatives],
        "wan_per_host": [_money(one) for one in hosts],
        "public_wan_per_host": [_money(one, PUBLIC_SOURCES) for one in hosts],
    }


def _hosts(initiative: Initiative, design: Design | None) -> list[TreatedUnit]:
    if design is None:
        return list(initiative.treated)
    kept = {
        unit for unit, cohort in zip(design.units, design.cohort, strict=True) if cohort is not None
    }
    return [one for one in initiative.treated if one.unit in kept]


def _start_year(hosts: Sequence[TreatedUnit]) -> float | None:
    years = [one.start.year + (one.start.month - 1) / 12 for one in hosts]
    return sum(years) / len(years) if years else None


def _log_baseline(design: Design | None) -> float | None:
    if design is None or not design.cohorts:
        return None
    is_before = np.asarray(design.periods) < min(design.cohorts) - design.anticipation
    is_host = np.array([one is not None for one in design.cohort])
    before = design.y_natural[np.ix_(is_host, is_before)]
    seen = before[~np.isnan(before)]
    if not seen.size or seen.mean() <= 0:
        return None
    return math.log(float(seen.mean()))


def _money(hosts: Sequence[TreatedUnit], sources: frozenset[str] | None = None) -> float | None:
    if not hosts or any(not one.cost_yuan for one in hosts):
        return None
    total = sum(
        yuan
        for one in hosts
        for source, yuan in one.cost_yuan.items()
        if sources is None or source in sources
    )
    return total / YUAN_PER_WAN / len(hosts)
