"""From the snapshot of the inputs to the panel that all notebooks of a run read."""

from __future__ import annotations

import contextlib
import datetime
import pickle
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cps.design.initiatives import FOLDER as INITIATIVES
from cps.design.initiatives import load_initiatives
from cps.design.record import Initiative
from cps.errors import CpsError, PanelError, StorageError, Text, unknown_choice
from cps.runner.judge import tail
from cps.runner.keys import key_of, panel_components
from cps.runner.local import local_engine
from cps.runner.order import Order
from cps.runner.snapshot import UNITS, Snapshot
from cps.runner.store import Store, copy_tree

_LARGE_BYTES = 8 << 20  # of ledgers; some thirty times as much memory while they are read
_LONGEST_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all notebooks of a run share.

    Parameters
    ----------
    panel : Path
        Folder with the panel and copies of the initiative files.
    declared : tuple of Initiative
        All that are declared: others' hosts are no comparison.
    chosen : tuple of str
        Ids to run.
    key : str
        Key of the panel in the store.
    """

    panel: Path
    declared: tuple[Initiative, ...]
    chosen: tuple[str, ...]
    key: str


def prepare(order: Order, snapshot: Snapshot, folder: Path, store: Store) -> Inputs:
    """Make the panel's folder, from the store if the same ledgers were read before.

    Raises
    ------
    UsageError
        If ``only`` names an initiative that is not declared; gives the nearest.
    LedgerError, PanelError, InitiativeError
        If the input can't be read without guessing.
    """
    with _own_places(order, snapshot):
        if snapshot.scheme is None:
            _chosen(load_initiatives(snapshot.initiatives), order.only, order.initiatives)
        key = panel_key(order, snapshot)
        if store.get(key) is None:
            made = folder.with_name(f"{folder.name}.new")
            shutil.rmtree(made, ignore_errors=True)
            _make_panel(_Making(order, snapshot, made))
            store.put(key, made, {"kind": "panel"})
    shutil.rmtree(folder, ignore_errors=True)
    store.copy(key, folder)
    if snapshot.scheme is None:
        copy_tree(snapshot.initiatives, folder / "initiatives")
    # Of another scheme they came with the panel: its register says who was reached when.
    declared = load_initiatives(folder / "initiatives")
    return Inputs(folder, declared, _chosen(declared, order.only, order.initiatives), key)


@contextlib.contextmanager
def _own_places(order: Order, snapshot: Snapshot) -> Iterator[None]:
    """Let errors name the user's own folders, not the copies that were read."""
    copies = {
        str(snapshot.data): order.data,
        str(snapshot.initiatives): order.initiatives or str(INITIATIVES),
    }
    if snapshot.scheme is not None and order.scheme is not None:
        copies[str(snapshot.scheme)] = order.scheme
    if snapshot.units is not None:
        copies[str(snapshot.units)] = order.units or str(UNITS)
    try:
        yield
    except CpsError as error:
        for copy, own in copies.items():
            error.where = error.where.replace(copy, own)
        raise


def panel_key(order: Order, snapshot: Snapshot) -> str:
    """Give the key of the panel that the snapshot's ledgers make."""
    return key_of(panel_components(snapshot.inputs, order.as_of))


def scheme_outcomes(file: Path) -> tuple[str, ...]:
    """Give the outcomes of a scheme that the engine can evaluate, the main one first.

    Raises
    ------
    SchemeError
        If no effect can be estimated of it, in its own words.
    """
    from cps.schemes.load import read_scheme_file
    from cps.schemes.panel import cannot_run

    scheme = read_scheme_file(file)
    if not scheme.can_run:
        raise cannot_run(scheme)
    return tuple(one.id for one in scheme.outcomes)


def describe(panel: Path) -> Text:
    """Say in one line what was read, from the panel's folder."""
    from cps.panel.store import load_panel

    read = load_panel(panel)
    n_units, n_periods = read.frame["unit"].n_unique(), read.frame["period"].n_unique()
    n_files, n_findings = len(read.sources), len(read.findings)
    return Text(
        f"已读 {n_files} 个台账文件：{n_units} 个单位 × {n_periods} 期，提示 {n_findings} 条",
        f"read {n_files} ledger files: {n_units} units × {n_periods} periods, "
        f"{n_findings} findings",
    )


@dataclass(frozen=True, slots=True)
class _Making:
    """What a panel is made from, and the folder that it goes to."""

    order: Order
    snapshot: Snapshot
    folder: Path


