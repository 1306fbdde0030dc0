"""Each kind of claim in both directions on small panels, and where it can't be tested."""

import json
import re
import shutil
from decimal import Decimal

import pytest

from cps.errors import LedgerError
from cps.facts import FOLDER, Comparator, load_facts
from cps.result import Estimate
from cps.synthesis._claim_metrics import METRICS
from cps.synthesis.claim_file import load_claims
from cps.synthesis.claim_measures import MEASURES
from cps.synthesis.claims import claims_table, decide, judge

from .claimed import WAN, evidence_from, project

CLAIMED = [one.id for one in load_claims(load_facts()).claims]


@pytest.fixture(scope="module")
def facts():
    return load_facts()


def flat(start, per_year):
    """Income in 元 for 2020–2023 from a start and a yearly gain in 万元."""
    return {2020 + step: round((start + per_year * step) * WAN) for step in range(4)}


@pytest.fixture
def check(make_panel, facts):
    def run(units, *, effects=None, hosts=(), area="本街", **options):
        panel = make_panel(units, **options)
        pooled = (effects or {}).get("pooled")
        evidence = evidence_from(panel, [project(hosts)], area=area, pooled=pooled)
        return {one.claim_id: one for one in judge(evidence, facts) if one.claim_id in CLAIMED}

    return run


def two_villages(gain, comparison_gain=5, jobs=0):
    return {
        "甲": ("本街", flat(60, gain), {2023: jobs}),
        "乙": ("本街", flat(60, gain), {2023: jobs}),
        "丁": ("邻镇", flat(60, comparison_gain), {}),
    }


@pytest.mark.parametrize(
    ("comparator", "low", "high", "verdict"),
    [
        (">", 20, 20, "contradicted"),
        (">", 20.1, 30, "supported"),
        (">", 10, 20, "contradicted"),
        (">", 19, 21, "not_testable"),
        (">", 20, 21, "not_testable"),
        (">=", 20, 20, "supported"),
        (">=", 10, 19.9, "contradicted"),
        (">=", 10, 20, "not_testable"),
        ("approx_ge", 20, 25, "supported"),
        ("approx_ge", 19, None, "not_testable"),
        ("approx_ge", 20, None, "supported"),
        ("<", 19, 19.9, "supported"),
        ("<", 20, 20, "contradicted"),
        ("approx_lt", 19, 19.9, "supported"),
        ("<=", 20, 20, "supported"),
        ("<=", 20.1, 21, "contradicted"),
        ("=", 20, 20, "supported"),
        ("=", 19, 21, "not_testable"),
        ("=", 21, 22, "contradicted"),
        ("=", None, None, "not_testable"),
    ],
)
def test_a_comparator_is_held_against_the_whole_range(comparator, low, high, verdict):
    assert decide(Comparator(comparator), Decimal(20), low=low, high=high) == verdict


def test_a_decimal_figure_equals_the_same_figure_measured():
    assert decide(Comparator.EQUAL, Decimal("211.7"), low=211.7, high=211.7) == "supported"


def test_a_comparator_that_numbers_cannot_contradict_is_refused():
    with pytest.raises(ValueError, match="since"):
        decide(Comparator.SINCE, Decimal(1), low=1.0, high=1.0)


def test_every_metric_that_a_claim_may_name_is_measured():
    assert {*MEASURES, "filing", "not_measurable"} == set(METRICS)


def test_claims_of_the_file_come_once_each_with_readings_a_b_and_c(check):
    found = check(two_villages(10))
    assert list(found) == CLAIMED
    assert {one.reading for one in found.values()} == {"A", "B", "C", None}
    assert all(not one.is_demonstration for one in found.values())


@pytest.mark.parametrize(
    ("gain", "verdict"), [(25, "supported"), (20, "contradicted"), (10, "contradicted")]
)
def test_reading_a_is_the_yearly_trend_and_names_that_of_comparison_villages(check, gain, verdict):
    found = check(two_villages(gain, comparison_gain=22))["income_gain_per_year"]
    assert (found.verdict, found.measured_value, found.published_value) == (verdict, gain, 20)
    assert (
        "other villages, without an initiative (1), changed by +22.0 万元 a year too"
        in found.reason.en
    )
    assert "未承办项目的 1 个村每年 +22.0 万元" in found.reason.zh


def test_reading_a_says_so_where_there_is_nothing_to_compare(check):
    units = two_villages(25)
    del units["丁"]
    assert "no comparison villages" in check(units)["income_gain_per_year"].reason.en


def test_reading_a_names_the_village_and_year_that_are_missing(check):
    units = two_villages(25)
    del units["乙"][1][2020]
    found = check(units)["income_gain_per_year"]
    assert (found.verdict, found.measured_value) == ("not_testable", None)
    assert "2020 for 1 villages (乙)" in found.reason.en


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (25, "supported"),  # above 20 whichever base year
        (10, "not_testable"),  # +30 since 2020, +20 since 2021, +10 since 2022
        (6, "contradicted"),  # +18 at most
    ],
)
def test_reading_b_holds_only_if_it_holds_for_every_base_year(check, gain, verdict):
    found = check(two_villages(gain))["income_rise_since_base"]
    assert (found.verdict, found.measured_value) == (verdict, 3 * gain)
    assert f"from +{gain:.1f} 万元 (2022) to +{3 * gain:.1f} 万元 (2020)" in found.reason.en


