"""Mutated files and random cells: nothing may crash, hang or be read by guess.

    python benchmarks/fuzz.py files N [seed]     N mutated files, a part of them read to the end
    python benchmarks/fuzz.py cells N [seed]     N random texts as cells, months and names

A file is cut, spliced, flipped in bytes, or changed inside its zip members and zipped again, so
that the checksum holds and the reader itself meets the damage. Every exception but a refusal
counts as a crash (a reader's process that dies does not: its file is refused in words); a file
that takes over ten seconds counts as a hang.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
import zipfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from cps.errors import CpsError
from cps.ledger.cells import in_base_unit, parse_number, read_month
from cps.ledger.names import read_name
from cps.ledger.read import inspect_ledgers
from cps.ledger.workbook import Opener

_LIMIT = 10.0
_FULL = 25  # one file in so many goes through the whole of reading and checking
_TOKENS = [
    *(
        "0",
        "-1",
        "1e309",
        "NaN",
        "万元",
        "２",
        "\u202e",
        "=1+1",
        "<",
        "&#0;",
        "\x00",
        '"',
        ",",
        "\n",
    ),
    *(
        'r="XFD1048576"',
        't="s"',
        "<v>",
        "</v>",
        "99999999999999999999",
        "2023-13",
        "\ufeff",
        "合计",
    ),
    *("A1:XFD1048576", 's="99"', "<f/>", "</row>", "村", "…", "1,2,3", "\xff", "<!DOCTYPE a>"),
]


def seeds() -> list[tuple[str, bytes]]:
    """Make sound ledgers in every container that can be written here."""
    import xlsxwriter
    import xlwt

    long = "village,month,item,value,unit\n" + "".join(
        f"{village},2023-{month:02},{item},{value},{unit}\n"
        for village in ("东村", "西村", "南村")
        for month in range(1, 7)
        for item, value, unit in (("总收入", 1000 + month, "元"), ("总人口", 900, "人"))
    )
    rows = [line.split(",") for line in long.splitlines()]
    made = [("a.csv", long.encode()), ("b.csv", long.encode("gb18030"))]
    made.append(("c.csv", long.encode("utf-16")))
    memory = io.BytesIO()
    book = xlsxwriter.Workbook(memory, {"in_memory": True})
    sheet = book.add_worksheet("台账")
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            sheet.write(r, c, float(text) if text.isdigit() else text)
    sheet.merge_range("H1:I2", "x")
    book.close()
    made.append(("d.xlsx", memory.getvalue()))
    old = xlwt.Workbook(encoding="utf-8")
    page = old.add_sheet("台账")
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            page.write(r, c, text)
    memory = io.BytesIO()
    old.save(memory)
    made.append(("e.xls", memory.getvalue()))
    cells = "".join("<tr>" + "".join(f"<td>{x}</td>" for x in row) + "</tr>" for row in rows)
    made.append(("f.xls", f"<html><meta charset=utf-8><table>{cells}</table></html>".encode()))
    return made


def mutated(raw: bytes, draw: random.Random) -> bytes:
    """Damage a file in one to four places."""
    if raw.startswith(b"PK") and draw.random() < 0.7:
        return _inside_zip(raw, draw)
    data = bytearray(raw)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data)) if data else 0
        kind = draw.randrange(6)
        if kind == 0 and data:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at : at + draw.randint(1, 64)]
        elif kind == 2:
            data[at:at] = draw.choice(_TOKENS).encode("utf-8", "replace")
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            other = draw.randrange(len(data)) if data else 0
            data[at:at] = data[other : other + draw.randint(1, 256)]
        else:
            data[at : at + 4] = draw.randbytes(4)
    return bytes(data)


def _inside_zip(raw: bytes, draw: random.Random) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(target, "w") as new:
        names = old.namelist()
        chosen = draw.choice([one for one in names if one.endswith((".xml", ".rels"))])
        for name in names:
            body = old.read(name)
            new.writestr(name, mutated(body, draw) if name == chosen else body)
    return target.getvalue()


def fuzz_files(n: int, draw: random.Random) -> Counter[str]:
    """Read mutated files; count what came of them."""
    ends: Counter[str] = Counter()
    made = seeds()
    with tempfile.TemporaryDirectory() as folder, Opener() as opener:
        for i in range(n):
            name, raw = draw.choice(made)
            data = mutated(raw, draw)
            began = time.monotonic()
            try:
                path = Path(folder) / name
                path.write_bytes(data)
                if i % _FULL == 0:
                    found = inspect_ledgers(path)
                    ends["rejected in full" if found.is_rejected else "accepted in full"] += 1
                else:
                    opened = opener.open(path)
                    died = any("crashed" in one.what.en for one in opened.remarks)
                    code = opened.remarks[-1].code if opened.remarks else ""
                    ends["opened" if opened.sheets else "reader died" if died else code] += 1
            except CpsError:
                ends["refused"] += 1
            except Exception as error:  # what this benchmark looks for
                ends[f"CRASH {type(error).__name__}"] += 1
                Path(f"/tmp/crash_{i}_{name}").write_bytes(data)
                print("crash", i, name, repr(error)[:200], flush=True)
            if time.monotonic() - began > _LIMIT:
                ends["HANG"] += 1
    return ends


def fuzz_cells(n: int, draw: random.Random) -> Counter[str]:
    """Read random texts; a value must be what Python's own exact arithmetic gives of its digits."""
    ends: Counter[str] = Counter()
    letters = (
        "0123456789０１２.,，-—+()（）% 　万亿元人eE/年月日_'oOlI一二三季~至约\t\n\u200b\u202e<=@"
    )
    for _ in range(n):
        text = "".join(draw.choice(letters) for _ in range(draw.randint(0, 12)))
        if draw.random() < 0.2:
            text += draw.choice(_TOKENS)
        cell = parse_number(text)
        states = [cell.value is not None, cell.emptiness is not None, cell.problem is not None]
        assert sum(states) == 1, text
        if cell.value is not None:
            assert isinstance(cell.value, Decimal) and cell.value.is_finite(), text
            for measure, unit in (("yuan", "万元"), ("persons", "人"), ("percent", "")):
                in_base_unit(cell, measure, unit)
        month = read_month(text)
        assert (month.date is None) == (month.problem is not None), text
        name = read_name(text)
        assert bool(name.name) == (name.problem is None), text
        ends["number" if states[0] else "empty" if states[1] else "problem"] += 1
    return ends


def main() -> None:
    """Run one of the two."""
    kind, n = sys.argv[1], int(sys.argv[2])
    draw = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)  # noqa: S311
    began = time.monotonic()
    ends = (fuzz_files if kind == "files" else fuzz_cells)(n, draw)
    print(f"{n:,} {kind} in {time.monotonic() - began:.0f} s:", dict(ends.most_common()))


if __name__ == "__main__":
    main()
