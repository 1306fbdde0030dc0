"""A small batch from demonstration ledgers, run once with real kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Cps = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cps_command(tmp_path_factory: pytest.TempPathFactory) -> Cps:
    """Call the ``cps`` command as a user would, from another folder than the project's."""
    elsewhere = tmp_path_factory.mktemp("elsewhere 别处")

    def call(*arguments: str | Path, lang: str = "en") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cps", *map(str, arguments), "--lang", lang],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            cwd=elsewhere,
            env={**os.environ, "PYTHONUTF8": "1"},
            timeout=550,
        )

    return call


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstration ledgers of one seed."""
    from cps.demo import write_demo

    folder = tmp_path_factory.mktemp("台账 data") / "raw" / "demo"
    write_demo(folder, seed=1)
    return folder


@pytest.fixture(scope="session")
def initiative_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped initiatives, to be changed by a test in a copy of its own."""
    folder = tmp_path_factory.mktemp("initiatives")
    shutil.copytree(ROOT / "data" / "initiatives", folder, dirs_exist_ok=True)
    return folder
