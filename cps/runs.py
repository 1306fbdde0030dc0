"""Run: the results of one notebook with the manifest that makes them traceable."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cps.design.record import Design, Initiative
from cps.errors import Finding, RunError, Text
from cps.provenance import atomic_path, sha256_file, sha256_json, write_json
from cps.result import Check, Effect

SCHEMA = 2
_LIBRARIES = ("polars", "numpy", "altair", "statsmodels", "papermill", "jupyterlab")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What went in, with which code; times are kept apart from what is hashed."""

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
        [{unit, cohort, cohort_label}], donors [unit], exclusions, design_hash …
    effects : tuple of Effect
        The first one is the headline.
    checks : tuple of Check
    indicators : dict of str to columnar tables
    findings : tuple of Finding
        Of panel, design and effects together, each once.
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
    extra: Mapping[str, Any] | None = None,
) -> Run:
    """Gather the results of one evaluation with what they came from.

    Parameters
    ----------
    effects : sequence of Effect
        The headline first.
    inputs : mapping of file name to sha256
    started : datetime or None
        When the evaluation began; when the process (a notebook's kernel) started if None.
    """
    now = datetime.datetime.now(datetime.UTC)
    plain_parameters = dict(parameters or {})
    body: dict[str, Any] = {
        "kind": kind,
        "name": subject.id if subject and kind == "initiative" else kind_name(kind, design),
        "subject": _subject(subject) if subject else {},
        "design": _design_summary(design),
        "effects": tuple(effects),
        "checks": tuple(checks),
        "indicators": dict(indicators or {}),
        "findings": _each_once((*findings, *design.findings, *_worth_telling(effects))),
        "is_synthetic": design.is_synthetic,
        "extra": dict(extra or {}),
    }
    seed = int(plain_parameters.get("seed") or 0)
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    made_by = {
        "inputs": dict(inputs or {}),
        "parameters": plain_parameters,
        "cps_version": _version(),
        "library_versions": versions,
        "seed": seed,
    }
    # Where the run is written is no part of what it says.
    hashed = {key: value for key, value in plain_parameters.items() if key not in ("out", "panel")}
    run_hash = sha256_json(encode({**body, **made_by, "parameters": hashed}))
    manifest = Manifest(
        **made_by,  # type: ignore[arg-type]
        started=(started or _process_start()).isoformat(timespec="seconds"),
        finished=now.isoformat(timespec="seconds"),
        run_hash=run_hash,
    )
    return Run(**body, manifest=manifest)


def kind_name(kind: str, design: Design) -> str:
    """Give the name of a run that has no initiative of its own."""
    return "overview" if kind == "overview" else design.name


def save_run(run: Run, folder: Path | str, *, design: Design | None = None) -> Path:
    """Write ``run.json`` (and the design's panel as ``design.parquet``) into ``folder``.

    Both are written aside and renamed; ``run.json`` comes last, so that its presence means that
    the run is whole.

    Returns
    -------
    Path
        The path of ``run.json``.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    if design is not None:
        with atomic_path(target / "design.parquet") as temporary:
            _design_frame(design).write_parquet(temporary)
        files["design.parquet"] = sha256_file(target / "design.parquet")
    write_json(target / "run.json", {"schema": SCHEMA, "files": files, "run": encode(run)})
    return target / "run.json"


def load_run(folder: Path | str) -> Run:
    """Read a run back from its folder.

    Raises
    ------
    RunError
        If it is missing, of another schema, or not what was saved.
    """
    path = Path(folder) / "run.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["schema"] != SCHEMA:
            raise ValueError(f"schema {stored['schema']}, expected {SCHEMA}")
        for name, digest in stored["files"].items():
            if sha256_file(path.parent / name) != digest:
                raise ValueError(f"{name} is not the file that was saved")
        return typing.cast(Run, _decode(Run, stored["run"]))
    except FileNotFoundError as error:
        raise RunError(
            Text("没有保存的运行结果", "there is no saved run"),
            where=str(path),
            mend=Text("先运行该项目的 notebook", "run the initiative's notebook first"),
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            Text(f"运行结果已损坏：{error}", f"the saved run is damaged: {error}"),
            where=str(path),
            mend=Text("重新运行该项目", "run the initiative again"),
        ) from error


def load_runs(folder: Path | str) -> tuple[Run, ...]:
    """Read every run in the sub-folders of ``folder``, by name; folders without one are passed."""
    return tuple(load_run(path.parent) for path in sorted(Path(folder).glob("*/run.json")))


def save_failure(name: str, message: Text, folder: Path | str) -> Path:
    """Record in ``folder`` that the run called ``name`` failed, and why."""
    path = Path(folder) / "failure.json"
    write_json(path, {"schema": SCHEMA, "name": name, "message": encode(message)})
    return path


def load_failures(folder: Path | str) -> dict[str, Text]:
    """Read why runs in the sub-folders of ``folder`` failed, by name."""
    stored = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(Path(folder).glob("*/failure.json"))
    ]
    return {one["name"]: Text(**one["message"]) for one in stored}


def encode(value: Any) -> Any:
    """Turn records, tuples and paths into JSON values; arrays and other types are refused."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: encode(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encode(one) for one in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()  # a single number of an array library
    raise TypeError(f"{type(value).__name__} can't be stored in a run")


def _decode(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = {one.name for one in dataclasses.fields(kind)}
        if set(value) != names:
            raise ValueError(f"{kind.__name__}: fields {sorted(set(value) ^ names)}")
        record: Any = kind
        return record(**{name: _decode(hints[name], one) for name, one in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        records = [one for one in arguments if dataclasses.is_dataclass(one)]
        return _decode(records[0], value) if records and value is not None else value
    if origin is tuple:
        return tuple(_decode(arguments[0], one) for one in value)
    if origin is dict:
        return {key: _decode(arguments[1], one) for key, one in value.items()}
    return value


def _subject(initiative: Initiative) -> dict[str, Any]:
    return {
        "id": initiative.id,
        "name": encode(initiative.name),
        "description": encode(initiative.description),
        "format": initiative.format,
        "provenance": initiative.provenance,
        "stands_for": list(initiative.stands_for),
        "outcomes": list(initiative.outcomes),
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


def _design_frame(design: Design) -> Any:
    import polars as pl

    n_periods = len(design.periods)
    return pl.DataFrame(
        {
            "unit": [unit for unit in design.units for _ in range(n_periods)],
            "period": list(design.periods) * len(design.units),
            design.outcome
            if design.outcome not in ("unit", "period")
            else "outcome": design.y_natural.ravel(),
            "cohort": [cohort for cohort in design.cohort for _ in range(n_periods)],
            "is_donor": [bool(is_donor) for is_donor in design.is_donor for _ in range(n_periods)],
        },
        schema_overrides={"cohort": pl.Int32, "period": pl.Int32},
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


def _version() -> str:
    try:
        return importlib.metadata.version("cps")
    except importlib.metadata.PackageNotFoundError:
        return "0.1.0+source"
