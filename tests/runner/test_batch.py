"""From ledger files to pages with real kernels; and what happens when the input is bad."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cps.runner.batch import NOTEBOOKS
from cps.runner.execute import execute_notebook
from cps.runs import load_run

Cps = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels")]


@pytest.fixture(scope="module")
def batch(
    cps_command: Cps, ledgers: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Two initiatives, run once for this file."""
    out = tmp_path_factory.mktemp("报告 out")
    done = cps_command("run", "--data", ledgers, "--only", "bonsai,flowers", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done


def test_pages_notebooks_runs_and_panel_lie_together_under_latest(
    batch: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    latest = batch[0] / "latest"
    for language in ("zh", "en"):
        names = {path.name for path in (latest / language).iterdir()}
        assert names == {"index.html", "bonsai.html", "flowers.html"}
    assert {path.name for path in (latest / "notebooks").iterdir()} == {
        "bonsai.ipynb",
        "flowers.ipynb",
        "overview.ipynb",
    }
    assert (latest / "panel" / "panel.parquet").exists()
    assert load_run(latest / "runs" / "bonsai").name == "bonsai"
    assert load_run(latest / "overview").kind == "overview"
    assert not list(batch[0].glob(".building-*"))


def test_the_command_says_where_the_pages_are_and_what_took_how_long(
    batch: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, done = batch
    for language in ("zh", "en"):
        assert str(out / "latest" / language / "index.html") in done.stdout
    assert re.search(r"evaluate \d+\.\d s", done.stdout)


def test_the_run_carries_hashes_of_every_ledger_and_its_parameters(
    batch: tuple[Path, subprocess.CompletedProcess[str]], ledgers: Path
) -> None:
    manifest = load_run(batch[0] / "latest" / "runs" / "bonsai").manifest
    assert set(manifest.inputs) == {path.name for path in ledgers.iterdir()}
    assert manifest.parameters["initiative"] == "bonsai"
    assert manifest.parameters["seed"] == 0


def test_every_page_of_synthetic_data_says_so_before_any_number(
    batch: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    for path in (batch[0] / "latest").glob("??/*.html"):
        body = path.read_text(encoding="utf-8").split("<body", 1)[1]
        mark = "合成数据" if path.parent.name == "zh" else "ynthetic data"
        assert mark in body, path
        text = re.sub(r"<[^>]+>", " ", body)
        assert text.index(mark) < re.search(r"\d+\.\d", text).start()  # type: ignore[union-attr]


def test_the_executed_notebook_ran_every_cell_without_error(
    batch: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    for path in (batch[0] / "latest" / "notebooks").iterdir():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert all(cell["execution_count"] for cell in code)
        shown = [output for cell in code for output in cell["outputs"]]
        assert shown
        assert not [one for one in shown if one["output_type"] == "error"]


def test_the_same_input_gives_the_same_run_and_another_seed_another(
    batch: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    out, _ = batch
    first = load_run(out / "latest" / "runs" / "bonsai")
    hashes = []
    for seed in (0, 1):
        common = {"panel": str(out / "latest" / "panel"), "outcome": "income_yuan", "seed": seed}
        folder = tmp_path / str(seed)
        ended = execute_notebook(
            NOTEBOOKS / "initiative.ipynb",
            tmp_path / f"{seed}.ipynb",
            name="bonsai",
            parameters={**common, "initiative": "bonsai", "out": str(folder)},
            timeout_seconds=300,
        )
        assert ended.message is None
        hashes.append(load_run(folder).manifest.run_hash)
    assert hashes[0] == first.manifest.run_hash
    assert hashes[1] != first.manifest.run_hash


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"initiatve": "bonsai"}, "did you mean 'initiative'"),
        ({"seed": "zero"}, "'seed' must be int, not str: 'zero'"),
        ({"initiative": "bonsaai"}, "did you mean 'bonsai'"),
        ({"outcome": "incme_yuan"}, "income_yuan"),
    ],
)
def test_papermill_with_a_wrong_parameter_is_refused_and_saves_no_run(
    batch: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path: Path,
    wrong: dict[str, str],
    said: str,
) -> None:
    parameters = {
        "initiative": "bonsai",
        "panel": str(batch[0] / "latest" / "panel"),
        "outcome": "income_yuan",
        "seed": 0,
        "out": str(tmp_path / "run"),
        **wrong,
    }
    ended = execute_notebook(
        NOTEBOOKS / "initiative.ipynb",
        tmp_path / "executed.ipynb",
        name="bonsai",
        parameters=parameters,
        timeout_seconds=300,
    )
    assert ended.message is not None
    assert said in ended.message.en
    assert "处理" in ended.message.zh
    assert not (tmp_path / "run").exists()


def test_a_notebook_that_does_not_end_is_ended_with_its_kernel(
    batch: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    stored = json.loads((NOTEBOOKS / "initiative.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    code[1]["source"] = [
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    ]
    (tmp_path / "slow.ipynb").write_text(json.dumps(stored), encoding="utf-8")
    ended = execute_notebook(
        tmp_path / "slow.ipynb",
        tmp_path / "executed.ipynb",
        name="slow",
        parameters={"out": str(tmp_path / "run")},
        timeout_seconds=20,
    )
    assert ended.message is not None
    assert "20 s" in ended.message.en
    kernel = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{kernel}/stat")
    assert not state.exists() or state.read_text().split(")")[1].split()[0] == "Z"


def _refused(done: subprocess.CompletedProcess[str], out: Path, status: int) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "where:" in done.stderr
    assert "mend :" in done.stderr
    assert not (out / "latest").exists()
    assert not list(out.glob(".building-*"))
    return done.stderr


def test_an_unknown_initiative_is_refused_with_the_nearest(
    cps_command: Cps, ledgers: Path, tmp_path: Path
) -> None:
    done = cps_command("run", "--data", ledgers, "--only", "bonsia", "--out", tmp_path)
    assert "did you mean 'bonsai'" in _refused(done, tmp_path, 2)


def test_a_missing_ledger_is_refused_by_name(cps_command: Cps, tmp_path: Path) -> None:
    done = cps_command("run", "--data", tmp_path / "没有这个文件.xlsx", "--out", tmp_path / "out")
    assert "没有这个文件.xlsx" in _refused(done, tmp_path / "out", done.returncode)
    assert done.returncode in (2, 5)


def test_a_village_that_no_crosswalk_knows_is_named_with_file_and_cell(
    cps_command: Cps, ledgers: Path, tmp_path: Path
) -> None:
    data = tmp_path / "raw" / "mine"
    shutil.copytree(ledgers, data)
    path = sorted(data.glob("*.csv"))[0]
    text = path.read_bytes().decode("gb18030")
    path.write_bytes(text.replace("示例村07", "示例村O7").encode("gb18030"))
    message = _refused(
        cps_command("run", "--data", data, "--out", tmp_path / "out"), tmp_path / "out", 5
    )
    assert path.name in message
    assert "示例村O7" in message
    assert "示例村07" in message  # the nearest that is known
    assert re.search(r"› [A-Z]+\d+", message)


def test_an_initiative_without_comparison_fails_alone_and_the_others_are_published(
    cps_command: Cps, ledgers: Path, initiative_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "initiatives"
    shutil.copytree(initiative_folder, folder)
    text = (folder / "bonsai.toml").read_text(encoding="utf-8")
    text = re.sub(r"comparison_areas = .*", 'comparison_areas = ["别处镇"]', text)
    (folder / "bonsai.toml").write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    command = ("run", "--data", ledgers, "--initiatives", folder, "--out", out)
    done = cps_command(*command, "--only", "bonsai,flowers")
    assert done.returncode == 3
    assert "no comparison unit is left" in done.stdout
    names = {path.name for path in (out / "latest" / "en").iterdir()}
    assert names == {"index.html", "flowers.html"}
    assert "no comparison unit is left" in (out / "latest/en/index.html").read_text(
        encoding="utf-8"
    )
    before = (out / "latest").resolve()
    alone = cps_command(*command, "--only", "bonsai")
    assert alone.returncode == 3
    assert "nothing was published" in alone.stderr
    assert (out / "latest").resolve() == before
    assert list((out / "failed").glob("*/notebooks/bonsai.ipynb"))
