"""Claims of the user's own: each metric by hand, each scope, each comparator, each fault by its key."""

import dataclasses
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from cps.errors import LedgerError, Text, UsageError
from cps.facts import Comparator, load_facts
from cps.synthesis._claim_metrics import METRICS
from cps.synthesis._claim_words import COMPARATORS
from cps.synthesis.claim_file import Claim, load_claims
from cps.synthesis.claims import check_claims, claims_table, decide, hold_claims, judge

from .claimed import WAN, claims_file, evidence_from, project

# 万元 in 2020 and 2023; the target area has 甲 to 戊.
INCOMES = {"甲": (10, 40), "乙": (20, 50), "丙": (30, 100), "丁": (40, 110), "戊": (100, 200)}


@pytest.fixture(scope="module")
def facts():
    return load_facts()


@pytest.fixture
def ask(make_panel, facts, tmp_path):
    def run(body, *, units=None, comparison=None, pooled=None, cost_yuan=100 * WAN):
        given = units or {
            **{
                name: ("本街", {2020: a * WAN, 2023: b * WAN}, {2023: 10 * place})
                for place, (name, (a, b)) in enumerate(INCOMES.items(), start=1)
            },
            "己": ("邻镇", {2020: 500 * WAN, 2023: 500 * WAN}, {}),
        }
        projects = [project(["甲", "乙"], "garden", cost_yuan), project(["丙"], "market", 50 * WAN)]
        evidence = evidence_from(
            make_panel(given), projects, area="本街", pooled=pooled, comparison=comparison
        )
        (found,) = judge(evidence, facts, own=claims_file(tmp_path, body))
        return found

    return run


def body(metric, comparator, value, unit, scope="target_area", **more):
    keys = {"metric": metric, "comparator": comparator, "unit": unit, "scope": scope, **more}
    lines = [f"value = {value}"]
    for name, one in keys.items():
        if isinstance(one, bool):
            lines.append(f"{name} = {str(one).lower()}")
        else:
            lines.append(f'{name} = "{one}"' if isinstance(one, str) else f"{name} = {one}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("claim", "measured", "verdict"),
    [
        (body("total", ">=", 500, "万元", year=2023), 500, "supported"),
        (body("total", ">", 200, "万元", year=2020), 200, "contradicted"),
        (body("mean", "=", 100, "万元", year=2023), 100, "supported"),
        (body("mean", "=", 1_000_000, "元", year=2023), 1_000_000, "supported"),
        (body("mean", "约", 110, "万元", year=2023), 100, "supported"),
        (body("mean", "约", 112, "万元", year=2023), 100, "contradicted"),
        (body("median", "超", 99, "万元", year=2023), 100, "supported"),
        (body("minimum", "不低于", 40, "万元", year=2023), 40, "supported"),
        (body("nth_highest", ">", 100, "万元", year=2023, rank=3), 100, "contradicted"),
        (body("nth_highest", ">", 100, "万元", year=2023, rank=2), 110, "supported"),
        (body("growth", "以上", 150, "%", year=2023, base_year=2020), 150, "supported"),
        (body("growth", "=", 1.5, "倍", year=2023, base_year=2020), 1.5, "supported"),
        (body("mean_rise", "=", 60, "万元", year=2023, base_year=2020), 60, "supported"),
        (body("mean_yearly_gain", "=", 20, "万元", year=2023, base_year=2020), 20, "supported"),
        (body("share_above", "=", 40, "%", year=2023, threshold_yuan=1_000_000), 40, "supported"),
        (
            body(
                "share_above",
                "=",
                60,
                "%",
                year=2023,
                threshold_yuan=10**6,
                threshold_includes=True,
            ),
            60,
            "supported",
        ),
        (body("count_above", "多", 2, "个村", year=2023, threshold_yuan=10**6), 2, "supported"),
        (
            body(
                "share_above_change",
                "=",
                40,
                "个百分点",
                base_year=2020,
                year=2023,
                threshold_yuan=10**6,
            ),
            40,
            "supported",
        ),
        # Gini of 40, 50, 100, 110, 200: sum of |differences| over all pairs is 1,520 × 2;
        # 2 × 1,520 ÷ (2 × 25 × 100) = 0.304 after the pairs are counted: worked by hand below.
        (body("gini", "=", '"0.304"', "", year=2023), 0.304, "supported"),
        # Palma: the top tenth holds half of 200, the lowest 40% hold 40 + 50.
        (body("palma", "=", 1.11, "倍", year=2023), 100 / 90, "supported"),
        (body("p90_p10", "=", 5, "倍", year=2023), 5, "supported"),
        (body("local_jobs_total", ">=", 150, "人", year=2023), 150, "supported"),
        (body("local_jobs_total", "近", 155, "人"), 150, "supported"),
        (body("total", "=", 60, "人", "hosts", year=2023, outcome="jobs_persons"), 60, "supported"),
        (body("mean", "between", 15, "万元", "hosts", year=2020, value_to=20), 20, "supported"),
        (body("mean", "介于", 15, "万元", "hosts", year=2020, value_to=19.9), 20, "contradicted"),
        (body("mean", "=", 500, "万元", "area:邻镇", year=2023), 500, "supported"),
        (body("total", "低于", 1001, "万元", "all", year=2023), 1000, "supported"),
        (body("total", "=", 50, "万元", "village:乙", year=2023), 50, "supported"),
        (body("mean", "=", 45, "万元", "initiative:garden", year=2023), 45, "supported"),
        (
            body("cost_per_job", "<=", 5, "万元", "initiative:garden", year=2023),
            200 / 30,
            "contradicted",
        ),
        (body("cost_per_job", "=", 4.17, "万元/人", "hosts", year=2023), 250 / 60, "supported"),
    ],
)
def test_each_metric_is_what_one_works_out_by_hand(ask, claim, measured, verdict):
    found = ask(claim)
    assert found.measured_value == pytest.approx(measured, rel=1e-12)
    assert found.verdict == verdict
    assert found.basis == "panel"


