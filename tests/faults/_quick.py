"""Runs that are over in seconds: small ledgers, cheap notebooks, the command as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NAMES = ("bonsai", "flowers")
MARK = "CPS_TEST_MARK"
# What differs between two runs of the same inputs: times, hosts and executed notebooks.
_OWN = ("manifest.json", "circumstances.json")
_CHEAP = {
    "effects = cps.estimate_all": 'effects = (cps.estimate(design, "group_time_att", seed=seed),)',
    "checks = cps.check_robustness": "checks = ()",
    "    checks=cps.check_robustness": "    checks=(),",
}


# Tests that are themselves started in the background, or by nohup, hand on signals ignored.
_HEED_SIGNALS = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Done:
    """How a command ended, with what it printed and the summary it left in ``out``."""

    exit_code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.out / "summary.json").read_text(encoding="utf-8"))

    @property
    def latest(self) -> Path:
        return (self.out / "latest").resolve()

    def piece(self, name: str) -> dict[str, Any]:
        """Give what the summary says of one initiative."""
        (found,) = [one for one in self.summary["initiatives"] if one["id"] == name]
        return found


@dataclass
class Running:
    """A command that goes on; its processes carry ``mark`` in their environment."""

    process: subprocess.Popen[str]
    out: Path
    mark: str
    folder: Path = field(repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    def done(self, timeout: float = 120) -> Done:
        """Wait for its end."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.end()
            raise
        said = [
            (self.folder / name).read_text(encoding="utf-8", errors="replace")
            for name in (f"{self.mark}.out", f"{self.mark}.err")
        ]
        return Done(code, *said, self.out)

    def end(self) -> None:
        """Kill it and everything it started, however it went."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in survivors(self.mark):
            end(pid)


def start_cps(
    *arguments: str | Path,
    out: Path,
    environment: Mapping[str, str] | None = None,
    lang: str = "en",
    command: str = "run",
    prefix: tuple[str, ...] = (),
) -> Running:
    """Start ``python -m cps run ARGUMENTS --out OUT`` as a user would, from another folder.

    Parameters
    ----------
    environment : mapping or None
        Added to that of the tests.
    prefix : tuple of str
        A command that the whole is given to, such as ``prlimit --fsize=…``.
    """
    mark = uuid.uuid4().hex
    folder = out.parent / "said"
    folder.mkdir(parents=True, exist_ok=True)
    heeding = [sys.executable, "-I", "-S", "-c", _HEED_SIGNALS]
    words = [*heeding, *prefix, sys.executable, "-m", "cps", command, *map(str, arguments)]
    with (
        (folder / f"{mark}.out").open("w") as stdout,
        (folder / f"{mark}.err").open("w") as stderr,
    ):
        process = subprocess.Popen(
            [*words, "--out", str(out), "--lang", lang],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {}), MARK: mark},
            text=True,
        )
    return Running(process, out, mark, folder)


def run_cps(*arguments: str | Path, out: Path, timeout: float = 120, **how: Any) -> Done:
    """Run ``python -m cps run ARGUMENTS --out OUT`` to its end; as :func:`start_cps`."""
    return start_cps(*arguments, out=out, **how).done(timeout)


def survivors(mark: str) -> list[int]:
    """Give the processes of a run, by the mark in their environment; zombies are none."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def survivors_after(mark: str, seconds: float = 5) -> list[int]:
    """Give the processes of a run that are still there after ``seconds``; sooner if none is."""
    deadline = time.monotonic() + seconds
    while (found := survivors(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def end(pid: int) -> None:
    """Kill one process, if it is still there."""
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def await_path(path: Path, seconds: float = 60) -> None:
    """Wait until ``path`` is there; a run that never gets so far is a fault."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.01)


def tree_bytes(edition: Path) -> dict[str, bytes]:
    """Give all files of an edition but those in which times and hosts are kept."""
    folder = edition.resolve()
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.name not in _OWN and name.parts[0] != "notebooks":
            found[name.as_posix()] = path.read_bytes()
    return found


def write_ledgers(folder: Path) -> Path:
    """Write the income ledgers of one town, eight small files; give their folder."""
    from cps.demo import write_demo

    whole, data = folder / "all" / "raw" / "demo", folder / "raw" / "town"
    write_demo(whole, seed=1)
    data.mkdir(parents=True)
    for path in sorted(whole.glob("*街道_经营性收入_*.csv")):
        shutil.copyfile(path, data / path.name)
    shutil.rmtree(folder / "all")
    return data


def write_initiatives(folder: Path, names: Sequence[str] = NAMES) -> Path:
    """Write one small initiative file a name, each of a village of its own; give their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names, start=1):
        text = _INITIATIVE.format(name=name, unit=f"示例村{number:02d}", start=2020 + number % 3)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


_INITIATIVE = """\
id = "{name}"
name = {{ zh = "{name} 项目（示例）", en = "{name} (example)" }}
provenance = "illustrative"
stands_for = []
is_synthetic = true
format = "bonsai"
unit_kind = "village"
frequency = "year"
outcomes = ["income_yuan"]
anticipation = 0
comparison_areas = ["示例街道"]

[description]
zh = "{name} 的说明。"
en = "What {name} is."

[[treated]]
unit = "{unit}"
start = "{start}-05"
[treated.cost_yuan]
county = 800_000
"""


def write_notebooks(folder: Path, *, initiative: str = "", overview: str = "") -> Path:
    """Write both notebooks, made cheap; code given is a cell of its own before the estimates.

    Every parameter of the notebook is known there: ``if initiative == "flowers": os._exit(1)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, code in (("initiative", initiative), ("overview", overview)):
        path = ROOT / "notebooks" / f"{name}.ipynb"
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored["cells"] = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
        for cell in stored["cells"]:
            lines = "".join(cell["source"]).splitlines()
            cell["source"] = "\n".join(_cheap(line) for line in lines)
        at = next(n for n, one in enumerate(stored["cells"]) if "effects = " in one["source"])
        if code:
            stored["cells"].insert(at, _cell(code))
        (folder / f"{name}.ipynb").write_text(json.dumps(stored), encoding="utf-8")
    return folder


def write_cells(path: Path, sources: Sequence[str]) -> Path:
    """Write a notebook of these cells; the first holds its parameters."""
    cells = [{**_cell(source), "id": f"c{n}"} for n, source in enumerate(sources)]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    stored = {"metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5, "cells": cells}
    path.write_text(json.dumps(stored), encoding="utf-8")
    return path


def _cheap(line: str) -> str:
    return next((new for old, new in _CHEAP.items() if line.startswith(old)), line)


def _cell(code: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "fault",
        "metadata": {},
        "outputs": [],
        "source": code,
    }
