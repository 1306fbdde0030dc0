"""Ledgers written for tests in containers that no writer here makes: ods, xlsb, SpreadsheetML."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

Grid = Sequence[Sequence[str | float]]

LONG: list[list[str | float]] = [
    ["village", "month", "item", "value", "unit"],
    *(
        [village, f"2023-{month:02}", item, value + month, unit]
        for village in ("东村", "西村")
        for month in range(1, 7)
        for item, value, unit in (("总收入", 1000.5, "元"), ("总人口", 900, "人"))
    ),
]


def as_csv(grid: Grid) -> str:
    return "".join(",".join(str(one) for one in row) + "\n" for row in grid)


def zipped(members: dict[str, bytes | str], **options: int) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return memory.getvalue()


def xlsx(
    sheet_xml: str, *, strings: str = "", styles: str = "", extra: dict[str, bytes] | None = None
) -> bytes:
    """A workbook of one sheet from its own XML."""
    rels = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
            f'Type="{rels}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rels}"><sheets>'
            '<sheet name="台账" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">'
            f'<Relationship Id="rId1" Type="{rels}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="rId2" Type="{rels}/sharedStrings" Target="sharedStrings.xml"/>'
            f'<Relationship Id="rId3" Type="{rels}/styles" Target="styles.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}">{sheet_xml}</worksheet>',
            "xl/sharedStrings.xml": f'<sst xmlns="{main}">{strings}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{main}">{styles}</styleSheet>',
            **(extra or {}),
        }
    )


def sheet_of(grid: Grid) -> str:
    """Inline cells of a grid; columns up to Z."""
    rows = []
    for r, row in enumerate(grid, start=1):
        cells = []
        for c, value in enumerate(row):
            name = f"{chr(65 + c)}{r}"
            if isinstance(value, str):
                cells.append(f'<c r="{name}" t="inlineStr"><is><t>{escape(value)}</t></is></c>')
            else:
                cells.append(f'<c r="{name}"><v>{value}</v></c>')
        rows.append(f'<row r="{r}">{"".join(cells)}</row>')
    return f"<sheetData>{''.join(rows)}</sheetData>"


def _ods_type(value: str | float) -> str:
    if isinstance(value, str):
        return 'office:value-type="string"'
    return f'office:value-type="float" office:value="{value}"'


def ods(grid: Grid) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    rows = []
    for row in grid:
        cells = "".join(
            f"<table:table-cell {_ods_type(one)}><text:p>{escape(str(one))}</text:p></table:table-cell>"
            for one in row
        )
        rows.append(f"<table:table-row>{cells}</table:table-row>")
    content = (
        f'<office:document-content xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" '
        f'xmlns:text="{office}:text:1.0" office:version="1.2"><office:body><office:spreadsheet>'
        f'<table:table table:name="台账">{"".join(rows)}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0"/>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": manifest})


def spreadsheetml(grid: Grid) -> bytes:
    name = "urn:schemas-microsoft-com:office:spreadsheet"
    rows = "".join(
        "<Row>"
        + "".join(
            f'<Cell><Data ss:Type="{"String" if isinstance(one, str) else "Number"}">'
            f"{escape(str(one))}</Data></Cell>"
            for one in row
        )
        + "</Row>"
        for row in grid
    )
    return (
        f'<?xml version="1.0"?><Workbook xmlns="{name}" xmlns:ss="{name}">'
        f'<Worksheet ss:Name="台账"><Table>{rows}</Table></Worksheet></Workbook>'
    ).encode()


def html(grid: Grid) -> bytes:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(one))}</td>" for one in row) + "</tr>" for row in grid
    )
    page = f'<html><head><meta charset="gbk"></head><body><table>{rows}</table></body></html>'
    return page.encode("gb18030")


def xls(grid: Grid) -> bytes:
    import xlwt

    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("台账")
    for r, row in enumerate(grid):
        for c, value in enumerate(row):
            sheet.write(r, c, value)
    memory = io.BytesIO()
    book.save(memory)
    return memory.getvalue()


def _record(kind: int, body: bytes = b"") -> bytes:
    def packed(number: int) -> bytes:
        out = bytearray()
        while True:
            out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
            number >>= 7
            if not number:
                return bytes(out)

    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + packed(len(body)) + body


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(grid: Grid) -> bytes:
    """A binary workbook, record by record (MS-XLSB)."""
    rels = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    bundle = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("台账")
    book = _record(131) + _record(143) + _record(156, bundle) + _record(144) + _record(132)
    width = max(map(len, grid))
    sheet = _record(129)
    sheet += _record(148, struct.pack("<IIII", 0, len(grid) - 1, 0, width - 1)) + _record(145)
    for r, row in enumerate(grid):
        sheet += _record(0, struct.pack("<IIHBBBI", r, 0, 300, 0, 0, 0, 0))
        for c, value in enumerate(row):
            place = struct.pack("<II", c, 0)
            if isinstance(value, str):
                sheet += _record(6, place + _wide(value))
            else:
                sheet += _record(5, place + struct.pack("<d", value))
    sheet += _record(146) + _record(130)
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
            f'Type="{rels}/officeDocument" Target="xl/workbook.bin"/></Relationships>',
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{package}">'
            f'<Relationship Id="rId1" Type="{rels}/worksheet" Target="worksheets/sheet1.bin"/>'
            "</Relationships>",
            "xl/worksheets/sheet1.bin": sheet,
        }
    )
