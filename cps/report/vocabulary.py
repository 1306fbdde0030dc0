"""The sections of a page, and the words of a language with the prose that lives with them."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from cps.dropin import load_modules, module_names
from cps.errors import Text, UsageError
from cps.locale import FOLDER as LOCALES
from cps.locale import Words, load_words
from cps.report import texts

SECTIONS = Path(__file__).parent / "sections"
PACKAGE = "cps.report.sections"


def section_modules(folder: Path | None = None) -> dict[str, ModuleType]:
    """Give the sections by name; those in ``folder`` with the package's own.

    Raises
    ------
    UsageError
        If one in ``folder`` is named like one of the package's.
    """
    found = load_modules(PACKAGE, SECTIONS)
    for name in module_names(folder) if folder else []:
        if name in found:
            raise UsageError(
                Text(f"已有名为“{name}”的章节", f"there is a section named {name!r} already"),
                where=str(folder),
                mend=Text("换一个文件名", "choose another file name"),
            )
        spec = importlib.util.spec_from_file_location(name, Path(folder or "") / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[name] = module
    return found


def words_of(
    language: str,
    *,
    modules: dict[str, ModuleType] | None = None,
    locales: Path | None = None,
) -> Words:
    """Give a language's words with the prose of the sections and of the pages beside them.

    Parameters
    ----------
    modules : dict of str to module, or None
        The sections, where they are not just the package's own.
    locales : Path or None
        Folder with a further language.

    Raises
    ------
    UsageError
        If there is no such language, or a text is missing or has two homes.
    """
    folder = locales or LOCALES
    own = section_modules()
    if modules is not None and modules.keys() != own.keys():
        return _read(language, modules, folder)
    files = [home / f"{name}.toml" for home in {LOCALES, folder} for name in (language, "en")]
    times = tuple(sorted((str(one), one.stat().st_mtime_ns) for one in files if one.exists()))
    return _read_once(language, folder, times)


@lru_cache(maxsize=16)
def _read_once(language: str, folder: Path, times: tuple[tuple[str, int], ...]) -> Words:
    # ``times`` are of the files read: a changed one is read again.
    return _read(language, section_modules(), folder)


def _read(language: str, modules: dict[str, ModuleType], folder: Path) -> Words:
    prose = {name: module.TEXT for name, module in modules.items()}
    return load_words(language, sections={**prose, **texts.TEXTS}, folder=folder)
