"""The corpus of hostile and awkward ledgers: each entry is handled as a first-rate loader would."""

from __future__ import annotations

import datetime
import json
import os
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cps.errors import CpsError
from cps.ledger.check import as_json, as_text
from cps.ledger.read import Inspection, inspect_ledgers

ARCHIVE = Path(__file__).parents[3] / "shared" / "corpus" / "corpus.tar.gz"
pytestmark = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason="the corpus of ledgers (shared/corpus) is not here"
)
QUIET = {"accept", "accept_normalise"}
CATEGORIES = (
    *("container", "csv-structure", "date", "design", "encoding", "excel-structure", "filename"),
    *("injection", "number", "panel", "security", "semantic", "shape", "unit"),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="fully_trusted")  # noqa: S202 - it holds links on purpose
    yield folder


def checked(entry: dict[str, Any], root: Path, manifest: dict[str, Any]) -> Inspection | CpsError:
    name = bytes.fromhex(entry["file_hex"]) if entry.get("file_hex") else os.fsencode(entry["file"])
    target = Path(os.fsdecode(os.path.join(os.fsencode(root / "files"), name)))
    beside = {key: root / value for key, value in entry["companions"].items()}
    units = root / manifest["model"]["default_companions"]["registry"]
    try:
        return inspect_ledgers(
            beside.get("ledger", target),
            units=beside.get("registry", units),
            initiatives=target if entry["shape"] == "D" else beside.get("initiatives"),
            previous=beside.get("previous"),
            as_of=datetime.date.fromisoformat(manifest["as_of"]),
        )
    except CpsError as error:
        assert error.exit_code == 5, error
        return error


def action(said: dict[str, Any]) -> str:
    kinds = {one["severity"] for one in said["findings"]}
    if said["action"] == "reject":
        return "reject"
    return "accept_warn" if "warning" in kinds else "accept_normalise" if kinds else "accept"


def as_rows(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    rows = [
        (village, month, item, Decimal(value).normalize() if value else None, unit)
        for village, month, item, value, unit in table.iter_rows()
    ]
    return sorted(rows, key=str)


def faults(entry: dict[str, Any], root: Path, manifest: dict[str, Any]) -> list[str]:
    found = checked(entry, root, manifest)
    said = json.loads(as_json(found, "zh"))
    expect, done = entry["expect"], action(said)
    wanted = set(expect["acceptable"]) - {"ignore"} or {"accept_warn", *QUIET}
    wanted |= QUIET if wanted & QUIET else set()
    wrong = [] if done in wanted else [f"{done}, wanted {sorted(wanted)}"]
    text = json.dumps(said["findings"], ensure_ascii=False)
    if done in ("reject", "accept_warn"):
        wrong += [f"says nothing of {one!r}" for one in expect["must_mention"] if one not in text]
    if done == "reject":
        errors = [one for one in said["findings"] if one["severity"] == "error"]
        wrong += ["no remedy"] if not all(one["mend"] and one["message"] for one in errors) else []
        wrong += ["no file"] if not all(one["file"] for one in errors) else []
        if entry["where"].get("line") or entry["where"].get("cell"):
            placed = any(one["cell"] or one["line"] or one["sheet"] for one in errors)
            wrong += [] if placed else ["no place"]
    elif expect["table"] and isinstance(found, Inspection):
        right = pl.read_csv(root / expect["table"], infer_schema=False)
        wrong += [] if as_rows(found.table()) == as_rows(right) else ["table differs"]
    shown = as_text(found, "zh") + as_text(found, "en") if isinstance(found, Inspection) else text
    wrong += ["acts in a terminal"] if any(one in shown for one in "\x1b\x07\u202e\u200b") else []
    wrong += ["shows another file"] if "root:" in shown + text else []
    if isinstance(found, Inspection) and done != "reject":
        leads = found.table().select(pl.all().str.slice(0, 1)).unique().rows()
        wrong += ["a cell acts"] if {one for row in leads for one in row} & set("=+@\t") else []
    return wrong


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_entry_behaves_as_expected(category: str, corpus: Path) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    entries = [one for one in manifest["entries"] if one["category"] == category]
    assert entries
    wrong = {one["id"]: found for one in entries if (found := faults(one, corpus, manifest))}
    assert not wrong
    assert not Path("/tmp/cps_zip_slip.txt").exists()  # noqa: S108 - the attack's own target


def test_no_category_is_left_out(corpus: Path) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    assert {one["category"] for one in manifest["entries"]} == set(CATEGORIES)
