"""What a ledger of one row a case must show to be read: its columns, as data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cps.errors import Text

# How the cells of a column are read, and what they become.
TYPES: tuple[str, ...] = ("text", "number", "money", "date", "moment", "month", "flag")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    id : str
        Name in expressions.
    heads : tuple of str
        Any of these stands above it; white space, width and a bracketed remark do not matter. A
        unit in brackets does: money is converted, a number in another unit than this is refused.
    type : str
        One of ``TYPES``.
    unit : str
        Of money: the unit where neither cell, head nor title row names one.
    is_optional : bool
        The column may be missing altogether; it is empty then.
    is_required_value : bool
        An empty cell is a fault.
    low, high : Decimal or None
        A number outside is a finding, and left empty.
    choices : tuple of str
        Of text: any other value is a finding, and left empty.
    """

    id: str
    heads: tuple[str, ...]
    type: str
    unit: str = "元"
    is_optional: bool = False
    is_required_value: bool = False
    low: Decimal | None = None
    high: Decimal | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableLayout:
    """One kind of table: a sheet is of this kind if it has the required columns.

    ``key`` names columns that may not repeat together.
    """

    id: str
    name: Text
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """Give a column by id."""
        return next(one for one in self.columns if one.id == name)
