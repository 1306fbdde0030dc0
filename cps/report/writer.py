"""Blocks to what the template prints, in the words of one language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cps.locale import Content, Message, Part, Quantity, Words
from cps.report.blocks import Block, Facts, Figure, Heading, Paragraph, Table


@dataclass(frozen=True, slots=True)
class _Cell:
    parts: list[Part]
    is_number: bool
    unit: str = ""


class Writer:
    """Writes a page's blocks, numbering figures, tables and, if asked to, headings on the way."""

    def __init__(self, words: Words, mark: str, *, has_numbers: bool = False) -> None:
        self._words = words
        self._mark = mark
        self._has_numbers = has_numbers
        self._n_tables = 0
        self._n_figures = 0
        self._n_headings = 0

    def written(self, blocks: Sequence[Block]) -> list[Mapping[str, Any]]:
        """Give each block as the plain values that the template prints."""
        return [self._block(block) for block in blocks]

    def _block(self, block: Block) -> Mapping[str, Any]:
        if isinstance(block, Heading):
            self._n_headings += 1
            parts = self._number(self._n_headings) + self.parts(block.content)
            return {"kind": "heading", "id": f"s{self._n_headings}", "parts": parts}
        if isinstance(block, Paragraph):
            return {"kind": "paragraph", "tone": block.tone, "parts": self.parts(block.content)}
        if isinstance(block, Facts):
            rows = [(self.parts(name), self.parts(value)) for name, value in block.rows]
            return {"kind": "facts", "rows": rows}
        return self._table(block) if isinstance(block, Table) else self._figure(block)

    def _number(self, n: int) -> list[Part]:
        numerals = self._words.say("grammar.numerals").split()
        if not self._has_numbers or n > len(numerals):
            return []
        # The numeral is a word of the language here, and no number that came with the data.
        before, after = self._words.say("grammar.heading").split("{n}")
        return [Part(f"{before}{numerals[n - 1]}{after}")]

    def _table(self, table: Table) -> Mapping[str, Any]:
        self._n_tables += 1
        words = self._words
        numeric = [column.kind is not None for column in table.columns]
        cut = None
        if len(table.rows) > table.most:
            shown = {
                "total": Quantity(len(table.rows), "count"),
                "shown": Quantity(table.most, "count"),
            }
            cut = self.parts(Message("page.cut", shown))
        return {
            "kind": "table",
            "label": words.text(Message("page.table", {"n": Quantity(self._n_tables, "count")})),
            "caption": self.parts(table.caption),
            "heads": [
                _Cell(
                    self.parts(column.head),
                    column.kind is not None,
                    words.unit(column.kind, column.unit) if column.kind else "",
                )
                for column in table.columns
            ],
            "rows": [
                [
                    _Cell(list(words.parts(cell, in_cell=is_number)), is_number)
                    for cell, is_number in zip(row, numeric, strict=True)
                ]
                for row in table.rows[: table.most]
            ],
            "note": self.parts(table.note) if table.note is not None else None,
            "source": words.text(table.source) if table.source is not None else "",
            "cut": cut,
        }

    def _figure(self, figure: Figure) -> Mapping[str, Any]:
        from markupsafe import Markup

        from cps.figures.svg import to_svg

        self._n_figures += 1
        words = self._words
        chart = figure.draw(words, self._mark)
        svg = to_svg(chart, label=words.text(figure.caption), key=f"f{self._n_figures}")
        return {
            "kind": "figure",
            "label": words.text(Message("page.figure", {"n": Quantity(self._n_figures, "count")})),
            "caption": self.parts(figure.caption),
            "svg": Markup(svg),  # noqa: S704 - drawn by vl-convert, which escapes its text
            "note": self.parts(figure.note) if figure.note is not None else None,
        }

    def parts(self, content: Content) -> list[Part]:
        """Give a sentence as the pieces that the template escapes and prints."""
        return list(self._words.parts(content))
