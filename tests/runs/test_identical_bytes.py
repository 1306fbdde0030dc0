"""The same inputs give the same bytes, whatever the process that a run is made in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cps
from cps.design.initiatives import FOLDER as INITIATIVES
from cps.ledger.read import read_ledgers
from cps.panel.build import build_panel
from cps.panel.store import save_panel

SCRIPT = """
import sys
from pathlib import Path
sys.modules.setdefault("rfc3987_syntax", None)
import cps
from cps.report.pages import render_pages

panel, out = sys.argv[1:]
village_panel = cps.load_panel(panel)
subject = cps.load_initiative("bonsai", f"{panel}/initiatives")
design = cps.make_design(village_panel, subject, outcome="income_yuan")
effects = cps.estimate_all(design, seed=3)
run = cps.make_run(
    design,
    subject,
    effects=effects,
    checks=cps.check_robustness(design, effects[0], seed=3),
    inputs={one.name: one.sha256 for one in village_panel.sources},
    parameters={"seed": 3, "panel": panel, "out": out},
    findings=village_panel.findings,
)
cps.save_run(run, f"{out}/runs/bonsai", design=design)
render_pages([f"{out}/runs/bonsai"], out)
print(cps.__file__)
"""
# What may differ between two machines, or two days, of one office.
PROCESSES = {
    "plain": {
        "PYTHONHASHSEED": "0",
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    },
    "另一 台": {
        "PYTHONHASHSEED": "4711",
        "POLARS_MAX_THREADS": "2",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "LC_ALL": "C.UTF-8",
        "TZ": "Asia/Shanghai",
    },
}


def _panel(folder: Path) -> Path:
    from cps.demo import write_demo

    write_demo(folder / "ledgers")
    panel = save_panel(build_panel(read_ledgers(folder / "ledgers")), folder / "panel")
    shutil.copytree(INITIATIVES, panel / "initiatives")
    return panel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make the same run in processes that differ in all that should not matter, their code too."""
    panel = _panel(tmp_path_factory.mktemp("inputs"))
    home = Path(cps.__file__).parent
    # Each imports a copy of its own: where the package is installed must not matter either. The
    # second is a copy of the first, so that both are one code while the tree is being worked on.
    code, started = home, {}
    for name, environment in PROCESSES.items():
        folder = tmp_path_factory.mktemp("at") / name
        own = folder / "code" / "cps"
        shutil.copytree(code, own, ignore=shutil.ignore_patterns("__pycache__"))
        code = own
        shutil.copytree(panel, folder / "panel")
        kept = {key: one for key, one in os.environ.items() if key in ("PATH", "SYSTEMROOT")}
        started[name] = (
            folder,
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(folder / "panel"), str(folder / "out")],
                env={**kept, "PYTHONPATH": str(folder / "code"), **environment},
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ),
        )
    for folder, process in started.values():
        printed, complaints = process.communicate()
        assert process.returncode == 0, complaints.decode(errors="replace")
        assert str(folder) in printed.decode()
    return {name: folder / "out" for name, (folder, _) in started.items()}


@pytest.mark.parametrize(
    "file",
    ["runs/bonsai/run.json", "runs/bonsai/design.parquet", "zh/bonsai.html", "en/bonsai.html"],
)
def test_hash_seed_threads_locale_time_zone_and_places_move_no_byte(
    made: dict[str, Path], file: str
) -> None:
    first, second = ((place / file).read_bytes() for place in made.values())
    assert first == second
    assert len(first) > 1000


def test_only_the_circumstances_say_when_and_where(made: dict[str, Path]) -> None:
    for place in made.values():
        files = [one for one in place.rglob("*") if one.is_file()]
        telling = [one.name for one in files if str(place).encode() in one.read_bytes()]
        assert telling == ["circumstances.json"]
