"""The process that reads large ledgers hands back what was wrong, whole."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest

from cps.errors import CpsError, LedgerError, StorageError
from cps.runner import prepare
from cps.runner.order import Order
from cps.runner.snapshot import Snapshot


@dataclass
class Asked:
    """A panel asked of a process of its own, and where that leaves its answer."""

    making: prepare._Making
    answer: Path

    def run(self) -> int:
        return prepare.panel_task(pickle.dumps((self.making, self.answer)))


def asked(folder: Path, ledger: str, target: Path) -> Asked:
    data = folder / "data"
    data.mkdir()
    (data / "a.csv").write_text(ledger, encoding="utf-8")
    snapshot = Snapshot(folder, {}, data, folder, None, None)
    return Asked(prepare._Making(Order(str(data)), snapshot, target), folder / "answer")


HEADER, ROW = "village,month,item,value,unit\n", "示例村01,2023-01,经营性收入,1,元\n"


def test_ledgers_that_are_refused_come_back_with_their_findings(tmp_path: Path) -> None:
    one = asked(tmp_path, HEADER + ROW.replace(",1,", ",1O,"), tmp_path / "panel")
    assert one.run() == 1
    error = prepare._unpacked(one.answer.read_bytes())
    assert isinstance(error, LedgerError)
    assert error.where.startswith("a.csv › D2")
    assert error.mend.zh
    assert [found.code for found in error.findings] == ["E-LEDGER-CELL"]


def test_what_the_system_refuses_comes_back_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    months = "".join(ROW.replace("2023-01", f"2023-{n:02}") for n in range(1, 13))
    one = asked(tmp_path, HEADER + months, tmp_path / "file" / "panel")
    assert one.run() == 1
    error = prepare._unpacked(one.answer.read_bytes())
    assert isinstance(error, OSError)
    assert error.errno is not None
    assert str(tmp_path / "file") in str(error.filename)


@pytest.mark.parametrize(("status", "said"), [(-9, ""), (None, ""), (1, "MemoryError")])
def test_a_reading_that_was_killed_is_suspected_of_its_memory(
    status: int | None, said: str, tmp_path: Path
) -> None:
    making = asked(tmp_path, HEADER + ROW, tmp_path / "panel").making
    error = prepare._reading_died(status, said, making)
    assert isinstance(error, StorageError)
    assert "内存" in error.what.zh
    assert error.where == making.order.data


def test_a_fault_of_our_own_is_no_error_that_the_user_could_mend(tmp_path: Path) -> None:
    making = asked(tmp_path, HEADER + ROW, tmp_path / "panel").making
    error = prepare._reading_died(1, "KeyError: 'unit'", making)
    assert not isinstance(error, CpsError)
    assert "KeyError" in str(error)
