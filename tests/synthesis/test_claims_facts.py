"""Every fact has one verdict, or a written rule that leaves it out; sums are worked out again."""

import dataclasses
import shutil
from collections import Counter
from decimal import Decimal

import pytest

from cps.errors import LedgerError
from cps.facts import FOLDER, load_facts
from cps.synthesis._claim_arithmetic import work_out
from cps.synthesis._claim_facts import load_reasons
from cps.synthesis.claim_file import load_claims
from cps.synthesis.claims import excluded_facts, judge

from .claimed import evidence_from


@pytest.fixture(scope="module")
def facts():
    return load_facts()


@pytest.fixture
def verdicts(make_panel, facts):
    panel = make_panel({"甲": ("本街", {2023: 1}, {})}, is_synthetic=True)
    return judge(evidence_from(panel, []), facts)


def test_no_fact_is_silently_skipped(facts, verdicts):
    claimed = {one.fact_id for one in load_claims(facts).claims}
    judged = Counter(one.fact_id for one in verdicts if one.fact_id not in claimed)
    excluded = Counter(name for one in excluded_facts(facts) for name in one.fact_ids)
    assert Counter({one.id: 1 for one in facts.facts}) == judged + excluded + Counter(claimed)
    assert claimed <= {one.fact_id for one in verdicts}
    # Only readings make several rows of one fact.
    rows = Counter(one.fact_id for one in verdicts)
    assert [name for name, n in rows.items() if n > 1] == [
        "gongfu_projects__op_income_increase_per_village"
    ]


def test_what_is_left_out_has_no_figure_and_is_counted_by_rule(facts):
    counts = {one.rule: len(one.fact_ids) for one in excluded_facts(facts)}
    assert counts == {"name_or_example": 36, "rule_without_figure": 17, "background": 9}
    for rule in excluded_facts(facts):
        assert all(facts.fact(name).value is None for name in rule.fact_ids)


def test_an_untestable_fact_says_what_it_leaves_open_and_which_series_it_takes(facts, verdicts):
    reasons = load_reasons(facts)
    untested = [one for one in verdicts if one.missing.zh]
    assert len(untested) == 48
    for one in untested:
        fact = facts.fact(one.fact_id)
        assert (one.verdict, one.basis, one.measured_value) == ("not_testable", "none", None)
        assert one.missing == reasons.series[fact.scheme_id]
        assert reasons.role[fact.claim_role].en in one.reason.en
        if fact.ambiguity_code:
            assert reasons.ambiguity[fact.ambiguity_code].zh in one.reason.zh


def test_every_worked_out_figure_of_the_source_is_right(facts, verdicts):
    sums = {one.fact_id: one for one in verdicts if one.basis == "arithmetic"}
    assert set(sums) == {one.id for one in facts.facts if one.kind == "derived"}
    assert {one.verdict for one in sums.values()} == {"supported"}
    assert not any(one.is_demonstration for one in sums.values())
    conversion = sums["power_checkup__contract_conversion"]
    assert conversion.measured_value == 55.34
    assert conversion.reason.en == "57÷103 = 55.34%. Every operand is the source's."


def test_an_assumed_operand_is_told_from_those_of_the_source(facts):
    share = work_out(facts.fact("gongfu_projects__share_gt_100_if_30"), facts.facts)
    assert share.assumed == (Decimal(30),)
    assert share.traced == ("gongfu_projects__n_villages_op_income_gt_100",)
    # 9,000 元 a year stand as 0.9 in a sum of 万元.
    ratio = work_out(facts.fact("power_checkup__case_bcr_low"), facts.facts)
    assert "power_checkup__case_service_fee" in ratio.traced
    assert not ratio.assumed


def altered(facts, fact_id, **changes):
    fact = dataclasses.replace(facts.fact(fact_id), **changes)
    return fact


def test_a_wrong_sum_is_contradicted(facts):
    fact = altered(facts, "power_checkup__contract_conversion", value=Decimal("55.43"))
    done = work_out(fact, facts.facts)
    assert (done.agrees, done.result) == (False, Decimal("55.34"))


@pytest.mark.parametrize("formula", ["1/0", "2**9", "__import__('os')", "max(1, 2)", "x", "-1+2"])
def test_a_formula_is_a_plain_sum_and_never_code(facts, formula):
    fact = altered(facts, "power_checkup__contract_conversion", formula=formula)
    with pytest.raises(ValueError, match=r"plain sum|can't work out"):
        work_out(fact, facts.facts)


def test_each_code_and_scheme_has_its_words_and_no_other(tmp_path):
    folder = tmp_path / "facts"
    shutil.copytree(FOLDER, folder)
    path = folder / "untestable.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("anecdote", "anecdotes"), encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        load_reasons(load_facts(folder))
    assert "did you mean 'anecdotes'" in caught.value.message("en")


def test_verdicts_are_worded_in_both_languages(verdicts):
    for one in verdicts:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in one.reason.zh)
        letters = [letter for letter in one.reason.en if "\u4e00" <= letter <= "\u9fff"]
        assert set(letters) <= set("万亿元甲户处台套类种模式项字"), one.reason.en
