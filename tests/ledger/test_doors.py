"""Corrections, sidecars, databases, previews, drafts and the command line of checking."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cps.__main__ import main
from cps.errors import LedgerError, UsageError
from cps.ledger._layout import load_layouts
from cps.ledger.delivery import seal, sidecar
from cps.ledger.draft import draft_layout
from cps.ledger.names import read_name
from cps.ledger.preview import preview
from cps.ledger.read import inspect_ledgers, read_ledgers
from tests.ledger.builders import LONG, as_csv

CORRECTION = """[[correction]]
file = "ledger.csv"
cell = "D2"
was = "1001.5"
now = "1001"
reason = "多录五角"
who = "会计甲"
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.csv"
    path.write_text(as_csv(LONG), encoding="utf-8")
    return path


def codes(path: Path | str, **options: object) -> set[str]:
    return {one.code for one in inspect_ledgers(path, **options).findings}  # type: ignore[arg-type]


def test_a_correction_is_applied_and_said_and_the_file_is_not_touched(ledger: Path) -> None:
    record = ledger.with_name("fix.toml")
    record.write_text(CORRECTION, encoding="utf-8")
    before = ledger.read_bytes()
    found = inspect_ledgers(ledger, corrections=record)
    assert found.table()["value"][0] == "1001"
    (said,) = [one for one in found.findings if one.code == "N-LEDGER-CORRECTED"]
    assert said.cell == "D2"
    assert "会计甲" in said.what.zh
    assert ledger.read_bytes() == before


def test_a_correction_whose_old_value_is_gone_raises(ledger: Path) -> None:
    record = ledger.with_name("fix.toml")
    record.write_text(CORRECTION.replace("1001.5", "7"), encoding="utf-8")
    with pytest.raises(LedgerError, match=r"'1001\.5' stands there now"):
        inspect_ledgers(ledger, corrections=record)
    record.write_text(CORRECTION.replace('who = "会计甲"', ""), encoding="utf-8")
    with pytest.raises(UsageError, match="it lacks: who"):
        inspect_ledgers(ledger, corrections=record)


