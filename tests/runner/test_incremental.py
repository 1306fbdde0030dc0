"""Runs one after another: what did not change is kept, what was interrupted is finished."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from cps.runner.edition import list_editions, read_edition
from tests.faults._quick import (
    Done,
    await_path,
    run_cps,
    start_cps,
    survivors_after,
    tree_bytes,
    write_initiatives,
    write_ledgers,
    write_notebooks,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("incremental")]


@dataclass(frozen=True)
class Place:
    """Inputs and an output folder that already holds an edition of them."""

    folder: Path
    latest: str = ""

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def data(self) -> Path:
        return self.folder / "raw" / "town"

    @property
    def options(self) -> list[str]:
        named = {"--data": "raw/town", "--initiatives": "initiatives", "--notebooks": "notebooks"}
        return [part for name, at in named.items() for part in (name, str(self.folder / at))]

    def run(self, *arguments: str) -> Done:
        given = [] if "--resume" in arguments else [*self.options, "--workers", "2"]
        langs = [] if {"--resume", "--langs"} & set(arguments) else ["--langs", "zh"]
        return run_cps(*given, *langs, *arguments, out=self.out)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / "initiatives" / f"{name}.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def change_ledger(self) -> Path:
        """Raise one number of one ledger, and the sum that it is part of; give the ledger."""
        path = sorted(self.data.glob("*2024.csv"))[-1]
        text = path.read_bytes().decode("gb18030")
        assert text.count("14.4035") == text.count("114.3289") == 1
        text = text.replace("14.4035", "14.4135").replace("114.3289", "114.3389")
        path.write_bytes(text.encode("gb18030"))
        return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An edition in one language, made once; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    write_ledgers(folder)
    write_initiatives(folder / "initiatives")
    write_notebooks(folder / "notebooks")
    done = Place(folder).run()
    assert done.exit_code == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Place:
    """A copy of all that, which a test may change."""
    shutil.copytree(made, tmp_path / "here", symlinks=True)
    return Place(tmp_path / "here", (made / "out" / "latest").resolve().name)


def test_a_run_without_a_change_publishes_nothing_and_leaves_latest(place: Place) -> None:
    for path in place.data.iterdir():
        os.utime(path)  # a new time is no change
    before = tree_bytes(place.out / "latest")
    done = place.run()
    assert done.exit_code == 0
    assert f"nothing changed since {place.latest}; nothing was run" in done.stdout
    assert done.latest.name == place.latest
    assert [one.folder.name for one in list_editions(place.out)] == [place.latest]
    assert tree_bytes(done.latest) == before
    assert done.summary["status"] == "unchanged"
    assert {one["status"] for one in done.summary["initiatives"]} == {"kept"}


def test_prose_of_one_initiative_runs_only_that_one_and_the_overview(place: Place) -> None:
    before = tree_bytes(place.out / "latest")
    place.edit("bonsai", "bonsai 的说明。", "盆景产业的说明。")
    done = place.run()
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "1 of 2 initiatives are unchanged and not run again" in done.stdout
    assert done.piece("flowers")["status"] == "kept"
    assert done.piece("bonsai")["status"] == "run"
    assert [one["en"] for one in done.piece("bonsai")["why"]] == ["its own initiative file"]
    after = tree_bytes(done.latest)
    assert after["runs/flowers/run.json"] == before["runs/flowers/run.json"]
    assert after["runs/bonsai/run.json"] != before["runs/bonsai/run.json"]
    pieces = read_edition(done.latest).pieces
    assert pieces["overview"]["status"] == "run"
    told = start_cps(out=place.out, command="why").done()
    assert told.exit_code == 0
    assert "bonsai (run): its own initiative file" in told.stdout
    assert "flowers (kept): nothing changed" in told.stdout
    assert f"{place.latest} → {done.latest.name}" in told.stdout


def test_a_changed_ledger_runs_everything_and_is_named(place: Place) -> None:
    label = f"data/{place.change_ledger().name}"
    done = place.run()
    assert done.exit_code == 0, done.stdout + done.stderr
    for name in ("bonsai", "flowers"):
        assert done.piece(name)["status"] == "run"
        (reason,) = done.piece(name)["why"]
        assert reason["en"].startswith(f"{label} (")
        assert "→" in reason["en"]


def test_a_further_language_renders_pages_and_runs_nothing(place: Place) -> None:
    before = tree_bytes(place.out / "latest")
    done = place.run("--langs", "zh,en")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert {one["status"] for one in done.summary["initiatives"]} == {"kept"}
    after = tree_bytes(done.latest)
    assert {name for name in after if name.startswith("en/")} == {
        "en/index.html",
        "en/bonsai.html",
        "en/flowers.html",
    }
    assert after["runs/bonsai/run.json"] == before["runs/bonsai/run.json"]
    told = start_cps(out=place.out, command="why").done()
    assert "pages (run): languages: zh → zh, en" in told.stdout


def test_a_change_that_is_taken_back_runs_and_renders_nothing(place: Place) -> None:
    before, store = tree_bytes(place.out / "latest"), place.out / ".store"
    kept = {one.name for one in store.iterdir()}
    assert place.run("--seed", "1", "--only", "bonsai").exit_code == 0
    assert kept < {one.name for one in store.iterdir()}
    made = {one.name: one.stat().st_ino for one in store.iterdir()}
    done = place.run()
    assert done.exit_code == 0, done.stdout + done.stderr
    assert {one["status"] for one in done.summary["initiatives"]} == {"kept"}
    assert {one.name: one.stat().st_ino for one in store.iterdir()} == made
    assert tree_bytes(done.latest) == before


def test_a_damaged_result_and_a_damaged_edition_are_made_anew(place: Place) -> None:
    whole = tree_bytes(place.out / "latest")
    kept = next(
        path
        for path in (place.out / ".store").glob("*/run/run.json")
        if json.loads(path.read_text())["run"]["name"] == "bonsai"
    )
    for path in (kept, place.out / "latest" / "zh" / "flowers.html"):
        flipped = bytearray(path.read_bytes())
        flipped[len(flipped) // 2] ^= 1
        path.write_bytes(flipped)
    done = place.run()
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "a kept result is damaged and is made anew" in done.stdout
    assert f"the published {place.latest} is damaged and made anew" in done.stdout
    assert (done.piece("bonsai")["status"], done.piece("flowers")["status"]) == ("run", "kept")
    assert done.latest.name != place.latest
    assert tree_bytes(done.latest) == whole


def test_a_resumed_run_keeps_its_options_and_the_inputs_that_it_had_copied(place: Place) -> None:
    shutil.rmtree(place.out)
    run = start_cps(*place.options, "--seed", "5", "--langs", "en", out=place.out)
    try:
        await_path(place.out / ".work" / "pieces")
        os.kill(run.pid, signal.SIGKILL)
        run.done()
    finally:
        run.end()
    assert survivors_after(run.mark) == []
    label = f"data/{place.change_ledger().name}"
    done = place.run("--resume")
    assert done.exit_code == 0, done.stdout + done.stderr
    body = read_edition(done.latest, is_checked=True).body
    assert body["order"]["seed"] == 5
    assert not (done.latest / "zh").exists()
    assert f"{label} changed during the run" in done.stdout
    fresh = place.run("--seed", "5", "--langs", "en")
    assert fresh.exit_code == 0
    assert body["inputs"][label] != read_edition(fresh.latest).body["inputs"][label]


def test_resuming_with_options_or_where_nothing_was_interrupted_is_misuse(place: Place) -> None:
    nothing = place.run("--resume")
    assert nothing.exit_code == 2
    assert "nothing to resume" in nothing.stderr
    (place.out / ".work").mkdir()
    both = run_cps("--resume", "--seed", "1", out=place.out)
    assert both.exit_code == 2
    assert (place.out / "latest").resolve().name == place.latest


def test_periods_after_the_as_of_date_are_left_out_and_the_date_is_told(place: Place) -> None:
    import polars as pl

    done = place.run("--as-of", "2023-12-31")
    assert done.exit_code == 0, done.stdout + done.stderr
    periods = pl.read_parquet(done.latest / "panel" / "panel.parquet")["period"].cast(pl.String)
    assert periods.max() == "2023"
    assert done.summary["as_of"] == "2023-12-31"
    assert [one["en"] for one in done.piece("bonsai")["why"]] == ["as-of date: - → 2023-12-31"]
    early = place.run("--as-of", "1999-12-31")
    assert early.exit_code == 5
    assert "no data up to 1999-12-31" in early.stderr
    assert early.latest == done.latest


def test_the_state_of_a_folder_tells_of_its_last_success_and_whether_it_is_overdue(
    place: Place,
) -> None:
    said = start_cps("--max-age", "36h", "--json", out=place.out, command="status").done()
    told = json.loads(said.stdout)
    assert said.exit_code == 0
    assert told["running"] is told["interrupted"] is None
    assert told["last"]["exit_code"] == 0
    assert 0 <= told["age_seconds"] < 36 * 3600
    summary = place.out / "summary.json"
    stored = json.loads(summary.read_text())
    summary.write_text(json.dumps({**stored, "last_success": "2020-01-01T00:00:00+00:00"}))
    late = start_cps("--max-age", "36h", out=place.out, command="status").done()
    assert late.exit_code == 3
    assert "overdue: no success within 36h" in late.stdout
    never = start_cps("--max-age", "5w", out=place.folder / "no", command="status").done()
    assert never.exit_code == 3
