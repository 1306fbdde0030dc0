"""The state that an interrupted run leaves, read by whatever version comes next."""

from __future__ import annotations

from pathlib import Path

from cps.runner.order import Order
from cps.runner.sealed import read_sealed, write_sealed
from cps.runner.work import Work


def test_a_run_interrupted_under_another_version_is_not_resumed_and_no_fault(
    tmp_path: Path,
) -> None:
    work = Work(tmp_path)
    work.folder.mkdir()
    work.mark("interrupted", Order(data="ledgers"))
    state = work.folder / "state.json"
    assert work.interrupted() is not None
    body = read_sealed(state)
    write_sealed(state, {**body, "order": {**body["order"], "an_option_to_come": 1}})
    assert work.interrupted() is None
