"""Delimited text: encoding by proof, not by statistics; delimiter from the header; lines kept."""

from __future__ import annotations

import codecs
import csv
import io

from cps.errors import Text
from cps.ledger.containers.record import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_FIELD,
    Contents,
    RawSheet,
    Remark,
    Unreadable,
    damaged,
    too_large,
)

_EXPORT = Text(
    "从原系统重新导出，或另存为“CSV UTF-8”", "export it again, or save it as CSV in UTF-8"
)
_DELIMITERS = (",", "\t", ";", "|", "，", "；", "、")
_WIDE = {"，": ",", "；": ";", "、": ","}
_CP1252 = {chr(byte) for byte in range(0x80, 0x100)} | set(
    "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # what bytes 80-9F become in Windows' Latin table
)
_DESTROYED = ("锟斤拷", "\ufffd", "烫烫烫", "屯屯屯")
_SEARCHED = 40


def decode(raw: bytes) -> tuple[str, list[Remark]]:
    """Decode text that is UTF-8, UTF-16 or GB18030 throughout.

    Raises
    ------
    Unreadable
        With the line, if bytes fit none of them, or lines differ in encoding.
    """
    if raw.startswith(codecs.BOM_UTF8):
        return _strict(raw[3:], "utf-8"), [was_in("UTF-8 BOM")]
    for bom, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if raw.startswith(bom):
            return _utf16(raw[2:], name), [was_in("UTF-16")]
    if raw[:4096].count(0) > len(raw[:4096]) // 8 and len(raw) > 8:
        return _without_bom(raw)
    if raw.isascii():
        return raw.decode("ascii"), []
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError as error:
        first = error
    is_utf8 = _lines_in_utf8(raw)
    n_utf8 = sum(one for _, one in is_utf8)
    if n_utf8 * 2 > len(is_utf8):
        line = raw[: first.start].count(b"\n") + 1
        raise _mixed(line, "UTF-8", is_cut=_is_cut(first))
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _mixed(line, "GB18030", is_cut=_is_cut(error)) from error
    if n_utf8 * 50 > len(is_utf8) or n_utf8 > 5:
        raise _mixed(next(line for line, one in is_utf8 if one), "GB18030", is_cut=False)
    return text, [was_in("GB18030")]


def _is_cut(error: UnicodeDecodeError) -> bool:
    return error.reason in (
        "unexpected end of data",
        "incomplete multibyte sequence",
        "truncated data",
    )


def _lines_in_utf8(raw: bytes) -> list[tuple[int, bool]]:
    """Tell of each line with letters beyond ASCII whether it is whole UTF-8 of three bytes on."""
    found = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.isascii():
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            found.append((number, False))
        else:
            found.append((number, any(ord(one) > 0x7FF for one in text)))
    return found


def _mixed(line: int, encoding: str, *, is_cut: bool) -> Unreadable:
    if is_cut:
        return Unreadable(
            "E-FILE-TRUNCATED",
            Text("文件在一个字中间断开，未拷贝完整", "the file ends in the middle of a character"),
            Text("重新拷贝完整文件", "copy the whole file again"),
            line=line,
        )
    return Unreadable(
        "E-FILE-ENCODING",
        Text(
            f"第 {line} 行的编码与全文（{encoding}）不一致",
            f"line {line} is not in the file's encoding ({encoding})",
        ),
        _EXPORT,
        line=line,
    )


def _strict(raw: bytes, name: str) -> str:
    try:
        return raw.decode(name)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _mixed(line, name.upper(), is_cut=_is_cut(error)) from error


def _utf16(raw: bytes, name: str) -> str:
    if len(raw) % 2:
        raise _mixed(_strict(raw[:-1], name).count("\n") + 1, name, is_cut=True)
    return _strict(raw, name)


def _without_bom(raw: bytes) -> tuple[str, list[Remark]]:
    even, odd = raw[0:4096:2].count(0), raw[1:4096:2].count(0)
    name = "utf-16-le" if odd > 4 * even else "utf-16-be" if even > 4 * odd else ""
    if not name:
        raise Unreadable(
            "E-FILE-BINARY",
            Text("不是文本，也不是认识的工作簿", "neither text nor a workbook of a known kind"),
            Text("另存为 .xlsx 或 .csv", "save it as .xlsx or .csv"),
        )
    remark = Remark(
        "W-FILE-ENCODING",
        "warn",
        Text("UTF-16 编码，没有字节序标记；按其字节读取", "UTF-16 without its mark: read so"),
        _EXPORT,
    )
    return _utf16(raw, name), [remark]


def was_in(name: str) -> Remark:
    return Remark(
        "N-FILE-ENCODING",
        "note",
        Text(f"编码为 {name}，已转换", f"in {name}: converted"),
        Text("无需处理", "nothing to do"),
    )


