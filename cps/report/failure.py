"""The page of an initiative that failed: what went wrong, where to look, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cps.errors import Text
from cps.locale import Content, Link, Message, Words
from cps.provenance import write_text
from cps.report.blocks import Block, Facts, Heading, Paragraph
from cps.report.origin import SHORT, age_of, metas_of, newer
from cps.report.render import NO_LINKS, OFFERED, file_name, write_report
from cps.report.shell import Page, fill, ways_to
from cps.report.vocabulary import words_of
from cps.runs import Failure, Run, code_sha256
from cps.runs.origin import cps_version


@dataclass(frozen=True, slots=True)
class LastGood:
    """The last finished page of an initiative that failed since.

    Parameters
    ----------
    href : str
        Link to it from the page of failure.
    edition : str
        Name of the edition that it comes from.
    as_of : str or None
        Last day of its data.
    """

    href: str
    edition: str
    as_of: str | None


def render_failure(
    failure: Failure,
    *,
    language: str = "zh",
    languages: Sequence[str] = OFFERED,
    name: Text | None = None,
    is_synthetic: bool = False,
    has_notebook: bool = True,
    last_good: LastGood | None = None,
    overview: Run | None = None,
    editions_href: Mapping[str, str] = NO_LINKS,
    locales: Path | None = None,
) -> str:
    """Render the page that stands where the initiative's page would.

    Parameters
    ----------
    failure : Failure
    language, languages, editions_href, locales
        As for :func:`cps.report.render.render_report`.
    name : Text or None
        The initiative's name; its id if None.
    is_synthetic : bool
        True if the data were made up.
    has_notebook : bool
        False if no executed notebook was left.
    last_good : LastGood or None
        What was finished before, if anything was.
    overview : Run or None
        The overview of the same edition, from which the page takes how far the data go.

    Returns
    -------
    str
        HTML without scripts or addresses; everything in it is escaped.
    """
    words = words_of(language, locales=locales)
    page = Page(
        title=Message("failure.title", {"name": name or failure.name}),
        blocks=_blocks(failure, words, has_notebook=has_notebook, last_good=last_good),
        is_synthetic=is_synthetic or (overview is not None and overview.is_synthetic),
        footer=[
            *([age_of(overview)] if overview else []),
            Message("failure.made_by", {"version": cps_version(), "code": code_sha256()[:SHORT]}),
            newer(editions_href.get(language, "")),
        ],
        metas=[
            *([one for one in metas_of(overview) if one[0] in _SHARED] if overview else []),
            ("cps-version", cps_version()),
            ("cps-code-sha256", code_sha256()),
            ("cps-status", "failed"),
        ],
        ways=ways_to(
            file_name(failure.name), words, [words_of(one, locales=locales) for one in languages]
        ),
        index_href="index.html",
    )
    return fill(page, words)


def write_failure(
    failure: Failure,
    folder: Path | str,
    *,
    languages: Sequence[str] = OFFERED,
    name: Text | None = None,
    is_synthetic: bool = False,
    last_good: Run | None = None,
    last_edition: str = "",
    overview: Run | None = None,
    editions_href: Mapping[str, str] = NO_LINKS,
) -> list[Path]:
    """Write a failed initiative's pages to ``folder/<language>/<id>.html``.

    Parameters
    ----------
    last_good : Run or None
        The initiative's last finished run. Its page is written beside, as ``<id>.stale.html``,
        marked out of date, so that the link to it holds wherever the folder is put.
    last_edition : str
        Name of the edition that ``last_good`` comes from.

    Returns
    -------
    list of Path
        The pages of failure, one a language.
    """
    target = Path(folder)
    last = None
    if last_good is not None:
        stale = f"{failure.name}.stale.html"
        last = LastGood(stale, last_edition, last_good.manifest.as_of)
        write_report(
            last_good,
            target,
            languages=languages,
            editions_href=editions_href,
            notice=_stale(failure, last),
            name=stale,
        )
    written = []
    for language in languages:
        html = render_failure(
            failure,
            language=language,
            languages=languages,
            name=name,
            is_synthetic=is_synthetic,
            has_notebook=(target / "notebooks" / f"{failure.name}.ipynb").exists(),
            last_good=last,
            overview=overview,
            editions_href=editions_href,
        )
        path = target / language / file_name(failure.name)
        write_text(path, html)
        written.append(path)
    return written


_SHARED = ("cps-as-of", "cps-data-to", "cps-data-sha256")


def _blocks(
    failure: Failure, words: Words, *, has_notebook: bool, last_good: LastGood | None
) -> list[Block]:
    facts: list[tuple[Content, Content]] = [
        (Message("failure.kind"), Message(f"failure.kind_{failure.kind}"))
    ]
    if failure.cell is not None:
        at = Message("failure.at_cell", {"n": str(failure.cell)})
        facts.append((Message("failure.cell"), at))
    if failure.exception:
        facts.append((Message("failure.exception"), failure.exception))
    blocks: list[Block] = [
        Paragraph(Message("failure.lead"), "lead"),
        Heading(Message("failure.heading")),
        Facts(tuple(facts)),
        *_lines(failure.message.in_language(words.language), "said"),
    ]
    if failure.tail:
        blocks += [Paragraph(Message("failure.tail"), "note"), *_lines(failure.tail, "code")]
    return [
        *blocks,
        Heading(Message("failure.mend_heading")),
        *([Paragraph(Message(f"failure.mend_{failure.kind}"))] if has_notebook else []),
        Paragraph(Message("failure.again")),
        Paragraph(_notebook(failure, has_notebook=has_notebook)),
        Heading(Message("failure.last_heading")),
        Paragraph(_last(last_good), "plain" if last_good is None else "warn"),
    ]


def _lines(text: str, tone: str) -> list[Block]:
    """Give a text of several lines, each as a paragraph: what it holds is shown as it stands."""
    return [Paragraph(line.rstrip(), tone) for line in text.splitlines() if line.strip()]


def _notebook(failure: Failure, *, has_notebook: bool) -> Content:
    if not has_notebook:
        return Message("failure.no_notebook")
    name = f"{failure.name}.ipynb"
    return Message("failure.notebook", {"link": Link(f"../notebooks/{name}", f"notebooks/{name}")})


def _last(last_good: LastGood | None) -> Content:
    if last_good is None:
        return Message("failure.none")
    return Message(
        "failure.last",
        {
            "link": Link(last_good.href, Message("failure.last_link")),
            "edition": last_good.edition or Message("editions.unknown"),
            "as_of": last_good.as_of or Message("editions.unknown"),
        },
    )


def _stale(failure: Failure, last: LastGood) -> Content:
    return Message(
        "failure.stale",
        {
            "edition": last.edition or Message("editions.unknown"),
            "as_of": last.as_of or Message("editions.unknown"),
            "link": Link(file_name(failure.name), Message("failure.stale_link")),
        },
    )
