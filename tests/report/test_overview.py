"""The overview: all initiatives on one figure, failures in sight, claims checked."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from cps.__main__ import main
from cps.demo import write_demo
from cps.design.build import make_design, pool_initiatives
from cps.design.initiatives import load_initiatives
from cps.errors import Text
from cps.estimators.registry import estimate
from cps.facts import load_facts
from cps.indicators.summary import summarise_panel
from cps.ledger.read import read_ledgers
from cps.panel.build import build_panel
from cps.report.render import render_report, write_report
from cps.runs import Run, load_run, make_run, save_run
from cps.synthesis.claims import check_claims, claims_table
from cps.synthesis.overview import synthesise

from .test_pages import visible


@pytest.fixture(scope="module")
def overview(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("data") / "raw" / "demo"
    write_demo(folder)
    panel = build_panel(read_ledgers(folder))
    declared = load_initiatives()
    runs = []
    for one in declared:
        if one.id != "bonsai":
            design = make_design(panel, one, others=declared)
            runs.append(
                make_run(design, one, effects=[estimate(design, options={"weights": "did"})])
            )
    together = pool_initiatives(declared)
    design = make_design(panel, together)
    effects = [estimate(design, options={"weights": "did"})]
    extra = synthesise(
        panel,
        declared,
        runs,
        failures={"bonsai": Text("缺少对照", "no comparison")},
        pooled=effects[0],
        facts=load_facts(),
    )
    indicators = summarise_panel(panel, area=extra["target_area"])
    return make_run(
        design, together, kind="overview", effects=effects, indicators=indicators, extra=extra
    )


def test_fifteen_initiatives_are_on_one_figure_and_in_one_table(overview: Run) -> None:
    for language in ("zh", "en"):
        page = render_report(overview, language=language)
        drawing = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)[0]
        names = [one.name.in_language(language) for one in load_initiatives()]
        assert len(names) == 15
        assert all(name in drawing for name in names)
        links = set(re.findall(r'href="(\w+\.html)"', page))
        assert links >= {f"{one.id}.html" for one in load_initiatives()}


def test_a_failed_initiative_is_named_with_its_reason(overview: Run) -> None:
    text = visible(render_report(overview, language="en"))
    assert "1 initiative failed" in text
    assert "no comparison" in text
    assert "14 evaluated" in text
    reason = re.search(r'<p class="warn"><a href="bonsai\.html">', render_report(overview))
    assert reason is not None


def test_claims_are_grouped_by_verdict_and_each_on_made_up_data_says_so(overview: Run) -> None:
    page = render_report(overview, language="en")
    text = visible(page)
    claims = overview.extra["claims"]
    on_panel = [one for one in claims if one["is_demonstration"]]
    assert len(on_panel) == sum(one["basis"] == "panel" for one in claims) == 8
    assert text.count("(Demonstration data.)") == len(on_panel)
    assert {one["reading"] for one in claims} >= {"A", "B", "C"}
    heads = ["Claims that the data support", "Claims that the data contradict"]
    heads += ["Claims that the data can't decide", "Other claims that can't be tested"]
    places = [text.index(head) for head in (*heads, "Worked-out figures, worked out again")]
    assert places == sorted(places)
    for one in claims:
        place = text.index(one["reason_en"], text.index("Claims checked"))
        if one["verdict"] == "contradicted":
            assert places[1] < place < places[2]
    assert "The number is the growth of net profit" in text[places[1] : places[2]]


def test_every_fact_with_a_figure_has_its_row_on_the_page(overview: Run) -> None:
    text = visible(render_report(overview))
    for one in overview.extra["claims"]:
        assert one["text_zh"] in text
    counts = overview.extra["claims_excluded"]
    assert sum(one["n_facts"] for one in counts) == 62


def test_no_real_village_stands_on_a_page_of_synthetic_numbers(overview: Run) -> None:
    for language in ("zh", "en"):
        page = render_report(overview, language=language)
        for real in ("城西", "Chengxi", "义乌", "流里塘", "石明堂", "分水塘", "何斯路"):
            assert real not in page


def test_the_overview_is_the_index(overview: Run, tmp_path: Path) -> None:
    paths = write_report(overview, tmp_path)
    assert [path.name for path in paths] == ["index.html", "index.html"]


def test_an_overview_of_jobs_shows_persons_where_there_is_no_money(overview: Run) -> None:
    table = dict(overview.extra["comparison"])
    for key in ("att_yuan", "ci_low_yuan", "ci_high_yuan", "att_log", "ci_low_log", "ci_high_log"):
        table[key] = [None] * 15
    table["measure"] = ["persons"] * 15
    run = dataclasses.replace(overview, extra={**overview.extra, "comparison": table})
    assert "persons" in visible(render_report(run, language="en"))


def test_claims_are_judged_alike_from_the_panel_and_from_the_saved_run(
    overview: Run, tmp_path: Path
) -> None:
    save_run(overview, tmp_path)
    again = check_claims(load_run(tmp_path), load_facts())
    assert claims_table(again) == overview.extra["claims"]
    own = tmp_path / "own.toml"
    own.write_text(_OWN, encoding="utf-8")
    (saved,) = check_claims(load_run(tmp_path), load_facts(), claims=own)
    (fresh,) = check_claims(overview, load_facts(), claims=str(own))
    assert saved == fresh
    assert saved.verdict == "supported"
    assert saved.is_demonstration


_OWN = """
[[claim]]
id = "giant"
text = "某村 2022 年收入超过 500 万元"
metric = "total"
comparator = "超过"
value = 500
unit = "万元"
scope = "village:示例村30"
year = 2022
"""


def test_the_command_prints_verdicts_and_ends_as_the_house_ends(
    overview: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_run(overview, tmp_path / "overview")
    own = tmp_path / "own.toml"
    own.write_text(_OWN, encoding="utf-8")
    assert main(["claims", str(tmp_path), "--lang", "zh"]) == 0
    told = capsys.readouterr().out
    assert "指标张冠李戴" in told
    assert "19 项无误" in told
    assert told.startswith("合成数据")
    assert main(["claims", str(tmp_path), "--claims", str(own), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["claims"]
    assert (row["verdict"], row["is_demonstration"]) == ("supported", True)
    own.write_text(_OWN.replace("示例村30", "示例村3O"), encoding="utf-8")
    assert main(["claims", str(tmp_path), "--claims", str(own), "--lang", "en"]) == 5
    assert "own.toml › claim giant › scope" in capsys.readouterr().err
    assert main(["claims", str(tmp_path), "--claims", str(tmp_path / "no.toml")]) == 2
    assert main(["claims", str(tmp_path / "nowhere")]) == 3


def test_claims_of_the_users_own_stand_on_the_page(overview: Run) -> None:
    row = {**overview.extra["claims"][0], "text_en": "A claim of one's own", "text_zh": "自拟"}
    run = dataclasses.replace(overview, extra={**overview.extra, "own_claims": [row]})
    text = visible(render_report(run, language="en"))
    assert "Claims of your own, checked" in text
    assert "supported (demonstration)" in text
