"""What initiatives are, as a meta-regression takes it: format, start, wealth before, money."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cps.design.record import Design, Initiative
from cps.errors import Text, unknown_choice
from cps.synthesis._moderators import Moderator
from cps.units import YUAN_PER_WAN


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
        By initiative; those without one have no wealth.
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
    return {
        "format": [one.format if families is None else families[one.format] for one in initiatives],
        "start_year": [_start_year(one) for one in initiatives],
        "log_baseline": [_log_baseline(designs.get(one.id)) for one in initiatives],
        "wan_per_host": [_money(one) for one in initiatives],
    }


def _start_year(initiative: Initiative) -> float | None:
    years = [one.start.year + (one.start.month - 1) / 12 for one in initiative.treated]
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


def _money(initiative: Initiative) -> float | None:
    if not initiative.treated or any(not one.cost_yuan for one in initiative.treated):
        return None
    total = sum(sum(one.cost_yuan.values()) for one in initiative.treated)
    return total / YUAN_PER_WAN / len(initiative.treated)
