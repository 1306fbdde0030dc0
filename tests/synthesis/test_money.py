"""Jobs and money of an initiative: what is counted, what is refused, what holds a known truth."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cps.design.build import make_design
from cps.design.record import Design
from cps.errors import Text
from cps.estimators.battery import estimate_headline
from cps.indicators.benefit.defaults import basis_of
from cps.panel.record import Panel
from cps.result import Effect
from cps.runs.codec import encode
from cps.synthesis import money
from cps.synthesis._money_gain import host_gain, jobs_gain
from cps.synthesis._money_table import money_table
from cps.synthesis.money import Worth, appraise_initiative
from cps.tables import show
from tests.synthesis.money_study import COST_YUAN, STARTS, _world, initiative, study

Case = tuple[Panel, Design, Effect]


@pytest.fixture(scope="module")
def case() -> Case:
    panel, _ = _world("same percentage", np.random.default_rng(4))
    design = make_design(panel, initiative())
    return panel, design, estimate_headline(design)


@pytest.fixture(scope="module")
def appraised(case: Case) -> Worth:
    return _appraised(case)


def _appraised(case: Case, **changed: Any) -> Worth:
    panel, design, effect = case
    subject = changed.pop("subject", initiative())
    given: dict[str, Any] = {"design": design, "effects": [effect], "n_draws": 500, **changed}
    return appraise_initiative(given.pop("panel", panel), subject, **given)


def test_intervals_hold_known_truths_about_as_often_as_they_say() -> None:
    # 95% of 40: fewer than 33 would come up once in 2,000. The study of 2,000 is in docs/money.md.
    for name, share in study(40, "between", seed=1).items():
        assert share >= 33 / 40, name


def test_the_study_finds_out_errors_that_are_too_small() -> None:
    shares = study(40, "between", seed=1, error_factor=0.2)
    assert shares["extra income"] < 0.6
    assert shares["cost per 万元"] < 0.6
    assert shares["net jobs"] > 0.8  # those were not touched


def test_the_gain_is_the_sum_over_hosts_of_their_own_incomes(case: Case) -> None:
    _, design, effect = case
    gain, hosts = host_gain(design, effect, len(STARTS))
    assert hosts == ("村00", "村01", "村02")
    assert [len(row) for row in gain.income_yuan] == [6, 4, 4]
    # The effects by event time, averaged by host-periods, are the overall effect.
    mean = sum(w * e for w, e in zip(gain.weights, gain.effects, strict=True))
    assert mean == pytest.approx(effect.overall.att, abs=1e-9)
    # And their errors with the shared correlation give the overall error.
    errors, weights = np.array(gain.errors), np.array(gain.weights)
    rho = gain.correlation
    variance = ((errors * weights) ** 2).sum() * (1 - rho) + rho * (errors * weights).sum() ** 2
    half = 1.959963984540054 * float(np.sqrt(variance))
    assert effect.overall.ci_high is not None and effect.overall.att is not None
    assert half == pytest.approx(effect.overall.ci_high - effect.overall.att, rel=1e-6)


def test_a_method_without_errors_by_event_time_is_carried_on_by_its_overall_effect(
    case: Case,
) -> None:
    _, design, effect = case
    bare = dataclasses.replace(effect, by_event_time=())
    gain, _ = host_gain(design, bare, len(STARTS))
    assert set(gain.effects) == {effect.overall.att}
    assert gain.correlation == 1.0


def test_jobs_are_added_up_over_hosts_each_over_its_own_periods(case: Case) -> None:
    panel, _, _ = case
    design = make_design(panel, initiative(), outcome="jobs_persons")
    effect = estimate_headline(design)
    found = jobs_gain(design, effect, 3, (0.5, 1.0))
    early, late = (one.estimate.att for one in effect.by_cohort)
    assert early is not None and late is not None
    assert found.persons == pytest.approx(early + 2 * late)
    # Six periods of one host and four of two: the overall effect weighs by those.
    assert effect.overall.att == pytest.approx((6 * early + 8 * late) / 14)
    overall = jobs_gain(design, dataclasses.replace(effect, by_cohort=()), 3, (0.5, 1.0))
    assert overall.persons == pytest.approx(3 * effect.overall.att)
    assert overall.se_persons / 2 < found.se_persons < overall.se_persons * 2


def test_jobs_first_or_income_first_gives_the_same(case: Case, appraised: Worth) -> None:
    panel, _, _ = case
    second = make_design(panel, initiative(), outcome="jobs_persons")
    other = _appraised((panel, second, estimate_headline(second)))
    assert encode(other) == encode(appraised)


def test_outlays_are_those_of_the_hosts_that_the_effect_speaks_of(
    case: Case, appraised: Worth
) -> None:
    assert appraised.total_yuan == COST_YUAN * 3
    assert appraised.public_yuan == COST_YUAN * 3 // 2
    subject = initiative()
    other = dataclasses.replace(subject, id="other", treated=subject.treated[:1])
    panel = case[0]
    design = make_design(panel, subject, others=[other])
    found = _appraised((panel, design, estimate_headline(design)), others=[other])
    assert found.income is not None and found.appraisal is not None
    assert (found.income.hosts, found.income.n_hosts) == (("村01", "村02"), 3)
    assert found.total_yuan == COST_YUAN * 2
    assert (found.appraisal.n_estimated, found.appraisal.n_hosts) == (2, 3)


def test_outlays_that_are_missing_are_refused_by_file_and_key_and_jobs_are_kept(
    case: Case,
) -> None:
    subject = initiative()
    hosts = list(subject.treated)
    hosts[1] = dataclasses.replace(hosts[1], cost_yuan={})
    found = _appraised(case, subject=dataclasses.replace(subject, treated=tuple(hosts)))
    assert found.appraisal is None
    assert (found.total_yuan, found.public_yuan) == (None, None)
    (refusal,) = found.refusals
    assert refusal.where == "case.toml › treated[2] › cost_yuan"
    assert "村01" in refusal.what.zh
    assert found.jobs is not None
    assert found.jobs.cost_per_job is None


def test_without_jobs_in_the_ledgers_money_is_appraised_all_the_same(
    case: Case, appraised: Worth
) -> None:
    panel = dataclasses.replace(case[0], frame=case[0].frame.drop("jobs_persons"))
    found = _appraised(case, panel=panel)
    assert found.jobs is None
    assert [one.part for one in found.refusals] == ["jobs"]
    assert found.appraisal == appraised.appraisal


def test_an_effect_without_an_interval_is_not_carried_on(case: Case) -> None:
    panel, design, effect = case
    alone = dataclasses.replace(effect.overall, ci_low=None, ci_high=None)
    found = _appraised((panel, design, dataclasses.replace(effect, overall=alone)))
    assert (found.income, found.appraisal) == (None, None)
    assert [one.part for one in found.refusals] == ["income"]
    assert found.jobs is not None


def test_what_an_initiative_states_replaces_the_assumption_and_is_named(
    case: Case, appraised: Worth
) -> None:
    own = {"surplus_share": (1.0, 1.0, 1.0), "life_years": (20.0,) * 3, "cost_overrun": (1.0,) * 3}
    source = Text("2023 年决算", "accounts of 2023")
    found = _appraised(case, subject=initiative(appraisal=own, appraisal_source=source))
    assert {one.key for one in found.assumed if one.is_own} == set(own)
    assert all(one.source == source for one in found.assumed if one.is_own)
    assert found.appraisal is not None and appraised.appraisal is not None
    for more, less in zip(found.appraisal.at_rates, appraised.appraisal.at_rates, strict=True):
        assert more.npv_mean_yuan > less.npv_mean_yuan
    assert [one for one in found.assumed if not one.is_own] == [
        one for one in basis_of({}).listed if one.key not in own
    ]


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_draws(
    case: Case, appraised: Worth
) -> None:
    def written(worth: Worth) -> str:
        return json.dumps(encode(worth), allow_nan=False, sort_keys=True)

    assert written(_appraised(case)) == written(appraised)
    assert written(_appraised(case, seed=1)) != written(appraised)


def test_what_is_shown_in_a_notebook_carries_the_mark_every_number_and_every_refusal(
    case: Case, appraised: Worth
) -> None:
    shown = show(appraised)
    assert "Synthetic" in shown.mark
    names = shown.frame.to_series(0).to_list()
    for part in ("投入", "合计年增收", "净现值 NPV 6%", "内部收益率", "净增就业", "全时当量"):
        assert any(part in name for name in names), part
    panel = dataclasses.replace(case[0], frame=case[0].frame.drop("jobs_persons"))
    refused = show(_appraised(case, panel=panel)).frame
    assert refused.filter(refused["项目 what"].str.contains("未计算")).height == 1


@dataclasses.dataclass(frozen=True)
class _Run:
    name: str
    extra: dict[str, Any]
    effects: tuple[Effect, ...] = ()


def test_all_initiatives_stand_in_the_order_declared_and_a_failed_one_shows_no_number(
    appraised: Worth,
) -> None:
    first = initiative()
    ids = ("b", "a", "case")
    declared = [dataclasses.replace(first, id=name) for name in (*ids, "never_run")]
    plain = encode(appraised)
    runs = [_Run("case", {"worth": plain}), _Run("b", {"worth": plain}), _Run("a", {})]
    table = money_table(declared, runs, {"b": Text("失败", "failed")})
    assert table["rows"]["initiative"] == [*ids, "never_run"]
    assert table["rows"]["page"] == ["b.html", "a.html", "case.html", None]
    assert table["rows"]["total_yuan"] == [None, None, COST_YUAN * 3, None]
    assert table["rows"]["bcr"][:2] == [None, None]
    assert table["declared_yuan"] == COST_YUAN * 12
    assert table["rate"] == 0.06
    assert money_table(declared, [_Run("a", {})], {}) == {}


def test_a_declared_total_is_given_only_if_it_is_whole(appraised: Worth) -> None:
    subject = initiative()
    hosts = (dataclasses.replace(subject.treated[0], cost_yuan={}), *subject.treated[1:])
    part = dataclasses.replace(subject, treated=hosts)
    table = money_table([part], [_Run("case", {"worth": encode(appraised)})], {})
    assert table["declared_yuan"] is None


def test_an_outcome_that_can_t_be_estimated_is_refused_not_raised(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> Callable[..., Design]:
        from cps.errors import DesignError

        raise DesignError(Text("没有对照", "no comparison"), where="x", mend=Text("补", "add"))

    monkeypatch.setattr(money, "make_design", none_left)
    found = _appraised(case)
    assert [(one.part, one.what.en) for one in found.refusals] == [("jobs", "no comparison")]
    assert found.appraisal is not None


def test_an_initiative_about_neither_income_nor_jobs_has_nothing_to_appraise(case: Case) -> None:
    panel, design, effect = case
    bare = dataclasses.replace(panel, frame=panel.frame.drop("income_yuan", "jobs_persons"))
    other = dataclasses.replace(design, outcome="waiting_minutes", measure="minutes")
    subject = dataclasses.replace(initiative(), outcomes=("waiting_minutes",))
    found = _appraised((bare, other, effect), subject=subject)
    assert (found.income, found.employment, found.appraisal, found.refusals) == (None,) * 3 + ((),)
    assert show(found).frame.is_empty()