def check_text(text: str) -> None:
    """Refuse text that was destroyed before it came here; name the line.

    Raises
    ------
    Unreadable
    """
    at = text.find("\0")
    if at >= 0:
        raise Unreadable(
            "E-FILE-NUL",
            Text("含有空字符（NUL），文件可能损坏", "holds NUL characters: damaged, it seems"),
            _EXPORT,
            line=_line_of(text, at),
        )
    for sign in _DESTROYED:
        at = text.find(sign)
        if at >= 0:
            raise Unreadable(
                "E-FILE-MOJIBAKE",
                Text(
                    f"文字已成乱码（{sign}），原字无法恢复",
                    f"text was destroyed by a wrong encoding ({sign})",
                ),
                _EXPORT,
                line=_line_of(text, at),
                value=sign,
            )
    sample = text[:65_536]
    latin = sum(one in _CP1252 for one in sample)
    if latin > 8 and latin * 4 > sum(not one.isascii() for one in sample) * 3:
        at = next(i for i, one in enumerate(sample) if one in _CP1252)
        raise Unreadable(
            "E-FILE-MOJIBAKE",
            Text(
                "中文被当作西文存过一次，已成乱码",
                "Chinese text was saved as if it were Latin: it reads as nonsense",
            ),
            _EXPORT,
            line=_line_of(text, at),
            value=sample[at : at + 12],
        )


def _line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1 if "\n" in text else text.count("\r", 0, at) + 1


def find_delimiter(text: str) -> str:
    """Give the character that divides the first lines into equally many fields, most of all.

    A title or a note has fewer; the header and the rows agree.
    """
    lines = [one for one in text[:131_072].splitlines()[:_SEARCHED] if one.strip()]
    best, score = ",", 0
    for delimiter in _DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        filled = [one for one in counts if one]
        if not filled:
            continue
        common = max(set(filled), key=filled.count)
        found = filled.count(common) * (2 if filled.count(common) * 2 >= len(lines) else 1)
        if found > score:
            best, score = delimiter, found
    return best


def read_text(raw: bytes) -> Contents:
    """Read delimited text to one sheet.

    Raises
    ------
    Unreadable
        If the encoding, the quoting or a field is beyond what can be read without a guess.
    """
    text, remarks = decode(raw)
    check_text(text)
    delimiter = find_delimiter(text)
    remarks += delimiter_remarks(delimiter)
    grid, lines = _records(text, delimiter)
    sheet = RawSheet("csv", grid, lines=lines, is_text=True)
    return Contents("csv", [sheet], remarks)


def delimiter_remarks(delimiter: str) -> list[Remark]:
    """Say what divides the fields, if it is no comma."""
    if delimiter in _WIDE:
        return [
            Remark(
                "W-FILE-DELIMITER",
                "warn",
                Text(f"以全角“{delimiter}”分列", f"fields are divided by full-width {delimiter}"),
                Text("改用半角逗号，或另存为 .xlsx", "use commas, or save it as .xlsx"),
            )
        ]
    if delimiter != ",":
        shown = {"\t": "TAB"}.get(delimiter, delimiter)
        return [
            Remark(
                "N-FILE-DELIMITER",
                "note",
                Text(f"以“{shown}”分列", f"fields are divided by {shown}"),
                Text("无需处理", "nothing to do"),
            )
        ]
    return []


def _records(text: str, delimiter: str) -> tuple[list[list[str]], list[int] | None]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    csv.field_size_limit(1 << 30)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    grid: list[list[str]] = []
    lines: list[int] = []
    line, n_cells, spans = 1, 0, False
    try:
        for record in reader:
            grid.append(record)
            lines.append(line)
            spans |= reader.line_num != line
            n_cells += len(record)
            if record and len(max(record, key=len)) > MAX_FIELD:
                raise Unreadable(
                    "E-FILE-FIELD",
                    Text(
                        f"一个单元格有 {len(max(record, key=len)):,} 个字",
                        f"one field has {len(max(record, key=len)):,} characters",
                    ),
                    Text("检查该行的引号，或删去多余内容", "check the line's quotes, or cut it"),
                    line=line,
                )
            if len(record) > MAX_COLUMNS:
                raise too_large(f"一行有 {len(record):,} 列", f"a line of {len(record):,} fields")
            if n_cells > MAX_CELLS:
                raise too_large(f"超过 {MAX_CELLS:,} 个单元格", f"more than {MAX_CELLS:,} cells")
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(
            "E-FILE-QUOTE",
            Text(f"不是有效的 CSV：{error}", f"not valid CSV: {error}"),
            Text("检查该行的引号和分隔符，或重新导出", "check its quotes and commas"),
            line=line,
        ) from error
    if not grid:
        raise damaged("CSV", "no line")
    return grid, lines if spans else None
