"""Drop-in folders: a new file in the folder is a new member, with no list to edit."""

from __future__ import annotations

import importlib
import tomllib
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from cps.errors import Text, UsageError, unknown_choice


def module_names(folder: Path) -> list[str]:
    """List the members of a folder of modules; names with a leading ``_`` are helpers."""
    return list(_names(folder, folder.stat().st_mtime_ns))


@lru_cache(maxsize=64)
def _names(folder: Path, changed: int) -> tuple[str, ...]:
    # ``changed`` is the folder's own time: a file put in or taken out moves it.
    return tuple(sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")))


def load_module(package: str, folder: Path, name: str, *, kind: Text) -> ModuleType:
    """Import one member of a drop-in package.

    Raises
    ------
    UsageError
        If there is no such member; lists the members and the nearest name.
    """
    names = module_names(folder)
    if name not in names:
        raise unknown_choice(kind, name, names, where=package)
    return importlib.import_module(f"{package}.{name}")


def load_modules(package: str, folder: Path) -> dict[str, ModuleType]:
    """Import all members of a drop-in package, by name."""
    return {name: importlib.import_module(f"{package}.{name}") for name in module_names(folder)}


def read_toml(path: Path) -> dict[str, Any]:
    """Read one TOML file.

    Raises
    ------
    UsageError
        If it is missing, not UTF-8 or not TOML; names the line.
    """
    try:
        with path.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError as error:
        raise UsageError(
            Text("找不到文件", "the file does not exist"),
            where=str(path),
            mend=Text("检查路径", "check the path"),
        ) from error
    except RecursionError as error:
        raise UsageError(
            Text("括号嵌套过深，不是有效的 TOML", "brackets nested too deep for TOML"),
            where=str(path),
            mend=Text("更正文件中的括号", "correct the brackets of the file"),
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            Text(f"不是有效的 TOML：{error}", f"not valid TOML: {error}"),
            where=str(path),
            mend=Text("按所示行修正", "correct the line named"),
        ) from error
