"""The files of the small scheme that tests read and run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.schemes._waiting import SCHEME, write_waiting_rooms


@pytest.fixture
def scheme_path(tmp_path: Path) -> Path:
    """Write the scheme's file."""
    path = tmp_path / "schemes" / "waiting_rooms.toml"
    path.parent.mkdir()
    path.write_text(SCHEME, encoding="utf-8")
    return path


@pytest.fixture
def ledger_folder(tmp_path: Path) -> Path:
    """Write the scheme's ledgers, marked as synthetic."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    write_waiting_rooms(folder)
    return folder
