"""Run: the results of one notebook with the manifest that makes them traceable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cps.errors import Finding
from cps.result import Check, Effect


@dataclass(frozen=True, slots=True)
class Manifest:
    """What went in, with which code; times and host are kept apart from what is hashed."""

    inputs: dict[str, str]  # file name -> sha256
    parameters: dict[str, str | int | float | bool | None]
    cps_version: str
    library_versions: dict[str, str]
    seed: int
    started: str  # ISO 8601, UTC
    finished: str
    run_hash: str  # sha256 over inputs, parameters, versions, seed and results


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that pages are rendered from; nothing is estimated after this.

    Parameters
    ----------
    kind : {"initiative", "overview"}
    name : str
        Initiative id, or ``overview``.
    subject : dict
        The initiative in plain values: name {zh, en}, description, format, provenance,
        stands_for, treated [{unit, start, cost_yuan}], assumptions …; empty for an overview.
    design : dict
        Summary: outcome, measure, form, frequency, periods, period_labels, treated
        [{unit, cohort}], donors [unit], exclusions, minimum_detectable_effect, design_hash …
    effects : tuple of Effect
        The first one is the headline.
    checks : tuple of Check
    indicators : dict of str to columnar tables
    findings : tuple of Finding
        Of ledgers, panel and design together.
    is_synthetic : bool
    """

    kind: str
    name: str
    subject: dict[str, Any]
    design: dict[str, Any]
    effects: tuple[Effect, ...]
    checks: tuple[Check, ...]
    indicators: dict[str, Any]
    findings: tuple[Finding, ...]
    is_synthetic: bool
    manifest: Manifest
    extra: dict[str, Any] = field(default_factory=dict)
