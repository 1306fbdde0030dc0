"""The process that opens raw files: limited in memory, killed by its parent when out of time.

It takes one JSON request a line (``path``, ``frame_folder``) and answers each with eight bytes of
length and a marshalled dictionary.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import resource
import stat
import sys
from typing import Any

from cps.errors import Text
from cps.ledger.containers.record import Contents, RawSheet, Remark, Unreadable, damaged, too_large

MAX_BYTES = 2 << 30
_LARGE = 4 << 20  # bytes of text from which on the fast reader is tried
_FRAME_FROM = 20_000  # rows; from here on a sheet travels as Arrow
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NOT_LEDGERS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "RAR"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"MZ", "EXE"),
    (b"\x7fELF", "ELF"),
    (b"PK\x05\x06", "zip"),
)
_MEND_KIND = Text(
    "解压或转换后，交 .xlsx 或 .csv 台账", "unpack or convert it; give the ledger as .xlsx or .csv"
)


def open_bytes(raw: bytes, name: str) -> Contents:
    """Read a file's bytes as what they are, whatever the file is called.

    Raises
    ------
    Unreadable
    """
    from cps.ledger.containers import binary, markup

    if not raw:
        raise Unreadable(
            "E-FILE-EMPTY",
            Text("文件为空（0 字节）", "the file is empty (0 bytes)"),
            Text("请提供方重新拷贝完整文件", "copy the whole file again"),
        )
    for magic, kind in _NOT_LEDGERS:
        if raw.startswith(magic) and not (magic == b"MZ" and raw[:64].isascii()):
            raise Unreadable(
                "E-FILE-KIND",
                Text(f"是 {kind} 文件，不是台账", f"a {kind} file, not a ledger"),
                _MEND_KIND,
            )
    if raw.startswith(b"PAR1"):
        from cps.ledger.containers.frames import read_parquet

        contents = read_parquet(raw)
    elif raw.startswith(_OLE):
        contents = binary.read_ole(raw)
    elif raw.startswith(_ZIP):
        contents = _open_zip(raw)
    else:
        marked = markup.looks_like_markup(raw)
        if marked == "spreadsheetml":
            contents = markup.read_spreadsheetml(raw)
        elif marked == "html":
            contents = markup.read_html(raw)
        elif marked == "xml":
            raise Unreadable(
                "E-FILE-KIND",
                Text("是 XML 文件，但不是工作簿", "an XML file, but no workbook"),
                _MEND_KIND,
            )
        else:
            contents = _open_text(raw)
    _check_name(contents, name)
    return contents


def _open_text(raw: bytes) -> Contents:
    if len(raw) > _LARGE:
        from cps.ledger.containers.frames import read_large_text

        contents = read_large_text(raw)
        if contents is not None:
            return contents
    from cps.ledger.containers import text

    return text.read_text(raw)


def _open_zip(raw: bytes) -> Contents:
    from cps.ledger.containers import binary, xlsx, zipped

    names = zipped.Archive(raw, "zip").names
    lower = {one.lower() for one in names}
    if "xl/workbook.bin" in lower:
        return binary.read_zipped(raw, "xlsb")
    if "mimetype" in lower and "content.xml" in lower:
        return binary.read_zipped(raw, "ods")
    if "[content_types].xml" in lower and not any(one.startswith("word/") for one in lower):
        return xlsx.read_xlsx(raw)
    raise Unreadable(
        "E-FILE-KIND",
        Text("是压缩包或别的文件，不是工作簿", "an archive or another document, no workbook"),
        _MEND_KIND,
    )


_NAMES = {
    "csv": (".csv", ".tsv", ".txt"),
    "xlsx": (".xlsx", ".xlsm"),
    "xls": (".xls", ".et"),
    "xlsb": (".xlsb",),
    "ods": (".ods",),
    "parquet": (".parquet",),
}


def _check_name(contents: Contents, name: str) -> None:
    expected = _NAMES.get(contents.kind)
    if expected and not name.lower().endswith(expected):
        contents.remarks.append(
            Remark(
                "W-FILE-NAME",
                "warn",
                Text(
                    f"扩展名与内容不符：内容是 {contents.kind}，已按内容读取",
                    f"its name does not fit: it is {contents.kind}, and was read as that",
                ),
                Text(f"改名为 {expected[0]}", f"name it {expected[0]}"),
            )
        )


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    path = os.fsdecode(bytes.fromhex(request["path"]))
    sha256, size = "", 0
    try:
        raw = _snapshot(path)
        sha256, size = hashlib.sha256(raw).hexdigest(), len(raw)
        contents = open_bytes(raw, path)
        del raw
        sheets = [_packed(one, request["folder"], n) for n, one in enumerate(contents.sheets)]
    except Unreadable as refused:
        return {"refused": refused.remark.packed(), "sha256": sha256, "size": size}
    except MemoryError:
        large = too_large("读取所需内存超出上限", "reading it takes more memory than allowed")
        return {"refused": large.remark.packed(), "sha256": sha256, "size": size, "spent": True}
    except Exception as error:  # a reader's own fault on bytes that no writer made
        broken = damaged(os.path.basename(path)[-40:], type(error).__name__)
        return {"refused": broken.remark.packed(), "sha256": sha256, "size": size}
    return {
        "kind": contents.kind,
        "sheets": sheets,
        "remarks": [one.packed() for one in contents.remarks],
        "sha256": sha256,
        "size": size,
    }


def _snapshot(path: str) -> bytes:
    """Read the whole file once: what is hashed is what is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as handle:
            about = os.fstat(handle.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise Unreadable(
                    "E-FILE-KIND",
                    Text("不是普通文件", "not an ordinary file"),
                    Text("给出台账文件", "give a ledger's file"),
                )
            if about.st_size > MAX_BYTES:
                raise too_large(
                    f"文件有 {about.st_size / 1e9:.1f} GB", f"{about.st_size / 1e9:.1f} GB"
                )
            return handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(
            "E-FILE-UNREADABLE",
            Text(f"无法读取：{error.strerror}", f"can't be read: {error.strerror}"),
            Text("检查路径和权限", "check the path and the permissions"),
        ) from error


def _packed(sheet: RawSheet, folder: str, n: int) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "name": sheet.name,
        "merged": sheet.merged,
        "is_hidden": sheet.is_hidden,
        "hidden_rows": sheet.hidden_rows,
        "hidden_columns": sheet.hidden_columns,
        "marks": sheet.marks,
        "lines": sheet.lines,
        "is_text": sheet.is_text,
    }
    path = os.path.join(folder, f"{n}.arrow")
    if sheet.frame is not None:
        sheet.frame.write_ipc(path)
        return {**packed, "frame": path, "ragged": []}
    if len(sheet.grid) < _FRAME_FROM:
        return {**packed, "grid": sheet.grid}
    from cps.ledger.containers.frames import write_grid

    return {**packed, "frame": path, "ragged": write_grid(sheet.grid, path)}


def main() -> None:
    """Serve requests until the input ends."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        answer = marshal.dumps(_answer(json.loads(line)))
        out.write(len(answer).to_bytes(8, "little"))
        out.write(answer)
        out.flush()


if __name__ == "__main__":
    main()
