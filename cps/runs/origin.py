"""What made a run: the package's own files, the versions of what it stands on, the data's hash."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cps.provenance import sha256_json

LIBRARIES = (
    "polars",
    "numpy",
    "scipy",
    "statsmodels",
    "altair",
    "vl-convert-python",
    "papermill",
    "jupyterlab",
)
_PACKAGE = Path(__file__).parents[1]
_OWN = (".py", ".toml", ".css", ".j2", ".json")


@lru_cache(maxsize=1)
def code_sha256() -> str:
    """Give one sha256 over the package's own files, wherever it is installed.

    Names below the package and contents count, in sorted order; it is taken once in a process.
    """
    return hash_of_tree(_PACKAGE)


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Give the versions of the libraries that numbers and pages rest on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


@lru_cache(maxsize=1)
def cps_version() -> str:
    """Give the package's version; marked if it was not installed."""
    try:
        return importlib.metadata.version("cps")
    except importlib.metadata.PackageNotFoundError:
        return "0.1.0+source"


def data_sha256(inputs: Mapping[str, str]) -> str:
    """Give one sha256 over all inputs: their names and hashes, in whatever order they come."""
    return sha256_json(dict(inputs))


def hash_of_tree(folder: Path) -> str:
    """Give one sha256 over the names and contents of a folder's source files."""
    digest = hashlib.sha256()
    named = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix in _OWN and "__pycache__" not in path.parts
    }
    for name in sorted(named):
        content = named[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def fill_caches() -> None:
    """Read what is the same for every run of this process."""
    code_sha256()
    library_versions()
    cps_version()
    platform.platform()  # which keeps what it reads from the interpreter's file
