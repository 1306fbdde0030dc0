"""The table of docs/faults.md names every fault, and every test of it by its sentence.

python -m tests.faults.test_matrix     write the last column anew after a test came or went
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = FOLDER.parents[1] / "docs" / "faults.md"
IDS = tuple(f"F{number:02d}" for number in range(1, 56))
_ROW = re.compile(r"^\| (F\d\d) \| (.+?) \| (.+?) \|(.*)\|$", re.MULTILINE)


def collected() -> dict[str, dict[str, list[str]]]:
    """Give, for each id, file -> sentences of its tests; a test may be of several ids."""
    found: dict[str, dict[str, list[str]]] = {one: {} for one in IDS}
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match = re.match(r"test_((?:f\d\d_)+)(.+)", getattr(node, "name", ""))
            if isinstance(node, ast.FunctionDef) and match:
                for one in match[1].upper().strip("_").split("_"):
                    found[one].setdefault(path.name, []).append(match[2].replace("_", " "))
    return found


def as_cell(tests: dict[str, list[str]]) -> str:
    """Write the tests of one fault as the table's last column does."""
    return "<br>".join(f"`{name}`: {'; '.join(said)}" for name, said in tests.items())


def test_every_fault_has_a_test_that_does_it() -> None:
    without = [one for one, tests in collected().items() if not tests]
    assert not without, f"no test in {FOLDER.name}/ is named test_{without[0].lower()}_…"


def test_the_table_has_a_row_for_every_fault_in_order_and_says_what_becomes_of_it() -> None:
    rows = _ROW.findall(TABLE.read_text(encoding="utf-8"))
    assert tuple(row[0] for row in rows) == IDS
    for one, fault, done, _ in rows:
        assert len(fault) > 8, one
        assert len(done) >= len("As F23."), one


def test_the_table_names_every_test_of_every_fault() -> None:
    rows = {row[0]: row[3] for row in _ROW.findall(TABLE.read_text(encoding="utf-8"))}
    stale = [
        one for one, tests in collected().items() if rows.get(one, "").strip() != as_cell(tests)
    ]
    assert not stale, (
        f"{TABLE.name} is not in step with the tests of {', '.join(stale)}: "
        "python -m tests.faults.test_matrix"
    )


def main() -> None:
    """Write the last column of the table from the tests."""
    tests = collected()
    text = _ROW.sub(
        lambda row: f"| {row[1]} | {row[2]} | {row[3]} | {as_cell(tests[row[1]])} |",
        TABLE.read_text(encoding="utf-8"),
    )
    TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
