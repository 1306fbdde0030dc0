"""The only place where the grade looks at signed numbers, and sizes, shares and ranks come out.

What leaves this module is the same if every estimate, interval and placebo changes its sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cps.design.record import Design
from cps.errors import Text
from cps.result import Effect, Estimate
from cps.robustness._parts import amount

_NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The headline without its sign, on the scale of the design's outcome.

    Parameters
    ----------
    effect : float or None
        Size of the estimate.
    margin : float or None
        From the estimate to the end of its interval on zero's side.
    farthest : float or None
        Size of the interval's end that is farthest from zero: effects beyond it are ruled out.
    shown, shown_interval : Text
        The estimate and its interval as they are, to be put into sentences and nowhere else.
    """

    effect: float | None
    margin: float | None
    farthest: float | None
    shown: Text = _NOTHING
    shown_interval: Text = _NOTHING

    @property
    def clearance(self) -> float | None:
        """Give the effect in margins: above 1 the interval leaves out zero."""
        if self.effect is None or self.margin is None or self.margin <= 0:
            return None
        return self.effect / self.margin


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of ``n`` other methods: how many lie in the headline's interval, how many find the same."""

    n: int
    n_inside: int | None
    n_tested: int
    n_found: int


def sizes_of(design: Design, overall: Estimate) -> Sizes:
    """Give the size of an estimate, its margin and what its interval rules out."""
    att, low, high = overall.att, overall.ci_low, overall.ci_high
    if att is None or not math.isfinite(att):
        return Sizes(None, None, None)
    near = low if att >= 0 else high
    margin = None if near is None else abs(att - near)
    shown = amount(design, att)
    if low is None or high is None:
        return Sizes(abs(att), _finite(margin), None, shown)
    ends = amount(design, low), amount(design, high)
    return Sizes(
        abs(att),
        _finite(margin),
        _finite(max(abs(low), abs(high))),
        shown,
        Text(f"{ends[0].zh} 至 {ends[1].zh}", f"{ends[0].en} to {ends[1].en}"),
    )


def agreement(effects: Sequence[Effect], *, level: float) -> Agreement:
    """Set the other methods beside the headline, the first of ``effects``.

    Methods shown as a diagnosis of bad practice, and inference that missed its level in the
    simulation study, have no voice. A method finds the same if its p-value is at most ``level`` and
    it lies on the headline's side of zero.
    """
    headline, others = effects[0].overall, [one for one in effects[1:] if not one.is_diagnosis]
    att, low, high = headline.att, headline.ci_low, headline.ci_high
    known = [one for one in others if one.overall.att is not None]
    inside: int | None = None
    if low is not None and high is not None:
        inside = sum(low <= (one.overall.att or 0.0) <= high for one in known)
    tested = [
        one for one in known if one.overall.p_value is not None and one.is_reliable is not False
    ]
    found = sum(
        (one.overall.p_value or 0.0) <= level and (one.overall.att or 0.0) * (att or 0.0) > 0
        for one in tested
    )
    return Agreement(len(known), inside, len(tested), found)


def least_left(estimates: Sequence[object], overall: Estimate) -> float | None:
    """Give the smallest effect among estimates made without some unit; 0 if one changes sides."""
    known = [float(one) for one in estimates if isinstance(one, int | float)]
    if overall.att is None or not known:
        return None
    return max(0.0, min(one if overall.att >= 0 else -one for one in known))


def typical_size(design: Design) -> float | None:
    """Give the mean size of the treated units' outcome before their starts, on the scale of ``y``."""
    before = np.asarray(design.periods)[None, :] < design.starts[:, None] - design.anticipation
    cells = design.y[before & np.isfinite(design.starts)[:, None] & np.isfinite(design.y)]
    return _finite(float(np.abs(cells).mean())) if cells.size else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
