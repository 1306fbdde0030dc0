"""The specification curve: declared whole, estimated as the methods do, the same in any order."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import UsageError
from cps.estimators.registry import estimate, point_estimate
from cps.robustness.registry import list_checks
from cps.robustness.specifications import SpecificationCurve, trace_specifications
from cps.robustness.specifications import trace as tracing
from cps.robustness.specifications.estimates import estimate_cells
from cps.robustness.specifications.field import lay_out
from cps.robustness.specifications.grid import Declared, Grid, declare, read_grid
from cps.robustness.specifications.windows import words_for_options
from cps.runs.codec import encode
from tests.robustness.specification_worlds import (
    areas_of,
    log_incomes,
    smaller_grid,
    village_design,
)

STARTS = (2019, 2020)
RING = (20, 21)
EXACT = {"weights": "sdid", "solver": "exact"}


def _trace(design: Design, **more: Any) -> SpecificationCurve:
    more.setdefault("panel", areas_of(design))
    return trace_specifications(design, estimate(design, options=EXACT), **more)


def _declared(design: Design, grid: Grid) -> Declared:
    said = words_for_options(design, years=3, shock_years=grid.shock_years)
    return declare(grid, design, estimate(design, options=EXACT), said=said)


@pytest.fixture(scope="module")
def design() -> Design:
    return village_design(log_incomes(22, 1), STARTS, effect=0.3, ring=RING)


@pytest.fixture(scope="module")
def curve(design: Design) -> SpecificationCurve:
    return _trace(design)


@pytest.fixture(scope="module")
def curves(design: Design, curve: SpecificationCurve) -> tuple[Design, SpecificationCurve]:
    return design, curve


def _cells(curve: SpecificationCurve, **choices: str) -> list[Any]:
    places = {one.name: place for place, one in enumerate(curve.dimensions)}
    return [
        cell
        for cell in curve.cells
        if all(cell.choices[places[name]] == option for name, option in choices.items())
    ]


def _cell(curve: SpecificationCurve, **choices: str) -> Any:
    base = {
        "controls": "never",
        "donors": "all",
        "ring": "out",
        "before": "all",
        "calendar": "all",
        "form": "log",
    }
    (found,) = _cells(curve, **{**base, **choices})
    return curve.cells[found.same_as] if found.status == "same" else found


def test_a_folder_of_specifications_is_no_check() -> None:
    assert "specifications" not in list_checks()


def test_every_declared_cell_is_kept_and_the_counts_add_up(curve: SpecificationCurve) -> None:
    # Six methods, one of them with two kinds of controls; four pools; the other dimensions.
    assert curve.n_declared == 7 * 4 * 2 * 2 * 3 * 2 == len(curve.cells)
    assert [one.number for one in curve.cells] == list(range(curve.n_declared))
    assert len({one.choices for one in curve.cells}) == curve.n_declared
    assert curve.n_estimated + curve.n_same + curve.n_refused == curve.n_declared
    assert sum(one.n_cells for one in curve.refusals) == curve.n_refused
    assert all((one.estimate is None) == (one.status != "estimated") for one in curve.cells)


def test_the_headline_is_marked_once_and_is_the_published_number(
    design: Design, curve: SpecificationCurve
) -> None:
    overall = estimate(design, options=EXACT).overall
    (marked,) = [one for one in curve.cells if one.is_headline]
    assert marked.number == curve.headline
    assert (marked.estimate, marked.ci_low, marked.ci_high) == (
        overall.att,
        overall.ci_low,
        overall.ci_high,
    )
    assert curve.headline_estimate == overall.att


def test_the_grid_finds_the_headline_anew(design: Design) -> None:
    headline, declared = estimate(design, options=EXACT), _declared(design, read_grid())
    field = lay_out(design, {}, draws=19, fewest_draws=19, seed=0)
    own = estimate_cells(declared, field)[declared.headline].own
    assert own is not None
    # The same weights, in another order of units: digits of rounding apart.
    assert own[0] == pytest.approx(headline.overall.att, abs=1e-10)


def test_the_grid_is_hashed_before_anything_is_estimated(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def stop(declared: Any, field: Any) -> None:
        seen.append(declared.sha256)
        raise RuntimeError("nothing is estimated before this")

    with monkeypatch.context() as patched:
        patched.setattr(tracing, "estimate_cells", stop)
        with pytest.raises(RuntimeError, match="nothing is estimated"):
            _trace(design)
    assert seen == [_trace(design).declared_hash]


def test_the_hash_changes_with_the_grid_and_with_the_design(
    design: Design, curve: SpecificationCurve, tmp_path: Path
) -> None:
    other_grid = smaller_grid(tmp_path, fewer=("fewest_comparison = 5", "fewest_comparison = 6"))
    other_design = village_design(log_incomes(22, 2), STARTS, ring=RING)
    hashes = {
        curve.declared_hash,
        _declared(design, read_grid(other_grid)).sha256,
        _declared(other_design, read_grid()).sha256,
    }
    assert len(hashes) == 3
    assert _declared(design, read_grid()).sha256 == curve.declared_hash


# Method and controls of the grid -> the estimator and its options.
BY_HAND: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
    ("sdid", "never"): ("synthetic_did", EXACT),
    ("did", "never"): ("synthetic_did", {"weights": "did"}),
    ("synthetic_control", "never"): ("synthetic_did", {"weights": "sc", "solver": "exact"}),
    ("demeaned_control", "never"): ("synthetic_control", {"intercept": "yes"}),
    ("group_time", "never"): ("group_time_att", {"control": "never", "base": "universal"}),
    ("group_time", "not_yet"): ("group_time_att", {"control": "not_yet", "base": "universal"}),
    ("imputation", "not_yet"): ("imputation", {}),
}
WINDOWS: dict[str, dict[str, str]] = {
    "all": {},
    "short": {"before": "short"},
    "no_shock": {"calendar": "no_shock"},
}


@pytest.mark.parametrize("method", BY_HAND, ids="-".join)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("form", ["log", "level"])
def test_a_cell_is_what_the_method_gives_on_the_design_made_by_hand(
    curves: tuple[Design, SpecificationCurve], method: tuple[str, str], window: str, form: str
) -> None:
    design, curve = curves
    periods = np.array(design.periods)
    kept = {
        "all": periods > 0,
        "short": periods >= min(STARTS) - 3,
        "no_shock": periods != 2020,
    }
    made = subset_design(design, periods=kept[window])
    if form == "level":
        made = dataclasses.replace(made, form="level", y=made.y_natural)
    estimator, options = BY_HAND[method]
    att = point_estimate(made, estimator, options=options)
    chosen = dict(zip(("method", "controls"), method, strict=True))
    cell = _cell(curve, **chosen, **WINDOWS[window], form=form)
    assert cell.as_estimated == pytest.approx(att, rel=1e-7)
    if form == "level":
        treated = np.array(made.periods) >= made.starts[:, None]
        mean = made.y_natural[treated].mean()
        assert cell.estimate == pytest.approx(math.log(mean / (mean - (att or 0))), rel=1e-7)


def test_donors_are_those_of_the_area_or_of_a_like_level(
    design: Design, curve: SpecificationCurve
) -> None:
    areas = areas_of(design)
    hosts = [one for one, start in zip(design.units, design.cohort, strict=True) if start]
    own = {areas[one] for one in hosts}
    before = np.array(design.periods) < min(STARTS)
    level = design.y[:, before].mean(axis=1)
    like = level[[design.units.index(one) for one in hosts]].mean()
    masks = {
        "own_area": np.array([areas[one] in own for one in design.units]),
        "other_areas": np.array([areas[one] not in own for one in design.units]),
        "alike": np.abs(level - like) <= math.log(2),
    }
    for donors, mask in masks.items():
        made = subset_design(design, units=mask | np.isfinite(design.starts))
        for (method, controls), (estimator, options) in BY_HAND.items():
            cell = _cell(curve, method=method, controls=controls, donors=donors)
            att = point_estimate(made, estimator, options=options)
            assert cell.n_comparison == made.n_donors
            assert cell.estimate == pytest.approx(att, rel=1e-7), (method, donors)


def test_neighbours_left_out_can_be_put_back(curve: SpecificationCurve) -> None:
    out, back = (_cell(curve, method="did", ring=one) for one in ("out", "in"))
    assert back.n_comparison == out.n_comparison + len(RING)
    assert back.estimate != out.estimate


def test_choices_that_give_one_design_are_counted_once() -> None:
    alone = _trace(village_design(log_incomes(20, 3), (2019,)))
    # One start: nobody is not yet treated, and imputing is plain DiD under another name.
    for later in (
        _cells(alone, method="group_time", controls="not_yet"),
        _cells(alone, method="imputation"),
        _cells(alone, ring="in"),
        _cells(alone, calendar="no_break"),
    ):
        assert {one.status for one in later} <= {"same", "refused"}
    for cell in alone.cells:
        if cell.same_as is not None:
            assert alone.cells[cell.same_as].status == "estimated"


def test_a_cell_that_the_design_can_not_bear_keeps_its_place_and_says_why(
    design: Design, curve: SpecificationCurve
) -> None:
    without_areas = _trace(design, panel=None)
    refused = _cells(without_areas, donors="own_area")
    assert {one.status for one in refused} == {"refused"}
    (reason,) = {without_areas.refusals[one.refusal].reason for one in refused}
    assert "镇街" in reason.zh
    assert "area" in reason.en
    # One period before the start: too few to weight by, enough to compare with.
    design = village_design(log_incomes(20, 3), (2016,))
    early = trace_specifications(design, estimate(design, options={"weights": "did"}))
    (weighted,) = {one.status for one in _cells(early, method="synthetic_control", form="level")}
    assert weighted == "refused"
    assert {one.status for one in _cells(early, method="did", donors="all")} != {"refused"}


def test_names_and_the_order_of_rows_change_nothing(curve: SpecificationCurve) -> None:
    y, rng = log_incomes(22, 1), np.random.default_rng(5)
    order = rng.permutation(22)
    names = [f"x{one}" for one in rng.permutation(22)]
    other = village_design(y, STARTS, effect=0.3, names=names, order=order.tolist(), ring=RING)
    areas = {names[i]: area for i, area in enumerate(areas_of(village_design(y, STARTS)).values())}
    found = _trace(other, panel=areas)
    assert [one.status for one in found.cells] == [one.status for one in curve.cells]
    for one, before in zip(found.cells, curve.cells, strict=True):
        if one.estimate is None:
            continue
        assert one.estimate == pytest.approx(before.estimate, rel=1e-8)
        if not one.is_headline:  # whose own placebos are drawn by place
            assert one.p_value == before.p_value
        if one.ci_low is not None and not one.is_headline:
            assert one.ci_low == pytest.approx(before.ci_low, rel=1e-8)
    assert found.joint is not None
    assert curve.joint is not None
    for name in ("p_median", "p_share", "p_combined", "p_joint", "n_assignments"):
        assert getattr(found.joint, name) == getattr(curve.joint, name)


def test_turning_the_sign_round_turns_every_estimate_and_no_p_value(tmp_path: Path) -> None:
    # Levels have no mirror image: the grid without them.
    grid = smaller_grid(tmp_path, no_levels=('  { name = "level"', '#  { name = "level"'))
    y = log_incomes(18, 4, spread=0.3)
    y[:2, 4:] += 0.2
    up, down = (_trace(village_design(one, STARTS), grid=grid) for one in (y, 26 - y))
    assert up.n_estimated == down.n_estimated > 50
    for one, other in zip(up.cells, down.cells, strict=True):
        assert one.status == other.status
        if one.estimate is not None:
            assert other.estimate == pytest.approx(-one.estimate, abs=1e-9)
            if not one.is_headline:
                assert one.p_value == other.p_value
    assert up.joint is not None
    assert down.joint is not None
    assert down.joint.median == pytest.approx(-up.joint.median, abs=1e-9)
    for name in ("p_median", "p_share", "p_combined", "p_joint"):
        assert getattr(up.joint, name) == getattr(down.joint, name)


def test_every_specification_finds_an_effect_that_is_the_same_for_all() -> None:
    # Units of one level and almost no noise, so that amounts and proportions say the same.
    design = village_design(log_incomes(24, 6, spread=0.0, noise=0.005), STARTS, effect=0.25)
    curve = _trace(design)
    found = [one.estimate for one in curve.cells if one.status == "estimated"]
    # Noise of .005 with AR(1) .7 leaves contrasts of two hosts with errors up to .01.
    assert np.abs(np.array(found) - 0.25).max() < 0.03
    assert curve.share_agreeing == 1.0
    assert curve.joint is not None
    assert curve.joint.p_joint == curve.joint.smallest_p


def test_amounts_are_the_scale_where_the_headline_is_in_amounts() -> None:
    y = log_incomes(24, 6, spread=0.0, noise=0.005)
    curve = _trace(village_design(y, STARTS, effect=0.25, form="level"))
    assert curve.measure == "yuan"
    found = np.array([one.estimate for one in curve.cells if one.status == "estimated"])
    (log,) = {one.as_measured for one in _cells(curve, form="log") if one.status == "estimated"}
    assert log == "log_points"
    assert found.max() / found.min() < 1.3


def test_a_host_without_income_has_no_logarithm_and_the_reason_is_said() -> None:
    design = village_design(log_incomes(20, 8), (2019,), form="level")
    y = design.y_natural.copy()
    y[0, 0] = 0.0
    design = dataclasses.replace(design, y=y, y_natural=y)
    curve = _trace(design)
    refused = _cells(curve, form="log", donors="all")
    assert {one.status for one in refused} == {"refused"}
    (place,) = {one.refusal for one in refused}
    assert design.units[0] in curve.refusals[place].reason.zh
    assert design.units[0] in curve.refusals[place].reason.en


def test_without_other_assignments_there_is_no_joint_test_and_it_says_so() -> None:
    design = village_design(log_incomes(5, 9), (2019,))
    curve = trace_specifications(design, estimate(design, options=EXACT))
    assert curve.n_estimated == 1
    assert curve.joint is None
    assert curve.no_joint is not None
    assert curve.share_small_p is not None


def test_the_record_is_plain_json_and_the_same_each_time(
    design: Design, curve: SpecificationCurve
) -> None:
    texts = [
        json.dumps(encode(one), allow_nan=False, ensure_ascii=False)
        for one in (curve, _trace(design))
    ]
    assert texts[0] == texts[1]
    columns = curve.table()
    assert {len(one) for one in columns.values()} == {curve.n_declared}


def test_another_seed_draws_other_assignments_and_leaves_the_estimates(
    design: Design, curve: SpecificationCurve
) -> None:
    other = _trace(design, seed=1)
    assert [one.estimate for one in other.cells] == [one.estimate for one in curve.cells]
    assert other.joint != curve.joint


def test_the_effect_of_another_design_is_refused(design: Design) -> None:
    other = village_design(log_incomes(22, 2), STARTS)
    with pytest.raises(UsageError, match="not estimated from this design"):
        trace_specifications(other, estimate(design, options=EXACT))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('weights = "sdid"', 'weights = "sdidd"', "sdid"),
        ('name = "alike"', 'name = "alikee"', "alike"),
        ("draws = 49", 'draws = "many"', "whole number"),
        ('name = "calendar"', 'name = "calender"', "calendar"),
        ('estimator = "imputation"', 'estimator = "imputatoin"', "imputation"),
        ('{ name = "out", zh', '{ name = "in", zh', "twice"),
    ],
)
def test_a_faulty_grid_is_refused_with_the_nearest_choice(
    design: Design, tmp_path: Path, before: str, after: str, said: str
) -> None:
    grid = smaller_grid(tmp_path, fault=(before, after))
    with pytest.raises(UsageError) as raised:
        _trace(design, grid=grid)
    assert said in raised.value.message("en")


def test_a_grid_that_was_edited_is_read_again_and_one_that_is_missing_is_refused(
    tmp_path: Path,
) -> None:
    grid = smaller_grid(tmp_path, fewer=("years_before = 3", "years_before = 2"))
    assert read_grid(grid).numbers["years_before"] == 2
    os.utime(smaller_grid(tmp_path, more=("years_before = 3", "years_before = 4")), (1, 1))
    assert read_grid(grid).numbers["years_before"] == 4
    with pytest.raises(UsageError, match="does not exist"):
        read_grid(tmp_path / "none.toml")


def test_a_headline_by_a_method_that_the_grid_lacks_is_added_to_it() -> None:
    design = village_design(log_incomes(20, 3), (2019,))
    headline = estimate(design, "matrix_completion")
    curve = trace_specifications(design, headline)
    (marked,) = [one for one in curve.cells if one.is_headline]
    assert marked.choices[0] == "headline"
    assert marked.estimate == headline.overall.att
    # One cell more, since a slow method under every other choice would take longer than all.
    assert curve.n_declared == 7 * 4 * 2 * 2 * 3 * 2 + 1
