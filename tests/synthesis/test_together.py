"""Fifteen initiatives of a demonstration world judged as one family."""

from __future__ import annotations

import dataclasses
import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cps
from cps.demo._world import draw_world
from cps.errors import Text
from cps.estimators.registry import estimate, refit
from cps.synthesis.family_judgement import join_headlines, judge_family
from cps.synthesis.joint_covariance import resample_effects
from cps.synthesis.linear_forms import fixed_weight_covariance
from cps.synthesis.multiplicity import adjust_p_values, romano_wolf
from cps.synthesis.pooling import pool_effects
from cps.synthesis.rank_sets import rank_sets, tau_best, tau_worst
from cps.synthesis.together import SEED, TRAITS, judge_together

from . import panel_calibration as study

SEED_OF_WORLD = 20231231
INITIATIVES = cps.load_initiatives()
OPTIONS = {"weights": "sdid", "solver": "exact"}


@pytest.fixture(scope="module")
def panel():
    return study.panel_of(draw_world(INITIATIVES, is_spurious=False, seed=SEED_OF_WORLD))


@pytest.fixture(scope="module")
def designs(panel):
    return {one.id: cps.make_design(panel, one, others=INITIATIVES) for one in INITIATIVES}


@pytest.fixture(scope="module")
def runs(designs) -> list[Any]:
    return [
        types.SimpleNamespace(name=name, effects=(estimate(one, options=OPTIONS),))
        for name, one in designs.items()
    ]


@pytest.fixture(scope="module")
def judged(panel, runs) -> dict[str, Any]:
    return judge_together(panel, INITIATIVES, runs)


def test_all_fifteen_are_judged_and_the_record_is_the_same_bytes_again(panel, runs, judged) -> None:
    written = json.dumps(judged, allow_nan=False)
    assert json.dumps(judge_together(panel, INITIATIVES, list(reversed(runs)))) == written
    assert judged["family"]["n_joined"] == judged["family"]["n_declared"] == 15
    assert judged["refusals"] == []
    assert judged["initiatives"]["initiative"] == [one.id for one in INITIATIVES]
    lengths = {name: len(column) for name, column in judged["initiatives"].items()}
    assert set(lengths.values()) == {15}
    assert [one["trait"] for one in judged["traits"]] == list(TRAITS)


def test_each_part_is_what_its_own_function_gives(designs, runs, judged) -> None:
    effects = {run.name: run.effects[0] for run in runs}
    joined = join_headlines(list(designs), designs, effects)
    y, v, freedom = joined.estimates, joined.covariance, joined.joint.freedom
    table, family = judged["initiatives"], judged["family"]
    np.testing.assert_allclose(table["se"], [one.overall.se for one in effects.values()])
    # The fewest comparison units that any of the fifteen has, less one.
    assert freedom == min(one.n_donors for one in designs.values()) - 1
    pooled = pool_effects(y, v)
    assert table["pooled"] == list(pooled.effect)
    assert (family["tau"], family["tau_low"]) == (pooled.tau, pooled.tau_low)
    drawn = {"freedom": freedom, "draws": 9_999, "seed": SEED}
    tests = romano_wolf(y, v, **drawn)
    assert table["adjusted_rw"] == list(tests.adjusted)
    assert table["adjusted_bh"] == list(adjust_p_values(tests.p_value, "benjamini_hochberg"))
    ranks = rank_sets(y, v, **drawn)
    assert (table["rank_low_all"], table["rank_high_all"]) == (list(ranks.low), list(ranks.high))
    alone = rank_sets(y, v, scope="marginal", **drawn)
    assert (table["rank_low"], table["rank_high"]) == (list(alone.low), list(alone.high))
    assert table["may_lead"] == list(tau_best(y, v, 3, **drawn))
    assert table["may_trail"] == list(tau_worst(y, v, 3, **drawn))
    assert table["may_be_best"] == list(tau_best(y, v, 1, **drawn))


def test_money_is_the_typical_hosts_observed_income_less_what_it_would_have_been(
    designs, judged
) -> None:
    table = judged["initiatives"]
    assert (judged["family"]["measure"], judged["family"]["natural_measure"]) == (
        "log_points",
        "yuan",
    )
    for name, pooled, money in zip(
        table["initiative"], table["pooled"], table["pooled_natural"], strict=True
    ):
        design = designs[name]
        is_treated = np.asarray(design.periods)[None] >= design.starts[:, None]
        typical = np.exp(np.log(design.y_natural[is_treated]).mean())
        assert money == pytest.approx(typical * (1 - np.exp(-pooled)))


def test_one_that_failed_may_stand_anywhere_and_has_no_numbers(panel, runs) -> None:
    found = judge_together(
        panel, INITIATIVES, runs, failures={"homestay": Text("台账缺页", "a page is missing")}
    )
    table = found["initiatives"]
    k = table["initiative"].index("homestay")
    assert (table["reason_zh"][k], table["reason_en"][k]) == ("台账缺页", "a page is missing")
    assert (table["rank_low_all"][k], table["rank_high_all"][k]) == (1, 15)
    for name in ("att", "pooled", "adjusted_rw", "rank", "att_natural"):
        assert table[name][k] is None
    assert found["family"]["n_joined"] == 14
    assert table["may_lead"][k]


def test_an_effect_of_another_panel_is_left_out_and_the_page_told_why(panel, runs) -> None:
    world = draw_world(INITIATIVES, is_spurious=False, seed=SEED_OF_WORLD + 1)
    found = judge_together(study.panel_of(world), INITIATIVES, runs[:5])
    assert found["family"]["n_joined"] == 0
    assert "not estimated from this panel" in found["initiatives"]["reason_en"][0]
    assert found["initiatives"]["reason_en"][9] == "there is no saved run"
    assert found["initiatives"]["page"][9] is None
    assert found["initiatives"]["page"][0] == "bonsai.html"
    assert [one["part"] for one in found["refusals"]] == ["joint"]
    assert "att" not in found["initiatives"]