def test_a_sidecar_holds_hash_and_licence_and_a_changed_file_is_refused(ledger: Path) -> None:
    seal(ledger, licence="仅供评估", supplier="甲镇", received=datetime.date(2025, 1, 2))
    assert "仅供评估" in sidecar(ledger).read_text(encoding="utf-8")
    assert "N-FILE-DELIVERY" in codes(ledger)
    ledger.write_text(ledger.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "E-FILE-CHANGED" in codes(ledger)


def test_a_sqlite_table_goes_through_the_same_rules(tmp_path: Path, ledger: Path) -> None:
    path = tmp_path / "village.db"
    with contextlib.closing(sqlite3.connect(path)) as link:
        link.execute(
            "CREATE TABLE 台账 (village TEXT, month TEXT, item TEXT, value REAL, unit TEXT)"
        )
        link.executemany("INSERT INTO 台账 VALUES (?, ?, ?, ?, ?)", LONG[1:])
        link.execute("CREATE TABLE 其他 (x TEXT)")
        link.commit()
    found = inspect_ledgers(f"sqlite:///{path}#台账")
    assert found.table().equals(inspect_ledgers(ledger).table())
    with pytest.raises(LedgerError, match="has no table nothing"):
        inspect_ledgers(f"sqlite:///{path}#nothing")
    with contextlib.closing(sqlite3.connect(path)) as link:
        link.execute("UPDATE 台账 SET village = '=1+1' WHERE month = '2023-01'")
        link.commit()
    assert "E-LEDGER-NAME" in codes(f"sqlite:///{path}#台账")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(one) for one in (shutil.which("initdb"),) if one
    ]
    if not found:
        if os.environ.get("CI"):
            pytest.fail("CI needs a PostgreSQL server (initdb): .ci/run installs it")
        pytest.skip("no PostgreSQL server is installed (initdb)")
    user = "nobody" if os.getuid() == 0 else None  # the server refuses to run as root
    home = Path(tempfile.mkdtemp(prefix="cps-pg-"))
    home.chmod(0o777)

    def run(program: str, *arguments: str) -> None:
        command = [str(found[-1].parent / program), "-D", str(home / "data"), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=user, cwd="/", timeout=120)

    run("initdb", "-U", "cps", "-A", "trust", "-E", "UTF8")
    options = f"-k {home} -c listen_addresses='' -F"
    run("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        yield f"postgresql://cps@/postgres?host={home}"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


def test_a_postgresql_table_goes_through_the_same_rules(postgresql: str, ledger: Path) -> None:
    import psycopg

    with psycopg.connect(postgresql) as link:
        link.execute(
            "CREATE TABLE ledger (village text, month text, item text, value numeric, unit text)"
        )
        with link.cursor() as cursor:
            cursor.executemany("INSERT INTO ledger VALUES (%s, %s, %s, %s, %s)", LONG[1:])
    found = inspect_ledgers(f"{postgresql}#ledger")
    assert found.table().equals(inspect_ledgers(ledger).table())
    with pytest.raises(LedgerError, match="has no table nothing"):
        inspect_ledgers(f"{postgresql}#nothing")


def test_a_database_that_can_not_be_reached_is_said_without_its_password() -> None:
    with pytest.raises(LedgerError) as error:
        inspect_ledgers("postgresql://me:hush@127.0.0.1:1/none#t")
    assert "hush" not in str(error.value)
    with pytest.raises(LedgerError, match="no such database"):
        inspect_ledgers("sqlite:///nowhere.db")


def test_parquet_reads_like_the_rest(tmp_path: Path, ledger: Path) -> None:
    import polars as pl

    head, *rows = LONG
    frame = pl.DataFrame(rows, schema=[str(one) for one in head], orient="row")
    frame.write_parquet(tmp_path / "a.parquet")
    found = inspect_ledgers(tmp_path / "a.parquet")
    assert found.table().equals(inspect_ledgers(ledger).table())
    assert "W-FILE-NO-HASH" in {one.code for one in found.findings}
    seal(tmp_path / "a.parquet", licence="x", supplier="y", received=datetime.date(2025, 1, 2))
    raw = bytearray((tmp_path / "a.parquet").read_bytes())
    raw[40] ^= 1
    (tmp_path / "a.parquet").write_bytes(bytes(raw))
    assert inspect_ledgers(tmp_path / "a.parquet").is_rejected


def test_a_preview_names_the_layout_columns_and_skipped_rows(ledger: Path) -> None:
    with ledger.open("a", encoding="utf-8") as handle:
        handle.write("合计,2023-01,总收入,2003,元\n注：示例,,,,\n")
    shown = preview(ledger)
    assert shown.sheets[0].layout == "a_long"
    assert [why for _, why in shown.sheets[0].skipped] == ["note", "total"]
    assert "village → unit" in str(shown)
    assert "<table" in shown._repr_html_()
    ledger.write_text("a,b\n1,2\n", encoding="utf-8")
    none = preview(ledger)
    assert none.sheets[0].layout is None
    assert none.sheets[0].near_misses


def test_findings_are_a_table_in_a_notebook_and_nothing_in_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(as_csv([*LONG, ["<script>alert(1)</script>", "2023-01", "总收入", 1, "元"]]))
    shown = read_ledgers(path, strict=False)._repr_html_()
    assert "<table>" in shown
    assert "<script>" not in shown
    assert "E-LEDGER-NAME" in shown


def test_a_draft_layout_loads_and_says_what_it_could_not_guess(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        "甲镇收入表\n单位：万元\n年度,村名,经营性收入,物业收入,联系电话\n2023,东村,12.5,3,13812345678\n",
        encoding="utf-8",
    )
    draft = draft_layout(path)
    assert "13812345678" not in draft.toml
    assert any("物业收入" in one.zh for one in draft.unsure)
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "own.toml").write_text(draft.toml, encoding="utf-8")
    assert "own" in load_layouts(tmp_path / "formats")
    rows = read_ledgers(path, formats=tmp_path / "formats").rows
    assert rows.select("unit", "item", "value").row(0)[:2] == ("东村", "operating_income")
    assert int(rows["value"][0]) == 125_000


