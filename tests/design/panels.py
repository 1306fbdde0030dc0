"""Panels of villages and initiatives on them, for tests."""

from __future__ import annotations

import datetime

from cps.design.record import Exclusion, Initiative, TreatedUnit
from cps.errors import Text
from cps.periods import Frequency


def initiative(
    *hosts: tuple[str, str],
    id: str = "bonsai",
    areas: tuple[str, ...] = (),
    exclusions: tuple[Exclusion, ...] = (),
    unit_kind: str = "village",
    frequency: Frequency = "year",
) -> Initiative:
    """Give an initiative with the hosts and months named."""
    return Initiative(
        id=id,
        name=Text(f"{id}（示例）", f"{id} (example)"),
        description=Text("", ""),
        format="bonsai",
        provenance="illustrative",
        stands_for=(),
        is_synthetic=True,
        unit_kind=unit_kind,
        frequency=frequency,
        outcomes=("income_yuan",),
        treated=tuple(
            TreatedUnit(unit, datetime.date.fromisoformat(f"{month}-01"), {})
            for unit, month in hosts
        ),
        comparison_areas=areas,
        exclusions=exclusions,
        anticipation=0,
        assumptions=(),
        source_sha256="",
    )
