"""When a unit hosted the other initiatives, for a model of all effects together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cps.design.record import Exclusion, Initiative
from cps.errors import Text
from cps.panel.record import Panel
from cps.periods import Frequency, label, ordinal


def other_starts(
    panel: Panel, initiative: Initiative, others: Sequence[Initiative]
) -> dict[str, dict[str, int]]:
    """Give, for each other initiative, its hosts' first periods within the panel."""
    last = int(panel.frame["period"].max())  # type: ignore[arg-type]
    found = {
        other.id: {
            host.unit: start
            for host in other.treated
            if (start := ordinal(host.start, panel.frequency)) <= last
        }
        for other in others
        if other.id != initiative.id
    }
    return {name: starts for name, starts in found.items() if starts}


def starts_too_early(
    starts: Mapping[str, Mapping[str, int]], first: int, frequency: Frequency
) -> list[Exclusion]:
    """Name the hosts of others that were theirs from the first period on: their level is unknown."""
    early = {
        unit: name
        for name, hosts in sorted(starts.items())
        for unit, start in sorted(hosts.items())
        if start <= first
    }
    at = label(first, frequency)
    return [
        Exclusion(
            unit,
            None,
            "always_treated",
            Text(
                f"{at} 或更早已承办 {name}，没有此前的数据",
                f"hosts {name} since {at} or before: no period without it",
            ),
        )
        for unit, name in sorted(early.items())
    ]