def test_personal_data_is_dropped_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = as_csv([[*row, "x"] for row in LONG]).replace("unit,x", "unit,备注")
    path.write_text(
        rows.replace("元,x", "元,13812345678", 1).replace("人,x", "人,330782199001011234", 1)
    )
    found = inspect_ledgers(path)
    assert sum(one.code == "N-LEDGER-PERSONAL" for one in found.findings) == 2
    everything = str(found.findings) + str(found.rows().rows()) + str(found.table().rows())
    assert "13812345678" not in everything
    assert "330782199001011234" not in everything


@pytest.mark.parametrize(
    "name",
    [
        *(
            "=1+1",
            "+x",
            "@SUM(1)",
            "\t=1",
            "<b>村",
            "a/b",
            "..",
            "C:\\x",
            "村\x00",
            "\x1b[2J村",
            "村\u202e",
        ),
        *(
            "桃源村а",
            "村😀",
            "村\ue000",
            "{{7}}",
            "村\nINFO ok",
            "CON",
            "%00",
            "村;x",
            "$(x)",
            "村'",
            '村"',
            "123",
        ),
    ],
)
def test_names_that_could_act_are_refused(name: str) -> None:
    assert read_name(name).problem is not None


@pytest.mark.parametrize(
    "name", ["桃源村", "㐂𠮷村", "示例村01", "上溪（原）", "A-1村", "巴·楚村", "village 1"]
)
def test_names_that_villages_have_are_taken(name: str) -> None:
    assert read_name(name).problem is None


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cps", *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_says_accepted_rejected_and_misused(ledger: Path, tmp_path: Path) -> None:
    table = tmp_path / "out.csv"
    code, out, _ = run("check", str(ledger), "--format", "json", "--table", str(table))
    assert (code, json.loads(out)["action"]) == (0, "accept")
    assert table.read_text(encoding="utf-8").splitlines()[1] == "东村,2023-01,总收入,1001.5,元"
    table.unlink()
    ledger.write_text(as_csv(LONG).replace("1001.5", "约1000"), encoding="utf-8")
    code, out, _ = run(
        "check", str(ledger), "--format", "json", "--lang", "zh", "--table", str(table)
    )
    said = json.loads(out)
    assert (code, said["action"], table.exists()) == (5, "reject", False)
    one = said["findings"][0]
    assert (one["file"], one["line"], one["cell"], one["value"]) == (
        "ledger.csv",
        2,
        "D2",
        "约1000",
    )
    assert one["message"] and one["mend"]
    code, out, _ = run("check", str(ledger), "--lang", "zh")
    assert code == 5
    assert "ledger.csv › D2" in out and "处理" in out
    assert run("check", str(ledger), "--as-of", "soon")[0] == 2
    assert run("check", str(ledger), "--units", "nowhere.csv")[0] == 2
    assert run("check")[0] == 2
    code, out, _ = run("check", str(tmp_path / "none.csv"), "--format", "json")
    assert (code, json.loads(out)["findings"][0]["severity"]) == (5, "error")


def test_sealing_and_drafting_from_the_command_line(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["seal", str(ledger), "--licence", "x", "--supplier", "y"]) == 0
    assert sidecar(ledger).is_file()
    assert main(["check", str(ledger), "--preview"]) == 0
    assert "a_long" in capsys.readouterr().out
    odd = tmp_path / "odd.csv"
    odd.write_text("年度,村名,经营性收入,x\n2023,东村,1,2\n", encoding="utf-8")
    assert main(["new", "layout", str(odd), "--out", str(tmp_path / "own.toml")]) == 0
    assert "operating_income" in (tmp_path / "own.toml").read_text(encoding="utf-8")
    assert main(["new", "layout", str(ledger)]) == 5
