"""Clocks that jump, and runs that cross midnight."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from pathlib import Path

import pytest

from cps.runner.edition import LATEST, list_editions, read_edition
from cps.runner.order import Order
from cps.runner.status import read_status
from cps.runs import load_run
from tests.faults._quick import Done, await_path, run_cps, tree_bytes
from tests.faults._shim import Shim, compiler

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-races")]
needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
_DAY = 86_400


@pytest.fixture(scope="module")
def jumped(quick, undisturbed: Done, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A run that begins before a month ends, goes on in the next, and is then set back two days."""
    if compiler() is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("clock")
    shim = Shim(folder / "page")
    now = datetime.datetime.now().astimezone()
    eve = now.replace(year=now.year + 1, month=2, day=1, hour=0, minute=0, second=0, microsecond=0)
    midnight = round((eve - now).total_seconds())
    shim.set_clock(midnight - 300)
    out = folder / "out"
    running = quick.start(out=out, environment=shim.environment)
    try:
        await_path(out / ".work" / "pieces" / "flowers")
        shim.set_clock(midnight + 300)
        await_path(out / ".work" / "runs")
        shim.set_clock(midnight - 2 * _DAY)
        done = running.done()
    finally:
        running.end()
        shim.close()
    assert done.exit_code == 0, done.stdout + done.stderr
    return done


def test_f33_no_duration_is_negative_though_the_clock_went_back_two_days(jumped: Done) -> None:
    body = read_edition(jumped.latest).body
    for told in (jumped.summary, body):
        began, ended = map(datetime.datetime.fromisoformat, (told["started"], told["finished"]))
        assert ended >= began
        assert all(seconds >= 0 for seconds in told["seconds"].values())
        assert (ended - began).total_seconds() <= told["seconds"]["total"] + 1
    assert all(one["seconds"] >= 0 for one in jumped.summary["initiatives"])
    for path in jumped.latest.rglob("circumstances.json"):
        told = json.loads(path.read_bytes())
        assert told["seconds"] >= 0
        assert told["started"] <= told["finished"]


def test_f33_files_from_the_future_are_not_taken_for_fresh(
    quick, own, undisturbed, tmp_path
) -> None:
    out = Path(shutil.copytree(undisturbed.out, tmp_path / "out", symlinks=True))
    future = datetime.datetime(2030, 1, 1).timestamp()
    for path in out.rglob("*"):
        os.utime(path, (future, future), follow_symlinks=False)
    path = own.initiatives / "bonsai.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("示例村01", "示例村03"), encoding="utf-8"
    )
    os.utime(path, (0, 0))
    done = own.run(out=out)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert {one["id"]: one["status"] for one in done.summary["initiatives"]}["bonsai"] == "run"
    assert tree_bytes(done.latest) != tree_bytes(undisturbed.latest)


@needs_compiler
def test_f33_an_edition_made_after_the_clock_was_set_back_is_the_newest_all_the_same(
    quick, undisturbed: Done, tmp_path
) -> None:
    out = Path(shutil.copytree(undisturbed.out, tmp_path / "out", symlinks=True))
    shim = Shim(tmp_path / "page")
    shim.set_clock(-3 * _DAY)
    page = out / LATEST / "zh" / "index.html"
    page.write_bytes(page.read_bytes()[:-1])
    done = quick.run("--cold", out=out, environment=shim.environment)
    shim.close()
    assert done.exit_code == 0, done.stdout + done.stderr
    assert list_editions(out)[-1].folder == done.latest
    assert done.latest.name != undisturbed.latest.name
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)


def test_f33_a_success_in_the_future_counts_as_overdue(undisturbed: Done, tmp_path) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9)
    body = {**undisturbed.summary, "last_success": later.isoformat(timespec="seconds")}
    (tmp_path / "summary.json").write_text(json.dumps(body))
    assert read_status(tmp_path).is_overdue(30 * _DAY)
    told = run_cps("--max-age", "30d", out=tmp_path, command="status")
    assert told.exit_code == 3
    assert "Traceback" not in told.stderr


def test_f34_a_run_that_crosses_midnight_has_one_day_and_its_bytes_tell_none(
    jumped: Done, undisturbed: Done
) -> None:
    body = read_edition(jumped.latest).body
    today = datetime.date.fromisoformat(body["order"]["today"])
    # The day on which it started, in the time of the place.
    started = datetime.datetime.fromisoformat(body["started"]).astimezone()
    assert (today, today.day) == (started.date(), 31)
    assert Order.from_json(body["order"]).as_of is None
    assert jumped.summary["as_of"] == body["order"]["as_of"]
    assert tree_bytes(jumped.latest) == tree_bytes(undisturbed.latest)


def test_f34_the_as_of_date_is_one_in_all_outputs(quick, tmp_path) -> None:
    done = quick.run("--as-of", "2022-12-31", "--only", "flowers", out=tmp_path / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    body = read_edition(done.latest).body
    assert done.summary["as_of"] == body["order"]["as_of"] == "2022-12-31"
    paths = (*done.latest.glob("runs/*/run.json"), done.latest / "overview" / "run.json")
    runs = [load_run(path.parent) for path in paths]
    assert len(runs) == 2
    assert {one.manifest.as_of for one in runs} == {"2022-12-31"}
    assert {one.design["data_to"] for one in runs} == {"2022-12-31"}
