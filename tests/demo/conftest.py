"""Synthetic ledgers of the other schemes, written and read once for all tests that look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cps.demo.schemes import list_scheme_ledgers, write_scheme
from cps.schemes import load_scheme
from cps.schemes.reader import SchemeLedgers, read_scheme


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the ledgers of every scheme, seed 7."""
    folder = tmp_path_factory.mktemp("schemes") / "raw" / "schemes"
    for one in list_scheme_ledgers():
        write_scheme(one, folder, seed=7)
    return folder


@pytest.fixture(scope="session")
def read(written: Path) -> dict[str, SchemeLedgers]:
    """Give what is read from them, by scheme."""
    return {one: read_scheme(load_scheme(one), written / one) for one in list_scheme_ledgers()}