def test_the_gini_of_the_example_is_that_of_all_pairs():
    values = [late for _, late in INCOMES.values()]
    pairs = sum(abs(a - b) for a in values for b in values)
    assert pairs / (2 * len(values) ** 2 * (sum(values) / len(values))) == pytest.approx(0.304)


def comparison(**columns):
    row = {
        "initiative": "garden",
        "status": "ok",
        "message_zh": "",
        "message_en": "",
        "measure": "log_points",
        "level": 0.95,
        "n_treated": 2,
        "n_comparison": 9,
        "att": 0.2,
        "ci_low": 0.1,
        "ci_high": 0.3,
        "att_log": 0.2,
        "ci_low_log": 0.1,
        "ci_high_log": 0.3,
        "att_yuan": 9 * WAN,
        "ci_low_yuan": 4 * WAN,
        "ci_high_yuan": 15 * WAN,
        **columns,
    }
    return {name: [value] for name, value in row.items()}


@pytest.mark.parametrize(
    ("comparator", "value", "unit", "verdict"),
    [
        (">", 3, "万元", "supported"),
        (">", 15, "万元", "contradicted"),
        (">", 9, "万元", "not_testable"),
        (">", 10, "%", "supported"),  # exp(0.1) − 1 = 10.5%
        (">", 11, "%", "not_testable"),
        ("<", 35, "%", "supported"),  # exp(0.3) − 1 = 34.99%
    ],
)
def test_an_initiatives_effect_is_held_with_its_whole_interval(
    ask, comparator, value, unit, verdict
):
    claim = body("effect", comparator, value, unit, "initiative:garden")
    found = ask(claim, comparison=comparison())
    assert found.verdict == verdict
    assert "2 host against 9 comparison villages" in found.reason.en
    assert "95%" in found.reason.zh


def test_an_initiative_that_failed_has_no_effect_to_claim(ask):
    failed = comparison(status="failed", message_zh="缺数", message_en="no data", measure=None)
    found = ask(body("effect", ">", 1, "万元", "initiative:garden"), comparison=failed)
    assert (found.verdict, found.basis) == ("not_testable", "none")
    assert "no data" in found.reason.en


