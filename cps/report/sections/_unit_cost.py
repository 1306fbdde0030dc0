"""How what one unit costs is written: a price, a lower bound, or that there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cps.locale import Content, Interval, Kind, Message, Quantity
from cps.report.blocks import Block, Paragraph
from cps.report.sections._common import counted, text_of
from cps.runs import Run
from cps.runs.codec import encode

Plain = Mapping[str, Any]


def worth_of(run: Run) -> Plain | None:
    """Give a run's jobs and money in plain values, whether it was just made or read back."""
    found = run.extra.get("worth")
    plain: Plain | None = encode(found) if found else None
    return plain


def level_of(worth: Plain) -> Quantity:
    """Give the level of every interval as a whole percentage."""
    return Quantity(round(100 * worth["level"], 6), "number")


def hosts_of(run: Run, part: Plain) -> Content:
    """Say whom a number is about: all hosts, or those of them that could be estimated."""
    n, of = len(part["hosts"]), part["n_hosts"]
    said = counted(n, str(run.design["unit_kind"]))
    if n == of:
        return Message("cost_benefit.all_hosts", {"n": said})
    return Message("cost_benefit.some_hosts", {"n": said, "of": Quantity(of, "count")})


def price(found: Plain | None) -> Content:
    """Give the estimate of a unit's cost; nothing where the estimated gain is not positive."""
    if found is None or found["estimate"] is None or found["estimate"] <= 0:
        return Quantity(None, "money")
    return Quantity(found["estimate"], "money")


def bounds(found: Plain | None) -> Content:
    """Give a set of costs: an interval, what it costs at least, or that nothing can be said."""
    if found is None or found["lower"] is None:
        return Message("cost_benefit.unknown_cost")
    low, high = found["lower"], found["upper"]
    if found["kind"] == "outside":
        return Message("cost_benefit.at_least", {"low": Quantity(high, "money")})
    if high < 0:
        return Message("cost_benefit.no_gain")
    return Interval(low, high, "money")


def paired(found: Plain | None, kind: Kind) -> Content:
    """Give a median with its interval in one cell."""
    if found is None or found["median"] is None:
        return Quantity(None)
    said: dict[str, Content] = {
        "median": Quantity(found["median"], kind),
        "interval": Interval(found["lower"], found["upper"], kind),
    }
    return Message("cost_benefit.pair", said)


def refused(worth: Plain, parts: tuple[str, ...]) -> list[Block]:
    """Say what could not be had, where it hangs and how to mend it."""
    return [
        Paragraph(
            Message(
                f"cost_benefit.refused_{one['part']}",
                {"what": text_of(one["what"]), "where": one["where"], "mend": text_of(one["mend"])},
            ),
            "warn",
        )
        for one in worth["refusals"]
        if one["part"] in parts
    ]
