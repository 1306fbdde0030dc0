"""Render pages in processes of their own: a list of saved runs in, finished HTML out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cps.errors import RunError, Text


def render_task(payload: bytes) -> int:
    """Render runs to pages.

    Parameters
    ----------
    payload : bytes
        JSON: ``languages``, and ``jobs``, each with ``run`` and ``out`` (folders); of a run that
        failed also ``name`` [zh, en], ``overview`` (folder), and ``last_good`` [folder, edition].
    """
    from cps.report.pages import render_pages

    order = json.loads(payload)
    for job in order["jobs"]:
        run = Path(job["run"])
        render_pages([run], job["out"], order["languages"], **_of_failure(run, job))
    return 0


def _of_failure(run: Path, job: dict[str, Any]) -> dict[str, Any]:
    if "name" not in job:
        return {}
    options: dict[str, Any] = {
        "overview": job["overview"],
        "names": {run.name: Text(*job["name"])},
    }
    if job["last_good"] and _is_readable(job["last_good"][0]):
        options["last_good"] = {run.name: tuple(job["last_good"])}
    return options


def _is_readable(folder: str) -> bool:
    """Say whether an earlier edition's run can still be read: schemas change."""
    from cps.runs import load_run

    try:
        load_run(folder)
    except RunError:
        return False
    return True
