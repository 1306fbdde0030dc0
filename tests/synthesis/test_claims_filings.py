"""A stated figure on the wrong metric, period or sign is caught by rule, whoever's figure it is."""

from decimal import Decimal

import pytest

from cps.facts import load_facts
from cps.synthesis._claim_filings import are_same_figure
from cps.synthesis.claims import judge

from .claimed import claims_file, evidence_from

FILINGS = """
[[filing]]
entity = "某茶厂"
metric = "output_growth"
name = { zh = "产量同比", en = "growth of output" }
period = "2022"
value = 3.2
unit = "%"
[[filing]]
entity = "某茶厂"
metric = "exports_growth"
name = { zh = "出口额同比", en = "growth of exports" }
period = "2022"
value = -18.46
unit = "%"
[[filing]]
entity = "某茶厂"
metric = "output_growth"
name = { zh = "产量同比", en = "growth of output" }
period = "2021"
value = 7.9
unit = "%"
[[filing]]
entity = "某茶厂"
metric = "revenue"
name = { zh = "营业收入", en = "revenue" }
period = "2022"
value = 1.25
unit = "亿元"
[[filing]]
entity = "某茶厂"
metric = "revenue"
name = { zh = "营业收入", en = "revenue" }
period = "2021"
value = 1.00
unit = "亿元"
[[filing]]
entity = "某渔场"
metric = "output_growth"
name = { zh = "产量同比", en = "growth of output" }
period = "2022"
value = 55.5
unit = "%"
"""


@pytest.fixture
def ask(make_panel, tmp_path):
    def run(metric, value, *, comparator="=", unit="%", period="2022", entity="某茶厂"):
        claim = (
            f'metric = "filing"\ncomparator = "{comparator}"\nvalue = {value}\nunit = "{unit}"\n'
            f'scope = "{entity}"\nfiling_metric = "{metric}"\nfiling_period = "{period}"'
        )
        path = claims_file(tmp_path, claim, more=FILINGS)
        panel = make_panel({"甲": ("本街", {}, {})}, is_synthetic=True)
        (found,) = judge(evidence_from(panel, []), load_facts(), own=path)
        assert not found.is_demonstration  # a filing is none
        return found

    return run


@pytest.mark.parametrize(
    ("value", "verdict", "words"),
    [
        ("3.2", "supported", "stated +3.2%"),
        ('"3.20"', "supported", "stated +3.20%"),  # the filing may be the rounded one
        ("3", "supported", "stated +3%"),
        ("3.3", "contradicted", "stated +3.3%."),  # near, and no other figure
        ("-18.46", "contradicted", "The number is the growth of exports: it was put on the wrong"),
        ("-18.5", "contradicted", "growth of exports"),
        ("18.46", "contradicted", "stated +18.46%."),  # not the exports': the sign differs
        ("7.9", "contradicted", "growth of output of 2021: it was put on the wrong period"),
        ("-3.2", "contradicted", "its sign is turned"),
        ("55.5", "contradicted", "stated +55.5%."),  # another firm's figure is no misplacement
    ],
)
def test_entity_period_metric_and_value_are_compared_with_all_that_was_filed(
    ask, value, verdict, words
):
    found = ask("output_growth", value)
    assert found.verdict == verdict
    assert found.basis == "filing"
    assert words in found.reason.en
    is_misplaced = "wrong" in words or "exports" in words
    assert ("张冠李戴" in found.reason.zh) is is_misplaced


def test_comparators_bind_on_filed_figures_too(ask):
    assert ask("output_growth", 3, comparator="超").verdict == "supported"
    assert ask("output_growth", 3.2, comparator="超").verdict == "contradicted"


def test_units_of_one_kind_are_converted(ask):
    assert ask("revenue", 12500, unit="万元").verdict == "supported"
    assert ask("revenue", 12600, unit="万元").verdict == "contradicted"


def test_growth_that_was_not_filed_follows_from_the_levels_of_both_years(ask):
    # 1.25 and 1.00 are rounded: 1.245 ÷ 1.05 to 1.255 ÷ 0.95 with the one decimal kept of "1.0".
    found = ask("revenue_growth", 211.7)
    assert found.verdict == "contradicted"
    assert found.measured_low < 25 < found.measured_high
    assert ask("revenue_growth", 25).verdict == "not_testable"  # the levels are too coarse to say


def test_a_metric_that_was_not_filed_is_not_contradicted_but_the_coincidence_is_told(ask):
    found = ask("profit_growth", -18.46)
    assert (found.verdict, found.measured_value) == ("not_testable", None)
    assert "the growth of exports" in found.reason.en
    assert "suspicious" in found.reason.en


def test_without_a_filing_of_the_entity_nothing_is_said(ask):
    found = ask("output_growth", 3.2, entity="某瓷厂")
    assert found.verdict == "not_testable"
    assert "no filing of 某瓷厂" in found.reason.en


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("211.70", "211.7", True),
        ("211.7", "211.65", True),  # 211.65 rounds up to 211.7
        ("211.7", "211.64", False),
        ("212", "211.7", True),
        ("211", "211.7", False),
        ("-211.7", "211.7", False),
        ("0", "0.4", False),
        ("0", "0.0", True),
    ],
)
def test_figures_agree_at_the_coarser_precision_only(one, other, same):
    assert are_same_figure(Decimal(one), Decimal(other)) is same
    assert are_same_figure(Decimal(other), Decimal(one)) is same