def test_a_claim_on_people_is_not_held_against_an_effect_on_income(ask, make_effect):
    claim = body("effect", ">", 1, "人", "hosts", outcome="jobs_persons")
    found = ask(claim, pooled=make_effect(1 * WAN, 2 * WAN, 3 * WAN))
    assert found.verdict == "not_testable"


def test_cost_per_job_needs_every_cost(ask):
    found = ask(body("cost_per_job", "<", 9, "万元", "hosts", year=2023), cost_yuan=None)
    assert found.verdict == "not_testable"
    assert "money is not recorded: Project" in found.reason.en


def test_growth_over_a_new_accounting_system_is_told(make_panel, facts, tmp_path):
    import dataclasses

    import polars as pl

    panel = make_panel({"甲": ("本街", {2022: WAN, 2023: 2 * WAN}, {})})
    regime = pl.when(pl.col("period") >= 2023).then(pl.lit("2023")).otherwise(pl.lit("2004"))
    panel = dataclasses.replace(panel, frame=panel.frame.with_columns(regime=regime))
    path = claims_file(tmp_path, body("growth", "=", 100, "%", "all", year=2023))
    (found,) = judge(evidence_from(panel, []), facts, own=path)
    assert found.verdict == "supported"
    assert "the definition changed" in found.reason.en
    assert "口径有变" in found.reason.zh


def test_a_silent_village_opens_a_total_above_and_hides_a_mean(ask):
    units = {"甲": ("本街", {2023: 60 * WAN}, {}), "乙": ("本街", {}, {})}
    found = ask(body("total", ">=", 60, "万元", year=2023), units={**units, "丙": ("邻镇", {}, {})})
    assert (found.verdict, found.measured_low, found.measured_high) == ("supported", 60, None)
    found = ask(body("total", "<", 70, "万元", year=2023), units={**units, "丙": ("邻镇", {}, {})})
    assert found.verdict == "not_testable"
    found = ask(body("mean", ">", 1, "万元", year=2023), units={**units, "丙": ("邻镇", {}, {})})
    assert "2023 for 1 villages (乙)" in found.reason.en


@pytest.mark.parametrize(
    ("word", "comparator"),
    [
        ("超", ">"),
        ("以上", ">="),
        ("不低于", ">="),
        ("至少", ">="),
        ("余", "approx_ge"),
        ("近", "approx_lt"),
        ("约", "approx"),
        ("不超过", "<="),
        ("不足", "<"),
    ],
)
def test_words_of_comparison_are_those_of_the_language(word, comparator):
    assert COMPARATORS[word] is Comparator(comparator)


@pytest.mark.parametrize(
    ("comparator", "published", "measured", "verdict"),
    [
        ("approx", 100, 90, "supported"),
        ("approx", 100, 110, "supported"),
        ("approx", 100, 89.9, "contradicted"),
        ("approx", -100, -95, "supported"),
        ("approx_lt", 100, 99, "supported"),
        ("approx_lt", 100, 89, "contradicted"),  # "nearly 100" isn't any number below it
        ("approx_lt", 100, 100, "contradicted"),
        ("=", 47.5, 47.54, "supported"),
        ("=", 47.5, 47.56, "contradicted"),
        ("=", 20, 20.4, "supported"),
        ("=", 20, 20.6, "contradicted"),
    ],
)
def test_about_nearly_and_rounded_figures_have_written_limits(
    comparator, published, measured, verdict
):
    figure = Decimal(str(published))
    assert decide(Comparator(comparator), figure, low=measured, high=measured) == verdict


def test_all_villages_means_all_and_no_rounded_share(ask):
    units = {f"村{place:03}": ("本街", {2023: 60 * WAN}, {}) for place in range(411)}
    units |= {"低": ("本街", {2023: 40 * WAN}, {}), "甲": ("邻镇", {}, {})}
    claim = body("share_above", "=", 100, "%", year=2023, threshold_yuan=500_000)
    assert ask(claim, units=units).verdict == "contradicted"  # 99.8% would round to 100


