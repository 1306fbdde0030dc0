"""From ledger files to pages with real kernels; and what happens when the input is bad."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cps.runner.edition import read_edition
from cps.runner.engine import RUN, Ended, Piece
from cps.runner.local import LocalEngine, local_engine
from cps.runner.snapshot import NOTEBOOKS
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


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    """Real kernels, without a batch around them."""
    with local_engine() as found:
        yield found


def _executed(engine: LocalEngine, batch: Path, target: Path, **parameters: str | int) -> Ended:
    given = {"initiative": "bonsai", "outcome": "income_yuan", "seed": 0, **parameters}
    piece = Piece(
        name="bonsai",
        key="",
        notebook=NOTEBOOKS / "initiative.ipynb",
        parameters=given,
        folders={"panel": batch / "latest" / "panel"},
    )
    return engine.run(piece, target)


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
    names = {path.name for path in batch[0].iterdir()}
    assert ".work" not in names
    assert read_edition(latest, is_checked=True).is_complete


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
    batch: tuple[Path, subprocess.CompletedProcess[str]], engine: LocalEngine, tmp_path: Path
) -> None:
    out, _ = batch
    for seed in (0, 1):
        ended = _executed(engine, out, tmp_path / str(seed), seed=seed)
        assert ended.message is None
    saved = (out / "latest" / "runs" / "bonsai" / "run.json").read_bytes()
    assert (tmp_path / "0" / RUN / "run.json").read_bytes() == saved
    assert (tmp_path / "1" / RUN / "run.json").read_bytes() != saved


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
    engine: LocalEngine,
    tmp_path: Path,
    wrong: dict[str, str],
    said: str,
) -> None:
    ended = _executed(engine, batch[0], tmp_path / "target", **wrong)
    assert ended.message is not None
    assert ended.kind == "refused"
    assert said in ended.message.en
    assert "处理" in ended.message.zh
    assert not (tmp_path / "target" / RUN).exists()


def _refused(done: subprocess.CompletedProcess[str], out: Path, status: int) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "where:" in done.stderr
    assert "mend :" in done.stderr
    assert not (out / "latest").exists()
    assert not (out / ".work").exists()
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["exit_code"] == status
    assert summary["error"]["where"] in done.stderr
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
    assert names == {"index.html", "bonsai.html", "flowers.html"}
    for page in ("index.html", "bonsai.html"):
        text = (out / "latest" / "en" / page).read_text(encoding="utf-8")
        assert "no comparison unit is left" in text
    assert not (out / "complete").exists()
    before = (out / "latest").resolve()
    alone = cps_command(*command, "--only", "bonsai")
    assert alone.returncode == 3
    assert "nothing was published" in alone.stderr
    assert (out / "latest").resolve() == before
    assert list((out / "failed").glob("*/bonsai.ipynb"))
