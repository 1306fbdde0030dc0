"""Real panels with published results; skipped, saying so, where they are not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "benchmarks"


@pytest.fixture(scope="session")
def published() -> Path:
    """Folder of data sets with published results."""
    if not FOLDER.is_dir():
        pytest.skip(f"the data sets with published results are not here ({FOLDER.name}/)")
    return FOLDER