@pytest.mark.parametrize(
    ("interval", "att", "verdict"),
    [
        ((21, 29), 25, "supported"),
        ((20, 29), 25, "not_testable"),  # the claim is "more than", and 20 itself is inside
        ((10, 26), 18, "not_testable"),
        ((5, 19), 10, "contradicted"),
        ((-5, 7), 1, "contradicted"),
    ],
)
def test_reading_c_needs_the_whole_interval_of_the_pooled_effect(
    check, make_effect, interval, att, verdict
):
    low, high = interval
    effects = {"pooled": make_effect(low * WAN, att * WAN, high * WAN)}
    found = check(two_villages(25), effects=effects, hosts=["甲"])["income_effect_in_hosts"]
    assert (found.verdict, found.measured_value) == (verdict, att)
    holds = low <= 20 <= high
    assert ("the interval holds the claimed value" in found.reason.en) is holds
    assert ("区间包含所称的 20 万元" in found.reason.zh) is holds
    assert f"[{low:.1f}, {high:.1f}]" in found.reason.en


def test_reading_c_reads_a_log_effect_in_yuan(check, make_effect):
    natural = Estimate(30 * WAN, None, 25 * WAN, 35 * WAN)
    effects = {"pooled": make_effect(0.1, 0.2, 0.3, measure="log_points", natural=natural)}
    found = check(two_villages(1), effects=effects)["income_effect_in_hosts"]
    assert (found.verdict, found.measured_value) == ("supported", 30)


def test_reading_c_is_not_testable_without_a_pooled_effect_or_its_interval(check, make_effect):
    one = {"bonsai": make_effect(21 * WAN, 25 * WAN, 29 * WAN)}
    found = check(two_villages(25), effects=one)["income_effect_in_hosts"]
    assert (found.verdict, found.measured_value) == ("not_testable", None)
    bare = {"pooled": make_effect(None, 25 * WAN, None)}
    found = check(two_villages(25), effects=bare)["income_effect_in_hosts"]
    assert found.verdict == "not_testable"
    assert "no interval" in found.reason.en


def test_a_true_trend_is_no_effect_so_readings_a_and_c_can_disagree(check, make_effect):
    effects = {"pooled": make_effect(-3 * WAN, 0.0, 3 * WAN)}
    found = check(two_villages(25, comparison_gain=25), effects=effects)
    assert found["income_gain_per_year"].verdict == "supported"
    assert found["income_effect_in_hosts"].verdict == "contradicted"


@pytest.mark.parametrize(
    ("income", "verdict", "share"),
    [(500_001, "supported", 100), (500_000, "contradicted", 50)],
)
def test_all_above_50_fails_on_one_village_exactly_at_50(check, income, verdict, share):
    units = {
        "甲": ("本街", {2023: 800_000}, {}),
        "乙": ("本街", {2023: income}, {}),
        "丁": ("邻镇", {2023: 1}, {}),
    }
    found = check(units)["all_above_50"]
    assert (found.verdict, found.measured_value) == (verdict, share)


def test_a_silent_village_leaves_all_above_50_open_unless_another_is_below(check):
    units = {"甲": ("本街", {2023: 800_000}, {}), "乙": ("本街", {}, {})}
    found = check(units)["all_above_50"]
    assert found.verdict == "not_testable"
    assert "1 did not report (乙)" in found.reason.en
    units["甲"][1][2023] = 1
    assert check(units)["all_above_50"].verdict == "contradicted"


@pytest.mark.parametrize(
    ("n_above", "n_silent", "verdict"),
    [
        (16, 0, "supported"),
        (15, 0, "contradicted"),
        (17, 0, "contradicted"),
        (14, 2, "not_testable"),
        (13, 2, "contradicted"),
    ],
)
def test_sixteen_above_100_is_a_count(check, n_above, n_silent, verdict):
    units = {f"高{i}": ("本街", {2023: 1_000_001}, {}) for i in range(n_above)}
    units |= {f"空{i}": ("本街", {}, {}) for i in range(n_silent)}
    units["平"] = ("本街", {2023: 1_000_000}, {})
    found = check(units)["sixteen_above_100"]
    assert (found.verdict, found.measured_value) == (verdict, n_above)


@pytest.mark.parametrize(("jobs", "verdict"), [(500, "supported"), (499, "contradicted")])
def test_jobs_of_hosts_are_added_up(check, jobs, verdict):
    found = check(two_villages(10, jobs=jobs), hosts=["甲", "乙"])["local_jobs"]
    assert (found.verdict, found.measured_value) == (verdict, 2 * jobs)


