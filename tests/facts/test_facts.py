"""The published facts load whole, and each class of fault is named by file, line and column."""

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from cps.errors import LedgerError, UsageError
from cps.facts import FOLDER, load_facts

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "facts"
REWRITTEN = {
    "facts.csv": {"paraphrase_en", "ambiguity_note", "external_note"},
    "context.csv": {"note", "source_url"},
    "schemes.csv": {
        "text_claim",
        "claim_strength",
        "indicator_to_track",
        "series_needed",
        "unit_of_analysis",
        "causally_evaluable",
        "design",
        "main_threats",
    },
}


@pytest.fixture(scope="module")
def facts():
    return load_facts()


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_row_of_the_three_files_becomes_a_record(facts):
    assert len(facts.facts) == len(rows_of(FOLDER / "facts.csv")) == 139
    assert len(facts.schemes) == len(rows_of(FOLDER / "schemes.csv")) == 21
    assert len(facts.context) == len(rows_of(FOLDER / "context.csv")) == 69


@pytest.mark.parametrize(
    ("fact_id", "published", "base"),
    [
        ("gongfu_projects__n_projects", ("=", "15", "个"), "15"),
        ("new_formats__n_formats", ("=", "15", "种"), "15"),
        ("gongfu_projects__local_jobs", ("approx_ge", "1000", "人"), "1000"),
        ("gongfu_projects__op_income_increase_per_village", (">", "20", "万元"), "200000"),
        ("gongfu_projects__threshold_op_income_50", (">", "50", "万元/年"), "500000"),
        ("gongfu_projects__n_villages_op_income_gt_100", ("=", "16", "个村"), "16"),
        ("village_tender__collective_income_gain", (">", "46", "%"), "0.46"),
        ("jx_minfeng__h1_revenue_yoy", ("=", "211.7", "%"), "2.117"),
    ],
)
def test_the_headline_facts_carry_the_published_values(facts, fact_id, published, base):
    fact = facts.fact(fact_id)
    assert (fact.comparator, str(fact.value), fact.unit) == published
    assert fact.base_value == Decimal(base)


def test_a_range_keeps_both_ends(facts):
    saving = facts.fact("power_checkup__case_bill_saving")
    assert (saving.comparator, saving.value, saving.value_to) == ("between", 5, 10)


def test_every_ambiguity_code_is_kept(facts):
    stored = {row["fact_id"]: row["ambiguity_code"] for row in rows_of(FOLDER / "facts.csv")}
    assert {one.id: one.ambiguity_code for one in facts.facts} == stored
    assert sum(one.ambiguity_code != "" for one in facts.facts) == 51
    readings = facts.fact("gongfu_projects__op_income_increase_per_village")
    assert readings.ambiguity_code == "interpretation_ABC"
    assert all(f"({letter})" in readings.ambiguity_note for letter in "ABC")


def test_the_wrong_figure_of_the_source_is_marked_contradicted(facts):
    contradicted = [one.id for one in facts.facts if one.external_check == "contradicted"]
    assert contradicted == ["jx_minfeng__h1_revenue_yoy"]


@pytest.mark.parametrize("name", sorted(REWRITTEN))
@pytest.mark.skipif(not SHARED.is_dir(), reason="the original fact files are not beside this tree")
def test_ids_numbers_names_and_periods_are_those_of_the_original(name):
    def fixed(row):
        return {key: value for key, value in row.items() if key not in REWRITTEN[name]}

    ours, theirs = rows_of(FOLDER / name), rows_of(SHARED / name)
    assert list(ours[0]) == list(theirs[0])
    assert [fixed(row) for row in ours] == [fixed(row) for row in theirs]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original fact files are not beside this tree")
def test_a_note_stands_wherever_the_original_has_one():
    ours, theirs = rows_of(FOLDER / "facts.csv"), rows_of(SHARED / "facts.csv")
    for column in REWRITTEN["facts.csv"]:
        assert [bool(row[column]) for row in ours] == [bool(row[column]) for row in theirs]


def test_what_the_initiatives_stand_for_is_a_known_id(facts):
    assert "gongfu_projects__named_project" in facts.ids
    assert "gongfu_workshop_wage" in facts.ids


def test_an_unknown_fact_is_refused_with_the_nearest_id(facts):
    with pytest.raises(UsageError) as caught:
        facts.fact("gongfu_projects__local_job")
    assert "did you mean 'gongfu_projects__local_jobs'" in caught.value.message("en")


