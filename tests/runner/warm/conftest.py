"""A warm process for the tests of this folder, and what they fork from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cps.runner.warm.client import WarmProcess, is_available

collect_ignore = ["jobs.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying so, where nothing can be forked."""
    if is_available():
        return
    for item in items:
        if "runner/warm" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="tasks can't be forked on this system"))


@pytest.fixture(scope="session")
def bare_warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProcess]:
    """A warm process that imported nothing beforehand: what it forks is all the same."""
    scratch = tmp_path_factory.mktemp("bare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        warm = WarmProcess.start(scratch, modules=("json",))
    yield warm
    warm.close()


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a task that can import the jobs of this folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
