"""To add a thing, add one file: a new initiative, layout, estimator, check, section, language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.initiatives import FOLDER as INITIATIVES
from cps.design.initiatives import load_initiatives
from cps.design.record import Design
from cps.errors import UsageError
from cps.estimators.registry import estimate, list_estimators
from cps.ledger.read import read_ledgers
from cps.locale import languages
from cps.report.render import render_report
from cps.robustness.registry import check_robustness, list_checks
from cps.runs import make_run


@pytest.fixture
def design() -> Design:
    rng = np.random.default_rng(0)
    rows = [
        {
            "unit": f"u{i}",
            "year": year,
            "y": float(i + rng.normal() + 5 * (i == 0 and year >= 2020)),
            "cohort": 2020 if i == 0 else None,
        }
        for i in range(10)
        for year in range(2015, 2023)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"cohort": pl.Int64})
    return design_from_frame(frame, unit="unit", period="year", outcome="y", cohort="cohort")


def test_an_initiative_is_one_file(tmp_path: Path) -> None:
    text = (INITIATIVES / "bonsai.toml").read_text(encoding="utf-8")
    (tmp_path / "tea.toml").write_text(
        text.replace('id = "bonsai"', 'id = "tea"').replace("盆景产业", "茶叶"), encoding="utf-8"
    )
    (one,) = load_initiatives(tmp_path)
    assert one.id == "tea"
    assert one.name.zh == "茶叶（示例）"


def test_a_ledger_layout_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "town_card.toml").write_text(
        'name = { zh = "卡片", en = "card" }\n'
        'kind = "long"\nfrequency = "year"\nmoney_unit = "万元"\n'
        '[columns]\nunit = ["庄"]\nyear = ["何年"]\n'
        '[values]\n"进账" = "operating_income"\n'
        "[example]\ngrid = ''\nrows = []\n",
        encoding="utf-8",
    )
    (tmp_path / "a.csv").write_text("何年,庄,进账\n2023,东庄,1.5\n", encoding="utf-8")
    rows = read_ledgers(tmp_path / "a.csv", formats=tmp_path / "formats").rows
    assert rows.select("unit", "item", "value", "layout").row(0) == (
        "东庄",
        "operating_income",
        15_000,
        "town_card",
    )


def test_an_estimator_is_one_file(tmp_path: Path, design: Design) -> None:
    (tmp_path / "before_after.py").write_text(
        "import dataclasses\n"
        "from cps.errors import Text\n"
        "from cps.estimators.registry import estimate\n"
        "from cps.result import Estimate\n"
        "REFERENCE = 'none'\n"
        "NAME = Text('前后差', 'Before and after')\n"
        "ESTIMAND = Text('前后差', 'before and after')\n"
        "OPTIONS = {}\n"
        "def needs(design, options):\n    return ()\n"
        "def fit(design, *, level, seed, options):\n"
        "    model = estimate(design, options={'weights': 'did'})\n"
        "    y = design.y[[c is not None for c in design.cohort]].mean(axis=0)\n"
        "    att = float(y[-3:].mean() - y[:-3].mean())\n"
        "    return dataclasses.replace(model, method='before_after', method_name=NAME,\n"
        "                               overall=Estimate(att), natural=None, options={})\n",
        encoding="utf-8",
    )
    assert "before_after" in list_estimators(tmp_path)
    assert "before_after" not in list_estimators()
    effect = estimate(design, "before_after", folder=tmp_path)
    assert effect.overall.att == pytest.approx(5, abs=3)


CHECK = """
from cps.errors import Text
from cps.result import Check
NAME = Text("符号", "Sign")
def applies(design, effect):
    return None
def run(design, effect, *, seed):
    att = effect.overall.att
    return Check("sign", effect.method, att > 0, att, 0.0, NAME, Text("正", "positive"))
