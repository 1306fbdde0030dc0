"""Run: everything that pages are rendered from, gathered from what the verbs gave."""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cps.design.record import Design, Initiative
from cps.errors import Finding, Text, UsageError
from cps.periods import PERIODS_PER_YEAR
from cps.provenance import sha256_json
from cps.result import Check, Effect
from cps.runs.codec import NOT_STORED, encode
from cps.runs.origin import code_sha256, cps_version, data_sha256, library_versions

PATH_PARAMETERS = ("out", "panel", "runs")  # places on one machine, no part of what a run says
_FIRST_YEAR = 1000  # what is counted below it is no year of a calendar


@dataclass(frozen=True, slots=True)
class Manifest:
    """What went in, with which code: the same for the same inputs, whenever and wherever run.

    Parameters
    ----------
    inputs : dict of file name to sha256, by name
    parameters : dict
        Without those that name places on one machine.
    library_versions : dict of str to str
    as_of : str or None
        Last day (ISO) that the data speak of; None where periods are no calendar's.
    data_sha256 : str
        Over all of ``inputs``.
    code_sha256 : str
        Over the package's own files.
    run_hash : str
        sha256 over all above and the results.
    """

    inputs: dict[str, str]
    parameters: dict[str, str | int | float | bool | None]
    cps_version: str
    code_sha256: str
    python_version: str
    library_versions: dict[str, str]
    seed: int
    as_of: str | None
    data_sha256: str
    run_hash: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When and where a run was made: kept beside it, and no part of what it says.

    Parameters
    ----------
    started, finished : str
        ISO 8601, UTC.
    seconds : float
        Between the two.
    host, python, platform, cwd : str
        Name of the machine, path of the interpreter, operating system, working folder.
    paths : dict of str to str
        The parameters that name places.
    """

    started: str
    finished: str
    seconds: float
    host: str
    python: str
    platform: str
    cwd: str
    paths: dict[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that pages are rendered from; nothing is estimated after this.

    Parameters
    ----------
    kind : {"initiative", "overview", "scheme"}
    name : str
        Initiative id, or ``overview``; a scheme's page is its overview.
    subject : dict
        The initiative in plain values: name {zh, en}, description, format, provenance,
        stands_for, treated [{unit, start, cost_yuan}], assumptions …; empty for an overview.
    design : dict
        Summary: outcome, measure, form, frequency, periods, period_labels, treated
        [{unit, cohort, cohort_label}], donors [unit], exclusions, design_hash …
    effects : tuple of Effect
        The first one is the headline.
    checks : tuple of Check
    indicators : dict of str to columnar tables
    findings : tuple of Finding
        Of panel, design and effects together, each once.
    is_synthetic : bool
    circumstances : Circumstances or None
        Of a run just made; not saved with it, not compared, not read back.
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
    circumstances: Circumstances | None = field(default=None, compare=False, metadata=NOT_STORED)


def make_run(
    design: Design,
    subject: Initiative | None,
    *,
    effects: Sequence[Effect],
    checks: Sequence[Check] = (),
    inputs: Mapping[str, str] | None = None,
    parameters: Mapping[str, str | int | float | bool | None] | None = None,
    findings: Sequence[Finding] = (),
    indicators: Mapping[str, Any] | None = None,
    kind: str = "initiative",
    started: datetime.datetime | None = None,
    as_of: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Run:
    """Gather the results of one evaluation with what they came from.

    Parameters
    ----------
    effects : sequence of Effect
        The headline first.
    extra : mapping or None
        Whatever else pages show, by key; records become plain values.
    inputs : mapping of file name to sha256
    started : datetime or None
        When the evaluation began; when the process (a notebook's kernel) started if None.
    as_of : str or None
        Last day that the data speak of, ISO; the last day of the design's last period if None.

    Raises
    ------
    UsageError
        If ``as_of`` is no date.
    """
    given = dict(parameters or {})
    said = {name: one for name, one in given.items() if name not in PATH_PARAMETERS}
    paths = {name: str(one) for name, one in given.items() if name in PATH_PARAMETERS}
    body: dict[str, Any] = {
        "kind": kind,
        "name": subject.id if subject and kind != "overview" else kind_name(kind, design),
        "subject": _subject(subject) if subject else {},
        "design": _design_summary(design),
        "effects": tuple(effects),
        "checks": tuple(checks),
        "indicators": dict(indicators or {}),
        "findings": _each_once((*findings, *design.findings, *_worth_telling(effects))),
        "is_synthetic": design.is_synthetic,
        "extra": encode(dict(extra or {})),  # as it will be read back
    }
    day = data_to(design) if as_of is None else _iso_date(as_of)
    seed = int(said.get("seed") or 0)
    return seal_run(
        body, inputs or {}, parameters=said, seed=seed, as_of=day, paths=paths, started=started
    )


def seal_run(
    body: Mapping[str, Any],
    inputs: Mapping[str, str],
    *,
    parameters: Mapping[str, str | int | float | bool | None],
    seed: int,
    as_of: str | None,
    paths: dict[str, str],
    started: datetime.datetime | None = None,
) -> Run:
    """Make a run of its results and of what they were made from, hashed together.

    Parameters
    ----------
    body : mapping
        The fields of :class:`Run` that say something.
    inputs : mapping of file name to sha256
    parameters : mapping
        Without those that name places; these are ``paths``.
    """
    named = dict(sorted(inputs.items()))
    made_by: dict[str, Any] = {
        "inputs": named,
        "parameters": dict(parameters),
        "cps_version": cps_version(),
        "code_sha256": code_sha256(),
        "python_version": platform.python_version(),
        "library_versions": library_versions(),
        "seed": seed,
        "as_of": as_of,
        "data_sha256": data_sha256(named),
    }
    manifest = Manifest(**made_by, run_hash=sha256_json(encode({**body, **made_by})))
    return Run(**body, manifest=manifest, circumstances=_circumstances(started, paths))


def kind_name(kind: str, design: Design) -> str:
    """Give the name of a run that has no initiative of its own."""
    return "overview" if kind == "overview" else design.name


def data_to(design: Design) -> str | None:
    """Give the last day of a design's last period, ISO; None if its periods are no calendar's.

    It is a property of the data, not of the clock: the same inputs give the same day.
    """
    last, per_year = design.periods[-1], PERIODS_PER_YEAR[design.frequency]
    year, part = divmod(last, per_year)
    if not _FIRST_YEAR <= year < datetime.MAXYEAR:
        return None
    month = (part + 1) * 12 // per_year
    following = datetime.date(year + month // 12, month % 12 + 1, 1)
    return (following - datetime.timedelta(days=1)).isoformat()


def _subject(initiative: Initiative) -> dict[str, Any]:
    return {
        "id": initiative.id,
        "name": encode(initiative.name),
        "description": encode(initiative.description),
        "format": initiative.format,
        "provenance": initiative.provenance,
        "stands_for": list(initiative.stands_for),
        "outcomes": list(initiative.outcomes),
        "outcome_names": encode(initiative.outcome_names),
        "anticipation": initiative.anticipation,
        "source_sha256": initiative.source_sha256,
        "treated": [encode(host) for host in initiative.treated],
        "assumptions": [
            {**encode(one.text), "quality": one.quality, "impact": one.impact}
            for one in initiative.assumptions
        ],
    }


def _design_summary(design: Design) -> dict[str, Any]:
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    return {
        "name": design.name,
        "outcome": design.outcome,
        "measure": design.measure,
        "form": design.form,
        "unit_kind": design.unit_kind,
        "frequency": design.frequency,
        "periods": list(design.periods),
        "period_labels": list(design.period_labels),
        "data_to": data_to(design),
        "n_units": len(design.units),
        "n_periods": len(design.periods),
        "treated": [
            {"unit": unit, "cohort": cohort, "cohort_label": labels.get(cohort, str(cohort))}
            for unit, cohort in zip(design.units, design.cohort, strict=True)
            if cohort is not None
        ],
        "donors": [
            unit for unit, is_donor in zip(design.units, design.is_donor, strict=True) if is_donor
        ],
        "exclusions": [
            {"unit": one.unit, "area": one.area, "reason": one.reason, **encode(one.explanation)}
            for one in design.exclusions
        ],
        "anticipation": design.anticipation,
        "minimum_detectable_effect": design.minimum_detectable_effect,
        "design_hash": design.design_hash,
    }


def _iso_date(text: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UsageError(
            Text(f"“{text}”不是日期", f"{text!r} is no date"),
            where="as_of",
            mend=Text("按 YYYY-MM-DD 填写", "write it as YYYY-MM-DD"),
        ) from error


def _circumstances(started: datetime.datetime | None, paths: dict[str, str]) -> Circumstances:
    began, now = started or _process_start(), datetime.datetime.now(datetime.UTC)
    try:
        cwd = str(Path.cwd())
    except FileNotFoundError:  # the folder was taken away under the process
        cwd = ""
    return Circumstances(
        started=min(began, now).isoformat(timespec="seconds"),
        finished=now.isoformat(timespec="seconds"),
        # The clock may have been set back meanwhile.
        seconds=max(0.0, round((now - began).total_seconds(), 3)),
        host=platform.node(),
        python=sys.executable,
        platform=platform.platform(),
        cwd=cwd,
        paths=paths,
    )


def _worth_telling(effects: Sequence[Effect]) -> tuple[Finding, ...]:
    """Give all findings on the headline, and of the other methods each kind of warning once."""
    told = list(effects[0].findings) if effects else []
    for effect in effects[1:]:
        known = {one.code for one in told}
        told += [one for one in effect.findings if one.severity != "note" and one.code not in known]
    return tuple(told)


def _each_once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))


def _process_start() -> datetime.datetime:
    import psutil

    return datetime.datetime.fromtimestamp(psutil.Process().create_time(), datetime.UTC)
