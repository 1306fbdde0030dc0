"""Money spent and number of formats as intensity of treatment."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cps.demo._world import draw_world
from cps.design.build import make_design, pool_initiatives
from cps.design.initiatives import load_initiatives
from cps.design.record import TreatedUnit
from cps.errors import DesignError, UsageError
from cps.estimators.registry import estimate
from tests.demo.test_truth_recovered import panel_of

INITIATIVES = load_initiatives()
PANEL = panel_of(draw_world(INITIATIVES, is_spurious=False, seed=3))
BY_ID = {one.id: one for one in INITIATIVES}


def test_money_spent_counts_from_the_start_in_wan_of_all_sources() -> None:
    design = make_design(PANEL, BY_ID["bonsai"], others=INITIATIVES, dose="cost")
    assert design.dose is not None
    host = BY_ID["bonsai"].treated[0]
    row = design.dose[design.units.index(host.unit)]
    spent = sum(host.cost_yuan.values()) / 10_000
    expected = [spent if period >= host.start.year else 0.0 for period in design.periods]
    assert row.tolist() == pytest.approx(expected)
    assert not design.dose[design.is_donor].any()


def test_formats_are_counted_over_all_initiatives_of_a_village() -> None:
    together = pool_initiatives(INITIATIVES)
    design = make_design(PANEL, together, dose="formats", dose_of=INITIATIVES)
    assert design.dose is not None
    for row, unit in enumerate(design.units):
        starts = [h.start.year for one in INITIATIVES for h in one.treated if h.unit == unit]
        counted = [sum(start <= period for start in starts) for period in design.periods]
        assert design.dose[row].tolist() == counted
    assert design.dose.max() >= 2
    effect = estimate(design, "dose_response")
    assert np.isfinite(effect.overall.att or np.nan)
    assert effect.tables["dose"]


def test_a_host_without_a_declared_cost_is_named() -> None:
    bonsai = BY_ID["bonsai"]
    silent = dataclasses.replace(
        bonsai, treated=tuple(TreatedUnit(one.unit, one.start) for one in bonsai.treated)
    )
    with pytest.raises(DesignError, match="no cost declared") as caught:
        make_design(PANEL, silent, others=INITIATIVES, dose="cost")
    assert bonsai.treated[0].unit in caught.value.where


def test_an_unknown_dose_is_refused() -> None:
    with pytest.raises(UsageError, match="dose"):
        make_design(PANEL, BY_ID["bonsai"], dose="money")  # type: ignore[arg-type]
