"""One language's words: keys and numbers in, sentences out."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from cps.errors import Text
from cps.locale.values import (
    Content,
    Counted,
    Interval,
    Kind,
    Link,
    Listing,
    Quantity,
    Term,
    inert,
    scaled,
)

MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence; ``value`` is the number behind it, unrounded.

    ``is_foreign`` marks text that came with the data and not from the vocabulary.
    """

    text: str
    value: float | None = None
    is_foreign: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How one kind of quantity is written in prose or in a cell.

    Parameters
    ----------
    step : Decimal
        Rounding, in the base unit; the same in all languages, so that all print one number.
    per : Decimal
        Base units to one printed unit.
    decimals : int
    suffix : str
        What follows the number, space included.
    is_suffix_repeated : bool
        True if both ends of an interval carry the suffix, as with %.
    """

    step: Decimal
    per: Decimal
    decimals: int
    suffix: str
    is_suffix_repeated: bool


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The vocabulary, sentences and number formats of one language.

    Parameters
    ----------
    language : str
        Name of the locale file, as in the address of a page.
    tag : str
        BCP 47 tag for the ``lang`` attribute.
    name : str
        The language's name for itself.
    texts : mapping of str to str
        ``group.key`` -> text with ``{placeholders}``.
    prose, cells : mapping of str to NumberFormat
        By kind of quantity.
    glossary : tuple of (str, str)
        Phrases and what stands in their place, in order, in what we say ourselves; names and
        values that came with the data stay as they are.
    """

    language: str
    tag: str
    name: str
    texts: Mapping[str, str]
    prose: Mapping[str, NumberFormat]
    cells: Mapping[str, NumberFormat]
    glossary: tuple[tuple[str, str], ...] = ()

    def text(self, content: Content) -> str:
        """Write ``content`` as plain text."""
        return "".join(part.text for part in self.parts(content))

    def say(self, key: str) -> str:
        """Give the text of a key that has no placeholders."""
        return self._own(self.texts[key])

    def _own(self, text: str) -> str:
        for phrase, instead in self.glossary:
            text = text.replace(phrase, instead)
        return text

    def cell(self, content: Content) -> str:
        """Write ``content`` for a table cell: numbers without the unit that the head names."""
        return "".join(part.text for part in self.parts(content, in_cell=True))

    def unit(self, kind: Kind, unit: str = "") -> str:
        """Give the unit that a column or an axis of this kind names; may be empty."""
        return inert(unit) if kind == "number" else self.texts[f"units_of.{kind}"]

    def axis_value(self, value: float, kind: Kind) -> float:
        """Scale a value to the unit of :meth:`unit`, unrounded, for a figure."""
        return scaled(value, kind) / float(self.cells[kind].per)

    def parts(self, content: Content, *, in_cell: bool = False) -> Iterator[Part]:
        """Write ``content`` piece by piece, keeping the numbers behind the words.

        Raises
        ------
        KeyError
            If a sentence or one of its placeholders does not exist.
        """
        if isinstance(content, str):
            yield Part(inert(content), is_foreign=True)
        elif isinstance(content, Text):
            yield Part(inert(self._own(content.in_language(self.language))), is_foreign=True)
        elif isinstance(content, Quantity):
            yield self._number(content, in_cell=in_cell)
        elif isinstance(content, Interval):
            yield from self._interval(content, in_cell=in_cell)
        elif isinstance(content, Term):
            found = self.texts.get(f"{content.group}.{content.key}")
            yield (
                Part(inert(content.key), is_foreign=True)
                if found is None
                else Part(self._own(found))
            )
        elif isinstance(content, Counted):
            form = "one" if content.n == 1 else "many"
            number = Quantity(float(content.n), "count")
            yield from self._filled(self.texts[f"{content.noun}.{form}"], {"n": number}, in_cell)
        elif isinstance(content, Listing):
            for place, item in enumerate(content.items):
                if place:
                    yield Part(self.texts["grammar.list_separator"])
                yield from self.parts(item, in_cell=in_cell)
        elif isinstance(content, Link):
            for part in self.parts(content.content, in_cell=in_cell):
                yield Part(part.text, part.value, part.is_foreign, content.href)
        else:
            yield from self._filled(self.texts[content.key], content.params, in_cell)

    def _filled(
        self, template: str, params: Mapping[str, Content], in_cell: bool
    ) -> Iterator[Part]:
        for literal, name, _, _ in string.Formatter().parse(template):
            if literal:
                yield Part(self._own(literal))
            if name is not None:
                yield from self.parts(params[name], in_cell=in_cell)

    def _number(self, quantity: Quantity, *, in_cell: bool, with_suffix: bool = True) -> Part:
        if quantity.value is None:
            return Part(self.texts["grammar.absent"])
        style = (self.cells if in_cell else self.prose)[quantity.kind]
        suffix = style.suffix if with_suffix else ""
        if quantity.kind == "p_value" and quantity.value < 0.001:
            return Part("< 0.001", quantity.value)
        if quantity.kind == "number":
            written = _three_digits(quantity.value)
            suffix = f"\u00a0{inert(quantity.unit)}" if quantity.unit and with_suffix else ""
            suffix = "" if in_cell else suffix
        else:
            written = _rounded(scaled(quantity.value, quantity.kind), style)
        sign = "+" if quantity.is_signed and written.strip("0.,-") and quantity.value > 0 else ""
        written = written.replace("-", MINUS) if written.strip("0.,-") else written.strip("-")
        return Part(f"{sign}{written}{suffix}", quantity.value)

    def _interval(self, interval: Interval, *, in_cell: bool) -> Iterator[Part]:
        if interval.low is None or interval.high is None:
            yield Part(self.texts["grammar.absent"])
            return
        style = (self.cells if in_cell else self.prose)[interval.kind]
        for place, end in enumerate((interval.low, interval.high)):
            if place:
                yield Part(self.texts["grammar.range_cell" if in_cell else "grammar.range"])
            one = Quantity(end, interval.kind, interval.unit, interval.is_signed)
            yield self._number(
                one, in_cell=in_cell, with_suffix=bool(place) or style.is_suffix_repeated
            )


def _rounded(value: float, style: NumberFormat) -> str:
    steps = (Decimal(repr(value)) / style.step).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return f"{steps * style.step / style.per:,.{style.decimals}f}"


def _three_digits(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{Decimal(f'{value:.3g}'):f}"
