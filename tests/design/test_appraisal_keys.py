"""What an initiative states for its appraisal: read exactly, refused by file and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cps.design._appraisal import _KEYS
from cps.design.initiatives import FOLDER, load_initiative
from cps.design.record import Initiative
from cps.errors import InitiativeError
from cps.indicators.benefit.defaults import basis_of, default_assumptions


def _with(folder: Path, lines: str) -> Initiative:
    text = (FOLDER / "bonsai.toml").read_text(encoding="utf-8")
    (folder / "bonsai.toml").write_text(f"{text}\n[appraisal]\n{lines}\n", encoding="utf-8")
    return load_initiative("bonsai", folder)


def test_values_are_read_as_ranges_and_one_number_is_a_range_without_width(tmp_path: Path) -> None:
    one = _with(
        tmp_path,
        "surplus_share = [0.3, 0.35, 0.5]\nrunning_cost_yuan = 80_000\nlife_years = 15\n"
        'permanent_share = 0.5\nsource = { zh = "2023年决算", en = "accounts of 2023" }',
    )
    assert one.appraisal == {
        "surplus_share": (0.3, 0.35, 0.5),
        "running_cost_yuan": (80_000.0,) * 3,
        "life_years": (15.0,) * 3,
        "permanent_share": (0.5, 0.5),
    }
    assert one.appraisal_source is not None
    found = basis_of(one.appraisal, source=one.appraisal_source)
    assert found.assumptions.horizon_years == 15
    assert found.assumptions.margin.mode == 0.35
    assert found.assumptions.persistence == default_assumptions().persistence
    stated = {item.key: item.source.en for item in found.listed if item.is_own}
    assert stated == dict.fromkeys(one.appraisal, "accounts of 2023")


def test_an_initiative_that_states_nothing_is_appraised_on_the_packages_own() -> None:
    one = load_initiative("bonsai", FOLDER)
    assert (one.appraisal, one.appraisal_source) == ({}, None)
    assert basis_of(one.appraisal).assumptions == default_assumptions()


def test_every_key_that_a_file_may_state_is_an_assumption_and_the_other_way_round() -> None:
    assert {item.key for item in basis_of({}).listed} - {"rates"} == set(_KEYS)


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ("surplus_shares = 0.4", "surplus_shares", "surplus_share"),
        ("surplus_share = 40", "surplus_share", "within"),
        ('surplus_share = "0.4"', "surplus_share", "three rising"),
        ("surplus_share = [0.5, 0.4, 0.6]", "surplus_share", "three rising"),
        ("surplus_share = [0.4, 0.6]", "surplus_share", "three rising"),
        ("surplus_share = true", "surplus_share", "three rising"),
        ("running_cost_yuan = -1", "running_cost_yuan", "negative"),
        ("running_cost_yuan = inf", "running_cost_yuan", "negative"),
        ("life_years = 10.5", "life_years", "whole number"),
        ("life_years = 40", "life_years", "within 1–30"),
        ("seasonal_months = [2, 14]", "seasonal_months", "within 0–12"),
        ('source = "2023"', "source", "table"),
    ],
)
def test_a_key_or_value_that_cant_be_is_refused_by_file_and_key(
    tmp_path: Path, lines: str, key: str, said: str
) -> None:
    with pytest.raises(InitiativeError) as caught:
        _with(tmp_path, lines)
    assert caught.value.where.startswith("bonsai.toml › appraisal")
    assert key in caught.value.where
    assert said in caught.value.mend.en


def test_the_manuals_example_states_every_key_and_is_read(tmp_path: Path) -> None:
    manual = (FOLDER.parents[1] / "docs" / "money.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n\[appraisal\]\n(.*?)```", manual, re.DOTALL)
    assert set(_with(tmp_path, example).appraisal) == set(_KEYS)
