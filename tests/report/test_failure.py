"""Pages of failure: what went wrong, where to look, what to do, what was finished before."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cps.errors import PanelError, RunError, Text
from cps.report.failure import render_failure, write_failure
from cps.report.pages import render_pages
from cps.runs import Failure, Run, load_failure_records, save_failure, save_run
from cps.runs.failures import KINDS

from .conftest import initiative
from .test_pages import EVIL, flat, visible

MakeRun = Callable[..., Run]
ERROR = PanelError(
    Text("缺少 2021 年收入", "income of 2021 is missing"),
    where="/made/here/panel › D17",
    mend=Text("在台账中补上", "give it in the ledger"),
)
MESSAGE = Text(ERROR.message("zh"), ERROR.message("en"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_failure_says_what_happened_and_what_to_do(kind: str) -> None:
    failure = Failure("bonsai", MESSAGE, kind)  # type: ignore[arg-type]
    said = set()
    for language, reason, again in (
        ("zh", "缺少 2021 年收入", "重新运行 cps run"),
        ("en", "income of 2021 is missing", "run cps run again"),
    ):
        text = visible(render_failure(failure, language=language))
        assert reason in text
        assert "D17" in text
        assert again in text
        assert "failure." not in text
        said.add(text)
    assert len(said) == 2


def test_it_names_the_cell_the_error_and_the_executed_notebook() -> None:
    failure = Failure("bonsai", MESSAGE, "error", cell=3, exception="PanelError", tail="a\n  b")
    page = render_failure(failure, language="en", name=Text("盆景", "Bonsai"))
    text = flat(page)
    assert "code cell 3" in text
    assert "PanelError" in text
    assert 'href="../notebooks/bonsai.ipynb"' in page
    assert "Bonsai: not finished" in page.split("</title>")[0]
    assert '<p class="code"><bdi>  b</bdi></p>' in page
    assert 'href="index.html"' in page
    assert 'href="../zh/bonsai.html"' in page


def test_a_failure_without_a_notebook_links_to_none() -> None:
    page = render_failure(Failure("bonsai", MESSAGE), language="zh", has_notebook=False)
    assert ".ipynb" not in page
    assert "没有留下已执行的 notebook" in visible(page)


def test_text_of_a_failure_is_shown_and_never_runs() -> None:
    failure = Failure("bonsai", Text(EVIL, EVIL), "crashed", exception=EVIL, tail=EVIL)
    for language in ("zh", "en"):
        page = render_failure(failure, language=language, name=Text(EVIL, EVIL))
        assert "<script" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "alert(1)" in visible(page)
        assert not re.search(r"https?://", page.replace("http://www.w3.org", ""))


def test_the_last_finished_page_lies_beside_and_is_marked_out_of_date(
    run_of: MakeRun, tmp_path: Path
) -> None:
    before = run_of(subject=initiative())
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "case.ipynb").write_text("{}", encoding="utf-8")
    written = write_failure(
        Failure("case", MESSAGE), tmp_path, last_good=before, last_edition="20261025T020000Z"
    )
    assert written == [tmp_path / "zh" / "case.html", tmp_path / "en" / "case.html"]
    for page, language in zip(written, ("zh", "en"), strict=True):
        text = page.read_text(encoding="utf-8")
        assert 'href="case.stale.html"' in text
        assert 'href="../notebooks/case.ipynb"' in text
        assert "2024-12-31" in visible(text)
        stale = (tmp_path / language / "case.stale.html").read_text(encoding="utf-8")
        told = visible(stale)
        mark = "本页已过期" if language == "zh" else "Out of date"
        assert told.index(mark) < told.index("2024-12-31")
        assert told.index(mark) < re.search(r"\d+\.\d", told).start()  # type: ignore[union-attr]
        assert "20261025T020000Z" in told
        assert 'href="case.html"' in stale


def test_a_failure_reads_the_same_wherever_and_whenever_it_happens(tmp_path: Path) -> None:
    for place, process in (("a", 4711), ("b", 12)):
        home = tmp_path / place
        error = PanelError(ERROR.what, where=str(home / "panel"), mend=ERROR.mend)
        save_failure(
            "bonsai",
            Text(error.message("zh"), error.message("en")),
            home / "runs" / "bonsai",
            kind="error",
            cell=2,
            tail=f"\x1b[31mFile /tmp/ipykernel_{process}/{process}9.py at 0x7f{process:010x}\x1b[0m",
            roots=[home],
        )
    first, second = (
        (tmp_path / place / "runs" / "bonsai" / "failure.json").read_bytes() for place in "ab"
    )
    assert first == second
    (kept,) = load_failure_records(tmp_path / "a" / "runs")
    assert kept.message.en.splitlines()[1].split() == ["where:", "panel"]
    assert kept.tail == "File notebook at 0x…"


def test_a_failure_recorded_by_an_older_version_is_still_read(tmp_path: Path) -> None:
    folder = tmp_path / "bonsai"
    folder.mkdir()
    old = {"schema": 2, "name": "bonsai", "message": {"zh": "断", "en": "broke"}}
    (folder / "failure.json").write_text(json.dumps(old), encoding="utf-8")
    assert load_failure_records(tmp_path) == (Failure("bonsai", Text("断", "broke")),)


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"name": "x"}', '{"name": "x", "message": {"zh": 1}}']
)
def test_a_damaged_record_of_a_failure_is_refused_in_words(tmp_path: Path, damage: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "failure.json").write_text(damage, encoding="utf-8")
    with pytest.raises(RunError, match="damaged") as caught:
        load_failure_records(tmp_path)
    assert "failure.json" in caught.value.message("zh")


def test_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="timeout"):
        save_failure("bonsai", MESSAGE, tmp_path, kind="sulking")  # type: ignore[arg-type]


def test_pages_of_finished_and_failed_runs_come_out_alike_however_they_are_split(
    run_of: MakeRun, tmp_path: Path
) -> None:
    folders = [tmp_path / "runs" / name for name in ("case", "flowers", "other")]
    run = run_of(subject=initiative())
    save_run(run, folders[0])
    save_failure("flowers", MESSAGE, folders[1], kind="timeout")
    save_run(dataclasses.replace(run, name="other"), folders[2])
    names = {"flowers": Text("鲜花", "Flowers")}
    render_pages(folders, tmp_path / "whole", overview=folders[0], names=names)
    for one in reversed(folders):
        render_pages([one], tmp_path / "split", overview=folders[0], names=names)
    pages = sorted(one.relative_to(tmp_path / "whole") for one in tmp_path.glob("whole/*/*.html"))
    assert len(pages) == 6
    for page in pages:
        assert (tmp_path / "whole" / page).read_bytes() == (tmp_path / "split" / page).read_bytes()
    failed = (tmp_path / "whole" / "zh" / "flowers.html").read_text(encoding="utf-8")
    assert "鲜花" in failed
    assert run.manifest.data_sha256 in failed
    assert 'href="../../index.html"' in failed


def test_a_folder_with_neither_run_nor_failure_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="no saved run"):
        render_pages([tmp_path / "empty"], tmp_path / "out")
