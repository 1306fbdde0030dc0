"""Pages of indicator cards: one a scheme and a list of all, each complete in itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cps.locale import Content, Link, Message, Term, Words
from cps.provenance import write_text
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.render import OFFERED, file_name
from cps.report.sections._common import text_of
from cps.report.sections.scheme_card import card_blocks, evaluable
from cps.report.shell import Page, fill, ways_to
from cps.report.vocabulary import words_of

INDEX = "index.html"
_HEADS = ("scheme", "evaluable", "reason", "ledgers")
Card = Mapping[str, Any]


def write_cards(
    cards: Sequence[Card], folder: Path | str, *, languages: Sequence[str] = OFFERED
) -> list[Path]:
    """Write every card, and the list of them, to ``folder/<language>/``.

    Parameters
    ----------
    cards : sequence of cards as plain values
        In the order in which they are listed.
    languages : sequence of str

    Returns
    -------
    list of Path
        The list of each language first, then its cards.
    """
    offered = [words_of(one) for one in languages]
    written = []
    for words in offered:
        pages = {INDEX: _list_page(cards, words, offered)}
        pages |= {file_name(str(one["id"])): _card_page(one, words, offered) for one in cards}
        for name, page in pages.items():
            path = Path(folder) / words.language / name
            write_text(path, fill(page, words))
            written.append(path)
    return written


def _card_page(card: Card, words: Words, offered: Sequence[Words]) -> Page:
    name = file_name(str(card["id"]))
    return Page(
        title=text_of(card["name"]),
        blocks=card_blocks(card),
        is_synthetic=bool(card["is_synthetic"]),
        source=Message("cards.source") if card["files"] else Message("cards.no_source"),
        footer=(Message("cards.footer"),),
        ways=ways_to(name, words, offered),
        index_href=INDEX,
        index_word="page.scheme_index",
        has_numbers=True,
        banner="page.scheme_banner",
    )


def _list_page(cards: Sequence[Card], words: Words, offered: Sequence[Words]) -> Page:
    return Page(
        title=Message("page.scheme_title"),
        blocks=_list_blocks(cards),
        is_synthetic=False,  # it lists; no figure of a ledger stands on it
        footer=(Message("cards.footer"),),
        ways=ways_to(INDEX, words, offered),
    )


def _list_blocks(cards: Sequence[Card]) -> list[Block]:
    source = Message("cards.list_source")
    rows = [(_link(one), Term("evaluable", evaluable(one)), _found(one)) for one in cards]
    idle = [one for one in cards if not (one["can_run"] or one["uses_initiatives"])]
    why = [(_link(one), text_of(one["reason"])) for one in idle]
    heads = {one: Column(Message(f"cards.{one}")) for one in _HEADS}
    return [
        Heading(Message("cards.heading")),
        Paragraph(Message("cards.lead"), "lead"),
        Table(
            Message("cards.caption"),
            (heads["scheme"], heads["evaluable"], heads["ledgers"]),
            tuple(rows),
            Message("cards.note"),
            source=source,
        ),
        Table(Message("cards.why"), (heads["scheme"], heads["reason"]), tuple(why), source=source),
    ]


def _link(card: Card) -> Link:
    return Link(file_name(str(card["id"])), text_of(card["name"]))


def _found(card: Card) -> Content:
    """Say whether a scheme's ledgers were read, and whether they are made up."""
    if not card["files"]:
        return Message("cards.none")
    return Message("page.synthetic_mark") if card["is_synthetic"] else Message("cards.read")
