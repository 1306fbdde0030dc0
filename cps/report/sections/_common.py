"""What several sections say in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cps.errors import Text
from cps.locale import (
    Content,
    Counted,
    Interval,
    Kind,
    Message,
    Quantity,
    Term,
    Words,
    measure_kind,
)
from cps.result import Effect, Estimate
from cps.runs import Run

# Kinds of unit that the vocabulary has a noun for.
_COUNTED = frozenset(
    {
        *("village", "firm", "lot", "grid_cell", "centre", "office", "application", "household"),
        *("item", "person", "seller", "line", "station", "alliance", "subdistrict"),
    }
)
# What adds up over a period, and what stands at its end; anything else is a mean of it.
_FLOWS = frozenset({"yuan", "plain_yuan", "kwh", "count"})
_STOCKS = frozenset({"persons"})
FEW = 5


def counted(n: int, unit_kind: str) -> Counted:
    """Count units by the noun of their kind; one without a noun is a unit."""
    return Counted(n, f"nouns.{unit_kind if unit_kind in _COUNTED else 'unit'}")


def outcome_name(run: Run) -> Content:
    """Give the outcome's name: of its initiative's file, or of the vocabulary, or as it is."""
    outcome = str(run.design["outcome"])
    own = run.subject.get("outcome_names", {}).get(outcome)
    return text_of(own) if own else Term("outcome", outcome)


def text_of(entry: dict[str, Any]) -> Text:
    """Give a stored text, ``{zh, en}``, as one."""
    return Text(entry["zh"], entry["en"])


def own_unit(effect: Effect) -> tuple[Estimate, Kind, str]:
    """Give the effect in the outcome's own unit where it has been translated."""
    if effect.natural is not None:
        return effect.natural, *measure_kind(effect.natural_measure)
    return effect.overall, *measure_kind(effect.measure)


def amount(value: float | None, kind: Kind, unit: str, *, is_signed: bool = True) -> Quantity:
    """Give an effect as a quantity, with its sign."""
    return Quantity(value, kind, unit, is_signed)


def interval(estimate: Estimate, kind: Kind, unit: str) -> Interval:
    """Give an estimate's interval, with signs."""
    return Interval(estimate.ci_low, estimate.ci_high, kind, unit, is_signed=True)


def level(effect: Effect) -> Quantity:
    """Give the level of an effect's intervals as a whole percentage."""
    return Quantity(round(100 * effect.level, 6), "number", "")


def direction(
    estimate: Estimate, *, level: float, n_treated: int, n_comparison: int, holds_with_few: bool
) -> str:
    """Say what an estimate shows: ``up, down, unclear, mixed, too_few`` or ``no_interval``.

    Mixed is an interval without zero whose p-value does not reach its level, as with placebos too
    few for a small one. Too few is an analytic error where either side has under five units: it is
    far too small there, and nothing should be concluded from it.
    """
    if estimate.ci_low is None or estimate.ci_high is None:
        return "no_interval"
    if not holds_with_few and min(n_treated, n_comparison) < FEW:
        return "too_few"
    if estimate.ci_low <= 0 <= estimate.ci_high:
        return "unclear"
    if estimate.p_value is not None and estimate.p_value > 1 - level + 1e-12:
        return "mixed"
    return "up" if estimate.ci_low > 0 else "down"


def per_period(run: Run) -> Term:
    """Say by what period a flow is counted; people are a stock, at its end, a duration a mean."""
    measure = run.design["measure"]
    ending = "_end" if measure in _STOCKS else "" if measure in _FLOWS else "_mean"
    return Term("per", f"{run.design['frequency']}{ending}")


def headline_direction(effect: Effect) -> str:
    """Say what a headline effect shows."""
    return direction(
        effect.overall,
        level=effect.level,
        n_treated=effect.n_treated,
        n_comparison=effect.n_comparison,
        holds_with_few=effect.p_value_floor is not None or effect.is_reliable is True,
    )


def inference_name(effect: Effect) -> Content:
    """Name the way of inference: a module's own name, or the vocabulary's."""
    return effect.inference_name or Term("inference", effect.inference)


def host_word(effect: Effect, *, is_host: bool = True) -> Term:
    """Name whom the number is about: a logarithm's is the typical host, a level's the average."""
    kind = "average" if effect.natural is None else "typical"
    return Term("host", kind if is_host else f"{kind}_unit")


def period_label(run: Run, period: int) -> str:
    """Give a period's label, or its ordinal if the design has no such period."""
    labels = dict(zip(run.design["periods"], run.design["period_labels"], strict=True))
    return str(labels.get(period, period))


def worded(run: Run, key: str, texts: Mapping[str, Mapping[str, str]]) -> str:
    """Give a sentence's key; of another scheme, that of its variant where there is one."""
    variant = f"{key}_other"
    return variant if is_scheme(run) and variant.split(".", 1)[1] in texts["zh"] else key


def is_scheme(run: Run) -> bool:
    """Tell whether a run evaluates another scheme: it reached units, none of which hosted it."""
    return run.subject.get("format") == "scheme"


def axis_title(words: Words, key: str, unit: str, **said: Content) -> str:
    """Write an axis' title; of what has no unit, without empty brackets."""
    if not unit:
        return words.text(Message(f"chart.{key}_bare", said))
    return words.text(Message(f"chart.{key}", {**said, "unit": unit}))
