"""The frame that all pages share: head, banner, ways to other pages, footer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cps.locale import Content, Words
from cps.report.blocks import Block
from cps.report.writer import Writer

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Way:
    """A link of a page's head to the same page in another language."""

    href: str
    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one page says, before it is put into the words of a language.

    Parameters
    ----------
    title : Content
    blocks : sequence of Block
    is_synthetic : bool
        True if the page shows numbers that were made up; it is marked then.
    source : Content or None
        Where the numbers come from, under each table and figure.
    footer : sequence of Content
        Paragraphs at the foot.
    metas : sequence of (str, str)
        Names and contents for machines that read the page.
    ways : sequence of Way
    index_href : str
        Link to the overview; none if empty.
    notice : Content or None
        What a reader must know before anything else.
    has_numbers : bool
        True if its headings are numbered.
    banner, index_word : str
        Keys of what is said on top of a page with made-up numbers, and of the link to the index.
    """

    title: Content
    blocks: Sequence[Block]
    is_synthetic: bool
    source: Content | None = None
    footer: Sequence[Content] = ()
    metas: Sequence[tuple[str, str]] = ()
    ways: Sequence[Way] = ()
    index_href: str = ""
    notice: Content | None = None
    has_numbers: bool = False
    banner: str = "page.synthetic_banner"
    index_word: str = "page.index"


def fill(page: Page, words: Words) -> str:
    """Write a page as HTML that needs nothing but itself; everything in it is escaped."""
    mark = words.say("page.synthetic_mark") if page.is_synthetic else ""
    writer = Writer(words, mark, has_numbers=page.has_numbers)
    html: str = _template().render(
        tag=words.tag,
        title=words.text(page.title),
        kicker=words.say("page.title"),
        css=_style(),
        mark=mark,
        banner=words.say(page.banner),
        metas=page.metas,
        index_href=page.index_href,
        notice=writer.parts(page.notice) if page.notice is not None else None,
        index_word=words.say(page.index_word),
        others=page.ways,
        blocks=writer.written(page.blocks),
        source_word=words.say("page.source"),
        note_word=words.say("page.note"),
        source=words.text(page.source) if page.source is not None else "",
        footer=[writer.parts(one) for one in page.footer],
    )
    return html


def ways_to(name: str, words: Words, offered: Sequence[Words]) -> list[Way]:
    """Give the links to the page of this file name in the other languages."""
    return [
        Way(f"../{one.language}/{name}", one.tag, one.name)
        for one in offered
        if one.language != words.language
    ]


@lru_cache(maxsize=1)
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        auto_reload=False,
    )
    return environment.get_template("page.html.j2")


@lru_cache(maxsize=1)
def _style() -> Any:
    from markupsafe import Markup

    style = (_HERE / "page.css").read_text(encoding="utf-8")
    return Markup(style)  # noqa: S704 - the package's own style sheet
