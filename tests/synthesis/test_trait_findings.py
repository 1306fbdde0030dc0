"""Whether effects go with traits: found where they do, refused where too few can tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cps
from cps.synthesis.heterogeneity import regress_effects
from cps.synthesis.trait_findings import compare_by_traits
from cps.synthesis.traits import FAMILIES, FAMILY_NAMES, family_of

N = 15
ERRORS = np.full(N, 0.1**2)
YEARS = [2019.0 + k / 4 for k in range(N)]
KINDS = ["farming"] * 5 + ["trade"] * 4 + ["visitors"] * 6


def _noise(seed: int = 2) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(N)


def test_each_of_the_fifteen_formats_has_a_family_large_enough_to_compare() -> None:
    families = [family_of(one.format) for one in cps.load_initiatives()]
    assert {one: families.count(one) for one in FAMILY_NAMES} == {
        "farming": 5,
        "visitors": 6,
        "trade": 4,
    }
    assert set(FAMILIES.values()) == set(FAMILY_NAMES)
    assert family_of("greenhouse") == "greenhouse"  # one of the user's own stands alone


def test_a_trait_that_moves_effects_is_found_and_each_is_fitted_alone() -> None:
    y = 0.3 * (np.array(YEARS) - 2020) + _noise()
    start, kind = compare_by_traits(y, ERRORS, {"start_year": YEARS, "format": KINDS})
    assert start.verdict == "goes_with"
    (slope,) = start.coefficients
    assert slope.low < 0.3 < slope.high
    alone = regress_effects(y, ERRORS, {"start_year": YEARS})
    assert slope == alone.coefficients[1]
    assert start.p_value == alone.f_p_value
    assert start.tau == pytest.approx(math.sqrt(alone.tau2))
    assert (start.least, start.most) == (2019.0, 2022.5)
    assert kind.kinds == {"farming": 5, "trade": 4, "visitors": 6}
    assert len(kind.coefficients) == 2


def test_asking_several_traits_costs_each_of_them_as_holm_has_it() -> None:
    y = 0.05 * (np.array(YEARS) - 2020) + _noise()
    traits = {"start_year": YEARS, "format": KINDS, "money": [float(k % 7) for k in range(N)]}
    found = compare_by_traits(y, ERRORS, traits)
    smallest = min(found, key=lambda one: one.p_value or 1.0)
    assert smallest.adjusted == pytest.approx(min(1.0, 3 * (smallest.p_value or 1.0)))
    # By itself it would pass, among three it does not.
    (alone,) = compare_by_traits(y, ERRORS, {smallest.trait: traits[smallest.trait]})
    assert alone.verdict == "goes_with"
    assert smallest.verdict == "not_shown"


def test_the_detectable_size_is_found_four_times_in_five() -> None:
    (planned,) = compare_by_traits(_noise(), ERRORS, {"start_year": YEARS})
    rng, reach = np.random.default_rng(4), []
    hits = 0
    centred = np.array(YEARS) - np.mean(YEARS)
    # The size of an error known, as with tau = 0 and no Knapp-Hartung scaling: t with 13 freedom.
    slope = (2.160 + 0.870) * 0.1 / math.sqrt((centred**2).sum())
    for _ in range(120):
        y = slope * centred + 0.1 * rng.standard_normal(N)
        (one,) = compare_by_traits(y, ERRORS, {"start_year": YEARS})
        hits += one.verdict == "goes_with"
        reach.append(one.detectable[0])
    assert planned.detectable[0] is not None
    # The reach printed is its own estimate of that slope: scattered by the error's own error
    # (13 freedom: 20%), right on average.
    assert np.mean(reach) == pytest.approx(slope, rel=0.1)
    # 120 draws tell a share of .8 to .037; three of those.
    assert 0.69 < hits / 120 < 0.91


def test_too_few_to_tell_are_refused_with_the_count() -> None:
    few = [*YEARS[:9], *[None] * 6]
    small = ["farming"] * 12 + ["trade"] * 3
    same = [2020.0] * N
    found = compare_by_traits(
        _noise(), ERRORS, {"start_year": few, "format": small, "money": same, "kind": ["a"] * N}
    )
    assert {one.verdict for one in found} == {"too_few"}
    assert all(one.p_value is None and one.adjusted is None for one in found)
    reasons = [one.reason.en for one in found if one.reason]
    assert reasons[0].startswith("9 initiatives have an estimate and this trait; it needs 10")
    assert "the smallest of 3" in reasons[1]
    assert "the same for all" in reasons[2]
    assert reasons[3].startswith("1 kinds")
    assert found[0].n_used == 9


def test_an_initiative_without_an_estimate_is_not_counted() -> None:
    y: list[float | None] = list(_noise())
    y[0] = None
    found = compare_by_traits(y, ERRORS, {"format": KINDS, "start_year": YEARS})
    assert [one.n_used for one in found] == [14, 14]
    assert found[0].kinds["farming"] == 4
