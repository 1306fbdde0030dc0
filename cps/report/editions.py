"""The list of editions: which is the newest, which the newest complete one, which are out of date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cps.locale import Content, Counted, Link, Message, Quantity
from cps.provenance import write_text
from cps.report.blocks import Block, Column, Paragraph, Table
from cps.report.origin import SHORT
from cps.report.render import OFFERED
from cps.report.shell import Page, Way, fill
from cps.report.vocabulary import words_of

RUNS = "runs/"  # where editions lie, seen from the folder of reports
# From a page in ``runs/<edition>/<language>/`` this is the list in ``runs/``; from the same page
# reached through ``latest/`` it is the list above: a browser follows names, not where links lead.
FROM_PAGES = "../../"


@dataclass(frozen=True, slots=True)
class ListedEdition:
    """One published edition, as the list names it.

    Parameters
    ----------
    folder : str
        Name of its folder, which begins with the time of its run: ``20261125T102733Z``.
    as_of : str or None
        Last day of its data, ISO.
    data_sha256, cps_version : str
    n_initiatives, n_failures : int
    is_complete : bool
        True if nothing failed.
    is_synthetic : bool
    languages : tuple of str
        Languages that the edition has pages in.
    """

    folder: str
    as_of: str | None
    data_sha256: str
    cps_version: str
    n_initiatives: int
    n_failures: int
    is_complete: bool
    is_synthetic: bool
    languages: tuple[str, ...] = OFFERED


def render_editions(
    editions: Sequence[ListedEdition],
    *,
    language: str = "zh",
    languages: Sequence[str] = OFFERED,
    base: str = RUNS,
    locales: Path | None = None,
) -> str:
    """Render the list of editions.

    Parameters
    ----------
    editions : sequence of ListedEdition
        Oldest first, as they were published.
    language, languages, locales
        As for :func:`cps.report.render.render_report`.
    base : str
        Where the editions' folders lie, seen from the page: ``runs/``, or empty beside them.

    Returns
    -------
    str
        HTML without scripts or addresses; everything in it is escaped.
    """
    words = words_of(language, locales=locales)
    offered = [words_of(one, locales=locales) for one in languages]

    def link(edition: ListedEdition) -> Content:
        known = language if language in edition.languages else edition.languages[0]
        return Link(f"{base}{edition.folder}/{known}/index.html", edition.folder)

    named = [(one, link(one)) for one in editions]
    page = Page(
        title=Message("editions.title"),
        blocks=[*_in_short(named), *([_table(named)] if named else [])],
        is_synthetic=False,
        footer=[Message("editions.footer")],
        ways=[
            Way(editions_name(one.language), one.tag, one.name)
            for one in offered
            if one.language != language
        ],
    )
    return fill(page, words)


def write_editions(
    editions: Sequence[ListedEdition], out: Path | str, *, languages: Sequence[str] = OFFERED
) -> list[Path]:
    """Write the list of editions into the folder of reports, and beside the editions in it.

    Each is written aside and renamed.

    Returns
    -------
    list of Path
        One a language and folder.
    """
    written = []
    for folder, base in ((Path(out), RUNS), (Path(out) / RUNS, "")):
        for language in languages:
            html = render_editions(editions, language=language, languages=languages, base=base)
            names = {editions_name(language)}
            if language == languages[0]:
                names.add(editions_name("zh"))  # what a folder opens with
            for name in sorted(names & _own(language, languages)):
                write_text(folder / name, html)
                written.append(folder / name)
    return written


def editions_name(language: str) -> str:
    """Give the file name of the list of editions: Chinese is what the folder opens with."""
    return "index.html" if language == "zh" else f"index.{language}.html"


def editions_links(languages: Sequence[str] = OFFERED) -> dict[str, str]:
    """Give, by language, the link to the list from a page of an edition."""
    return {one: f"{FROM_PAGES}{editions_name(one)}" for one in languages}


def _own(language: str, languages: Sequence[str]) -> set[str]:
    names = {editions_name(language)}
    return names | {editions_name("zh")} if "zh" not in languages else names


def _in_short(named: Sequence[tuple[ListedEdition, Content]]) -> list[Block]:
    if not named:
        return [Paragraph(Message("editions.nothing"), "lead")]
    newest, link = named[-1]
    said: dict[str, Content] = {
        "link": link,
        "as_of": _day(newest),
        "total": Counted(newest.n_initiatives, "nouns.initiative"),
    }
    if newest.is_complete:
        return [Paragraph(Message("editions.newest", said), "lead")]
    failed = Quantity(newest.n_failures, "count")
    partial = Message("editions.newest_partial", {**said, "failed": failed})
    whole = _newest_complete(named)
    if whole is None:
        return [Paragraph(partial, "lead"), Paragraph(Message("editions.no_complete"), "warn")]
    edition, at = named[whole]
    complete = Message("editions.complete", {"link": at, "as_of": _day(edition)})
    return [Paragraph(partial, "lead"), Paragraph(complete, "warn")]


def _table(named: Sequence[tuple[ListedEdition, Content]]) -> Table:
    rows = [
        (
            Message("editions.name", {"link": link, "mark": Message("editions.made_up")})
            if edition.is_synthetic
            else link,
            _state(named, place),
            _day(edition),
            f"{edition.n_initiatives - edition.n_failures}/{edition.n_initiatives}",
            edition.data_sha256[:SHORT],
            edition.cps_version,
        )
        for place, (edition, link) in enumerate(named)
    ]
    return Table(
        Message("editions.table"),
        (
            Column(Message("editions.edition")),
            Column(Message("editions.state")),
            # Set as numbers are: not broken, and to the right.
            *(Column(Message(f"editions.{one}"), "count") for one in ("as_of", "finished", "data")),
            Column(Message("editions.version"), "count"),
        ),
        tuple(reversed(rows)),
        Message("editions.note"),
        most=len(rows),
    )


def _state(named: Sequence[tuple[ListedEdition, Content]], place: int) -> Content:
    edition, _ = named[place]
    if place == len(named) - 1:
        return Message(f"editions.state_newest{'' if edition.is_complete else '_partial'}")
    if place == _newest_complete(named):
        return Message("editions.state_complete")
    successor, link = named[place + 1]
    return Message("editions.state_superseded", {"date": _began(successor.folder), "by": link})


def _newest_complete(named: Sequence[tuple[ListedEdition, Content]]) -> int | None:
    whole = [place for place, (edition, _) in enumerate(named) if edition.is_complete]
    return whole[-1] if whole else None


def _day(edition: ListedEdition) -> Content:
    return edition.as_of or Message("editions.unknown")


def _began(folder: str) -> Content:
    """Give the day in an edition's name, or the name as it stands."""
    day = folder[:8]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if day.isdigit() and len(day) == 8 else folder