def test_a_tolerance_of_the_claims_own_is_kept(ask):
    claim = body("mean", "约", 110, "万元", year=2023, tolerance_pct=5)
    assert ask(claim).verdict == "contradicted"


GOOD = body("mean", "超", 1, "万元", year=2023)
FAULTS = [
    (GOOD.replace("mean", "maen"), "metric", "did you mean 'mean'"),
    (GOOD.replace("超", "超过了"), "comparator", "did you mean '超过'"),
    (GOOD.replace("万元", "万员"), "unit", "choose one of: 元, 万元, 亿元"),
    (GOOD.replace("万元", "人"), "unit", "can't be stated in '人'"),
    (GOOD.replace("target_area", "target"), "scope", "did you mean 'target_area'"),
    (GOOD.replace("target_area", "village:甲"), "scope", "choose one of: target_area, hosts"),
    (GOOD.replace("target_area", "area"), "scope", "is not known here"),
    (GOOD.replace("year = 2023", ""), "year", "metric mean needs year"),
    (GOOD.replace("year = 2023", 'year = "2023"'), "year", "without quotes"),
    (GOOD.replace("year = 2023", "year = 23"), "year", "no whole number from 1900"),
    (GOOD + "\nrank = 2", "rank", "metric mean has no use for rank"),
    (GOOD + "\nthreshold = 5", "threshold", "is not known here"),
    (GOOD + "\nvalue_to = 5", "value_to", "only a range"),
    (GOOD.replace("超", "between"), "value_to", "upper end"),
    (GOOD + '\noutcome = "income"', "outcome", "did you mean 'income_yuan'"),
    (GOOD + "\ntolerance_pct = 100", "tolerance_pct", "between 0 and 100"),
    (
        GOOD + '\ncontext = ["yiwu_share_ge20_2O20"]',
        "context",
        "did you mean 'yiwu_share_ge20_2020'",
    ),
    (body("growth", "超", 1, "%", year=2020, base_year=2021), "base_year", "not before 2020"),
    (body("share_above", "超", 1, "%", year=2023, threshold_yuan=0), "threshold_yuan", "no whole"),
    (
        body("share_above", "超", 1, "%", year=2023, threshold_yuan=5, outcome="jobs_persons"),
        "outcome",
        "no use",
    ),
    (GOOD.replace("value = 1", 'value = "nan"'), "value", "is not a number"),
    (GOOD.replace("value = 1", 'value = "1,5"'), "value", "is not a number"),
    (GOOD.replace("value = 1", "value = 1e308"), "value", "beyond any statistic"),
    (GOOD.replace("value = 1", "value = 1e-300"), "value", "beyond any statistic"),
]


@pytest.mark.parametrize(("claim", "key", "words"), FAULTS)
def test_a_fault_names_file_claim_key_and_mend(tmp_path, facts, claim, key, words):
    with pytest.raises(LedgerError) as caught:
        load_claims(facts, claims_file(tmp_path, claim))
    assert caught.value.where == f"own.toml › claim c0 › {key}"
    assert words in caught.value.message("en")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("scope", "near"),
    [("village:丁丁", "丁"), ("area:邻镇镇", "邻镇"), ("initiative:gardens", "garden")],
)
def test_a_name_that_the_data_do_not_have_is_refused_with_the_nearest(ask, scope, near):
    metric = "total" if scope.startswith("village") else "mean"
    with pytest.raises(LedgerError) as caught:
        ask(body(metric, "超", 1, "万元", scope, year=2023))
    assert caught.value.where == "own.toml › claim c0 › scope"
    assert f"did you mean {near!r}" in caught.value.message("en")


def test_the_faults_of_all_claims_are_told_at_once(tmp_path, facts):
    path = claims_file(tmp_path, GOOD.replace("mean", "maen"), GOOD, GOOD.replace("超", "超了"))
    with pytest.raises(LedgerError) as caught:
        load_claims(facts, path)
    places = [one.where for one in caught.value.findings]
    assert places == ["own.toml › claim c0 › metric", "own.toml › claim c2 › comparator"]


