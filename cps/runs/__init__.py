"""Runs: the results of one notebook with the manifest that makes them traceable."""

from cps.runs.codec import encode
from cps.runs.failures import (
    Failure,
    load_failure_records,
    load_failures,
    save_failure,
)
from cps.runs.origin import code_sha256
from cps.runs.record import PATH_PARAMETERS, Circumstances, Manifest, Run, make_run
from cps.runs.store import SCHEMA, load_run, load_runs, save_run

__all__ = [
    "PATH_PARAMETERS",
    "SCHEMA",
    "Circumstances",
    "Failure",
    "Manifest",
    "Run",
    "code_sha256",
    "encode",
    "load_failure_records",
    "load_failures",
    "load_run",
    "load_runs",
    "make_run",
    "save_failure",
    "save_run",
]
