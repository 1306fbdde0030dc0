"""Whether this installation can run: versions, places, encodings, kernels."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cps.errors import CpsError, StorageError, Text

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
Grade = Literal["good", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Ailment:
    """One thing looked at; ``bad`` keeps runs from starting."""

    grade: Grade
    text: Text


def examine(out: Path) -> tuple[Ailment, ...]:
    """Look at everything that a run needs."""
    return (
        *(Ailment("bad", one) for one in wrong_versions()),
        *(Ailment("note", one) for one in unpinned_versions()),
        *_places(out),
        *_encodings(),
        *_kernels(),
    )


@functools.cache
def wrong_versions() -> tuple[Text, ...]:
    """Name every library that is missing or outside what the package declares."""
    if _installed("cps") is None:
        return (Text("cps 未安装", "cps is not installed"),)
    found = []
    for one in _declared():
        has = _installed(one.name)
        if has is None:
            found.append(Text(f"{one.name} 未安装", f"{one.name} is not installed"))
        elif not one.specifier.contains(has, prereleases=True):
            found.append(
                Text(
                    f"{one.name} {has}，须为 {one.specifier}",
                    f"{one.name} is {has}, must be {one.specifier}",
                )
            )
    return tuple(found)


@functools.cache
def declared_versions() -> dict[str, str]:
    """Give the version of every library that the package declares; the reader of workbooks too."""
    return {one.name: _installed(one.name) or "" for one in _declared()}


def _declared() -> Iterator[Requirement]:
    from packaging.requirements import Requirement

    for line in importlib.metadata.requires("cps") or ():
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield one


def demand_versions() -> None:
    """Refuse to run with libraries other than those that the package declares.

    Raises
    ------
    StorageError
        Names each of them.
    """
    wrong = wrong_versions()
    if wrong:
        raise StorageError(
            Text("；".join(one.zh for one in wrong), "; ".join(one.en for one in wrong)),
            where=sys.prefix,
            mend=Text(
                "按 constraints.txt 重新安装（make clean 后 make report）",
                "install again from constraints.txt (make clean, then make report)",
            ),
        )


def unpinned_versions() -> tuple[Text, ...]:
    """Name every library whose version is not the one that the project was tested with."""
    if not CONSTRAINTS.exists():
        return ()
    found = []
    for line in CONSTRAINTS.read_text(encoding="utf-8").split():
        name, _, wanted = line.partition("==")
        has = _installed(name)
        if has is not None and has != wanted:
            found.append(
                Text(f"{name} {has}，测试所用为 {wanted}", f"{name} is {has}, tested with {wanted}")
            )
    return tuple(found)


def _places(out: Path) -> Iterator[Ailment]:
    from cps.runner.lock import holder
    from cps.runner.scratch import scratch_folder

    try:
        with scratch_folder() as folder:
            yield Ailment(
                "good", Text(f"临时文件夹 {folder.parent}", f"scratch in {folder.parent}")
            )
    except CpsError as error:
        yield Ailment("bad", error.what)
    place = out.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        yield Ailment("bad", Text(f"{place} 不可写", f"{place} can't be written"))
        return
    free = shutil.disk_usage(place).free / 1e9
    yield Ailment("good", Text(f"{place} 剩余 {free:.1f} GB", f"{place} has {free:.1f} GB free"))
    held = holder(out)
    if held is not None:
        yield Ailment(
            "note",
            Text(
                f"{out} 正在运行（pid {held.get('pid')}）", f"{out} is run by pid {held.get('pid')}"
            ),
        )


def _encodings() -> Iterator[Ailment]:
    files, console = sys.getfilesystemencoding(), sys.stdout.encoding or "?"
    if files.lower() == "utf-8":
        yield Ailment("good", Text("文件名编码 UTF-8", "names of files are UTF-8"))
    else:
        yield Ailment("note", Text(f"文件名编码 {files}", f"names of files are {files}"))
    if console.lower().replace("-", "") != "utf8":
        yield Ailment(
            "note",
            Text(
                f"终端编码 {console}：不能显示的字以转义写出",
                f"the console is {console}: what it can't show is written as an escape",
            ),
        )


def _kernels() -> Iterator[Ailment]:
    from cps.runner.warm.client import is_available

    if is_available():
        yield Ailment("good", Text("可用预热内核", "warm kernels can be forked"))
    else:
        yield Ailment(
            "note",
            Text("本系统不能复制进程，用普通内核", "no fork on this system: ordinary kernels"),
        )
    from jupyter_client.kernelspec import KernelSpecManager

    names = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
    yield Ailment("good", Text(f"已装内核：{names}", f"kernels installed: {names}"))


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
