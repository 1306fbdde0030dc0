"""Large sheets as Arrow: what would be slow, or too much, as lists of Python text."""

from __future__ import annotations

import codecs
import io

import numpy as np
import polars as pl

from cps.errors import Text
from cps.ledger.containers.numbers import plain_number
from cps.ledger.containers.record import (
    MAX_COLUMNS,
    MAX_FIELD,
    Contents,
    RawSheet,
    Unreadable,
    damaged,
)
from cps.ledger.containers.text import (
    check_text,
    decode,
    delimiter_remarks,
    find_delimiter,
    was_in,
)

_STEP = 64 << 20
_HEAD = 1 << 18


def write_grid(grid: list[list[str]], path: str) -> list[tuple[int, int]]:
    """Write rows to an Arrow file; give the rows whose width is not the first row's."""
    width = max(map(len, grid), default=0)
    first = len(grid[0]) if grid else 0
    ragged = [(r, len(row)) for r, row in enumerate(grid) if len(row) != first][:1_000]
    columns = {
        f"c{c}": pl.Series([row[c] if c < len(row) else "" for row in grid], dtype=pl.String)
        for c in range(width)
    }
    pl.DataFrame(columns).write_ipc(path)
    return ragged


def read_large_text(raw: bytes) -> Contents | None:
    """Read large, plain delimited text: no quotes, every line of one width; else None.

    The result is that of the line-by-line reader, some ten times as fast; whatever is not plain
    is left to that one.
    """
    if b'"' in raw or raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    remarks = []
    if raw.startswith(codecs.BOM_UTF8):
        raw = raw[3:]
        remarks = [was_in("UTF-8 BOM")]
    if not _is_utf8(raw):
        text, remarks = decode(raw)
        check_text(text[:_HEAD])
        raw = text.encode()
        del text
    head = raw[:_HEAD].decode("utf-8", "ignore")
    delimiter = find_delimiter(head.rpartition("\n")[0] or head)
    if not delimiter.isascii() or b"\0" in raw:
        return None
    check_text(head)
    for sign in ("锟斤拷", "\ufffd"):
        if sign.encode() in raw:
            return None
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
        if b"\r" in raw:
            return None
    if not raw.endswith(b"\n"):
        raw += b"\n"
    n_lines = _n_lines_of_one_width(raw, ord(delimiter))
    if n_lines is None:
        return None
    frame = pl.read_csv(
        io.BytesIO(raw),
        has_header=False,
        separator=delimiter,
        quote_char=None,
        infer_schema=False,
        empty_string_is_null=False,
    )
    frame = frame.rechunk()
    if frame.height != n_lines:
        return None
    is_long = pl.any_horizontal(pl.all().str.len_bytes() > MAX_FIELD)
    long = frame.select(is_long.arg_true()).to_series()
    if len(long):
        raise Unreadable(
            "E-FILE-FIELD",
            Text("一个单元格的文字过长", "a field longer than any ledger's"),
            Text("检查该行的引号，或删去多余内容", "check the line's quotes, or cut it"),
            line=int(long[0]) + 1,
        )
    frame.columns = [f"c{c}" for c in range(frame.width)]
    remarks += delimiter_remarks(delimiter)
    return Contents("csv", [RawSheet("csv", [], is_text=True, frame=frame)], remarks)


def read_parquet(raw: bytes) -> Contents:
    """Read a Parquet table as text under a header row, so that the same rules apply.

    Raises
    ------
    Unreadable
        If it can't be decoded; flipped bits that still decode only a sidecar's hash can tell.
    """
    try:
        table = pl.read_parquet(io.BytesIO(raw))
        texts = table.select(_as_text(name, kind) for name, kind in table.schema.items())
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise damaged("Parquet", type(error).__name__) from error
    texts.columns = [f"c{c}" for c in range(texts.width)]
    head = pl.DataFrame({f"c{c}": [name] for c, name in enumerate(table.columns)})
    return Contents("parquet", [RawSheet("table", [], frame=pl.concat([head, texts]))])


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind.is_float():
        text = column.map_elements(lambda one: plain_number(repr(one)), return_dtype=pl.String)
    elif kind == pl.Boolean:
        text = pl.when(column).then(pl.lit("TRUE")).when(~column).then(pl.lit("FALSE"))
    else:
        text = column.cast(pl.String)
    return text.fill_null("").alias(name)


def _is_utf8(raw: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(raw), _STEP):
            decoder.decode(raw[at : at + _STEP])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _n_lines_of_one_width(raw: bytes, delimiter: int) -> int | None:
    """Count the lines if each holds as many delimiters as the first; else None."""
    width = raw[: raw.index(b"\n")].count(delimiter)
    if not 0 < width < MAX_COLUMNS:
        return None
    whole = np.frombuffer(raw, dtype=np.uint8)
    total, at = 0, 0
    while at < len(raw):
        end = len(raw) if at + _STEP >= len(raw) else raw.rindex(b"\n", at, at + _STEP) + 1
        part = whole[at:end]
        newlines = np.flatnonzero(part == 10)
        delimiters = np.flatnonzero(part == delimiter)
        if len(delimiters) != width * len(newlines):
            return None
        table = delimiters.reshape(len(newlines), width)
        if (table[:, -1] > newlines).any() or (table[1:, 0] < newlines[:-1]).any():
            return None
        total += len(newlines)
        at = end
    return total