def test_a_few_are_ranked_but_neither_pooled_nor_compared_by_traits(panel, runs) -> None:
    found = judge_together(panel, INITIATIVES, runs[:3])
    assert [one["part"] for one in found["refusals"]] == ["pooled"]
    assert "3 initiatives have an estimate" in found["refusals"][0]["what_en"]
    table = found["initiatives"]
    assert table["pooled"] == [None] * 15
    assert sum(one is not None for one in table["rank"]) == 3
    assert {one["verdict"] for one in found["traits"]} == {"too_few"}
    assert "tau" not in found["family"]


def test_hosts_kept_in_several_initiatives_enter_as_resampling_has_it(panel) -> None:
    # Rural tourism and homestay share 示例村09, which a joint model keeps in both.
    two = [one for one in INITIATIVES if one.id in ("homestay", "rural_tourism")]
    donors = [f"示例邻村{k:02d}" for k in range(1, 13)]
    hosts = {host.unit for one in two for host in one.treated}
    few = dataclasses.replace(
        panel, frame=panel.frame.filter(pl.col("unit").is_in([*donors, *hosts]))
    )
    designs = {one.id: cps.make_design(few, one, others=two, joint=True) for one in two}
    effects = {name: estimate(one, "joint_effects") for name, one in designs.items()}
    runs = [types.SimpleNamespace(name=name, effects=(one,)) for name, one in effects.items()]
    found = judge_together(few, two, runs)
    assert found["family"]["n_joined"] == 2
    assert found["family"]["n_shared"] > len(donors)  # hosts too
    source = resample_effects(
        {name: refit(one, "joint_effects") for name, one in designs.items()}, draws=499
    )
    spread = np.sqrt(np.diag(source.covariance))
    # 499 draws tell a correlation to 0.045, three of those; a size to 3%, four of those.
    expected = source.covariance[0, 1] / spread.prod()
    assert found["family"]["correlation"][0][1] == pytest.approx(expected, abs=0.135)
    sizes = np.sqrt(np.diag(fixed_weight_covariance(designs, effects).covariance))
    np.testing.assert_allclose(sizes, spread, rtol=0.12)


def test_errors_that_few_treated_make_too_small_are_replaced_by_the_sources(designs) -> None:
    effects = {name: estimate(one, options=OPTIONS) for name, one in list(designs.items())[:5]}
    unsure = {
        **effects,
        "bonsai": dataclasses.replace(effects["bonsai"], is_reliable=False),
    }
    given = {name: designs[name] for name in unsure}
    joined = join_headlines(list(given), given, unsure)
    assert joined.joint.scale == "source"
    assert joined.doubts is not None
    assert "bonsai" in joined.doubts.en
    np.testing.assert_allclose(joined.covariance, joined.source.covariance)


def test_a_family_far_apart_is_put_in_its_order(designs) -> None:
    effects = {name: estimate(one, options=OPTIONS) for name, one in list(designs.items())[:6]}
    given = {name: designs[name] for name in effects}
    joined = join_headlines(list(given), given, effects)
    apart = dataclasses.replace(joined, estimates=(3.0, 1.0, 5.0, 4.0, 0.0, 2.0))
    found = judge_family(apart)
    assert found.ranks is not None
    assert found.ranks.low == found.ranks.high == (3, 5, 1, 2, 6, 4)
    assert found.may_lead[1] == (False, False, True, False, False, False)
    assert found.may_lead[3] == (True, False, True, True, False, False)
    assert found.may_trail[1] == (False, False, False, False, True, False)


@pytest.fixture(scope="module")
def draws() -> dict[str, list[dict[str, Any]]]:
    seeds = range(1_000, 1_002)
    return {mode: [study.one_draw(seed, mode) for seed in seeds] for mode in study.MODES}


@pytest.mark.parametrize("mode", study.MODES)
def test_on_panels_with_known_effects_the_true_order_is_in_the_rank_sets(draws, mode) -> None:
    assert all(one["all_ranks_covered"] for one in draws[mode])
    assert all(any(one["truth"]) is (mode == "headline_true") for one in draws[mode])
    # Of 30 intervals at 95%, 6 or more missed would be a chance in 100.
    assert sum(one["covered"].count(False) for one in draws[mode]) < 6


def test_the_truth_of_the_study_is_the_worlds_own(designs, draws) -> None:
    world = draw_world(INITIATIVES, is_spurious=False, seed=1_001)
    name, place = "workshop", {one.name: k for k, one in enumerate(world.villages)}
    cells = []
    for unit, cohort in zip(designs[name].units, designs[name].cohort, strict=True):
        if cohort is None:
            continue
        months = slice(12 * (cohort - 2017), None)
        income = world.income_yuan[place[unit], months].reshape(-1, 12).sum(axis=1)
        gain = world.effect_yuan[name][place[unit], months].reshape(-1, 12).sum(axis=1)
        cells += list(np.log(income) - np.log(income - gain))
    found = draws["headline_true"][1]["truth"][list(designs).index(name)]
    assert found == pytest.approx(np.mean(cells), abs=1e-6)


def test_the_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out = tmp_path / "draws.jsonl"
    study.run(out, draws=1, workers=1, modes=("headline_true",))
    first = out.read_text(encoding="utf-8")
    out.write_text(first + first[:40], encoding="utf-8")  # killed in the middle of a line
    study.run(out, draws=1, workers=1, modes=("headline_true",))
    assert out.read_text(encoding="utf-8") == first
    assert len(study.read(out)) == 1