def copy_with(tmp_path, name, row_id, changes):
    """Copy the facts and change cells of one row; give the line on which the row stands."""
    folder = tmp_path / "facts"
    shutil.copytree(FOLDER, folder)
    rows = rows_of(folder / name)
    columns = list(rows[0])
    index = [row[columns[0]] for row in rows].index(row_id)
    rows[index].update(changes)
    with (folder / name).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder, index + 2


JOBS = "gongfu_projects__local_jobs"
FAULTS = [
    (JOBS, {"comparator": "aprox_ge"}, "comparator", "did you mean 'approx_ge'"),
    (JOBS, {"comparator": ""}, "comparator", "a number without a comparator"),
    (JOBS, {"value_base": "1001"}, "value_base", "1001 is not 1000 × 1 = 1000"),
    (JOBS, {"value_base": ""}, "value_base", "belong together"),
    (JOBS, {"value_num": "1O00"}, "value_num", "'1O00' is not a number"),
    (JOBS, {"value_num": "１０００"}, "value_num", "is not a number"),
    (JOBS, {"value_num": "inf"}, "value_num", "'inf' is not a number"),
    (JOBS, {"scheme_id": "gongfu_project"}, "scheme_id", "did you mean 'gongfu_projects'"),
    (JOBS, {"claim_role": "outcomes"}, "claim_role", "did you mean 'outcome'"),
    (JOBS, {"place_level": "villige"}, "place_level", "did you mean 'village'"),
    (JOBS, {"period_start": "2023-13-01"}, "period_start", "is not a date"),
    (
        JOBS,
        {"period_start": "2023-12-31", "period_end": "2023-01-01"},
        "period_end",
        "period ends 2023-01-01, before its start 2023-12-31",
    ),
    (JOBS, {"fact_id": "new_formats__n_formats"}, "fact_id", "is already on line"),
    (JOBS, {"fact_id": ""}, "fact_id", "must not be empty"),
    (JOBS, {"comparator": "between"}, "value_num_to", "a range, and only a range"),
    (JOBS, {"comparator": "between", "value_num_to": "1"}, "value_num_to", "is below 1000"),
]


@pytest.mark.parametrize(("row_id", "changes", "column", "words"), FAULTS)
def test_a_fault_is_named_by_file_line_and_column(tmp_path, row_id, changes, column, words):
    folder, line = copy_with(tmp_path, "facts.csv", row_id, changes)
    with pytest.raises(LedgerError) as caught:
        load_facts(folder)
    message = caught.value.message("en")
    assert words in message
    assert f"facts.csv › 第 {line} 行 (line {line}) › {column}" in message


def test_a_bad_confidence_in_the_context_is_named(tmp_path):
    folder, line = copy_with(tmp_path, "context.csv", "wangdao_line_km", {"confidence": "hihg"})
    with pytest.raises(LedgerError, match="'hihg' is not a choice") as caught:
        load_facts(folder)
    assert f"context.csv › 第 {line} 行" in caught.value.where


def test_a_missing_column_names_the_column_that_it_may_be(tmp_path):
    folder = tmp_path / "facts"
    shutil.copytree(FOLDER, folder)
    path = folder / "facts.csv"
    text = path.read_text(encoding="utf-8").replace("ambiguity_code", "ambiguity_cod", 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        load_facts(folder)
    assert "column ambiguity_code is missing" in caught.value.message("en")
    assert "'ambiguity_cod'" in caught.value.message("en")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LedgerError, match=r"schemes\.csv"):
        load_facts(tmp_path)


def test_a_row_with_too_few_cells_is_refused(tmp_path):
    folder = tmp_path / "facts"
    shutil.copytree(FOLDER, folder)
    with (folder / "schemes.csv").open("a", encoding="utf-8") as handle:
        handle.write("short,row\n")
    with pytest.raises(LedgerError, match="2 cells, expected 11"):
        load_facts(folder)


def test_all_faults_of_a_file_are_kept(tmp_path):
    folder, _ = copy_with(tmp_path, "facts.csv", JOBS, {"value_num": "x"})
    rows = (folder / "facts.csv").read_text(encoding="utf-8").replace("explicit_causal", "causal")
    (folder / "facts.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        load_facts(folder)
    # 15 causal rows, of which the jobs row already fails on its number.
    assert len(caught.value.findings) == 15
