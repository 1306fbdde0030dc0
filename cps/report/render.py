"""From a saved run to one self-contained page a language."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType

from cps.errors import RunError, Text
from cps.locale import Content, Message, Words
from cps.provenance import write_text
from cps.report.blocks import Block
from cps.report.origin import footer_of, metas_of
from cps.report.sections._common import is_scheme
from cps.report.shell import Page, fill, ways_to
from cps.report.texts import SCHEME_WORDS
from cps.report.vocabulary import SECTIONS, section_modules, words_of
from cps.runs import Run

OFFERED = ("zh", "en")
_INDEX = ("overview", "scheme", "forecast")  # kinds of run whose page is the index of its edition
__all__ = ["NO_LINKS", "OFFERED", "SECTIONS", "page_name", "render_report", "write_report"]
NO_LINKS: Mapping[str, str] = MappingProxyType({})


def render_report(
    run: Run,
    *,
    language: str = "zh",
    languages: Sequence[str] = OFFERED,
    sections: Path | None = None,
    locales: Path | None = None,
    editions_href: Mapping[str, str] = NO_LINKS,
    notice: Content | None = None,
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
    notice : Content or None
        What a reader must know before anything else, as that the page is out of date.

    Returns
    -------
    str
        HTML without scripts or addresses; everything that came with the data is escaped.

    Raises
    ------
    UsageError
        If there is no such language, or a text is missing or has two homes.
    """
    modules = section_modules(sections)
    words = _worded(run, words_of(language, modules=modules, locales=locales))
    others = [words_of(one, modules=modules, locales=locales) for one in languages]
    return fill(
        _page(
            run,
            _blocks(run, modules),
            words,
            offered=others,
            editions_href=editions_href,
            notice=notice,
        ),
        words,
    )


def write_report(
    run: Run,
    folder: Path | str,
    *,
    languages: Sequence[str] = OFFERED,
    sections: Path | None = None,
    locales: Path | None = None,
    editions_href: Mapping[str, str] = NO_LINKS,
    notice: Content | None = None,
    name: str = "",
) -> list[Path]:
    """Write a run's pages to ``folder/<language>/``: ``<name>.html``, or ``index.html``.

    Each page is written aside and renamed.

    Parameters
    ----------
    languages, sections, locales, editions_href, notice
        As for :func:`render_report`.
    name : str
        File name of the page, if not the run's own.

    Returns
    -------
    list of Path
        One a language.
    """
    modules = section_modules(sections)
    blocks = _blocks(run, modules)
    all_words = [words_of(one, modules=modules, locales=locales) for one in languages]
    written = []
    for words in (_worded(run, one) for one in all_words):
        page = _page(
            run,
            blocks,
            words,
            offered=all_words,
            editions_href=editions_href,
            notice=notice,
            name=name,
        )
        path = Path(folder) / words.language / (name or page_name(run))
        write_text(path, fill(page, words))
        written.append(path)
    return written


def _worded(run: Run, words: Words) -> Words:
    """Give the words for a run: a scheme reached its units, and none of them hosts a project."""
    if not is_scheme(run):
        return words
    return dataclasses.replace(words, glossary=SCHEME_WORDS.get(words.language, ()))


def page_name(run: Run) -> str:
    """Give the file name of a run's page.

    Raises
    ------
    RunError
        If the run's name can't be one: pages are named by ids, never by names from the data.
    """
    return "index.html" if run.kind in _INDEX else file_name(run.name)


def file_name(name: str) -> str:
    """Give the file name of the page of what is called ``name``; refuse what leads elsewhere."""
    if not name or set(name) & set('/\\:*?"<>|\0\n') or name.startswith("."):
        raise RunError(
            Text(f"“{name}”不能用作页面文件名", f"{name!r} can't name a page"),
            where="run.name",
            mend=Text("改用字母、数字和下划线", "use letters, digits and underscores"),
        )
    return f"{name}.html"


def _title(run: Run) -> Content:
    if run.kind == "overview":
        return Message("page.index")
    if run.subject:
        return Text(run.subject["name"]["zh"], run.subject["name"]["en"])
    return run.name


def _blocks(run: Run, modules: Mapping[str, ModuleType]) -> list[Block]:
    page = run.kind if run.kind in _INDEX else "initiative"
    return [
        block
        for module in sorted(modules.values(), key=lambda one: (one.ORDER, one.__name__))
        if module.PAGE in (page, "both")
        for block in module.build(run)
    ]


def _page(
    run: Run,
    blocks: Sequence[Block],
    words: Words,
    *,
    offered: Sequence[Words],
    editions_href: Mapping[str, str],
    notice: Content | None,
    name: str = "",
) -> Page:
    name = name or page_name(run)
    return Page(
        title=_title(run),
        blocks=blocks,
        is_synthetic=run.is_synthetic,
        source=Message("page.source_text", {"run": run.manifest.run_hash[:12]}),
        footer=footer_of(run, editions_href=editions_href.get(words.language, "")),
        metas=metas_of(run),
        ways=ways_to(name, words, offered),
        index_href="index.html" if run.subject and name != "index.html" else "",
        notice=notice,
        has_numbers=True,
        banner="page.scheme_banner" if is_scheme(run) else "page.synthetic_banner",
    )
