"""Finished work under the key of all that it depends on; nothing is served that isn't whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from cps.errors import Text
from cps.provenance import sync_folder, sync_tree
from cps.runner.sealed import DamagedError, read_folder, seal_folder

SEAL = "piece.json"


class Store:
    """Folders by key, each sealed with the sha256 of its files.

    Parameters
    ----------
    folder : Path
    warn : callable
        Told of an entry that was damaged and is made anew.
    """

    def __init__(self, folder: Path, warn: Callable[[Text], None] = lambda text: None) -> None:
        self.folder = folder
        self._warn = warn

    def has(self, key: str) -> bool:
        """Say whether there is an entry, whole or not."""
        return (self.folder / key).exists()

    def get(self, key: str) -> Path | None:
        """Give the folder of ``key``, checked file by file; a damaged one is removed."""
        entry = self.folder / key
        if not entry.exists():
            return None
        try:
            if read_folder(entry, SEAL)["key"] != key:
                raise DamagedError("stored under another key")
        except DamagedError as error:
            self._warn(
                Text(
                    f"保存的中间结果已损坏，将重新计算：{key[:12]}（{error}）",
                    f"a kept result is damaged and is made anew: {key[:12]} ({error})",
                )
            )
            shutil.rmtree(entry)
            return None
        return entry

    def put(self, key: str, folder: Path, body: dict[str, Any]) -> Path:
        """Take a finished folder in, by one rename; it must lie on the same file system."""
        entry = self.folder / key
        self.folder.mkdir(exist_ok=True)
        seal_folder(folder, SEAL, {**body, "key": key})
        sync_tree(folder)
        if entry.exists():
            shutil.rmtree(entry)
        folder.rename(entry)
        sync_folder(self.folder)
        return entry

    def copy(self, key: str, target: Path) -> None:
        """Copy what is kept under ``key`` into ``target``, but for its seal."""
        copy_tree(self.folder / key, target, without=SEAL)

    def prune(self, keep: Collection[str]) -> None:
        """Remove what no key of ``keep`` names, and what dead runs left half-written."""
        if not self.folder.is_dir():
            return
        for entry in self.folder.iterdir():
            if entry.name in keep:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    entry.unlink()


def copy_tree(source: Path, target: Path, *, without: str | None = None) -> None:
    """Copy a folder into another, but for one file of it; the first refusal is raised as it is."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            copy_tree(entry, target / entry.name)
        elif entry.name != without:
            copy_bytes(entry, target / entry.name)


def copy_bytes(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> str:
    """Copy a file's bytes with ordinary permissions: times and modes belong to its source."""
    shutil.copyfile(source, target)
    return str(target)
