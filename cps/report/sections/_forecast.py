"""What the sections of a forecast say alike."""

from __future__ import annotations

from typing import Any

from cps.locale import Content, Message, Quantity
from cps.runs import Run

Record = dict[str, Any]


def forecast_of(run: Run) -> Record | None:
    """Give the forecast that a run holds."""
    found: Record | None = run.extra.get("forecast")
    return found


def chance(probability: float, *, is_settled: bool = False) -> Content:
    """Say a probability that draws have estimated: never that what isn't settled is certain."""
    if not is_settled and probability < 0.01:
        return Message("forecast.least")
    if not is_settled and probability > 0.99:
        return Message("forecast.most")
    return Quantity(probability, "share")


def threshold(yuan: float) -> Quantity:
    """Give a threshold as money."""
    return Quantity(float(yuan), "money")
