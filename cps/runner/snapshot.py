"""Copy and hash the inputs once, so that every notebook of a run reads the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cps.design.initiatives import FOLDER as INITIATIVES
from cps.errors import LedgerError, Text
from cps.runner.order import Order
from cps.runner.sealed import DamagedError, read_folder, seal_folder

CORRECTIONS = Path(__file__).parents[2] / "data" / "corrections"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = ("initiative.ipynb", "overview.ipynb")
SCHEME_OVERVIEW = "scheme.ipynb"  # stands for the overview where a scheme is evaluated
UNITS = Path(__file__).parents[2] / "data" / "units.toml"
SEAL = "snapshot.json"
_TRIES = 3
# Excel and WPS, WPS on Linux, LibreOffice.
_OWNER_FILE = re.compile(r"(?:~\$|\.~lock\.|\.~)(.+?)#?")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder with copies of all inputs, and the sha256 of each by its label.

    Parameters
    ----------
    folder : Path
        ``data/`` and ``notebooks/``; ``initiatives/``, ``units.toml`` and ``corrections/``, or of
        another scheme ``scheme/<id>.toml``.
    inputs : dict of str to str
        Label (path below ``folder``) -> sha256.
    """

    folder: Path
    inputs: dict[str, str]
    data: Path
    initiatives: Path
    units: Path | None
    corrections: Path | None
    scheme: Path | None = None


def take_snapshot(order: Order, folder: Path) -> Snapshot:
    """Copy what ``order`` names into ``folder``, and seal it.

    A link is copied as the file that it leads to; one that reading refuses stays a link.

    Raises
    ------
    LedgerError
        If a file can't be read, goes on changing while it is copied, or is a link to a folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for label, source in sources(order):
        target = folder / label
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_refused(label, source):
            target.symlink_to(os.readlink(source))
        else:
            _copied(source, target, label)
    (folder / "data").mkdir(exist_ok=True)
    seal_folder(folder, SEAL, {"order": order.as_json()})
    return open_snapshot(order, folder)


def open_snapshot(order: Order, folder: Path) -> Snapshot:
    """Open a snapshot that was taken before, checked file by file.

    Raises
    ------
    DamagedError
        If it is not whole, or was taken for another order.
    """
    body = read_folder(folder, SEAL)
    if Order.from_json(body["order"]) != order:
        raise DamagedError("taken for another order")
    source = Path(order.data)
    units, corrections = folder / "units.toml", folder / "corrections"
    return Snapshot(
        folder=folder,
        inputs=dict(body["files"]),
        data=folder / "data" / source.name if not source.is_dir() else folder / "data",
        initiatives=folder / "initiatives",
        units=units if units.exists() else None,
        corrections=corrections if corrections.exists() else None,
        scheme=folder / "scheme" / Path(order.scheme).name if order.scheme else None,
    )


def hash_inputs(order: Order) -> dict[str, str]:
    """Give label -> sha256 of the inputs as they are now, without copying them."""
    return {
        label: _hashed(source, None)
        for label, source in sources(order)
        if source.is_file() and not _is_refused(label, source)
    }


def changed_since(order: Order, inputs: dict[str, str]) -> tuple[str, ...]:
    """Give the labels of inputs that are not any more what they were."""
    try:
        now = hash_inputs(order)
    except LedgerError as error:
        return (error.where,)
    return tuple(sorted({label for label, _ in set(now.items()) ^ set(inputs.items())}))


def open_elsewhere(order: Order) -> tuple[str, ...]:
    """Give the workbooks that Excel or WPS holds open, by the lock files beside them."""
    data = Path(order.data)
    beside = data.rglob("*") if data.is_dir() else data.parent.glob("*")
    names = {found[1] for path in beside if (found := _OWNER_FILE.fullmatch(path.name))}
    return tuple(sorted(names if data.is_dir() else names & {data.name}))


def sources(order: Order) -> Iterator[tuple[str, Path]]:
    """Give label and path of every file that a run reads, in order of label."""
    data = Path(order.data)
    if data.is_dir():
        yield from _below(data, "data")
    else:
        yield f"data/{data.name}", data
    notebooks = Path(order.notebooks) if order.notebooks else NOTEBOOKS
    if order.scheme:
        yield f"notebooks/{NAMES[0]}", notebooks / NAMES[0]
        yield f"notebooks/{NAMES[1]}", notebooks / SCHEME_OVERVIEW
        yield f"scheme/{Path(order.scheme).name}", Path(order.scheme)
        return
    initiatives = Path(order.initiatives) if order.initiatives else INITIATIVES
    for path in sorted(initiatives.glob("*.toml")):
        yield f"initiatives/{path.name}", path
    for name in NAMES:
        yield f"notebooks/{name}", notebooks / name
    units = Path(order.units) if order.units else UNITS
    if units.exists() or order.units:
        yield "units.toml", units
    if CORRECTIONS.is_dir():
        yield from _below(CORRECTIONS, "corrections")


def _below(folder: Path, label: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.name.startswith((".", "~$")):
            continue
        if path.is_symlink() and path.is_dir():
            raise LedgerError(
                Text(
                    "是指向文件夹的链接，其中的文件不会被读取", "a link to a folder is not followed"
                ),
                where=str(path),
                mend=Text(
                    "把文件夹本身放进来，或删除该链接",
                    "put the folder itself there, or remove the link",
                ),
            )
        if path.is_file() or path.is_symlink():
            yield f"{label}/{path.relative_to(folder).as_posix()}", path


def _is_refused(label: str, source: Path) -> bool:
    """Say whether a ledger is a link that reading will refuse, by the name that it has here."""
    if not source.is_symlink() or not label.startswith("data/"):
        return False
    from cps.ledger.sources import refuse_link

    return refuse_link(source, label) is not None


def _copied(source: Path, target: Path, label: str) -> None:
    """Copy a file's bytes; again if it changed meanwhile."""
    for _ in range(_TRIES):
        with _readable(source):
            before = source.stat()
        copied = _hashed(source, target)
        with _readable(source):
            after = source.stat()
        is_same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if is_same and _hashed(target, None) == copied:
            return
    raise LedgerError(
        Text("文件在读取期间不断变化", "the file goes on changing while it is read"),
        where=label,
        mend=Text("等写入完成后再运行", "run again when its writing is done"),
    )


def _hashed(source: Path, target: Path | None) -> str:
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        with _readable(source):
            read = stack.enter_context(source.open("rb"))
        write = stack.enter_context(target.open("wb")) if target else None
        while True:
            with _readable(source):
                chunk = read.read(_CHUNK_BYTES)
            if not chunk:
                return digest.hexdigest()
            digest.update(chunk)
            if write is not None:
                write.write(chunk)


@contextlib.contextmanager
def _readable(source: Path) -> Iterator[None]:
    """Say that an input can't be read; a copy that can't be written is no fault of the input."""
    try:
        yield
    except FileNotFoundError as error:
        raise LedgerError(
            Text("找不到台账等输入文件", "there is no such input"),
            where=str(source),
            mend=Text(
                "检查路径；示例台账用 cps demo 生成", "check the path; cps demo writes examples"
            ),
        ) from error
    except OSError as error:
        raise LedgerError(
            Text(f"无法读取：{error.strerror}", f"can't be read: {error.strerror}"),
            where=str(source),
            mend=Text("检查文件和权限", "check the file and its permissions"),
        ) from error
