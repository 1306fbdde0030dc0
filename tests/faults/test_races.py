"""Runs that meet on one folder, inputs and folders that change under a run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from benchmarks._fault_races import gate, race
from cps.errors import LedgerError, LockedError
from cps.runner import snapshot
from cps.runner.lock import NAME, hold, holder
from cps.runner.order import Order
from cps.runner.snapshot import take_snapshot
from cps.runs import load_run
from tests.faults._quick import NAMES, Done, await_path, survivors_after, tree_bytes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-races")]


def test_f28_of_two_runs_at_once_one_wins_one_is_told_by_whom_and_one_that_waits_finds_it_done(
    spoilt, undisturbed, tmp_path
) -> None:
    flag = tmp_path / "flag"
    inputs = spoilt(gate(flag))
    expected = tree_bytes(undisturbed.latest)
    for label, wrong, _ in race(inputs.options, expected, tmp_path, flag, trials=1):
        assert not wrong, (label, wrong)


def test_f28_the_summary_of_the_refused_run_is_its_own_and_the_holder_s_stays(
    quick, undisturbed: Done, tmp_path
) -> None:
    out, own = tmp_path / "out", tmp_path / "own.json"
    shutil.copytree(undisturbed.out, out, symlinks=True)
    with hold(out):
        done = quick.run("--summary", own, out=out)
    assert done.exit_code == 4
    told = json.loads(own.read_text(encoding="utf-8"))
    assert (told["exit_code"], told["error"]["class"]) == (4, "LockedError")
    assert f"pid {os.getpid()}" in told["error"]["where"]
    assert done.summary == undisturbed.summary


def test_f28_who_only_looks_keeps_no_run_from_starting(tmp_path) -> None:
    import fcntl

    (tmp_path / NAME).touch()
    with (tmp_path / NAME).open() as looking:
        fcntl.flock(looking.fileno(), fcntl.LOCK_EX)
        with pytest.raises(LockedError), hold(tmp_path):
            pass
        fcntl.flock(looking.fileno(), fcntl.LOCK_UN)
        with hold(tmp_path):
            assert holder(tmp_path)["pid"] == os.getpid()
    assert holder(tmp_path) is None


def test_f28_an_earlier_holder_that_is_gone_is_not_named(tmp_path) -> None:
    import fcntl

    gone = {"pid": 2**22 + 1, "host": os.uname().nodename, "started": "2020-01-01T00:00:00+00:00"}
    (tmp_path / NAME).write_text(json.dumps(gone))
    with (tmp_path / NAME).open("r+") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        other.truncate(0)
        with pytest.raises(LockedError) as refused, hold(tmp_path):
            pass
    assert str(gone["pid"]) not in refused.value.where


def test_f29_after_kill_9_the_next_run_starts_and_gives_the_same_bytes(
    quick, undisturbed: Done, started, tmp_path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed.out, out, symlinks=True)
    shutil.rmtree((out / "latest").resolve())
    first = started(quick.start("--cold", out=out))
    await_path(out / ".work" / "state.json")
    first.process.kill()
    assert first.process.wait() == -9
    assert not survivors_after(first.mark)
    done = quick.run("--cold", out=out)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "did not end" in done.stdout
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)


@pytest.fixture(scope="module")
def meddled(quick, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """A run under which one ledger is replaced, one grows, one is cut, and one is open in Excel."""
    from tests.faults import _quick

    folder = tmp_path_factory.mktemp("meddled")
    data = Path(shutil.copytree(quick.data, folder / "raw" / "town"))
    first, second, third, fourth = sorted(data.glob("*.csv"))[:4]
    (data / f"~${fourth.name}").touch()
    code = (
        f"import os, shutil\n"
        f"if initiative == 'bonsai':\n"
        f"    shutil.copyfile({str(second)!r}, {str(first) + '.new'!r})\n"
        f"    os.replace({str(first) + '.new'!r}, {str(first)!r})\n"
        f"    open({str(second)!r}, 'ab').write('示例村01,1\\n'.encode('gb18030'))\n"
        f"    os.truncate({str(third)!r}, 10)\n"
    )
    notebooks = _quick.write_notebooks(folder / "notebooks", initiative=code)
    options = ["--data", data, "--initiatives", quick.initiatives, "--notebooks", notebooks]
    done = _quick.run_cps(*options, "--langs", "zh", "--workers", "1", out=folder / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    return done, data


def test_f30_inputs_that_change_under_a_run_change_nothing_of_it_and_are_told(
    meddled: tuple[Done, Path], undisturbed: Done
) -> None:
    done, data = meddled
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)
    seen = {json.dumps(load_run(done.latest / "runs" / name).manifest.inputs) for name in NAMES}
    assert len(seen) == 1
    warnings = [one["en"] for one in done.summary["warnings"]]
    for path in sorted(data.glob("[!~]*.csv"))[:3]:
        said = f"data/{path.name} changed during the run"
        assert [one for one in warnings if one.startswith(said)]
        assert said in done.stdout
    assert len([one for one in warnings if "changed during" in one]) == 3


def test_f30_a_ledger_that_goes_on_changing_while_it_is_copied_is_refused_by_name(
    tmp_path, monkeypatch
) -> None:
    ledger = tmp_path / "台账.csv"
    ledger.write_text("a")
    hashed = snapshot._hashed

    def growing(source: Path, target: Path | None) -> str:
        with ledger.open("a") as more:
            more.write("b")
        return hashed(source, target)

    monkeypatch.setattr(snapshot, "_hashed", growing)
    with pytest.raises(LedgerError, match="goes on changing") as refused:
        take_snapshot(Order(data=str(ledger)), tmp_path / "copy")
    assert refused.value.where == "data/台账.csv"


def test_f31_a_ledger_open_in_excel_or_wps_is_told(meddled: tuple[Done, Path]) -> None:
    done, data = meddled
    (mark,) = data.glob("~$*")
    said = f"{mark.name.removeprefix('~$')} is open in Excel or WPS"
    assert said in done.stdout
    assert [one for one in done.summary["warnings"] if one["en"].startswith(said)]
    assert not [name for name in done.summary["warnings"] if "~$" in name["en"]]


@pytest.mark.parametrize("mark", ["~$台账.xlsx", ".~台账.xlsx", ".~lock.台账.xlsx#"])
def test_f31_each_program_marks_an_open_file_in_its_own_way(tmp_path, mark) -> None:
    (tmp_path / "台账.xlsx").touch()
    (tmp_path / mark).touch()
    for data in (tmp_path, tmp_path / "台账.xlsx"):
        assert snapshot.open_elsewhere(Order(data=str(data))) == ("台账.xlsx",)
    assert snapshot.open_elsewhere(Order(data=str(tmp_path / "其他.xlsx"))) == ()


def test_f32_a_folder_that_is_renamed_under_a_run_is_told_and_put_back_the_run_goes_on(
    spoilt, undisturbed: Done, tmp_path
) -> None:
    out, moved, flag = tmp_path / "out", tmp_path / "moved", tmp_path / "flag"
    shutil.copytree(undisturbed.out, out, symlinks=True)
    inputs = spoilt(
        overview=(
            f"import os\n"
            f"if not os.path.exists({str(flag)!r}):\n"
            f"    open({str(flag)!r}, 'w').close()\n"
            f"    os.rename({str(out)!r}, {str(moved)!r})\n"
        )
    )
    done = inputs.run(out=out)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "moved or replaced during the run" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
    assert tree_bytes(moved / "latest") == tree_bytes(undisturbed.latest)
    moved.rename(out)
    again = inputs.run(out=out)
    assert again.exit_code == 0, again.stdout + again.stderr
    assert tree_bytes(again.latest) == tree_bytes(undisturbed.latest)


def test_f32_a_link_that_is_swapped_under_a_run_leads_it_nowhere_else(
    spoilt, undisturbed: Done, tmp_path
) -> None:
    here, there, link = tmp_path / "here", tmp_path / "there", tmp_path / "link"
    shutil.copytree(undisturbed.out, here, symlinks=True)
    there.mkdir()
    link.symlink_to(here)
    inputs = spoilt(
        overview=(
            f"import os\n"
            f"os.symlink({str(there)!r}, {str(link) + '.new'!r})\n"
            f"os.replace({str(link) + '.new'!r}, {str(link)!r})\n"
        )
    )
    done = inputs.run(out=link)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert not list(there.iterdir())
    assert tree_bytes(here / "latest") == tree_bytes(undisturbed.latest)
    assert (here / "latest").resolve().name != undisturbed.latest.name
