"""Ledgers of the other schemes: the same bytes from a seed, marked synthetic, neutral, read back exactly."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path

import polars as pl
import pytest

import cps
from cps.commands import others
from cps.demo.schemes import (
    MODES,
    draw_scheme,
    list_scheme_ledgers,
    scheme_truth_path,
    write_scheme,
)
from cps.errors import UsageError
from cps.ledger.delivery import ENDING
from cps.provenance import sha256_file
from cps.schemes import load_scheme
from cps.schemes.measures import measure
from cps.schemes.panel import scheme_initiative, scheme_panel
from cps.schemes.reader import SchemeLedgers

SCHEMES = list_scheme_ledgers()
EVALUABLE = [one for one in SCHEMES if one != "safety_net"]


def test_nine_schemes_have_a_synthetic_ledger() -> None:
    assert set(SCHEMES) == {
        *("village_tender", "power_checkup", "digital_ground_governance", "smart_fire"),
        *("service_centre", "plant_expansion", "clean_safety", "organic_renewal", "safety_net"),
    }


@pytest.mark.parametrize("scheme", ["smart_fire", "organic_renewal", "safety_net"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    scheme: str, written: Path, tmp_path: Path
) -> None:
    again = write_scheme(scheme, tmp_path / "raw" / "again", seed=7)
    other = write_scheme(scheme, tmp_path / "raw" / "other", seed=8)
    first = {path.name: sha256_file(path) for path in (written / scheme).iterdir()}
    assert first.keys() >= {path.name for path in again}
    assert all(first[path.name] == sha256_file(path) for path in again)
    assert any(first[path.name] != sha256_file(path) for path in other)
    truths = [
        scheme_truth_path(one, scheme).read_text(encoding="utf-8")
        for one in (written, tmp_path / "raw" / "again")
    ]
    assert truths[0] == truths[1]


def test_every_ledger_says_synthetic_in_name_title_note_and_sidecar(written: Path) -> None:
    for scheme in SCHEMES:
        for path in (written / scheme).iterdir():
            assert path.name.startswith("合成_")
            if path.name.endswith(ENDING):
                sidecar = tomllib.loads(path.read_text(encoding="utf-8"))
                assert "示例数据（合成）" in sidecar["licence"]
                assert sidecar["sha256"] == sha256_file(
                    path.with_name(path.name.removesuffix(ENDING))
                )
            elif path.suffix == ".csv":
                rows = list(csv.reader(path.read_bytes().decode("gb18030").splitlines()))
                assert "示例数据（合成）" in rows[0][0]
                assert rows[-1][0].startswith("注：") and "合成" in rows[-1][0]
                with pytest.raises(UnicodeDecodeError):
                    path.read_bytes().decode("utf-8")


def test_no_ledger_is_larger_than_two_megabytes_and_no_scheme_than_15_000_rows(
    written: Path,
) -> None:
    for scheme in SCHEMES:
        assert all(path.stat().st_size < 2_000_000 for path in (written / scheme).iterdir())
        drawn = draw_scheme(scheme, seed=7)
        assert sum(len(next(iter(one.columns.values()))) for one in drawn.ledgers) <= 15_000


def test_no_place_firm_or_office_of_the_source_is_named_in_a_ledger() -> None:
    facts = cps.load_facts()
    real = {one.place for one in facts.facts if one.place_level in ("village", "firm", "office")}
    real |= {
        "城西",
        "义乌",
        "分水塘",
        "何斯路",
        "石明堂",
        "流里塘",
        "五一村",
        "何泮山",
        "轩亿",
        "慎意",
    }
    for scheme in SCHEMES:
        for ledger in draw_scheme(scheme, seed=7).ledgers:
            said = {ledger.name, ledger.title}
            for values in ledger.columns.values():
                said |= {one for one in values if isinstance(one, str)}
            assert not [text for text in said for name in real if name and name in text]


def test_the_truth_lies_outside_the_folder_that_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "raw" / "schemes"
    write_scheme("smart_fire", folder, mode=MODES[1], seed=3)
    path = scheme_truth_path(folder, "smart_fire")
    assert path == tmp_path / "data" / "truth" / "schemes" / "smart_fire.json"
    truth = json.loads(path.read_text(encoding="utf-8"))
    assert truth["synthetic"] is True and truth["mode"] == "headline_spurious"


@pytest.mark.parametrize("scheme", EVALUABLE)
def test_in_the_spurious_mode_every_cell_of_the_headline_has_an_effect_of_zero(scheme: str) -> None:
    headline = next(iter(draw_scheme(scheme, mode=MODES[1], seed=3).truth()["effects"].values()))
    cells = [value for by in headline["by_unit"].values() for value in by.values()]
    assert len(cells) == headline["n_cells"] > 0
    assert not any(cells)


def test_what_is_read_from_the_files_is_the_world_that_was_drawn(
    read: dict[str, SchemeLedgers],
) -> None:
    # Money goes through 万元 with six decimals and times through minutes: nothing may be lost but
    # the twelfth digit.
    for name in EVALUABLE:
        scheme = load_scheme(name)
        ledgers = read[name]
        assert ledgers.is_synthetic
        assert not [one for one in ledgers.findings if one.severity != "note"]
        panel = scheme_panel(scheme, ledgers)
        drawn = draw_scheme(name, seed=7)
        for outcome in drawn.outcomes:
            declared = next(one for one in scheme.outcomes if one.id == outcome.name)
            assert (declared.measure, declared.form) == (outcome.measure, outcome.form)
            assert scheme.frequency == outcome.frequency
            both = panel.frame.join(outcome.observed, on=["unit", "period"], how="inner")
            assert both.height >= len(drawn.areas) * panel.frame["period"].n_unique()
            assert both[outcome.name].null_count() == 0
            assert (both[outcome.name] / both["value"] - 1).abs().max() < 1e-9 or (
                both[outcome.name] - both["value"]
            ).abs().max() < 1e-9


def test_the_register_says_who_started_when_and_who_is_no_comparison(
    read: dict[str, SchemeLedgers],
) -> None:
    from cps.periods import ordinal

    for name in EVALUABLE:
        scheme = load_scheme(name)
        initiative = scheme_initiative(scheme, read[name])
        drawn = draw_scheme(name, seed=7)
        starts = {one.unit: ordinal(one.start, scheme.frequency) for one in initiative.treated}
        assert starts == drawn.starts
        left_out = {one.unit for one in initiative.exclusions}
        assert left_out >= set(drawn.near)
        assert not left_out & (set(drawn.areas) - set(drawn.near))


def test_every_indicator_of_the_cards_has_a_value_and_shares_lie_between_0_and_100(
    read: dict[str, SchemeLedgers],
) -> None:
    for name in SCHEMES:
        scheme = load_scheme(name)
        assert len(scheme.indicators) >= 4
        for one in scheme.indicators:
            taken = one.measurement
            values = measure(
                read[name].tables[taken.ledger],
                taken,
                "year" if taken.period else None,
                in_percent=one.measure == "percent",
            )["value"].drop_nulls()
            assert values.len() > 0, (name, one.id)
            if one.measure == "percent":
                assert values.is_between(0, 100).all(), (name, one.id)


def test_visits_stop_in_the_free_weeks_and_are_more_just_before(
    read: dict[str, SchemeLedgers],
) -> None:
    weeks = read["clean_safety"].tables["weeks"].filter(pl.col("office") == "示例街道安监")
    mean = dict(weeks.group_by("kind").agg(pl.col("visits").mean()).iter_rows())
    assert mean["免检周"] < 2 < mean["其他周"] < mean["免检前一周"]
    assert weeks.filter(pl.col("kind") == "免检周").height == 4


def test_a_folder_with_foreign_files_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "schemes" / "smart_fire"
    folder.mkdir(parents=True)
    (folder / "真台账.csv").write_text("x")
    with pytest.raises(UsageError, match=r"真台账\.csv"):
        write_scheme("smart_fire", folder.parent)
    assert [path.name for path in folder.iterdir()] == ["真台账.csv"]


@pytest.mark.parametrize(
    ("scheme", "mode", "nearest"),
    [("smart_fir", "headline_true", "smart_fire"), ("smart_fire", "headline_tru", "headline_true")],
)
def test_a_misspelled_scheme_or_mode_names_the_nearest(
    scheme: str, mode: str, nearest: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=nearest):
        write_scheme(scheme, tmp_path / "raw" / "schemes", mode=mode)


def test_the_command_writes_one_scheme_or_all(tmp_path: Path) -> None:
    from argparse import ArgumentParser

    parser = ArgumentParser()
    others.add_demo(parser)
    out = tmp_path / "raw" / "schemes"
    given = parser.parse_args(["--scheme", "safety_net", "--out", str(out)])
    assert given.command(given, "en") == 0
    assert [one.name for one in out.iterdir()] == ["safety_net"]
    wrong = parser.parse_args(["--scheme", "safety_nets", "--out", str(out)])
    with pytest.raises(UsageError, match="safety_net"):
        wrong.command(wrong, "en")
