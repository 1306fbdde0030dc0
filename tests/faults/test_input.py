"""Scale, hostile input and estimates that can't be had: bounded, refused in words, never a guess."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks._fault_scale import (
    every_row_wrong,
    run_watched,
    surroundings,
    write_ledger,
    write_province,
)
from cps.runs import load_failures, load_run
from tests.faults._quick import ROOT, Done, run_cps, tree_bytes
from tests.faults.conftest import Quick
from tests.ledger.builders import xlsx, zipped

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-input")]
KEPT = 100  # findings of one kind
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


# -- scale ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int, str, Path]:
    """600 villages × 36 months × 8 items, through the whole of ``cps run``."""
    folder = tmp_path_factory.mktemp("province")
    made = write_province(folder / "in", n_villages=600, n_months=36)
    out = folder / "out"
    words = [sys.executable, "-m", "cps", "run", *made.options, "--out", str(out), "--lang", "en"]
    status, _, peak, said = run_watched(words, env=ENVIRONMENT, cwd=folder)
    return status, peak, said, out


def test_f45_a_province_of_villages_is_one_notebook_an_initiative_in_bounded_memory(
    province: tuple[int, int, str, Path],
) -> None:
    status, peak, said, out = province
    assert status == 0, said
    assert "600 units × 3 periods" in said
    assert "[3/3]" in said  # progress is told
    assert len(list((out / "latest" / "notebooks").iterdir())) == 4  # and none a village
    assert 0.1e9 < peak < 1.5e9


def test_f45_pages_of_a_province_stay_small_and_their_tables_are_cut_with_counts(
    province: tuple[int, int, str, Path],
) -> None:
    pages = list((province[3] / "latest").glob("??/*.html"))
    assert len(pages) >= 8
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert len(text.encode()) < 2_000_000
        # Of the hundreds of comparison villages a few are named, the rest counted.
        assert len(set(re.findall("测试村[零一二三四五六七八九]{5}", text))) < 200
    assert re.search(r"\b5\d\d\b", (province[3] / "latest/en/market.html").read_text("utf-8"))


@pytest.mark.parametrize("what", ["unit", "encoding"])
def test_f46_where_every_row_is_wrong_a_hundred_findings_of_a_kind_are_kept_with_the_total(
    what: str, tmp_path: Path
) -> None:
    small = every_row_wrong(tmp_path / "small", what, n_rows=2_000)
    large = every_row_wrong(tmp_path / "large", what, n_rows=200_000)
    assert large["kept"] <= KEPT * large["kinds"]
    assert large["total"] >= 200_000 * 0.6
    assert large["grown_bytes"] - small["grown_bytes"] < 0.3e9


def test_f46_a_run_on_ledgers_wrong_in_every_row_is_refused_in_one_screen(
    own: Quick, tmp_path: Path
) -> None:
    # Large enough to be read in a process of its own, whose findings come back whole.
    ledger = write_ledger(own.data / "全错.csv", "unit", n_rows=200_000)
    assert ledger.stat().st_size > 8 << 20
    done = own.run(out=tmp_path / "out")
    assert done.exit_code == 5
    assert ledger.name in done.stderr
    assert len(done.stderr) < 10_000
    assert ".work" not in done.stderr  # named as the user has it, not as the copy that was read
    assert not (tmp_path / "out" / "latest").exists()
    assert len(json.dumps(done.summary)) < 20_000


# -- hostile and empty input ----------------------------------------------------------------------


def _bomb() -> bytes:
    """200 MB of blanks in a few hundred kilobytes."""
    return xlsx(f"<sheetData>{' ' * 200_000_000}</sheetData>")


HOSTILE = {
    # 2 kB that abort some readers' whole process: one cell at the last place of the sheet.
    "stray.xlsx": lambda: xlsx(
        '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>村名</t></is></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    ),
    "bomb.xlsx": _bomb,
    "cut.xlsx": lambda: xlsx("<sheetData/>")[:300],
    "entities.xls": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
        b'<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">&c;</Workbook>'
    ),
    "climbs.xlsx": lambda: zipped({"../../climbs.xml": "<a/>", "[Content_Types].xml": "<Types/>"}),
}


def test_f47_hostile_files_take_no_run_down_and_each_is_named(own: Quick, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = own.run("--only", "bonsai", out=out)
    assert before.exit_code == 0, before.stdout + before.stderr
    stood = tree_bytes(before.latest)
    for name, made in HOSTILE.items():
        (own.data / name).write_bytes(made())
    done = own.run("--only", "bonsai", out=out)
    assert done.exit_code == 5, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for name in HOSTILE:
        assert name in done.stderr
    assert done.summary["exit_code"] == 5
    assert tree_bytes(done.latest) == stood  # readers see what was there
    for name in HOSTILE:
        (own.data / name).unlink()
    again = own.run("--only", "bonsai", out=out)
    assert again.exit_code == 0, again.stdout + again.stderr
    assert tree_bytes(again.latest) == stood
    assert not (tmp_path / "climbs.xml").exists()


@pytest.mark.parametrize("holds", ["nothing", "other files", "no folder"])
def test_f48_a_folder_without_ledgers_is_an_error_and_no_empty_success(
    holds: str, own: Quick, tmp_path: Path
) -> None:
    shutil.rmtree(own.data)
    if holds != "no folder":
        own.data.mkdir()
    if holds == "other files":
        (own.data / "说明.docx").write_bytes(b"PK\x03\x04")
        (own.data / ".DS_Store").write_bytes(b"\0")
    done = own.run(out=tmp_path / "out")
    assert done.exit_code == 5, done.stdout + done.stderr
    assert "where:" in done.stderr
    assert str(own.data) in done.stderr
    assert not (tmp_path / "out" / "latest").exists()
    assert done.summary["exit_code"] == 5


def test_f48_initiatives_that_are_none_are_an_error_too(own: Quick, tmp_path: Path) -> None:
    for path in own.initiatives.iterdir():
        path.unlink()
    done = own.run(out=tmp_path / "out")
    assert done.exit_code in (2, 5), done.stdout + done.stderr
    assert str(own.initiatives) in done.stderr
    assert not (tmp_path / "out" / "latest").exists()


def test_f49_a_copy_of_a_ledger_is_warned_of_and_counted_once(
    own: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    first = sorted(own.data.iterdir())[0]
    shutil.copyfile(first, first.with_name(f"{first.stem} - 副本.csv"))
    done = own.run(out=tmp_path / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    ours, theirs = tree_bytes(done.latest), tree_bytes(undisturbed.latest)
    for name in ("runs/bonsai/design.parquet", "runs/flowers/design.parquet"):
        assert ours[name] == theirs[name]
    findings = load_run(done.latest / "runs" / "bonsai").findings
    (told,) = [one for one in findings if one.code == "W-FILE-TWICE"]
    assert "副本" in told.what.zh
    assert told.where == first.name


# -- estimates ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unestimable(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Initiatives that have no estimate, each for a reason of its own, beside one that has."""
    folder = tmp_path_factory.mktemp("unestimable")
    data, initiatives = folder / "raw", folder / "initiatives"
    data.mkdir()
    initiatives.mkdir()
    lines, areas = ["village,month,item,value,unit"], {}
    for area, is_constant in (("变镇", False), ("不变镇", True), ("孤镇", False)):
        areas[area] = [f"{area}村{n}号" for n in range(1 if area == "孤镇" else 10)]
        for n, village in enumerate(areas[area]):
            for month in range(72):
                value = 1000 if is_constant else 1000 + 37 * n + (n * month * 7919) % 101 + month
                lines.append(
                    f"{village},{2018 + month // 12}-{month % 12 + 1:02},经营性收入,{value},元"
                )
    (data / "合成.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    units = folder / "units.toml"
    units.write_text(
        "".join(
            f'[[area]]\nname = "{name}"\nunits = {json.dumps(villages, ensure_ascii=False)}\n'
            for name, villages in areas.items()
        ),
        encoding="utf-8",
    )
    for name, (host, area, start) in UNESTIMABLE.items():
        (initiatives / f"{name}.toml").write_text(
            f'id = "{name}"\nname = {{ zh = "{name}", en = "{name}" }}\nprovenance = "illustrative"\n'
            f'stands_for = []\nis_synthetic = true\nformat = "bonsai"\nunit_kind = "village"\nfrequency = "year"\n'
            f'outcomes = ["income_yuan"]\nanticipation = 0\ncomparison_areas = ["{area}"]\n'
            f'[description]\nzh = "说明"\nen = "words"\n'
            f'[[treated]]\nunit = "{host}"\nstart = "{start}"\n[treated.cost_yuan]\ncounty = 800_000\n',
            encoding="utf-8",
        )
    return run_cps(
        *("--data", data, "--initiatives", initiatives, "--units", units, "--langs", "zh"),
        out=folder / "out",
    )


UNESTIMABLE = {
    "good": ("变镇村1号", "变镇", "2021-05"),
    "constant": ("不变镇村1号", "不变镇", "2021-05"),
    "no_before": ("变镇村2号", "变镇", "2018-01"),
    "one_before": ("变镇村3号", "变镇", "2019-01"),
    "alone": ("孤镇村0号", "孤镇", "2021-05"),
}


def test_f50_an_initiative_without_an_estimate_says_why_and_the_others_are_untouched(
    unestimable: Done,
) -> None:
    assert unestimable.exit_code == 3, unestimable.stdout + unestimable.stderr
    failures = load_failures(unestimable.latest / "runs")
    assert set(failures) == {"no_before", "alone", "constant"}
    for name, reason in failures.items():
        assert reason.zh and reason.en
        assert not (unestimable.latest / "runs" / name / "run.json").exists()
    good = load_run(unestimable.latest / "runs" / "good")
    assert good.effects[0].overall.att is not None


def test_f50_no_page_shows_a_number_for_what_has_no_estimate(unestimable: Done) -> None:
    failures = load_failures(unestimable.latest / "runs")
    index = (unestimable.latest / "zh" / "index.html").read_text(encoding="utf-8")
    for name, reason in failures.items():
        said = reason.zh.splitlines()[0].split(": ", 1)[-1]
        assert said in index
        page = (unestimable.latest / "zh" / f"{name}.html").read_text(encoding="utf-8")
        text = re.sub(r"<[^>]*>", "", page.split("<main", 1)[1])
        assert said in text
        assert not re.search(r"\d\s*(万?元|人|%|个百分点)", text)


def test_f50_a_constant_outcome_is_refused_and_gives_no_zero_out_of_nothing(
    unestimable: Done,
) -> None:
    reason = load_failures(unestimable.latest / "runs")["constant"]
    assert "nothing varies" in reason.en
    assert "没有可比较的变化" in reason.zh
    one_before = load_run(unestimable.latest / "runs" / "one_before").effects[0].overall
    assert one_before.ci_low is not None and one_before.ci_high is not None
    assert one_before.ci_low < one_before.ci_high  # a year before is little, and says so


# -- equal bytes ----------------------------------------------------------------------------------


def test_f51_threads_hash_seeds_locales_time_zones_and_ways_of_starting_change_no_byte(
    quick: Quick, tmp_path: Path
) -> None:
    found = []
    for number, variables in enumerate(surroundings(few=True)):
        cold = ["--cold"] if variables.pop("cold") else []
        done = run_cps(
            *("--data", quick.data, "--initiatives", quick.initiatives, "--langs", "zh"),
            *("--only", "bonsai", *cold),
            out=tmp_path / str(number),
            environment=variables,
        )
        assert done.exit_code == 0, done.stdout + done.stderr
        found.append(tree_bytes(done.latest))
    assert len(found) >= 3
    assert all(one == found[0] for one in found)
