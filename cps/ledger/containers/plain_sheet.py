"""Large worksheets of plain cells, column by column; what is not plain goes to the cell reader.

A row must match one anchored pattern from its first to its last character: numbers, shared or
inline text, no formula, no format that changes a number, no hidden row. If one row does not, the
whole sheet is left to the reader of single cells, whose result is the same.
"""

from __future__ import annotations

import re

import polars as pl

from cps.ledger.containers.numbers import plain_number
from cps.ledger.containers.record import MAX_FIELD, cell_name

_FIRST, _WIDEST = 50, 40
_ROW_ATTRIBUTES = "spans|ht|customHeight|x14ac:dyDescent|s|customFormat|thickBot|thickTop"
_WHOLE = r"^-?(?:0|[1-9][0-9]{0,14})$"
_FIELDS = 4  # style, type, number, inline text
_LETTERS = re.compile(rb'<c r="([A-Z]{1,3})[0-9]+"')


def read_plain_rows(
    raw: bytes, strings: list[str], styles: list[tuple[str, bool]]
) -> tuple[pl.DataFrame, bytes] | None:
    """Read a worksheet's rows, if every one of them is plain.

    Parameters
    ----------
    raw : bytes
        The worksheet's XML.
    strings, styles
        The workbook's shared strings; kind and strike of each cell style.

    Returns
    -------
    (frame of text columns ``c0 …``, the XML without its rows), or None
    """
    begin, end = raw.find(b"<sheetData>"), raw.rfind(b"</sheetData>")
    if begin < 0 or end < begin:
        return None
    begin += len(b"<sheetData>")
    rows = raw[begin:end]
    if b"&" in rows or b"\n" in rows or b"\r" in rows or b"_x" in rows or not rows:
        return None
    names = _columns(rows)
    if names is None:
        return None
    lines = pl.read_csv(
        rows.replace(b"</row>", b"</row>\n"),
        has_header=False,
        separator="\x01",
        quote_char=None,
        infer_schema=False,
    ).to_series()
    groups = lines.str.extract_groups(_pattern(names)).struct.unnest()
    del lines
    number = groups.to_series(0)
    if (
        number.null_count()
        or not (
            number.cast(pl.UInt32, strict=False) == pl.int_range(1, len(number) + 1, eager=True)
        ).all()
    ):
        return None
    columns = []
    for c in range(len(names)):
        at = 1 + c * _FIELDS
        column = _column([groups.to_series(at + i) for i in range(_FIELDS)], strings, styles)
        if column is None:
            return None
        columns.append(column.alias(f"c{c}"))
    return pl.DataFrame(columns), raw[:begin] + raw[end:]


def _columns(rows: bytes) -> list[str] | None:
    """Give the column letters up to the widest of the first rows."""
    head = rows.split(b"</row>", _FIRST)[:_FIRST]
    letters = {one.decode() for part in head for one in _LETTERS.findall(part)}
    names = [cell_name(0, c)[:-1] for c in range(_WIDEST)]
    if not letters or not letters <= set(names):
        return None
    return names[: max(names.index(one) for one in letters) + 1]


def _pattern(names: list[str]) -> str:
    cells = "".join(
        rf'(?:<c r="{name}[0-9]+"(?: s="([0-9]+)")?(?: t="([a-zA-Z]+)")?(?:/>|>(?:<v>([^<]*)</v>'
        r'|<is><t(?: xml:space="preserve")?>([^<]*)</t></is>)</c>))?'
        for name in names
    )
    return rf'^<row r="([0-9]+)"(?: (?:{_ROW_ATTRIBUTES})="[^"<>]*")*>{cells}</row>$'


def _column(
    parts: list[pl.Series], strings: list[str], styles: list[tuple[str, bool]]
) -> pl.Series | None:
    style, kind, value, inline = parts
    for one in style.drop_nulls().unique().to_list():
        if int(one) < len(styles) and styles[int(one)] != ("", False):
            return None
    if (style.null_count() and styles and styles[0] != ("", False)) or not set(
        kind.drop_nulls().unique().to_list()
    ) <= {"n", "s", "str", "inlineStr"}:
        return None
    is_shared = (kind == "s").fill_null(False)
    is_number = (kind.is_null() | (kind == "n")) & value.is_not_null()
    texts = pl.select(pl.coalesce(value, inline).fill_null("")).to_series()
    if is_shared.any():
        at = pl.select(pl.when(is_shared).then(value.cast(pl.UInt32, strict=False))).to_series()
        if at.null_count() != len(at) - int(is_shared.sum()) or int(at.max() or 0) >= len(strings):  # type: ignore[arg-type]
            return None
        found = pl.Series(strings, dtype=pl.String).gather(at)
        texts = pl.select(pl.when(is_shared).then(found).otherwise(texts)).to_series()
    odd = is_number & ~texts.str.contains(_WHOLE)
    if odd.any():
        distinct = texts.filter(odd).unique()
        plain = pl.Series([plain_number(one) for one in distinct.to_list()], dtype=pl.String)
        mended = texts.replace_strict(distinct, plain, default=None, return_dtype=pl.String)
        texts = pl.select(pl.when(odd).then(mended).otherwise(texts)).to_series()
    if int(texts.str.len_bytes().max() or 0) > MAX_FIELD:  # type: ignore[arg-type]
        return None
    return texts.fill_null("")
