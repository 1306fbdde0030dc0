"""Small ledgers and cheap notebooks for runs that something goes wrong in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults import _quick
from tests.faults._quick import Done, Running


@dataclass(frozen=True)
class Quick:
    """Inputs of a run that takes seconds.

    ``options`` are those that every run of them is given; ``run`` and ``start`` add them, and two
    workers, to what they are called with.
    """

    data: Path
    initiatives: Path
    notebooks: Path

    @property
    def options(self) -> list[str]:
        """Give the options of ``cps run`` that name these inputs."""
        named = {
            "--data": self.data,
            "--initiatives": self.initiatives,
            "--notebooks": self.notebooks,
        }
        return [str(one) for pair in named.items() for one in pair] + ["--langs", "zh"]

    def run(self, *arguments: str | Path, out: Path, **how: Any) -> Done:
        """Run ``cps run`` on these inputs to its end."""
        return self.start(*arguments, out=out, **how).done()

    def start(self, *arguments: str | Path, out: Path, **how: Any) -> Running:
        """Start ``cps run`` on these inputs."""
        given = [] if "--resume" in arguments else self.options
        return _quick.start_cps(*given, "--workers", "2", *arguments, out=out, **how)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    """Eight small ledgers, two initiatives, notebooks of one cheap method; not to be changed."""
    folder = tmp_path_factory.mktemp("quick")
    return Quick(
        _quick.write_ledgers(folder),
        _quick.write_initiatives(folder / "initiatives"),
        _quick.write_notebooks(folder / "notebooks"),
    )


@pytest.fixture
def own(quick: Quick, tmp_path: Path) -> Quick:
    """A copy of the quick inputs that a test may change."""
    import shutil

    return Quick(
        Path(shutil.copytree(quick.data, tmp_path / "raw" / "town")),
        Path(shutil.copytree(quick.initiatives, tmp_path / "initiatives")),
        Path(shutil.copytree(quick.notebooks, tmp_path / "notebooks")),
    )


@pytest.fixture(scope="session")
def undisturbed(quick: Quick, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One whole run of the quick inputs, that nothing went wrong in."""
    done = quick.run(out=tmp_path_factory.mktemp("undisturbed") / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def spoilt(own: Quick) -> Callable[..., Quick]:
    """Give the quick inputs with notebooks in which a cell of the test's own misbehaves.

    ``spoilt('if initiative == "flowers": raise ValueError("no")')``; ``overview=`` for the other.
    """

    def spoil(initiative: str = "", *, overview: str = "") -> Quick:
        _quick.write_notebooks(own.notebooks, initiative=initiative, overview=overview)
        return own

    return spoil


@pytest.fixture
def started(quick: Quick) -> Iterator[Callable[[Running], Running]]:
    """Take a run that was started; whatever happens, nothing of it is left after the test."""
    runs: list[Running] = []

    def take(run: Running) -> Running:
        runs.append(run)
        return run

    yield take
    for run in runs:
        run.end()
