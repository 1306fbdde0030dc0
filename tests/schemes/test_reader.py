"""Scheme ledgers: dirt is read or named by its cell, and every measure equals a slow count of rows."""

from __future__ import annotations

import csv
import datetime
import random
import statistics
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest

from cps.design.initiatives import load_initiative
from cps.errors import LedgerError, SchemeError, Text
from cps.ledger._table_cells import read_moment
from cps.ledger.read_tables import read_tables
from cps.ledger.tables import Column, TableLayout
from cps.panel.store import load_panel, save_panel
from cps.periods import ordinal
from cps.schemes import Scheme
from cps.schemes.load import read_scheme_file
from cps.schemes.measures import measure
from cps.schemes.panel import scheme_initiative, scheme_panel, write_initiative
from cps.schemes.reader import read_scheme
from cps.schemes.record import Measurement

QUEUE = "合成_叫号记录.csv"


@pytest.fixture
def scheme(scheme_path: Path) -> Scheme:
    return read_scheme_file(scheme_path)


def _edited(folder: Path, old: str, new: str, *, name: str = QUEUE) -> None:
    path = folder / name
    text = path.read_text(encoding="gb18030")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="gb18030", newline="")


def test_a_ledger_as_it_comes_becomes_typed_rows_that_know_their_line(
    scheme: Scheme, ledger_folder: Path
) -> None:
    read = read_scheme(scheme, ledger_folder)
    queue = read.tables["queue"]
    assert read.is_synthetic
    written = (ledger_folder / QUEUE).read_text(encoding="gb18030").splitlines()
    assert queue.height == len(written) - 4  # title, head, total and note are no cases
    first = queue.row(0, named=True)
    assert first["source_file"] == QUEUE
    assert first["line"] == 3
    assert first["fee"] == 10.5  # full-width digits, 元 in the head
    assert first["wait"] == (first["called"] - first["taken"]).total_seconds() / 60
    assert queue.schema["is_short"] == pl.Boolean
    assert {one.name: one.n_rows for one in read.sources} == {
        "合成_中心名册.csv": 14,
        QUEUE: queue.height,
    }


# A day or moment as it is written, and what it means; None is refused.
MOMENTS = [
    ("2023-05-06 9:13", datetime.datetime(2023, 5, 6, 9, 13)),
    ("2023/5/6 09:13:20", datetime.datetime(2023, 5, 6, 9, 13, 20)),
    ("２０２３年５月６日 9时13分", datetime.datetime(2023, 5, 6, 9, 13)),
    ("2023-05-06T09:13", datetime.datetime(2023, 5, 6, 9, 13)),
    ("2023.5.6", datetime.datetime(2023, 5, 6)),
    ("20230506", datetime.datetime(2023, 5, 6)),
    ("45052", datetime.datetime(2023, 5, 6)),
    ("45052.5", datetime.datetime(2023, 5, 6, 12)),
    ("2023-02-30", None),
    ("2023-05-06 25:00", None),
    ("2023年5月", None),
    ("05/06/2023", None),
    ("昨天", None),
]


@pytest.mark.parametrize(("text", "meant"), MOMENTS)
def test_a_moment_is_read_in_any_form_that_has_one_meaning(
    text: str, meant: datetime.datetime | None
) -> None:
    found, problem = read_moment(text)
    assert found == meant
    assert (problem is None) == (meant is not None)


