"""From a saved run to one self-contained page a language."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType

from cps.dropin import load_modules, module_names
from cps.errors import RunError, Text, UsageError
from cps.locale import FOLDER as LOCALES
from cps.locale import Content, Message, load_words
from cps.provenance import write_text
from cps.report.origin import footer_of, metas_of
from cps.report.shell import Page, Way, fill
from cps.runs import Run

SECTIONS = Path(__file__).parent / "sections"
PACKAGE = "cps.report.sections"
OFFERED = ("zh", "en")
NO_LINKS: Mapping[str, str] = MappingProxyType({})


def render_report(
    run: Run,
    *,
    language: str = "zh",
    languages: Sequence[str] = OFFERED,
    sections: Path | None = None,
    locales: Path | None = None,
    editions_href: Mapping[str, str] = NO_LINKS,
) -> str:
    """Render a run as one HTML page that needs nothing but itself.

    Parameters
    ----------
    run : Run
    language : str
        Language of the page.
    languages : sequence of str
        Languages that the page is offered in, linked from it.
    sections, locales : Path or None
        Folders with further sections and languages.
    editions_href : mapping of language to str
        Link to the list of editions, where the page lies beside one.

    Returns
    -------
    str
        HTML without scripts or addresses; everything that came with the data is escaped.

    Raises
    ------
    UsageError
        If there is no such language, or a text is missing or has two homes.
    """
    modules = _modules(sections)
    prose = {name: module.TEXT for name, module in modules.items()}
    folder = locales or LOCALES
    words = load_words(language, sections=prose, folder=folder)
    page = "overview" if run.kind == "overview" else "initiative"
    blocks = [
        block
        for module in sorted(modules.values(), key=lambda one: (one.ORDER, one.__name__))
        if module.PAGE in (page, "both")
        for block in module.build(run)
    ]
    name = page_name(run)
    others = [load_words(one, folder=folder) for one in languages if one != language]
    content = Page(
        title=_title(run),
        blocks=blocks,
        is_synthetic=run.is_synthetic,
        source=Message("page.source_text", {"run": run.manifest.run_hash[:12]}),
        footer=footer_of(run, editions_href=editions_href.get(language, "")),
        metas=metas_of(run),
        ways=[Way(f"../{one.language}/{name}", one.tag, one.name) for one in others],
        index_href="index.html" if run.subject and name != "index.html" else "",
    )
    return fill(content, words)


def write_report(
    run: Run,
    folder: Path | str,
    *,
    languages: Sequence[str] = OFFERED,
    sections: Path | None = None,
    locales: Path | None = None,
    editions_href: Mapping[str, str] = NO_LINKS,
) -> list[Path]:
    """Write a run's pages to ``folder/<language>/``: ``<name>.html``, or ``index.html``.

    Each page is written aside and renamed.

    Returns
    -------
    list of Path
        One a language.
    """
    written = []
    for language in languages:
        html = render_report(
            run,
            language=language,
            languages=languages,
            sections=sections,
            locales=locales,
            editions_href=editions_href,
        )
        path = Path(folder) / language / page_name(run)
        write_text(path, html)
        written.append(path)
    return written


def page_name(run: Run) -> str:
    """Give the file name of a run's page.

    Raises
    ------
    RunError
        If the run's name can't be one: pages are named by ids, never by names from the data.
    """
    if run.kind == "overview":
        return "index.html"
    if not run.name or set(run.name) & set('/\\:*?"<>|\0\n') or run.name.startswith("."):
        raise RunError(
            Text(f"“{run.name}”不能用作页面文件名", f"{run.name!r} can't name a page"),
            where="run.name",
            mend=Text("改用字母、数字和下划线", "use letters, digits and underscores"),
        )
    return f"{run.name}.html"


def _title(run: Run) -> Content:
    if run.kind == "overview":
        return Message("page.index")
    if run.subject:
        return Text(run.subject["name"]["zh"], run.subject["name"]["en"])
    return run.name


def _modules(folder: Path | None) -> dict[str, ModuleType]:
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