def test_jobs_of_a_silent_host_leave_the_total_open_above_only(check):
    units = two_villages(10, jobs=600)
    units["乙"][2].clear()
    assert check(units, hosts=["甲", "乙"])["local_jobs"].verdict == "not_testable"
    units["甲"][2][2023] = 1000
    assert check(units, hosts=["甲", "乙"])["local_jobs"].verdict == "supported"


def test_a_missing_series_is_named(check):
    found = check(two_villages(10), drop=["jobs_persons"])["local_jobs"]
    assert (found.verdict, found.reason.en) == ("not_testable", "Missing: local jobs by village.")


def test_a_missing_year_is_named(check):
    units = {"甲": ("本街", {2020: 1}, {})}
    found = check(units)
    assert found["all_above_50"].verdict == "not_testable"
    assert "no whole year 2023" in found["all_above_50"].reason.en.lower()
    assert "2023 for 1 villages (甲)" in found["income_rise_since_base"].reason.en


def test_the_tender_claim_is_not_testable_and_says_what_is_missing(check):
    found = check(two_villages(10))["tender_platform_gain"]
    assert (found.verdict, found.measured_value) == ("not_testable", None)
    for words in ("ledger of lots", "launch date", "base and scope"):
        assert words in found.reason.en


def test_the_paper_maker_figure_is_caught_on_the_wrong_metric(check):
    found = check(two_villages(10))["paper_maker_revenue"]
    assert (found.verdict, found.measured_value) == ("contradicted", -0.5)
    assert "put on the wrong metric" in found.reason.en
    assert "净利润" in found.reason.zh


def test_on_demonstration_data_what_rests_on_the_panel_is_stamped_and_nothing_else(check):
    found = check(two_villages(25), is_synthetic=True)
    for one in found.values():
        assert one.is_demonstration is (one.basis == "panel")
        assert ("(Demonstration data.)" in one.reason.en) is one.is_demonstration
        assert ("（演示数据）" in one.reason.zh) is one.is_demonstration
    assert found["paper_maker_revenue"].basis == "filing"
    assert sum(one.is_demonstration for one in found.values()) >= 5


def test_reasons_carry_the_same_numbers_in_both_languages(check, make_effect):
    effects = {"pooled": make_effect(10 * WAN, 18 * WAN, 26 * WAN)}
    for one in check(two_villages(10, jobs=3), effects=effects, hosts=["甲"]).values():
        assert numbers(one.reason.zh) == numbers(one.reason.en)


def numbers(text):
    # What a reader sees as a figure: 20万 of a village's threshold is 200k in the other language.
    plain = re.sub(r"旁证.*|Published elsewhere.*", "", text)
    return sorted(set(re.findall(r"\d+(?:\.\d+)?", plain)))


def test_without_a_target_area_the_whole_panel_is_meant(check):
    units = {"甲": ("本街", {2023: 600_000}, {}), "丁": ("邻镇", {2023: 400_000}, {})}
    assert check(units, area="本街")["all_above_50"].verdict == "supported"
    assert check(units, area=None)["all_above_50"].verdict == "contradicted"


def test_the_table_is_plain_json_in_the_order_of_the_file(check, facts):
    table = claims_table(tuple(check(two_villages(10)).values()))
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert [one["id"] for one in table] == [one.id for one in load_claims(facts).claims]
    assert {one["fact_id"] for one in table} <= facts.ids


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("value = 1000\n", "value = 1001\n", "1001 differs from 1000 in fact"),
        ('comparator = "approx_ge"', 'comparator = ">"', "differs from approx_ge"),
        ('unit = "人"', 'unit = "万人"', "万人 differs from 人"),
        ('unit = "人"', 'unit = "户"', "choose one of: 人, 万人"),
        ('"local_jobs_total"', '"local_job_total"', "did you mean 'local_jobs_total'"),
        ("projects__local_jobs", "projects__local_job", "did you mean 'gongfu_projects__local_"),
        ('"tender_launch",', '"tender_lunch",', "did you mean 'tender_launch'"),
        ('scope = "hosts"', 'scope = "host"', "did you mean 'hosts'"),
        ('reading = "A"', 'reading = "D"', "'D' is not known here"),
        ("base_year = 2020\n", "", "metric mean_yearly_gain needs base_year"),
        ("value = 1000\n", "valeu = 1000\n", "did you mean 'value'"),
        ("value = 1000\n", "", "value is missing"),
        ("value = 1000\n", 'value = "1OOO"\n', "is not a number"),
        ("value = 1000\n", "value = true\n", "is not a number"),
        ('id = "all_above_50"', 'id = "local_jobs"', "the id is used twice"),
    ],
)
def test_a_fault_in_the_claims_file_is_named(tmp_path, old, new, words):
    folder = tmp_path / "facts"
    shutil.copytree(FOLDER, folder)
    path = folder / "claims.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        load_claims(load_facts(folder))
    assert words in caught.value.message("en")
    assert caught.value.where.startswith("claims.toml › claim ")
