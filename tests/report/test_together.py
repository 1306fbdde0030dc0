"""The initiatives as a family on the overview: no order without rank sets, refusals in words."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

import pytest

import cps
from cps.demo._world import draw_world
from cps.design.build import make_design, pool_initiatives
from cps.errors import Text
from cps.estimators.registry import estimate
from cps.figures.svg import to_svg
from cps.locale import Interval, Message, Words, load_words
from cps.report.blocks import Block, Figure, Paragraph, Table
from cps.report.render import render_report
from cps.report.sections import heterogeneity, together
from cps.runs import Run, make_run
from cps.synthesis.together import judge_together

from ..synthesis.panel_calibration import panel_of
from .test_pages import flat

INITIATIVES = cps.load_initiatives()


@pytest.fixture(scope="module")
def overview() -> Run:
    panel = panel_of(draw_world(INITIATIVES, is_spurious=False, seed=20231231))
    runs = []
    for one in INITIATIVES:
        if one.id != "jujube_garden":
            design = make_design(panel, one, others=INITIATIVES)
            effect = estimate(design, options={"weights": "did", "solver": "exact"})
            runs.append(make_run(design, one, effects=[effect]))
    whole = pool_initiatives(INITIATIVES)
    design = make_design(panel, whole)
    effects = [estimate(design, options={"weights": "did"})]
    extra = cps.synthesise(
        panel,
        INITIATIVES,
        runs,
        failures={"jujube_garden": Text("台账缺页", "a page is missing")},
        pooled=effects[0],
        facts=cps.load_facts(),
    )
    return make_run(design, whole, kind="overview", effects=effects, extra=extra)


def words() -> Words:
    return load_words("zh", sections={"together": together.TEXT})


def read(run: Run, language: str) -> str:
    """Give the page's words as they are read, without the seams between marked-up parts."""
    return re.sub(r"\s+([.,:;。，：；)）])", r"\1", flat(render_report(run, language=language)))


def _with(run: Run, change: Any) -> Run:
    found = copy.deepcopy(run.extra["together"])
    change(found)
    return dataclasses.replace(run, extra={**run.extra, "together": found})


def _told_apart(found: dict[str, Any]) -> None:
    """As if the first were known to be the last, and the others to be above it."""
    table, family = found["initiatives"], found["family"]
    n = len(table["initiative"])
    for name, first, others in (("low", n, 1), ("high", n, n - 1)):
        for ending in ("", "_all"):
            table[f"rank_{name}{ending}"] = [first, *[others] * (n - 1)]
    table["may_lead"] = [False, *[True] * (n - 1)]
    family |= {"tells_nothing": False, "n_pairs_told": n - 1}


def _figures(blocks: list[Block]) -> list[Figure]:
    return [one for one in blocks if isinstance(one, Figure)]


def _rank_rows(run: Run, words: Words) -> list[dict[str, Any]]:
    spec = _figures(together.build(run))[0].draw(words, "合成数据")
    return [
        {
            **bar,
            "dot": [
                dot for dot in spec["layer"][1]["data"]["values"] if dot["name"] == bar["name"]
            ],
        }
        for bar in spec["layer"][0]["data"]["values"]
    ]


def test_where_nothing_is_told_apart_no_order_is_shown_at_all(overview: Run) -> None:
    assert overview.extra["together"]["family"]["tells_nothing"]
    rows = _rank_rows(overview, words())
    assert [row["name"] for row in rows] == [one.name.zh for one in INITIATIVES]
    assert all(row["rank"] is None and not row["dot"] for row in rows)
    assert {row["words"] for row in rows} == {"排名可能在第 1 至第 15 位"}
    page = read(overview, "zh")
    assert "数据分不出先后" in page
    assert "按申报顺序排列，也不标估计值的位次" in page


def test_an_order_is_shown_only_beside_its_sets(overview: Run) -> None:
    told = _with(overview, _told_apart)
    table = told.extra["together"]["initiatives"]
    rank = dict(zip([one.name.zh for one in INITIATIVES], table["rank"], strict=True))
    rows = _rank_rows(told, words())
    known = [row["name"] for row in rows if rank[row["name"]] is not None]
    assert known == sorted(known, key=rank.__getitem__)
    assert rows[-1]["name"] == "枣园（示例）"  # the one without an estimate, dot-less
    assert [bool(row["dot"]) for row in rows] == [True] * 14 + [False]
    # Each row says its set in words and has its bar, whatever its rank.
    assert all(row["to"] > row["from"] and "第" in row["words"] for row in rows)
    assert (
        rows[[row["name"] for row in rows].index("盆景产业（示例）")]["words"] == "排名为第 15 位"
    )


