"""The overview of one place: initiatives side by side, claims checked, failures in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cps.design.record import Initiative
from cps.errors import Text
from cps.facts import Facts
from cps.panel.record import Panel
from cps.result import Effect
from cps.synthesis._money_table import money_table
from cps.synthesis.claims import hold_claims
from cps.synthesis.comparison import HasEffects, compare_initiatives
from cps.synthesis.together import judge_together


def synthesise(
    panel: Panel,
    initiatives: Sequence[Initiative],
    runs: Sequence[HasEffects],
    *,
    failures: Mapping[str, Text],
    pooled: Effect | None,
    facts: Facts,
    claims: Path | str | None = None,
) -> dict[str, Any]:
    """Put all initiatives into one table and hold the published claims against the data.

    Parameters
    ----------
    runs : sequence of Run
        One a finished initiative.
    failures : mapping of str to Text
        Initiative id -> why its run failed.
    pooled : Effect or None
        The effect on all hosts together (``pool_initiatives``), which reading C of a claim needs.
    claims : path or None
        A file of claims of the user's own (``docs/claims.md``), held against the data as well.

    Returns
    -------
    dict
        ``comparison`` (columns), what :func:`cps.synthesis.together.judge_together` gives as
        ``together``, ``money`` (jobs and money of all), ``claims`` and the rest of ``hold_claims``,
        ``failures`` (rows), ``target_area``; JSON-able.
    """
    area = target_area(panel, initiatives)
    compared = compare_initiatives(runs, initiatives, failures)
    held = hold_claims(
        panel,
        initiatives,
        compared["comparison"],
        pooled=pooled,
        target_area=area,
        facts=facts,
        own=claims,
    )
    return {
        **compared,
        **held,
        "together": judge_together(panel, initiatives, runs, failures=failures),
        "money": money_table(initiatives, runs, failures),
        "failures": [
            {"initiative": name, "message_zh": text.zh, "message_en": text.en}
            for name, text in failures.items()
        ],
        "target_area": area,
    }


def target_area(panel: Panel, initiatives: Sequence[Initiative]) -> str | None:
    """Give the one area that all hosts lie in, or None if there are several."""
    hosts = {host.unit for one in initiatives for host in one.treated}
    rows = panel.frame.select("unit", "area").unique()
    areas = {area for unit, area in zip(rows["unit"], rows["area"], strict=True) if unit in hosts}
    return areas.pop() if len(areas) == 1 else None
