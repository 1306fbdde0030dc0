"""Pages: the same numbers in every language, nothing from outside, nothing that runs."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cps.errors import Finding, RunError, Text, UsageError
from cps.report.render import render_report, write_report
from cps.result import Estimate
from cps.runs import Run, load_run, make_run, save_run

from .conftest import initiative, small_design

MakeRun = Callable[..., Run]


def visible(page: str) -> str:
    """Give the text of a page's body without its drawings."""
    body = page.split("<body", 1)[1]
    body = re.sub(r"<svg.*?</svg>", " ", body, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


def flat(page: str) -> str:
    """Give the text of a page's body as it is read: without gaps where a name is set apart."""
    return html.unescape(re.sub(r"</?(?:bdi|a|b)\b[^>]*>", "", page.split("<body", 1)[1]))


@pytest.fixture(scope="module")
def pages(run_of: MakeRun) -> dict[str, str]:
    run = run_of(subject=initiative())
    return {language: render_report(run, language=language) for language in ("zh", "en")}


def test_both_languages_carry_the_same_headline_in_their_own_units(pages: dict[str, str]) -> None:
    zh = re.search(
        r"高出约 ([\d.]+)万元。95% 区间为 \+([\d.]+) 至 \+([\d.]+)万元", visible(pages["zh"])
    )
    en = re.search(
        r"about ([\d,]+) thousand yuan more in .*?interval, \+([\d,]+) to \+([\d,]+) thousand",
        visible(pages["en"]),
    )
    assert zh is not None
    assert en is not None
    for wan, thousand in zip(zh.groups(), en.groups(), strict=True):
        assert float(wan) * 10 == pytest.approx(float(thousand.replace(",", "")))


def test_tables_and_figures_are_as_many_in_every_language(pages: dict[str, str]) -> None:
    counts = [
        (page.count("<table>"), page.count("<svg"), page.count("<tr>"), page.count("<h2"))
        for page in pages.values()
    ]
    assert counts[0] == counts[1]
    assert counts[0][0] >= 6
    assert counts[0][1] == 4  # event study, paths, sensitivity, placebos


def test_a_page_asks_nothing_of_any_other_place(pages: dict[str, str]) -> None:
    for page in pages.values():
        addresses = set(re.findall(r"https?://[^\s\"'<>]+", page))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        assert "<script" not in page
        assert "<link" not in page
        assert not re.search(r"\son\w+=", page)
        head = page.index("<head>")
        assert page.index("Content-Security-Policy") < page.index("charset")
        assert "default-src 'none'" in page[head:]


def test_every_figure_table_and_page_of_synthetic_data_is_marked(pages: dict[str, str]) -> None:
    for language, mark in (("zh", "合成数据"), ("en", "Synthetic data")):
        page = pages[language]
        for caption in re.findall(r"<figcaption>.*?</figcaption>", page, flags=re.DOTALL):
            assert mark in caption
        for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
            assert mark in html.unescape(drawing)
        text = visible(page)
        first = re.search(r"\d+\.\d", text)
        assert first is not None
        assert text.index(mark) < first.start()
        assert mark in page.split("</title>", 1)[0]


def test_real_data_carry_no_synthetic_mark(run_of: MakeRun) -> None:
    run = run_of(is_synthetic=False)
    assert "合成数据" not in render_report(run, language="zh")
    assert "ynthetic data" not in render_report(run, language="en")


@pytest.mark.parametrize(
    ("effect", "zh", "en"),
    [
        (0.5, "与零分得开，为正", "told apart from zero, an increase"),
        (0.0, "没有发现明确的效应", "No clear effect was found"),
        (-0.5, "与零分得开，为负", "told apart from zero, a decrease"),
    ],
)
def test_the_headline_says_in_words_what_the_interval_shows(
    run_of: MakeRun, effect: float, zh: str, en: str
) -> None:
    run = run_of(effect=effect)
    assert zh in visible(render_report(run, language="zh"))
    assert en in visible(render_report(run, language="en"))


def test_an_interval_without_zero_whose_p_value_is_large_is_no_clear_effect(
    run_of: MakeRun,
) -> None:
    run = run_of(effect=0.5)
    overall = dataclasses.replace(run.effects[0].overall, p_value=0.2)
    mixed = dataclasses.replace(run.effects[0], overall=overall)
    text = visible(render_report(dataclasses.replace(run, effects=(mixed,)), language="en"))
    assert "the two disagree" in text
    assert "clear increase" not in text


def test_an_analytic_interval_from_a_handful_of_units_draws_no_conclusion(run_of: MakeRun) -> None:
    run = run_of(effect=0.5)
    few = next(one for one in run.effects if one.inference == "analytic")
    assert few.n_treated == 2
    assert few.overall.p_value is not None
    assert few.overall.p_value < 0.05
    text = visible(render_report(dataclasses.replace(run, effects=(few,)), language="en"))
    assert "fewer than five units on a side" in text
    assert "clear increase" not in text


def test_an_estimate_without_interval_draws_no_conclusion(run_of: MakeRun) -> None:
    run = run_of()
    bare = dataclasses.replace(run.effects[0], overall=Estimate(0.1), natural=None)
    text = visible(render_report(dataclasses.replace(run, effects=(bare,)), language="en"))
    assert "no conclusion should rest on it" in text


def test_a_run_with_nothing_but_a_design_renders() -> None:
    run = make_run(small_design(name="frame", measure="packs", form="level"), None, effects=())
    for language in ("zh", "en"):
        assert "frame" in render_report(run, language=language)


def test_monthly_periods_and_a_measure_of_ones_own_render() -> None:
    import polars as pl

    from cps.design.frame import design_from_frame
    from cps.estimators.battery import estimate_all

    rows = [
        {
            "unit": f"u{i}",
            "t": 24_000 + t,
            "y": i + t % 5 + (i == 0) * (t > 8),
            "c": 24_009 if i == 0 else None,
        }
        for i in range(8)
        for t in range(14)
    ]
    design = design_from_frame(
        pl.DataFrame(rows, schema_overrides={"c": pl.Int64}),
        unit="unit",
        period="t",
        outcome="y",
        cohort="c",
        measure="箱/月",
        frequency="month",
    )
    page = render_report(make_run(design, None, effects=estimate_all(design)), language="zh")
    assert "2000-01" in page
    assert "箱/月" in page


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e村&\"'"


def test_text_from_the_data_is_shown_and_never_runs(run_of: MakeRun) -> None:
    finding = Finding("W-X", "warn", Text(EVIL, EVIL), EVIL, Text(EVIL, EVIL))
    design = small_design(unit=EVIL)
    run = run_of(subject=initiative(EVIL), findings=(finding,), design=design)
    for language in ("zh", "en"):
        page = render_report(run, language=language)
        assert "<script" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "alert(1)" in visible(page)
        assert "U+202E" in page


def test_long_lists_are_cut_and_say_so(run_of: MakeRun) -> None:
    many = tuple(
        Finding(f"W-{i}", "warn", Text(f"第{i}", f"no {i}"), "x", Text("改", "mend"))
        for i in range(3000)
    )
    page = render_report(run_of(findings=many), language="en")
    assert re.search(r"The first 60 of 3,0\d\d rows", visible(page))
    assert len(page) < 400_000


def test_a_page_says_how_far_its_data_go_and_what_it_was_made_from(
    run_of: MakeRun, pages: dict[str, str]
) -> None:
    manifest = run_of(subject=initiative()).manifest
    for language, age in (("zh", "数据截至 2024-12-31"), ("en", "Data to 2024-12-31")):
        page = pages[language]
        told = dict(re.findall(r'<meta name="(cps-[^"]+)" content="([^"]*)">', page))
        assert told == {
            "cps-as-of": "2024-12-31",
            "cps-data-to": "2024-12-31",
            "cps-data-sha256": manifest.data_sha256,
            "cps-version": manifest.cps_version,
            "cps-code-sha256": manifest.code_sha256,
            "cps-run-hash": manifest.run_hash,
            "cps-seed": "0",
        }
        footer = flat("<body" + page.split("<footer>")[1])
        assert age in footer
        for one in (manifest.data_sha256, manifest.code_sha256, manifest.run_hash):
            assert one[:12] in footer
        assert manifest.cps_version in footer
        assert "更新的版本" in footer or "newer edition" in footer


def test_a_day_within_the_last_period_is_told_beside_its_end(run_of: MakeRun) -> None:
    run = run_of()
    early = dataclasses.replace(run.manifest, as_of="2024-09-30")
    text = flat(render_report(dataclasses.replace(run, manifest=early), language="en"))
    assert "As of 2024-09-30 (the last period ends 2024-12-31)" in text


def test_no_time_of_computing_is_on_a_page(run_of: MakeRun) -> None:
    run = run_of()
    assert run.circumstances is not None
    page = render_report(run, language="zh")
    for told in (run.circumstances.started, run.circumstances.finished, run.circumstances.host):
        assert told not in page
        assert told.replace("+00:00", "") not in page


def test_a_page_that_lies_in_an_edition_leads_to_the_list(run_of: MakeRun) -> None:
    page = render_report(run_of(), language="en", editions_href={"en": "../../index.en.html"})
    assert 'href="../../index.en.html"' in page.split("<footer>")[1]


def test_where_a_run_was_written_is_not_on_its_page(pages: dict[str, str]) -> None:
    assert "/somewhere/else" not in pages["zh"]


def test_pages_lie_by_language_and_link_to_each_other(run_of: MakeRun, tmp_path: Path) -> None:
    run = run_of(subject=initiative())
    save_run(run, tmp_path / "run")
    paths = write_report(load_run(tmp_path / "run"), tmp_path)
    assert paths == [tmp_path / "zh" / "case.html", tmp_path / "en" / "case.html"]
    zh, en = (path.read_text(encoding="utf-8") for path in paths)
    assert 'href="../en/case.html"' in zh
    assert 'href="../zh/case.html"' in en
    assert 'href="index.html"' in zh
    assert '<html lang="zh-CN">' in zh
    assert '<html lang="en">' in en


def test_a_name_that_leads_out_of_the_folder_is_refused(run_of: MakeRun, tmp_path: Path) -> None:
    run = dataclasses.replace(run_of(), name="../../x")
    with pytest.raises(RunError, match="can't name a page"):
        write_report(run, tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


def test_an_unknown_language_names_those_there_are(run_of: MakeRun) -> None:
    with pytest.raises(UsageError, match="en, zh"):
        render_report(run_of(), language="fr")


def test_the_same_run_gives_the_same_bytes(run_of: MakeRun) -> None:
    run = run_of()
    assert render_report(run, language="zh") == render_report(run, language="zh")
