"""What a section is made of: blocks that know numbers and keys, and no language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cps.locale import Content, Kind, Words

MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Heading:
    """Title of a section."""

    content: Content


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or several; ``tone`` is ``plain, lead, note, warn, said`` or ``code``."""

    content: Content
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one pair a line."""

    rows: tuple[tuple[Content, Content], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a table column; a kind of number adds its unit and sets it to the right."""

    head: Content
    kind: Kind | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a numbered caption; long ones are cut, and say so.

    ``source`` says where it comes from if not from this run's data, as published facts do: it
    carries no synthetic mark then, for nothing in it was made up.
    """

    caption: Content
    columns: tuple[Column, ...]
    rows: tuple[tuple[Content, ...], ...]
    note: Content | None = None
    most: int = MOST_ROWS
    source: Content | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered figure; ``draw`` makes its chart in the words of a language.

    The chart is one of :mod:`cps.figures.charts`, or an altair chart of a section's own.
    """

    caption: Content
    draw: Callable[[Words, str], Any]  # words and the synthetic mark
    note: Content | None = None


Block: TypeAlias = Heading | Paragraph | Facts | Table | Figure
Blocks: TypeAlias = Sequence[Block]
