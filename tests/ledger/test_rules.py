"""Rules of meaning: each finds what it is for, at its place, and is silent on a sound ledger."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cps.errors import Finding
from cps.ledger.read import Inspection, inspect_ledgers
from tests.ledger.test_roundtrip import AS_OF, ITEMS, REGISTRY, panel

Rows = list[list[str]]


def sound(n_villages: int = 5, n_months: int = 18, seed: int = 3) -> Rows:
    truth = panel(random.Random(seed), n_villages, n_months)
    return [[v, m, i, str(n), "人" if i in ITEMS[6:] else "元"] for (v, m, i), n in truth.items()]


def write(folder: Path, rows: Rows, name: str = "ledger.csv") -> Path:
    path = folder / name
    text = "village,month,item,value,unit\n" + "".join(",".join(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def check(folder: Path, rows: Rows, **options: object) -> Inspection:
    units = folder / "villages.csv"
    units.write_text(REGISTRY, encoding="utf-8")
    given = {"units": units, "as_of": AS_OF, **options}
    return inspect_ledgers(write(folder, rows), **given)  # type: ignore[arg-type]


def of(found: Inspection, code: str) -> list[Finding]:
    return [one for one in found.findings if one.code == code]


def line_of(rows: Rows, village: str, month: str, item: str) -> int:
    return next(i for i, row in enumerate(rows, 2) if row[:3] == [village, month, item])


def test_a_sound_ledger_has_no_finding(tmp_path: Path) -> None:
    assert check(tmp_path, sound()).findings == ()


def change(rows: Rows, keep: Callable[[list[str]], bool], times: float) -> None:
    for row in rows:
        if keep(row):
            row[3] = f"{float(row[3]) * times:.2f}"


@pytest.mark.parametrize("times", [100, 10_000, 1e-4])
def test_slips_of_unit_are_found_where_they_begin(times: float, tmp_path: Path) -> None:
    rows = sound()
    change(rows, lambda row: row[0] == "龙泉村" and row[1] >= "2023-10" and row[4] == "元", times)
    slips = of(check(tmp_path, rows), "W-LEDGER-UNIT-SLIP")
    assert slips
    assert {"龙泉村", "2023-10"} <= set(slips[0].what.zh.split()), slips[0].what.zh
    assert slips[0].line == line_of(rows, "龙泉村", "2023-10", slips[0].where.split(", ")[-1][:-1])


def test_a_village_in_another_unit_throughout_is_found_by_its_neighbours(tmp_path: Path) -> None:
    rows = sound()
    change(rows, lambda row: row[0] == "白沙村" and row[4] == "元", 1e-4)
    levels = of(check(tmp_path, rows), "W-LEDGER-UNIT-LEVEL")
    assert levels
    assert all("白沙村" in one.what.zh for one in levels)


def test_a_whole_file_in_another_unit_is_found_by_what_villages_earn(tmp_path: Path) -> None:
    rows = sound()
    change(rows, lambda row: row[4] == "元", 10_000)
    assert of(check(tmp_path, rows), "W-LEDGER-UNIT-FILE")


def test_a_season_that_comes_back_is_no_slip(tmp_path: Path) -> None:
    rows = [
        [
            v,
            f"{2020 + y}-{m:02}",
            "经营性收入",
            str(200_000 + 100 * y if m == 12 else 1_900 + m),
            "元",
        ]
        for v in ("桃源村", "青石村", "白沙村")
        for y in range(4)
        for m in range(1, 13)
    ]
    assert of(check(tmp_path, rows), "W-LEDGER-UNIT-SLIP") == []


def test_totals_people_and_months_are_checked_at_their_cells(tmp_path: Path) -> None:
    rows = sound()
    total = line_of(rows, "青石村", "2023-05", "总收入")
    jobs = line_of(rows, "白沙村", "2023-07", "就业人数")
    rows[total - 2][3] = str(int(rows[total - 2][3]) + 5_000)
    rows[jobs - 2][3] = "99999"
    found = check(tmp_path, rows)
    (broken,) = of(found, "E-LEDGER-IDENTITY")
    assert (broken.line, broken.cell) == (total, f"D{total}")
    assert "5000" in broken.what.zh
    (over,) = of(found, "E-LEDGER-JOBS-ABOVE-POPULATION")
    assert (over.line, over.value) == (jobs, "99999")


def test_a_figure_given_twice_unlike_is_refused_and_alike_is_said(tmp_path: Path) -> None:
    rows = sound()
    unlike = check(tmp_path, [*rows, [*rows[3][:3], "1", "元"]])
    (one,) = of(unlike, "E-LEDGER-TWICE")
    assert one.line == len(rows) + 2
    assert "ledger.csv › D5" in one.what.zh
    alike = check(tmp_path, [*rows, rows[3]])
    assert not alike.is_rejected
    assert len(of(alike, "W-LEDGER-TWICE")) == 1
    assert alike.table().height == len(rows)


def test_names_go_through_the_registry(tmp_path: Path) -> None:
    units = tmp_path / "u.csv"
    units.write_text(
        "code,name,aliases,valid_from,valid_to,successor\n1,流大塘村,大塘,,,\n2,流里塘村,,,,\n"
        "3,上白沙村,,,2023-06,白沙村\n4,白沙村,,,,\n",
        encoding="utf-8",
    )

    def rows(*names: str) -> Rows:
        return [
            [name, f"2023-{m:02}", "总收入", str(50_000 + m), "元"]
            for name in names
            for m in range(1, 9)
        ]

    def read(*names: str) -> Inspection:
        return inspect_ledgers(write(tmp_path, rows(*names)), units=units, as_of=AS_OF)

    assert not read("流大塘村", "流里塘村").is_rejected
    (alias,) = of(read("大塘", "流里塘村"), "W-LEDGER-ALIAS")
    assert "流大塘村" in alias.what.zh
    (unknown,) = of(read("流木塘村"), "E-LEDGER-VILLAGE")
    assert "流" in unknown.mend.zh.split("“")[1]
    (ended,) = of(read("上白沙村", "白沙村"), "E-LEDGER-VILLAGE-ENDED")
    assert ended.count == 2
    assert "白沙村" in ended.mend.zh


def test_without_a_registry_a_rare_look_alike_is_warned_of(tmp_path: Path) -> None:
    rows = sound()
    rows[0][0] = "桃园村"
    found = inspect_ledgers(write(tmp_path, rows), as_of=AS_OF)
    (one,) = of(found, "W-LEDGER-LOOKALIKE")
    assert "桃源村" in one.what.zh


def test_gaps_and_villages_that_stop_are_said(tmp_path: Path) -> None:
    rows = [row for row in sound() if not (row[0] == "龙泉村" and row[1] >= "2024-03")]
    rows = [row for row in rows if not (row[0] == "白沙村" and row[1] == "2023-06")]
    found = check(tmp_path, rows)
    (stop,) = of(found, "W-LEDGER-ATTRITION")
    assert "龙泉村" in stop.what.zh and "2024-03" in stop.what.zh
    (gap,) = of(found, "W-LEDGER-GAP")
    assert "白沙村" in gap.what.zh and "2023-06" in gap.what.zh


def test_a_copied_month_and_a_running_total_are_said(tmp_path: Path) -> None:
    rows = sound()
    values = {(row[0], row[2]): row[3] for row in rows if row[1] == "2023-08"}
    for row in rows:
        if row[1] == "2023-09":
            row[3] = values[row[0], row[2]]
    (copied,) = of(check(tmp_path, rows), "W-LEDGER-MONTH-COPIED")
    assert "2023-09" in copied.what.zh and "2023-08" in copied.what.zh
    running = [
        [v, f"2023-{m:02}", "经营性收入", str(m * 40_000), "元"]
        for v in ("桃源村", "青石村", "白沙村")
        for m in range(1, 13)
    ]
    assert of(check(tmp_path, running), "W-LEDGER-CUMULATIVE")


def test_future_months_are_refused(tmp_path: Path) -> None:
    found = check(tmp_path, sound(), as_of=datetime.date(2024, 3, 20))
    late = of(found, "E-LEDGER-FUTURE")
    assert sum(one.count for one in late) == 5 * 8 * 3


def test_a_rule_keeps_a_hundred_findings_and_the_total(tmp_path: Path) -> None:
    rows = sound()
    for row in rows:
        row[3] = "约5"
    cells = of(check(tmp_path, rows), "E-LEDGER-CELL")
    assert len(cells) == 100
    assert sum(one.count for one in cells) == len(rows)
    assert f"另有 {len(rows) - 100}" in cells[-1].what.zh


def test_quarters_must_be_their_months(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    months = [["东村", f"2023-{m:02}", "补助收入", "100", "元"] for m in range(1, 4)]
    write(tmp_path / "m", months)
    (tmp_path / "m" / "q.csv").write_text(
        "年度,季度,县区,乡镇,村,直接经营性收入,上缴及发包收入,投资收益,其他收入,总计\n"
        "2023,1,市,镇,东村,1,2,3,4,10\n",
        encoding="utf-8",
    )
    assert of(inspect_ledgers(tmp_path / "m", as_of=AS_OF), "W-LEDGER-FREQUENCY") == []
    other = [["东村", f"2023-{m:02}", "其他收入", "100", "元"] for m in range(1, 4)]
    write(tmp_path / "m", other)
    (off,) = of(inspect_ledgers(tmp_path / "m", as_of=AS_OF), "W-LEDGER-FREQUENCY")
    assert "300" in off.what.zh


def test_revisions_of_an_earlier_delivery_are_said(tmp_path: Path) -> None:
    rows = sound()
    before = write(tmp_path, rows, "before.csv")
    changed = [list(row) for row in rows[:-1]]
    changed[0][3] = str(int(changed[0][3]) + 1)
    found = check(tmp_path, changed, previous=before)
    (revised,) = of(found, "W-LEDGER-REVISED")
    assert revised.line == 2
    assert rows[0][3] in revised.what.zh
    assert len(of(found, "W-LEDGER-GONE")) == 1
    change(changed, lambda row: row[4] == "元", 0.01)
    assert of(check(tmp_path, changed, previous=before), "W-LEDGER-UNIT-SLIP")


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("甲,桃源村,2023-02,", "W-INITIATIVE-SHORT-PRE"),
        ("甲,桃源村,2025-01,", "W-INITIATIVE-NO-POST"),
        ("甲,桃源村,2024-01,\n乙,桃源村,2024-01,", "W-INITIATIVE-CONFOUNDED"),
        (
            "\n".join(
                f"甲,{v},2024-01," for v in ["桃源村", "青石村", "白沙村", "柳溪村", "龙泉村"]
            ),
            "W-INITIATIVE-NO-CONTROL",
        ),
        ("甲,火星村,2024-01,", "E-INITIATIVE-VILLAGE"),
        ("甲,桃源村,去年,", "E-INITIATIVE-START"),
        ("<script>,桃源村,2024-01,", "E-INITIATIVE-NAME"),
    ],
)
def test_what_a_schedule_can_not_tell_is_said(table: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "initiatives.csv"
    path.write_text(f"initiative,village,start,end\n{table}\n", encoding="utf-8")
    assert of(check(tmp_path, sound(), initiatives=path), code)