def test_without_rank_sets_there_is_no_order_anywhere(overview: Run) -> None:
    def refuse(found: dict[str, Any]) -> None:
        for name in ("rank", "rank_low", "rank_high", "rank_low_all", "rank_high_all"):
            found["initiatives"][name] = [None] * 15
        for name in ("may_lead", "may_trail", "may_be_best", "may_be_last"):
            del found["initiatives"][name]
        for name in ("n_pairs", "n_pairs_told", "tells_nothing"):
            del found["family"][name]
        found["refusals"].append(
            {"part": "ranks", "what_zh": "缘由", "what_en": "why", "mend_zh": "改", "mend_en": "do"}
        )

    blocks = together.build(_with(overview, refuse))
    assert len(_figures(blocks)) == 1  # the pooled ones, in the order declared
    said = [one.content.key for one in blocks if isinstance(one, Paragraph)]
    assert "together.refused_ranks" in said
    assert not {"together.tells_nothing", "together.tells_some", "together.best"} & set(said)


def test_tables_follow_the_declaration_and_every_rank_in_them_is_a_set(overview: Run) -> None:
    blocks = together.build(_with(overview, _told_apart))
    tables = [one for one in blocks if isinstance(one, Table)]
    assert len(tables) == 2
    for table in tables:
        links = [row[0].href for row in table.rows]  # type: ignore[union-attr]
        assert links == [f"{one.id}.html" for one in INITIATIVES]
        for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=True):
            if "rank" in str(column.head):
                assert all(isinstance(cell, Interval) for cell in cells)
        assert not any(
            isinstance(column.head, Message) and column.head.key == "together.rank"
            for column in table.columns
        )


def test_no_table_of_the_whole_overview_puts_initiatives_in_another_order(overview: Run) -> None:
    declared = [one.id for one in INITIATIVES]
    n_tables = 0
    for run in (overview, _with(overview, _told_apart)):
        page = render_report(run, language="en")
        for table in re.findall(r"<table.*?</table>", page, flags=re.DOTALL):
            links = [one for one in re.findall(r'href="(\w+)\.html"', table) if one in declared]
            assert links == [one for one in declared if one in links]
            n_tables += len(links) >= 14
    assert n_tables >= 6


def test_pages_in_both_languages_say_the_same_and_name_who_is_left_out(overview: Run) -> None:
    zh, en = (read(overview, language) for language in ("zh", "en"))
    assert "枣园（示例）未能并入，可能排在任何位次：台账缺页。" in zh
    assert (
        "Jujube garden (example) could not be joined and may stand anywhere: a page is missing."
        in en
    )
    family = overview.extra["together"]["family"]
    assert family["n_joined"] == 14
    low = overview.extra["together"]["initiatives"]["pooled_low"][0]
    percent = f"{100 * (2.718281828459045**low - 1):.1f}".replace("-", "−")
    assert percent in zh
    assert percent in en


def test_who_may_lead_is_named_where_some_can_be_ruled_out(overview: Run) -> None:
    page = read(_with(overview, _told_apart), "zh")
    place = page.index("可能进入前 3 位的有 14 个项目：")
    assert "盆景产业" not in page[place : page.index("。", place)]


def test_traits_that_are_not_seen_to_matter_come_with_what_could_have_been_seen(
    overview: Run,
) -> None:
    (table,) = (one for one in heterogeneity.build(overview) if isinstance(one, Table))
    assert len(table.rows) == 5  # two of three families, and three numbers
    page = read(overview, "en")
    assert "none is seen to go with the size of effects" in page

    def related(found: dict[str, Any]) -> None:
        found["traits"][1] |= {"verdict": "goes_with", "adjusted": 0.01}
        found["traits"][0] |= {"verdict": "too_few", "reason_zh": "太少", "reason_en": "too few"}

    page = read(_with(overview, related), "en")
    assert "effects go with: Start." in page
    assert "Family of format is not compared: too few." in page


def test_a_run_without_the_record_has_no_such_sections(overview: Run) -> None:
    bare = dataclasses.replace(overview, extra={})
    assert together.build(bare) == heterogeneity.build(bare) == []


def test_where_errors_can_not_be_joined_the_page_says_why_and_gives_no_number(
    overview: Run,
) -> None:
    panel = panel_of(draw_world(INITIATIVES, is_spurious=False, seed=20231231))
    nothing = dataclasses.replace(
        overview, extra={"together": judge_together(panel, INITIATIVES, [])}
    )
    blocks = [*together.build(nothing), *heterogeneity.build(nothing)]
    assert not [one for one in blocks if isinstance(one, Figure | Table)]
    page = read(nothing, "en")
    assert "The joint errors of the initiatives can't be had" in page
    assert "Bonsai industry (example) could not be joined" in page


def test_figures_carry_the_synthetic_mark(overview: Run) -> None:
    for figure in _figures(together.build(overview)):
        assert "合成数据" in to_svg(figure.draw(words(), "合成数据"), label="x", key="k")
