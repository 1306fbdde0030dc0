"""Units, nouns and words of schemes: in both languages, and never in what came with the data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from cps.errors import Text
from cps.locale import Counted, Message, Quantity, level_kind, measure_kind
from cps.panel.record import VILLAGE_OUTCOMES
from cps.panel.store import load_panel, save_panel
from cps.report.texts import SCHEME_WORDS
from cps.report.vocabulary import words_of
from cps.schemes import load_schemes
from cps.schemes.load import read_scheme_file
from cps.schemes.panel import scheme_panel
from cps.schemes.reader import read_scheme
from cps.schemes.record import UNIT_KINDS

WORDS = {language: words_of(language) for language in ("zh", "en")}

# A measure, a value, and how a difference and a level of it are written.
WRITTEN = [
    ("minutes", -12.34, ("−12.3分钟", "−12.3 minutes"), ("−12.3分钟", "−12.3 minutes")),
    ("percent", 4.25, ("4.3个百分点", "4.3 percentage points"), ("4.3%", "4.3%")),
    ("kwh", 1319.4, ("1,319千瓦时", "1,319 kWh"), ("1,319千瓦时", "1,319 kWh")),
    (
        "yuan_per_kwh",
        0.7216,
        ("0.722元/千瓦时", "0.722 yuan per kWh"),
        ("0.722元/千瓦时", "0.722 yuan per kWh"),
    ),
    ("plain_yuan", 1627.8, ("1,628元", "1,628 yuan"), ("1,628元", "1,628 yuan")),
    ("yuan_per_mu", 800.0, ("800元/亩", "800 yuan per mu"), ("800元/亩", "800 yuan per mu")),
]


@pytest.mark.parametrize(("measure", "value", "difference", "level"), WRITTEN)
def test_a_measure_is_written_with_its_unit(
    measure: str, value: float, difference: tuple[str, str], level: tuple[str, str]
) -> None:
    for place, words in enumerate(WORDS.values()):
        assert words.text(Quantity(value, *measure_kind(measure))) == difference[place]
        assert words.text(Quantity(value, *level_kind(measure))) == level[place]


@pytest.mark.parametrize("kind", UNIT_KINDS)
def test_every_kind_of_unit_has_a_noun(kind: str) -> None:
    for words in WORDS.values():
        one, many = (words.text(Counted(n, f"nouns.{kind}")) for n in (1, 2))
        assert one[0] == "1"
        assert many[0] == "2"


def test_every_outcome_of_the_source_is_measured_in_a_unit_that_the_pages_know() -> None:
    named = {outcome.measure for scheme in load_schemes() for outcome in scheme.outcomes} - {
        "ratio",
        "index",
    }
    unknown = {one for one in named if measure_kind(one)[0] == "number"}
    # Bidders are counted by no unit of the vocabulary, and stand as the file has them.
    assert unknown <= {"bidders"}


def test_words_of_schemes_replace_ours_and_leave_what_came_with_the_data() -> None:
    for language, ours in (("zh", "从未承办任何项目"), ("en", "that never hosted any project")):
        words = dataclasses.replace(WORDS[language], glossary=SCHEME_WORDS[language])
        assert words.text(Text(ours, ours)) != ours
        assert words.text(ours) == ours
        said = words.text(Message("comparison_units.donors", {"count": "5", "units": ours}))
        assert ours in said


def test_a_panel_of_before_outcomes_were_saved_is_one_of_villages(
    scheme_path: Path, ledger_folder: Path, tmp_path: Path
) -> None:
    scheme = read_scheme_file(scheme_path)
    folder = save_panel(scheme_panel(scheme, read_scheme(scheme, ledger_folder)), tmp_path / "p")
    stored = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
    del stored["outcomes"]
    (folder / "panel.json").write_text(json.dumps(stored), encoding="utf-8")
    assert load_panel(folder).outcomes == VILLAGE_OUTCOMES
