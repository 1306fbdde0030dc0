"""What readers see when a run fails half way or is late, and what an old page says of itself."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cps.runner.edition import read_edition
from tests.faults._quick import Done, Running, await_path, run_cps, tree_bytes
from tests.faults.conftest import Quick

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-editions")]
FAILS = 'if initiative == "flowers":\n    raise ValueError("水表读数缺失")'


@pytest.fixture(scope="module")
def half_way(
    quick: Quick, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Done, Done, dict[str, bytes]]:
    """A run that went well, then one in which one of two initiatives fails."""
    import dataclasses

    from tests.faults._quick import write_notebooks

    folder = tmp_path_factory.mktemp("half way")
    first = quick.run(out=folder / "out")
    assert first.exit_code == 0, first.stdout + first.stderr
    stood = tree_bytes(first.latest)
    first = dataclasses.replace(first, stdout=str(first.latest))
    notebooks = write_notebooks(folder / "notebooks", initiative=FAILS)
    worse = dataclasses.replace(quick, notebooks=notebooks)
    return first, worse.run(out=folder / "out"), stood


def test_f52_after_a_run_that_failed_half_way_complete_still_shows_the_last_whole_edition(
    half_way: tuple[Done, Done, dict[str, bytes]],
) -> None:
    first, second, stood = half_way
    complete = (second.out / "complete").resolve()
    assert str(complete) == first.stdout
    assert tree_bytes(complete) == stood
    read_edition(complete, is_checked=True)


def test_f52_the_newest_edition_is_whole_and_names_what_failed_and_why(
    half_way: tuple[Done, Done, dict[str, bytes]],
) -> None:
    _, second, stood = half_way
    assert second.exit_code == 3, second.stdout + second.stderr
    assert "1 initiatives failed: flowers" in second.stdout
    failed = second.piece("flowers")
    assert failed["status"] == "failed"
    assert "水表读数缺失" in failed["reason"]["zh"]
    assert second.summary["status"] == "partial"
    edition = read_edition(second.latest, is_checked=True)
    assert not edition.is_complete
    now = tree_bytes(second.latest)
    # The one that went well is there as before; of the other there is no number, only the reason.
    assert now["runs/bonsai/design.parquet"] == stood["runs/bonsai/design.parquet"]
    assert "runs/flowers/run.json" not in now
    index = now["zh/index.html"].decode()
    assert "水表读数缺失" in index
    assert (second.latest / "notebooks" / "flowers.ipynb").exists()


def test_f52_a_failed_initiative_has_a_page_that_says_what_failed_and_where_its_last_good_one_lies(
    half_way: tuple[Done, Done, dict[str, bytes]],
) -> None:
    first, second, _ = half_way
    page = (second.latest / "zh" / "flowers.html").read_text(encoding="utf-8")
    assert "水表读数缺失" in page
    assert Path(first.stdout).name in page
    assert "<script" not in page


def test_f52_if_the_overview_fails_nothing_is_published_and_the_next_run_needs_no_clean_up(
    quick: Quick,
    half_way: tuple[Done, Done, dict[str, bytes]],
    spoilt: Callable[..., Quick],
    undisturbed: Done,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    worse = spoilt(overview='raise ValueError("no overview")')
    done = worse.run(out=out)
    assert done.exit_code == 3, done.stdout + done.stderr
    assert "no overview" in done.stderr
    assert not (out / "latest").exists()
    assert not list((out / "runs").glob("*"))
    again = quick.run(out=out)
    assert again.exit_code == 0
    assert tree_bytes(again.latest) == tree_bytes(undisturbed.latest)


# -- old pages ------------------------------------------------------------------------------------


def _metas(page: Path) -> dict[str, str]:
    text = page.read_text(encoding="utf-8")
    return dict(re.findall(r'<meta name="(cps-[a-z0-9-]+)" content="([^"]*)"', text))


def test_f53_every_page_carries_its_date_the_sha256_of_its_data_and_the_version(
    undisturbed: Done,
) -> None:
    pages = sorted(undisturbed.latest.glob("??/*.html"))
    assert len(pages) == 3
    for page in pages:
        metas = _metas(page)
        assert metas["cps-data-to"] == "2024-12-31"
        assert re.fullmatch("[0-9a-f]{64}", metas["cps-data-sha256"])
        assert re.fullmatch(r"\d+\.\d+\.\d+\S*", metas["cps-version"])
        assert "cps-as-of" in metas
        body = page.read_text(encoding="utf-8").split("<body", 1)[1]
        assert metas["cps-data-sha256"][:12] in body  # for readers too
        assert "2024-12-31" in body


def test_f53_the_list_of_editions_says_which_are_superseded_and_each_page_leads_there(
    half_way: tuple[Done, Done, dict[str, bytes]],
) -> None:
    first, second, _ = half_way
    home = second.out / "index.html"
    assert (second.out / "runs" / "index.html").exists()
    listed = home.read_text(encoding="utf-8")
    older, newest = Path(first.stdout).name, second.latest.name
    assert listed.index(newest) < listed.index(older)
    assert re.search(f'href="[^"]*{older}/', listed)
    for page in Path(first.stdout).glob("zh/*.html"):
        text = page.read_text(encoding="utf-8")
        links = re.findall(r'href="([^"#]+)"', text)
        # A browser follows names: there is a list two folders up from either of the page's names.
        for at in (page, second.out / "latest" / "zh" / page.name):
            assert home in {_list_at(at, href) for href in links}


def _list_at(page: Path, href: str) -> Path:
    named = Path(os.path.normpath(page.parent / href))
    return named.parents[1] / named.name if named.parent.name == "runs" else named


def test_f53_the_as_of_date_that_a_run_was_asked_for_is_on_its_pages(
    quick: Quick, tmp_path: Path
) -> None:
    done = quick.run("--as-of", "2023-12-31", "--only", "bonsai", out=tmp_path / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    for page in done.latest.glob("zh/*.html"):
        assert _metas(page)["cps-data-to"] == "2023-12-31"
    assert done.summary["as_of"] == "2023-12-31"


# -- schedules ------------------------------------------------------------------------------------


def _status(out: Path, *more: str) -> Done:
    return run_cps(*more, out=out, command="status")


def test_f54_a_run_that_is_still_going_when_the_next_is_due_is_named_and_the_next_gives_way(
    spoilt: Callable[..., Quick],
    started: Callable[[Running], Running],
    tmp_path: Path,
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    wait = (
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.05)"
    )
    out = tmp_path / "out"
    inputs = spoilt(wait)
    first = started(inputs.start(out=out))
    await_path(begun)
    second = inputs.run(out=out)
    assert second.exit_code == 4, second.stdout + second.stderr
    assert f"pid {first.pid}" in second.stderr
    told = _status(out, "--json", "--max-age", "1h")
    assert json.loads(told.stdout)["running"]["pid"] == first.pid
    assert told.exit_code == 3  # none has succeeded yet
    go.touch()
    assert first.done().exit_code == 0
    assert _status(out, "--max-age", "1h").exit_code == 0


def test_f54_missed_runs_are_told_by_status_once_the_last_success_is_older_than_allowed(
    undisturbed: Done, half_way: tuple[Done, Done, dict[str, bytes]], tmp_path: Path
) -> None:
    assert _status(undisturbed.out, "--max-age", "35d").exit_code == 0
    late = _status(undisturbed.out, "--max-age", "0.0001h")
    assert late.exit_code == 3
    assert "overdue: no success within 0.0001h" in late.stdout
    never = _status(tmp_path / "never", "--max-age", "35d")
    assert never.exit_code == 3
    assert "never" in never.stdout
    # A run that failed in part is no success: what counts is the last whole one.
    _, second, _ = half_way
    told = json.loads(_status(second.out, "--json", "--max-age", "35d").stdout)
    assert told["last"]["exit_code"] == 3
    assert told["last_success"] < told["last"]["finished"]
