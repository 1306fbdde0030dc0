"""A run is kept under a key only if what the key says made it."""

from __future__ import annotations

import json
import platform
import signal
from pathlib import Path
from typing import Any

import pytest

from cps.runner.judge import Verdict, judge
from cps.runs import code_sha256

VERSIONS = {"polars": "2.0", "cps": "1.0"}


def _judged(folder: Path, status: int = 0, **made_with: Any) -> Verdict | None:
    """Judge a notebook of one cell that ran, whose run was saved with ``made_with``."""
    manifest = {
        "library_versions": {"polars": "2.0"},
        "cps_version": "1.0",
        "python_version": platform.python_version(),
        "code_sha256": code_sha256(),
        **made_with,
    }
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text(json.dumps({"run": {"manifest": manifest}}))
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": []}
    (folder / "n.ipynb").write_text(json.dumps({"cells": [cell]}))
    return judge(
        status, folder / "n.ipynb", folder / "run", printed=folder / "p.txt", versions=VERSIONS
    )


def test_a_run_that_was_made_with_what_its_key_names_is_good(tmp_path: Path) -> None:
    assert _judged(tmp_path) is None


@pytest.mark.parametrize(
    ("made_with", "said"),
    [
        ({"library_versions": {"polars": "1.9"}}, "polars 1.9 ≠ 2.0"),
        ({"cps_version": "0.9"}, "cps 0.9 ≠ 1.0"),
        ({"python_version": "3.99.0"}, f"python 3.99.0 ≠ {platform.python_version()}"),
        ({"code_sha256": "0" * 64}, f"000000000000 ≠ {code_sha256()[:12]}"),
    ],
)
def test_a_run_of_other_libraries_another_python_or_other_code_is_never_kept(
    made_with: dict[str, Any], said: str, tmp_path: Path
) -> None:
    found = _judged(tmp_path, **made_with)
    assert found is not None
    assert found.kind == "refused"
    assert said in found.message.en
    assert said in found.message.zh


@pytest.mark.parametrize(
    ("number", "is_suspected"),
    [(signal.SIGABRT, True), (signal.SIGKILL, True), (signal.SIGSEGV, False)],
)
def test_signals_that_want_of_memory_ends_in_are_named_as_such_and_no_others(
    number: int, is_suspected: bool, tmp_path: Path
) -> None:
    found = _judged(tmp_path, status=-number)
    assert found is not None
    assert found.kind == "crashed"
    assert ("out of memory" in found.message.en) is is_suspected
    assert ("内存不足" in found.message.zh) is is_suspected
