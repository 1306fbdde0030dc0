"""The hash of a design covers everything that the design holds, and the synthetic mark is never lost."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.design._hash import hash_design
from cps.design.frame import design_from_frame
from cps.design.record import Design, Exclusion, LeftOut
from cps.errors import Finding, Text
from tests.robustness.worlds import noise, world


def rich_design() -> Design:
    """Give a design in which every field holds something."""
    n, t = 12, 6
    rng = np.random.default_rng(0)
    base = world(np.exp(noise(n, t=t) / 30), [2017, 2018, *[None] * (n - 2)], form="log")
    more: dict[str, Any] = {
        "covariates": rng.normal(size=(2, n, t)),
        "covariate_names": ("size", "distance"),
        "weights": rng.uniform(1, 2, (n, t)),
        "cluster": tuple(f"c{i % 4}" for i in range(n)),
        "dose": rng.uniform(size=(n, t)),
        "denominator": rng.uniform(1, 2, (n, t)),
        "other_cohorts": {"flowers": (2018, *[None] * (n - 1))},
        "exposure": rng.uniform(size=n),
        "left_out": (LeftOut("near", "spillover", rng.normal(size=t)),),
        "regimes": tuple("2004" if i < 4 else "2023" for i in range(t)),
        "thresholds": (500_000.0,),
        "exclusions": (Exclusion("gone", None, "missing", Text("缺", "missing")),),
        "findings": (Finding("W-X", "warn", Text("一", "one"), "here", Text("改", "mend")),),
    }
    whole = dataclasses.replace(base, **more)
    return dataclasses.replace(whole, design_hash=hash_design(whole))


RICH = rich_design()
FIELDS = [one.name for one in dataclasses.fields(Design) if one.name != "design_hash"]


def changed(value: Any, place: int) -> Any:
    """Give something of the same kind that is not the same."""
    if isinstance(value, np.ndarray):
        other = value.copy()
        spot = np.unravel_index(place % value.size, value.shape)
        other[spot] = ~value[spot] if value.dtype == bool else value[spot] + 1e-9
        return other
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, Text):
        return Text(value.zh + "。", value.en) if place % 2 else Text(value.zh, value.en + ".")
    if isinstance(value, tuple):
        spot = place % len(value)
        return (*value[:spot], changed(value[spot], place // len(value)), *value[spot + 1 :])
    if isinstance(value, dict):
        return {name: changed(one, place) for name, one in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [
            one.name for one in dataclasses.fields(value) if getattr(value, one.name) is not None
        ]
        name = names[place % len(names)]
        return dataclasses.replace(value, **{name: changed(getattr(value, name), place // 7)})
    return "something" if value is None else None


@given(field=st.sampled_from(FIELDS), place=st.integers(0, 10_000))
def test_changing_anything_in_a_design_changes_its_hash(field: str, place: int) -> None:
    other = dataclasses.replace(RICH, **{field: changed(getattr(RICH, field), place)})
    assert hash_design(other) != RICH.design_hash, field


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_counts_and_so_does_its_absence(field: str) -> None:
    value = getattr(RICH, field)
    assert hash_design(dataclasses.replace(RICH, **{field: changed(value, 0)})) != RICH.design_hash
    if value is not None:
        assert hash_design(dataclasses.replace(RICH, **{field: None})) != RICH.design_hash


def test_a_design_carries_the_hash_of_what_it_holds() -> None:
    one = world(noise(8), [2018, *[None] * 7])
    assert one.design_hash == hash_design(one)
    assert dataclasses.replace(RICH, y=RICH.y.copy()).design_hash == hash_design(RICH)


def test_a_missing_value_hashes_the_same_whatever_its_bits() -> None:
    y = RICH.y.copy()
    y[0, 0] = np.nan
    twin = y.copy()
    twin[0, 0] = -np.nan
    assert hash_design(dataclasses.replace(RICH, y=y)) == hash_design(
        dataclasses.replace(RICH, y=twin)
    )


def frame(mark: bool | None) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    base = pl.DataFrame(
        {
            "u": np.repeat(np.arange(6), 5),
            "t": np.tile(np.arange(5), 6),
            "y": rng.normal(size=30),
            "c": [3 if i < 5 else None for i in range(30)],
        }
    )
    return base if mark is None else base.with_columns(is_synthetic=pl.lit(mark))


def test_synthetic_data_stay_marked_however_they_come_in() -> None:
    names = {"unit": "u", "period": "t", "outcome": "y", "cohort": "c"}
    assert design_from_frame(frame(True), **names).is_synthetic
    assert design_from_frame(frame(None), **names, is_synthetic=True).is_synthetic
    assert not design_from_frame(frame(False), **names).is_synthetic
    assert not design_from_frame(frame(None), **names).is_synthetic
    assert (
        design_from_frame(frame(True), **names).design_hash
        != design_from_frame(frame(False), **names).design_hash
    )
