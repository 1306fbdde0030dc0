"""Every byte that a run reads is copied and hashed, links and all, and none that it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from cps.errors import LedgerError, UsageError
from cps.runner.batch import run_batch
from cps.runner.order import Order
from cps.runner.snapshot import Snapshot, changed_since, hash_inputs, take_snapshot

LABEL = "data/town.csv"


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Two ledgers in a folder of their own."""
    data = tmp_path / "ledgers"
    (data / "old").mkdir(parents=True)
    (data / "old" / "real.txt").write_text("one")
    (data / "other.csv").write_text("other")
    return Order(data=str(data))


def _taken(order: Order) -> Snapshot:
    return take_snapshot(order, Path(order.data).parent / "copy")


def test_a_ledger_that_is_a_link_is_copied_and_hashed_like_any_other(order: Order) -> None:
    link = Path(order.data) / "town.csv"
    without = _taken(order).inputs
    link.symlink_to("old/real.txt")
    first = _taken(order)
    assert set(first.inputs) - set(without) == {LABEL}
    assert (first.data / "town.csv").read_text() == "one"
    assert not (first.data / "town.csv").is_symlink()
    assert hash_inputs(order) == first.inputs
    link.unlink()
    assert changed_since(order, first.inputs) == (LABEL,)


def test_a_link_that_is_led_elsewhere_is_another_ledger(order: Order) -> None:
    data = Path(order.data)
    (data / "old" / "newer.txt").write_text("two")
    for target in (Path("old/real.txt"), data / "old" / "newer.txt"):  # relative, then absolute
        (data / "town.csv").unlink(missing_ok=True)
        (data / "town.csv").symlink_to(target)
        assert _taken(order).inputs[LABEL] == hash_inputs(order)["data/old/" + target.name]


def test_a_link_that_leads_out_of_its_folder_is_left_to_be_refused(order: Order) -> None:
    secret = Path(order.data).parent / "secret.csv"
    secret.write_text("secret")
    (Path(order.data) / "town.csv").symlink_to(secret)
    taken = _taken(order)
    assert (taken.data / "town.csv").is_symlink()
    assert LABEL not in taken.inputs


def test_a_link_to_a_folder_is_refused_and_never_passed_over(order: Order, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (Path(order.data) / "jobs").symlink_to(tmp_path / "more")
    with pytest.raises(LedgerError, match="a link to a folder is not followed") as refused:
        _taken(order)
    assert refused.value.where == str(Path(order.data) / "jobs")


def test_initiatives_and_notebooks_that_are_links_are_copied(order: Order, tmp_path: Path) -> None:
    import dataclasses

    (tmp_path / "own").mkdir()
    (tmp_path / "one.toml").write_text("id = 1")
    (tmp_path / "own" / "one.toml").symlink_to("../one.toml")
    taken = _taken(dataclasses.replace(order, initiatives=str(tmp_path / "own")))
    assert (taken.initiatives / "one.toml").read_text() == "id = 1"
    assert "initiatives/one.toml" in taken.inputs


@pytest.mark.parametrize("below", ["", "reports", "deep/er"])
def test_an_output_folder_among_the_ledgers_is_refused_and_not_made(
    below: str, order: Order
) -> None:
    before = sorted(Path(order.data).rglob("*"))
    with pytest.raises(UsageError, match="inside that of the ledgers"):
        run_batch(order.data, Path(order.data) / below)
    assert sorted(Path(order.data).rglob("*")) == before
