"""Traits of initiatives, against files and designs written by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import polars as pl
import pytest

import cps
from cps.errors import UsageError
from cps.synthesis.heterogeneity import regress_effects
from cps.synthesis.traits import initiative_traits

BONSAI = """
id = "bonsai"
name = { zh = "盆景", en = "Bonsai" }
provenance = "illustrative"
stands_for = []
is_synthetic = true
format = "bonsai"
unit_kind = "village"
frequency = "year"
outcomes = ["income_yuan"]
anticipation = 0
comparison_areas = []
description = { zh = "盆景", en = "Bonsai" }

[[treated]]
unit = "a"
start = "2021-01"
cost_yuan = { county = 800_000, social = 200_000 }

[[treated]]
unit = "b"
start = "2022-07"
cost_yuan = { county = 3_000_000 }
"""


@pytest.fixture
def bonsai(tmp_path: Path):
    (tmp_path / "bonsai.toml").write_text(BONSAI, encoding="utf-8")
    return cps.load_initiative("bonsai", tmp_path)


@pytest.fixture
def design():
    starts = {"a": 2021, "b": 2022, "c": None, "d": None}
    rows = [
        {"unit": unit, "year": year, "y": 100.0 * (k + 1) + (year - 2019), "start": start}
        for k, (unit, start) in enumerate(starts.items())
        for year in range(2019, 2024)
    ]
    return cps.design_from_frame(
        pl.DataFrame(rows), unit="unit", period="year", outcome="y", cohort="start"
    )


def test_traits_are_read_off_the_file_and_the_years_before_the_first_start(bonsai, design) -> None:
    found = initiative_traits([bonsai], {"bonsai": design})
    assert found["format"] == ["bonsai"]
    assert found["start_year"] == [pytest.approx((2021 + 2022.5) / 2)]
    assert found["wan_per_host"] == [pytest.approx(200.0)]
    # The county's 80 and 300 万元, without what society gave.
    assert found["public_wan_per_host"] == [pytest.approx(190.0)]
    # 2019 and 2020 of a (100, 101) and b (200, 201).
    assert found["log_baseline"] == [pytest.approx(math.log(150.5))]


def test_a_host_that_the_design_leaves_out_lends_it_neither_start_nor_money(bonsai, design) -> None:
    kept = dataclasses.replace(design, cohort=(2021, None, None, None))
    found = initiative_traits([bonsai], {"bonsai": kept})
    assert found["start_year"] == [pytest.approx(2021)]
    assert found["public_wan_per_host"] == [pytest.approx(80.0)]
    assert found["log_baseline"] == [pytest.approx(math.log(100.5))]


def test_what_is_not_known_is_absent(bonsai) -> None:
    host, other = bonsai.treated
    part = dataclasses.replace(bonsai, treated=(host, dataclasses.replace(other, cost_yuan={})))
    found = initiative_traits([part], {})
    assert found["wan_per_host"] == [None]
    assert found["log_baseline"] == [None]


def test_formats_are_counted_by_family_and_an_unlisted_one_is_refused(bonsai) -> None:
    assert initiative_traits([bonsai], {}, families={"bonsai": "farming"})["format"] == ["farming"]
    with pytest.raises(UsageError, match="no format named"):
        initiative_traits([bonsai], {}, families={"flowers": "farming"})


def test_as_many_formats_as_initiatives_are_refused_and_families_of_them_are_not(bonsai) -> None:
    fifteen = [dataclasses.replace(bonsai, id=f"i{k}", format=f"f{k}") for k in range(15)]
    effects = [0.1 * (k % 3) + 0.01 * k for k in range(15)]
    alone = initiative_traits(fifteen, {})["format"]
    with pytest.raises(UsageError, match="degrees of freedom"):
        regress_effects(effects, [0.01] * 15, {"format": alone})
    families = {f"f{k}": ("farming", "tourism", "trade")[k % 3] for k in range(15)}
    together = initiative_traits(fifteen, {}, families=families)["format"]
    found = regress_effects(effects, [0.01] * 15, {"format": together})
    assert found.freedom == 12
    assert found.coefficients[1].estimate == pytest.approx(0.11, abs=1e-9)
