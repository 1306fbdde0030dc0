"""Jobs, cost and benefit on the pages: no praise without a clear effect, no cost without its bounds."""

from __future__ import annotations

import dataclasses
import html
import re
from typing import Any

import numpy as np
import pytest

from cps.design.build import make_design
from cps.errors import Text
from cps.estimators.battery import estimate_headline
from cps.report.render import render_report
from cps.report.sections import cost_benefit, jobs, money_overview
from cps.runs import Run, make_run
from cps.runs.codec import encode
from cps.synthesis._money_table import money_table
from cps.synthesis.money import appraise_initiative
from tests.synthesis.money_study import _world, initiative


def _run(world: str, seed: int, **changed: Any) -> Run:
    panel, _ = _world(world, np.random.default_rng(seed))
    subject = initiative(**changed)
    design = make_design(panel, subject)
    effect = estimate_headline(design)
    worth = appraise_initiative(panel, subject, design=design, effects=[effect], n_draws=500)
    return make_run(design, subject, effects=[effect], extra={"worth": worth})


@pytest.fixture(scope="module")
def clear() -> Run:
    return _run("same percentage", 2)


@pytest.fixture(scope="module")
def unclear() -> Run:
    return _run("nothing", 2)


def _worth(run: Run) -> dict[str, Any]:
    plain: dict[str, Any] = encode(run.extra["worth"])
    return plain


def _changed(run: Run, **parts: Any) -> Run:
    return dataclasses.replace(run, extra={"worth": {**_worth(run), **parts}})


def _text(run: Run, language: str = "zh") -> str:
    page = render_report(run, language=language)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def test_the_two_worlds_are_what_the_other_tests_take_them_for(clear: Run, unclear: Run) -> None:
    assert _worth(clear)["income"]["shows"] == "up"
    assert _worth(clear)["appraisal"]["extra_yuan"]["lower"] > 0
    assert _worth(unclear)["income"]["shows"] == "unclear"


def test_an_unclear_gain_is_said_to_be_so_before_any_number_that_follows_from_it(
    clear: Run, unclear: Run
) -> None:
    page = _text(unclear)
    assert "分不清是增是减" in page
    assert page.index("不宜作为成绩或失败引用") < page.index("静态回收期")
    assert "should be cited neither as a success nor as a failure" in _text(unclear, "en")
    assert "不宜作为成绩或失败引用" not in _text(clear)
    assert re.search(r"合计每年增收约 [\d.,]+万元，95% 区间为 .*?，不含零", _text(clear))


def test_a_gain_that_the_headline_does_not_bear_out_is_no_clear_one(clear: Run) -> None:
    income = {**_worth(clear)["income"], "shows": "unclear"}
    page = _text(_changed(clear, income=income))
    assert "两种依据不一致" in page
    assert "不宜作为成绩或失败引用" in page


def test_a_cost_without_upper_bound_says_what_it_is_at_least(unclear: Run) -> None:
    cost = _worth(unclear)["appraisal"]["cost_per_wan"]
    assert cost["kind"] == "outside"
    low = f"{cost['upper'] / 10_000:,.1f}"
    assert f"不低于 {low}万元，没有上限" in _text(unclear)
    assert "without upper bound" in _text(unclear, "en")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_rate_assumption_and_input_stands_on_the_page(clear: Run, language: str) -> None:
    page = render_report(clear, language=language)
    worth = _worth(clear)
    for one in worth["assumed"]:
        assert one["name"][language].split("（")[0].split("(")[0] in page
        assert html.escape(one["source"][language], quote=True).replace("&#x27;", "&#39;") in page
    for rate in ("3.5", "6.0", "8.0"):
        assert f">{rate}<" in page
    drawn = [one for one in worth["appraisal"]["tornado"] if one["low"] != one["high"]]
    assert drawn[0]["name"][language] in page
    assert ("合成数据" if language == "zh" else "Synthetic data") in page


def test_verdicts_follow_the_intervals_of_all_three_rates(clear: Run) -> None:
    def said(*ends: tuple[float, float]) -> str:
        found = _worth(clear)["appraisal"]
        rates = [
            {**one, "npv_yuan": {"median": low, "lower": low, "upper": high}}
            for one, (low, high) in zip(found["at_rates"], ends, strict=True)
        ]
        return _text(_changed(clear, appraisal={**found, "at_rates": rates}))

    assert "区间都在零以下" in said((-3, -1), (-3, -1), (-3, -1))
    assert "区间都在零以上" in said((1, 3), (1, 3), (1, 3))
    assert "说不清" in said((1, 3), (-1, 3), (-1, 3))


def test_jobs_are_heads_with_an_interval_and_full_time_equivalents_a_range(clear: Run) -> None:
    found, page = _worth(clear)["jobs"], _text(clear)
    assert re.search(r"合计净增就业约 [\d.,]+人（年末），95% 区间为", page)
    low, high = (round(found[key], 1) for key in ("fte_low", "fte_high"))
    assert f"折合全时当量 {low:g} 至 {high:g}" in page


def test_jobs_that_may_be_none_are_not_called_a_gain(clear: Run) -> None:
    worth = _worth(clear)
    employment = {**worth["employment"], "shows": "unclear"}
    found = {**worth["jobs"], "persons": 3.0, "lower": -5.0, "upper": 11.0}
    page = _text(_changed(clear, employment=employment, jobs=found))
    assert "没有发现明确的就业变化" in page
    assert "合计净增就业约" not in page


def test_a_missing_cost_is_refused_on_the_page_by_file_and_key() -> None:
    subject = initiative()
    hosts = (dataclasses.replace(subject.treated[0], cost_yuan={}), *subject.treated[1:])
    panel, _ = _world("same percentage", np.random.default_rng(0))
    part = dataclasses.replace(subject, treated=hosts)
    design = make_design(panel, part)
    effect = estimate_headline(design)
    worth = appraise_initiative(panel, part, design=design, effects=[effect], n_draws=200)
    page = _text(make_run(design, part, effects=[effect], extra={"worth": worth}))
    assert "case.toml › treated[1] › cost_yuan" in page
    assert "静态回收期" not in page
    assert "合计净增就业约" in page


def test_a_run_without_jobs_and_money_has_no_such_sections(clear: Run) -> None:
    run = dataclasses.replace(clear, extra={})
    for section in (jobs, cost_benefit, money_overview):
        assert section.build(run) == []


def test_the_overview_lists_all_in_order_with_bounds_and_without_ranks(
    clear: Run, unclear: Run
) -> None:
    first = initiative()
    declared = [
        dataclasses.replace(first, id=name, name=Text(f"{name}项目", name)) for name in "ba"
    ]
    runs = [
        dataclasses.replace(clear, name="a", extra={"worth": _worth(clear)}),
        dataclasses.replace(unclear, name="b", extra={"worth": _worth(unclear)}),
    ]
    extra = {"money": money_table(declared, runs, {})}
    overview = dataclasses.replace(clear, kind="overview", name="overview", extra=extra)
    page = _text(overview)
    assert page.index("b项目") < page.index("a项目")
    assert "2 个项目中有 1 个增收区间含零" in page
    assert "至少" in page
    assert "不作排名" in page
    assert 'href="b.html"' in render_report(overview)