# What a clerk's slip is, and what the message must name.
SLIPS = {
    "a letter in a number": ("１０.５", "1O.5", "E-LEDGER-CELL", "letter O"),
    "no name": ("示例中心01,2020", ",2020", "E-LEDGER-CELL", "empty"),
    "money in no Chinese unit": ("工本费（元）", "工本费（美元）", "E-LEDGER-UNIT", "'美元'"),
    "a head renamed": ("叫号时间", "喊号时间", "E-LEDGER-NO-LAYOUT", "叫号时间"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_what_can_not_be_read_is_refused_by_file_and_cell(
    scheme: Scheme, ledger_folder: Path, slip: str
) -> None:
    old, new, code, said = SLIPS[slip]
    _edited(ledger_folder, old, new)
    with pytest.raises(LedgerError) as caught:
        read_scheme(scheme, ledger_folder)
    assert caught.value.findings[0].code == code
    assert QUEUE in caught.value.where
    assert said in caught.value.message("en")


def test_a_value_out_of_its_choices_or_bounds_is_left_empty_and_said(
    scheme: Scheme, ledger_folder: Path
) -> None:
    _edited(ledger_folder, "１０.５", "-3")
    text = (ledger_folder / QUEUE).read_text(encoding="gb18030").splitlines()
    text[3] = ",".join([*text[3].split(",")[:4], "婚姻"])
    (ledger_folder / QUEUE).write_text("\n".join(text), encoding="gb18030")
    read = read_scheme(scheme, ledger_folder)
    found = {one.code: one for one in read.findings}
    assert found["W-LEDGER-RANGE"].cell == "D3"
    assert found["W-LEDGER-CHOICE"].value == "婚姻"
    assert read.tables["queue"]["fee"][0] is None
    assert read.tables["queue"]["kind"][1] is None


def test_a_case_that_ends_before_it_begins_has_no_duration(
    scheme: Scheme, ledger_folder: Path
) -> None:
    rows = list(csv.reader((ledger_folder / QUEUE).open(encoding="gb18030")))
    rows[2][2] = "2019-12-31 08:00"
    with (ledger_folder / QUEUE).open("w", encoding="gb18030", newline="") as handle:
        csv.writer(handle).writerows(rows)
    read = read_scheme(scheme, ledger_folder)
    (said,) = [one for one in read.findings if one.code == "W-SCHEME-BACKWARDS"]
    assert said.line == 3
    assert read.tables["queue"]["wait"][0] is None


def test_a_key_that_comes_twice_is_refused_with_both_places(
    scheme: Scheme, ledger_folder: Path
) -> None:
    path = ledger_folder / "合成_中心名册.csv"
    text = path.read_text(encoding="gb18030")
    path.write_text(text + "示例中心01,示例街道,,\n", encoding="gb18030")
    with pytest.raises(LedgerError, match="repeat") as caught:
        read_scheme(scheme, ledger_folder)
    assert "3" in caught.value.message("en")
    assert "17" in caught.value.message("en")


def test_a_sheet_that_fits_two_ledgers_is_refused(scheme: Scheme, ledger_folder: Path) -> None:
    layouts = [one.layout for one in scheme.ledgers]
    path = ledger_folder / QUEUE
    rows = path.read_text(encoding="gb18030").splitlines()
    rows[1] = "中心名称,取号时间,叫号时间,镇街,改造日期,业务类别"
    rows[2:] = ["示例中心01,2020-01-01 9:00,2020-01-01 9:10,示例街道,,户籍"]
    path.write_text("\n".join(rows), encoding="gb18030")
    fuller = read_tables(path, layouts)  # the queue's four columns against three
    assert fuller.frames["queue"].height == 1
    rows[1] = rows[1] + ",不作对照原因"
    rows[2] += ","
    path.write_text("\n".join(rows), encoding="gb18030")
    with pytest.raises(LedgerError, match="several kinds"):
        read_tables(path, layouts)


def test_personal_data_never_reach_a_table(scheme: Scheme, ledger_folder: Path) -> None:
    path = ledger_folder / "合成_中心名册.csv"
    lines = path.read_text(encoding="gb18030").splitlines()
    lines[1] += ",联系人"
    lines[2] += "电话 13800138000,13800138000"
    path.write_text("\n".join(lines), encoding="gb18030")
    read = read_scheme(scheme, ledger_folder)
    held = str(read.tables["register"].rows()) + str(read.findings)
    assert "13800138000" not in held
    assert sum(one.code == "W-LEDGER-PERSONAL" for one in read.findings) == 2


# -- measures --------------------------------------------------------------------------------------


def _cases(seed: int, n: int = 400) -> pl.DataFrame:
    rng = random.Random(seed)
    day = datetime.date(2021, 1, 1)
    rows = [
        {
            "place": rng.choice(["甲", "乙", "丙", None]),
            "day": day + datetime.timedelta(days=rng.randrange(900))
            if rng.random() > 0.05
            else None,
            "end": None,
            "value": rng.choice([None, rng.uniform(0, 100)]),
            "base": rng.uniform(1, 5),
            "is_good": rng.choice([True, False, None]),
            "kind": rng.choice(["a", "b", "c", None]),
        }
        for _ in range(n)
    ]
    for one in rows:
        if one["day"] is not None and rng.random() < 0.7:
            one["end"] = one["day"] + datetime.timedelta(days=rng.randrange(500))
    return pl.DataFrame(
        rows,
        schema={
            "place": pl.String,
            "day": pl.Date,
            "end": pl.Date,
            "value": pl.Float64,
            "base": pl.Float64,
            "is_good": pl.Boolean,
            "kind": pl.String,
        },
    )


def _p90(values: list[float]) -> float:
    ordered = sorted(values)
    at = 0.9 * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


# Way -> (keys, what a slow reader makes of the rows whose columns are known).
SLOW = {
    "count": ({}, len),
    "sum": ({"of": "value"}, lambda rows: sum(one["value"] for one in rows)),
    "mean": ({"of": "value"}, lambda rows: statistics.fmean(one["value"] for one in rows)),
    "median": ({"of": "value"}, lambda rows: statistics.median(one["value"] for one in rows)),
    "p90": ({"of": "value"}, lambda rows: _p90([one["value"] for one in rows])),
    "last": ({"of": "value"}, lambda rows: rows[-1]["value"]),
    "share": (
        {"of": "is_good"},
        lambda rows: 100 * statistics.fmean(one["is_good"] for one in rows),
    ),
    "share_above": (
        {"of": "value", "limit": 50.0},
        lambda rows: 100 * statistics.fmean(one["value"] > 50 for one in rows),
    ),
    "share_below": (
        {"of": "value", "limit": 20.0},
        lambda rows: 100 * statistics.fmean(one["value"] < 20 for one in rows),
    ),
    "ratio": (
        {"of": "value", "by": "base"},
        lambda rows: sum(one["value"] for one in rows) / sum(one["base"] for one in rows),
    ),
}


@pytest.mark.parametrize("take", SLOW)
@pytest.mark.parametrize("frequency", ["month", "quarter", "year"])
def test_a_measure_equals_a_slow_reading_of_the_rows(take: str, frequency: str) -> None:
    keys, slow = SLOW[take]
    table = _cases(3)
    taken = Measurement("cases", take, unit="place", period="day", least=2, **keys)
    groups = defaultdict(list)
    for row in table.iter_rows(named=True):
        needed = [row["place"], row["day"], *(row[keys[k]] for k in ("of", "by") if k in keys)]
        if None not in needed:
            groups[row["place"], ordinal(row["day"], frequency)].append(row)
    found = measure(table, taken, frequency)
    assert found.height == len(groups)
    assert found.equals(found.sort("unit", "period"))
    for one in found.iter_rows(named=True):
        rows = groups[one["unit"], one["period"]]
        assert one["n_rows"] == len(rows)
        if len(rows) < 2:
            assert one["value"] is None
        else:
            # Twelve digits are kept, so that the order of a sum can't show.
            assert one["value"] == pytest.approx(slow(rows), rel=1e-11)


@pytest.mark.parametrize(
    ("only", "counted"),
    [
        ({"kind": ("a", "b")}, lambda row: row["kind"] in ("a", "b")),
        ({"kind": ("!",)}, lambda row: row["kind"] is not None),
        ({"kind": ("", "c")}, lambda row: row["kind"] in (None, "c")),
        ({"is_good": ("true",)}, lambda row: row["is_good"] is True),
        (
            {"is_good": ("false",), "kind": ("a",)},
            lambda row: row["is_good"] is False and row["kind"] == "a",
        ),
    ],
)
def test_only_rows_that_are_named_count(only, counted) -> None:
    table = _cases(5)
    found = measure(table, Measurement("cases", "count", only=only), None)
    assert found["value"].to_list() == [sum(map(counted, table.iter_rows(named=True)))]


def test_stocks_and_hazards_equal_a_slow_look_at_every_case() -> None:
    table = _cases(8, n=150)
    keys = {"unit": "place", "start": "day", "end": "end", "until": datetime.date(2024, 6, 30)}
    stock = measure(table, Measurement("cases", "stock", **keys), "quarter")
    hazard = measure(table, Measurement("cases", "hazard", **keys), "quarter")
    cases = [
        row
        for row in table.iter_rows(named=True)
        if row["place"] is not None and row["day"] is not None
    ]
    assert stock["period"].max() == ordinal(datetime.date(2024, 6, 30), "quarter")
    for one in stock.iter_rows(named=True):
        first, last = _quarter(one["period"])
        own = [row for row in cases if row["place"] == one["unit"]]
        is_open = [r for r in own if r["day"] <= last and (r["end"] is None or r["end"] > last)]
        known = [r for r in own if r["day"] <= last]
        assert (one["value"] or 0) == len(is_open)
        assert one["n_rows"] == len(known)
    for one in hazard.iter_rows(named=True):
        first, last = _quarter(one["period"])
        at_risk = [
            r
            for r in cases
            if r["place"] == one["unit"]
            and r["day"] < first
            and (r["end"] is None or r["end"] >= first)
        ]
        exits = [r for r in at_risk if r["end"] is not None and r["end"] <= last]
        assert one["n_rows"] == len(at_risk)
        if at_risk:
            assert one["value"] == pytest.approx(100 * len(exits) / len(at_risk), rel=1e-11)
        else:
            assert one["value"] is None


def _quarter(period: int) -> tuple[datetime.date, datetime.date]:
    year, part = divmod(period, 4)
    after = datetime.date(year + (part == 3), (3 * part + 3) % 12 + 1, 1)
    return datetime.date(year, 3 * part + 1, 1), after - datetime.timedelta(days=1)


def test_a_change_of_mix_does_not_move_a_standardised_mean() -> None:
    few = pl.DataFrame({"kind": ["a"] * 9 + ["b"], "value": [10.0] * 9 + [50.0]})
    many = pl.DataFrame({"kind": ["a"] + ["b"] * 9, "value": [10.0] + [50.0] * 9})
    keys = {"of": "value", "classes": "kind", "weights": {"a": 0.25, "b": 0.75}}
    taken = Measurement("cases", "standardised", **keys)
    values = [measure(one, taken, None)["value"][0] for one in (few, many)]
    assert values == [40.0, 40.0]
    assert few["value"].mean() != many["value"].mean()
    alone = few.filter(pl.col("kind") == "a")
    assert measure(alone, taken, None)["value"][0] is None
    freely = Measurement("cases", "standardised", is_renormalised=True, **keys)
    assert measure(alone, freely, None)["value"][0] == 10.0


# -- panels ----------------------------------------------------------------------------------------


def test_a_panel_has_every_unit_and_period_and_says_what_is_measured(
    scheme: Scheme, ledger_folder: Path, tmp_path: Path
) -> None:
    read = read_scheme(scheme, ledger_folder)
    panel = scheme_panel(scheme, read)
    assert panel.frame.height == 14 * 16
    assert panel.unit_kind == "centre"
    assert panel.outcomes["wait_minutes"].measure == "minutes"
    assert panel.frame.schema["wait_minutes"] == pl.Float64
    assert panel.frame.schema["tickets"] == pl.Int64
    assert panel.frame["tickets"].sum() == read.tables["queue"].height
    again = load_panel(save_panel(panel, tmp_path / "panel"))
    assert again.frame.equals(panel.frame)
    assert dict(again.outcomes) == dict(panel.outcomes)


def test_silence_is_zero_for_a_count_of_a_complete_log_and_nothing_for_a_mean(
    scheme_path: Path, ledger_folder: Path
) -> None:
    rows = list(csv.reader((ledger_folder / QUEUE).open(encoding="gb18030")))
    kept = [one for one in rows if not (one[0] == "示例中心02" and one[1][:7] in _FIRST_QUARTER)]
    with (ledger_folder / QUEUE).open("w", encoding="gb18030", newline="") as handle:
        csv.writer(handle).writerows(kept)
    gap = (pl.col("unit") == "示例中心02") & (pl.col("period_label") == "2020Q1")

    def cell(text: str) -> tuple[float | None, int | None]:
        scheme_path.write_text(text, encoding="utf-8")
        scheme = read_scheme_file(scheme_path)
        frame = scheme_panel(scheme, read_scheme(scheme, ledger_folder)).frame
        return frame.filter(gap).select("wait_minutes", "tickets").row(0)

    text = scheme_path.read_text(encoding="utf-8")
    assert cell(text) == (None, 0)
    assert cell(text.replace("is_complete_log = true", "is_complete_log = false")) == (None, None)


_FIRST_QUARTER = ("2020-01", "2020-02", "2020-03")


def test_units_that_nobody_registered_are_left_out_and_named(
    scheme: Scheme, ledger_folder: Path
) -> None:
    _edited(ledger_folder, "示例中心03,2021", "示例中心99,2021")
    panel = scheme_panel(scheme, read_scheme(scheme, ledger_folder))
    said = [one for one in panel.findings if one.code == "W-SCHEME-NOT-REGISTERED"]
    assert said[0].where == "示例中心99"
    assert "示例中心99" not in panel.frame["unit"].to_list()


def test_the_register_says_who_was_reached_when_and_the_file_written_of_it_reads_back(
    scheme: Scheme, ledger_folder: Path, tmp_path: Path
) -> None:
    _edited(
        ledger_folder,
        "示例中心14,示例邻镇,,",
        "示例中心14,示例邻镇,,spillover",
        name="合成_中心名册.csv",
    )
    _edited(
        ledger_folder,
        "示例中心13,示例邻镇,,",
        '示例中心13,示例邻镇,,"停电""半年"""',
        name="合成_中心名册.csv",
    )
    made = scheme_initiative(scheme, read_scheme(scheme, ledger_folder))
    assert [one.unit for one in made.treated] == [f"示例中心{n:02d}" for n in range(1, 7)]
    assert {one.start for one in made.treated} == {
        datetime.date(2022, 4, 1),
        datetime.date(2022, 10, 1),
    }
    assert [one.reason for one in made.exclusions] == ["other", "spillover"]
    path = write_initiative(made, tmp_path)
    read = load_initiative(path.stem, tmp_path)
    assert read.treated == made.treated
    assert read.exclusions == made.exclusions
    assert read.outcome_names == made.outcome_names
    assert read.name == made.name


def test_a_register_without_a_start_is_refused(scheme: Scheme, ledger_folder: Path) -> None:
    path = ledger_folder / "合成_中心名册.csv"
    text = path.read_text(encoding="gb18030")
    for start in ("2022-04-01", "2022-10-01"):
        text = text.replace(start, "")
    path.write_text(text, encoding="gb18030")
    with pytest.raises(SchemeError, match="no unit of the register has a start"):
        scheme_initiative(scheme, read_scheme(scheme, ledger_folder))


@pytest.mark.parametrize(
    ("head", "yuan"),
    [
        ("工本费（元）", 10.5),
        ("工本费（元/次）", 10.5),
        ("工本费（含税）", 10.5),
        ("工本费", 10.5),
        ("工本费（万元/年）", 105_000.0),
        ("工本费（单位：万元）", 105_000.0),
    ],
)
def test_money_is_in_the_unit_that_its_head_states(
    scheme: Scheme, ledger_folder: Path, head: str, yuan: float
) -> None:
    _edited(ledger_folder, "工本费（元）", head)
    assert read_scheme(scheme, ledger_folder).tables["queue"]["fee"][0] == yuan


@pytest.mark.parametrize(
    ("head", "is_read"), [("电量（千瓦时）", True), ("电量（万千瓦时）", False)]
)
def test_a_number_in_another_unit_than_its_layout_has_is_refused(
    tmp_path: Path, head: str, is_read: bool
) -> None:
    layout = TableLayout(
        "bills",
        Text("账单", "bills"),
        (
            Column("firm", ("户名",), "text"),
            Column("kwh", ("用电量（千瓦时）", "电量（千瓦时）"), "number"),
        ),
    )
    (tmp_path / "bills.csv").write_text(f"户名,{head}\n甲,12\n", encoding="utf-8")
    if is_read:
        assert read_tables(tmp_path, [layout]).frames["bills"]["kwh"].to_list() == [12.0]
        return
    with pytest.raises(LedgerError, match="万千瓦时") as caught:
        read_tables(tmp_path, [layout])
    assert "B1" in caught.value.where