def test_a_file_that_is_no_toml_is_rejected_and_one_that_is_missing_is_misuse(tmp_path, facts):
    path = tmp_path / "own.toml"
    path.write_text("[[claim]\n", encoding="utf-8")
    with pytest.raises(LedgerError):
        load_claims(facts, path)
    with pytest.raises(UsageError):
        load_claims(facts, tmp_path / "none.toml")


def test_one_sentence_will_do_for_both_languages(tmp_path, facts):
    (claim,) = load_claims(facts, claims_file(tmp_path, GOOD)).claims
    assert claim.text == Text("一句话 0", "一句话 0")


def test_the_example_of_the_manual_is_a_claim(tmp_path, facts):
    manual = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    path = tmp_path / "own.toml"
    path.write_text(manual.split("```toml")[1].split("```")[0], encoding="utf-8")
    (claim,) = load_claims(facts, path).claims
    assert (claim.metric, claim.value, claim.year) == ("median", 80, 2022)


def test_the_manual_names_every_metric_key_and_word():
    manual = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    keys = {one.name for one in dataclasses.fields(Claim)} - {"where"}
    for name in (*METRICS, *keys, *COMPARATORS):
        assert re.search(rf"(?<![a-z_]){re.escape(name)}(?![a-z_])", manual), name


WEIRD = ["5", "true", '"x"', "[]", "[[1]]", "{ a = 1 }", "1979-05-27", "nan", "1e400"]


@pytest.mark.parametrize("name", [one.name for one in dataclasses.fields(Claim)])
def test_whatever_stands_at_a_key_is_read_or_refused_by_that_key(tmp_path, facts, name):
    for weird in WEIRD:
        kept = [line for line in GOOD.splitlines() if not line.startswith(f"{name} =")]
        path = tmp_path / "own.toml"
        keys = {"id": '"c"', "text": '"t"'}
        keys.pop(name, None)
        first = "\n".join(f"{key} = {one}" for key, one in keys.items())
        path.write_text(
            "\n".join(["[[claim]]", first, *kept, f"{name} = {weird}"]), encoding="utf-8"
        )
        try:
            load_claims(facts, path)
        except LedgerError as error:
            is_id = name == "id" and "claim " in error.where
            assert is_id or error.where.startswith(f"own.toml › claim c › {name}"), weird


def test_a_file_of_another_shape_is_refused(tmp_path, facts):
    path = tmp_path / "own.toml"
    for text in ("claim = 3", "claim = [3]", "series = 3", 'place = "a"', "filing = 3", "x = 1"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LedgerError) as caught:
            load_claims(facts, path)
        assert caught.value.where.startswith("own.toml")


def test_the_overview_holds_the_users_claims_beside_the_facts(make_panel, facts, tmp_path):
    panel = make_panel({"甲": ("本街", {2023: 60 * WAN}, {})}, is_synthetic=True)
    path = claims_file(tmp_path, body("mean", "超", 50, "万元", "all", year=2023))
    given = {"pooled": None, "target_area": "本街", "facts": facts}
    held = hold_claims(panel, [project(["甲"])], {}, own=path, **given)
    mine = judge(evidence_from(panel, [project(["甲"])], area="本街"), facts, own=path)
    assert held["own_claims"] == claims_table(mine)
    assert held["own_claims"][0]["verdict"] == "supported"
    without = hold_claims(panel, [project(["甲"])], {}, **given)
    assert without == {**held, "own_claims": []}
    assert json.loads(json.dumps(held, allow_nan=False)) == held


def test_a_run_that_is_no_overview_is_misuse(facts):
    class NoOverview:
        design, effects, extra = {"outcome": "income_yuan"}, (), {"comparison": {}}

    with pytest.raises(UsageError, match="nothing to test claims with"):
        check_claims(NoOverview(), facts)