"""


def test_a_check_is_one_file(tmp_path: Path, design: Design) -> None:
    (tmp_path / "sign.py").write_text(CHECK, encoding="utf-8")
    assert "sign" in list_checks(tmp_path)
    (one,) = check_robustness(design, estimate(design), names=["sign"], folder=tmp_path)
    assert one.verdict is True
    assert len(check_robustness(design, estimate(design), folder=tmp_path)) == 1 + len(
        list_checks()
    )


CHECK_WITH_OPTIONS = """
from cps.errors import Text
from cps.estimators._options import Number
from cps.result import Check
NAME = Text("下限", "Floor")
OPTIONS = {"floor": Number(0.0), "side": ("above", "below")}
def applies(design, effect):
    return None
def run(design, effect, *, seed, options):
    floor = float(options["floor"])
    above = effect.overall.att > floor
    return Check("floor", effect.method, above == (options["side"] == "above"), effect.overall.att,
                 floor, NAME, Text("", ""))
"""


def test_a_check_may_offer_options_and_one_without_need_not_know_of_them(
    tmp_path: Path, design: Design
) -> None:
    (tmp_path / "sign.py").write_text(CHECK, encoding="utf-8")
    (tmp_path / "floor.py").write_text(CHECK_WITH_OPTIONS, encoding="utf-8")
    effect, names = estimate(design), ["sign", "floor"]
    plain = check_robustness(design, effect, names=names, folder=tmp_path)
    assert [one.verdict for one in plain] == [True, True]
    given = {"floor": {"floor": 100, "side": "below"}}
    _, floor = check_robustness(design, effect, names=names, folder=tmp_path, options=given)
    assert (floor.verdict, floor.threshold) == (True, 100.0)
    for wrong, said in (
        ({"flor": {}}, "did you mean 'floor'"),
        ({"floor": {"flor": 1}}, "did you mean 'floor'"),
        ({"floor": {"side": "abov"}}, "did you mean 'above'"),
        ({"sign": {"floor": 1}}, "no option named 'floor'"),
        ({"pretrend": {}}, "among those chosen"),
    ):
        with pytest.raises(UsageError, match=said):
            check_robustness(design, effect, names=names, folder=tmp_path, options=wrong)


SECTION = """
from cps.locale import Message
from cps.report.blocks import Heading, Paragraph
ORDER = 15
PAGE = "both"
TEXT = {"zh": {"heading": "附言", "body": "请看{name}"}, "en": {"heading": "Aside", "body": "See {name}"}}
def build(run):
    return [Heading(Message("aside.heading")), Paragraph(Message("aside.body", {"name": run.name}))]
"""


def test_a_section_is_one_file(tmp_path: Path, design: Design) -> None:
    (tmp_path / "aside.py").write_text(SECTION, encoding="utf-8")
    run = make_run(design, None, effects=[estimate(design)])
    page = render_report(run, language="en", sections=tmp_path)
    assert page.index("1. Result") < page.index("Aside") < page.index("3. The project")
    assert "请看" in render_report(run, language="zh", sections=tmp_path)
    assert "Aside" not in render_report(run, language="en")
    (tmp_path / "summary.py").write_text(SECTION, encoding="utf-8")
    with pytest.raises(UsageError, match="a section named 'summary'"):
        render_report(run, language="en", sections=tmp_path)


def test_a_language_is_one_file(tmp_path: Path, design: Design) -> None:
    (tmp_path / "fr.toml").write_text(
        '[language]\ntag = "fr"\nname = "Français"\n\n[page]\ntitle = "Ce qui a changé"\n\n'
        '[sections.summary]\nheading = "1. Résultat"\n',
        encoding="utf-8",
    )
    run = make_run(design, None, effects=[estimate(design)])
    page = render_report(run, language="fr", languages=("zh", "fr"), locales=tmp_path)
    assert '<html lang="fr">' in page
    assert "1. Résultat" in page
    assert "Ce qui a changé" in page
    assert "2. The project" in page  # what it lacks is English
    assert languages(tmp_path) == ("en", "fr", "zh")
