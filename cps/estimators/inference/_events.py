"""What becomes of effects by event time when another inference takes over."""

from __future__ import annotations

import dataclasses

from cps.result import Estimate, EventTimeEffect


def without_errors(effects: tuple[EventTimeEffect, ...]) -> tuple[EventTimeEffect, ...]:
    """Keep the effects and drop their errors: those were the inference's that is replaced."""
    return tuple(dataclasses.replace(one, estimate=Estimate(one.estimate.att)) for one in effects)