def _make_panel(making: _Making) -> None:
    """Make the panel here, or in a process of its own where it takes much memory.

    What that process held is given back whole before the first notebook starts; of small ledgers
    it is too little to be worth the start of a process.
    """
    read = making.snapshot.data
    n_bytes = sum(one.lstat().st_size for one in (read, *read.rglob("*")) if one.is_file())
    if n_bytes < _LARGE_BYTES:
        _read_to_panel(making)
        return
    with local_engine(is_cold=True) as engine:
        answer = engine.scratch / "answer"
        printed = engine.scratch / "reading.txt"
        status = engine.call(
            "cps.runner.prepare:panel_task",
            pickle.dumps((making, answer)),
            printed=printed,
            timeout=_LONGEST_SECONDS,
        )
        if answer.exists():
            raise _unpacked(answer.read_bytes())
        if status != 0:
            raise _reading_died(status, tail(printed), making)


def panel_task(payload: bytes) -> int:
    """Make a panel in a process of its own; what it raises for the user is left as an answer."""
    making, answer = pickle.loads(payload)  # noqa: S301 - our own process sent it
    try:
        _read_to_panel(making)
    except (CpsError, OSError) as error:
        answer.write_bytes(_packed(error))
        return 1
    return 0


def _packed(error: CpsError | OSError) -> bytes:
    if isinstance(error, OSError):
        return pickle.dumps((type(error), (error.errno, error.strerror, error.filename), {}))
    parts = {"where": error.where, "mend": error.mend, "findings": error.findings}
    return pickle.dumps((type(error), (error.what,), parts))


def _unpacked(answer: bytes) -> Exception:
    kind, given, parts = pickle.loads(answer)  # noqa: S301 - our own process sent it
    error: Exception = kind(*given, **parts)
    return error


def _reading_died(status: int | None, said: str, making: _Making) -> Exception:
    """Make the error for a process that ended without an answer: killed, or a fault of our own."""
    if status is not None and status >= 0 and "MemoryError" not in said:
        return RuntimeError(f"reading the ledgers ended with status {status}: {said}")
    return StorageError(
        Text(
            f"读取台账的进程被终止（{status}），可能是内存不足",
            f"reading the ledgers was ended from outside ({status}); perhaps for want of memory",
        ),
        where=making.order.data,
        mend=Text(
            "关闭其他程序后再次运行，或换内存更大的机器",
            "close other programs and run again, or use a machine with more memory",
        ),
    )


def _read_to_panel(making: _Making) -> None:
    if making.snapshot.scheme is not None:
        _read_scheme(making.snapshot.scheme, making.snapshot.data, making.folder)
        return
    from cps.ledger.read import inspect_ledgers
    from cps.panel.build import build_panel
    from cps.panel.store import save_panel

    order, snapshot = making.order, making.snapshot
    today = datetime.date.fromisoformat(order.today)
    found = inspect_ledgers(snapshot.data, corrections=snapshot.corrections, as_of=today)
    found = found.accepted()
    if order.as_of is not None:
        found = found.until(datetime.date.fromisoformat(order.as_of))
        if found.series.is_empty():
            raise PanelError(
                Text(f"截至 {order.as_of} 没有任何数据", f"there are no data up to {order.as_of}"),
                where="--as-of",
                mend=Text("给出更晚的日期", "give a later date"),
            )
    save_panel(build_panel(found, units=snapshot.units), making.folder)


def _read_scheme(file: Path, data: Path, folder: Path) -> None:
    """Make the panel of another scheme, with its initiative and its card beside it."""
    from cps.facts import load_facts
    from cps.panel.store import save_panel
    from cps.runs import encode
    from cps.schemes.cards import make_card, save_card
    from cps.schemes.load import read_scheme_file
    from cps.schemes.panel import scheme_initiative, scheme_panel, write_initiative
    from cps.schemes.reader import read_scheme

    facts = load_facts()
    scheme = read_scheme_file(file, facts=facts)
    ledgers = read_scheme(scheme, data)
    initiative = scheme_initiative(scheme, ledgers)
    save_panel(scheme_panel(scheme, ledgers), folder)
    write_initiative(initiative, folder / "initiatives")
    save_card(encode(make_card(scheme, facts, ledgers)), folder / "initiatives")


def _chosen(
    declared: Sequence[Initiative], only: Sequence[str], where: str | None
) -> tuple[str, ...]:
    ids = [one.id for one in declared]
    for name in only:
        if name not in ids:
            raise unknown_choice(
                Text("共富项目", "initiative"), name, ids, where=str(where or INITIATIVES)
            )
    return tuple(dict.fromkeys(only)) or tuple(ids)
