"""Words: one number in all languages, inert text, keys with one home."""

from __future__ import annotations

from pathlib import Path

import pytest

from cps.dropin import load_modules
from cps.errors import Text, UsageError
from cps.locale import (
    FOLDER,
    Counted,
    Interval,
    Listing,
    Message,
    Quantity,
    Term,
    languages,
    load_words,
    placeholders,
)
from cps.report.render import SECTIONS

PROSE = {
    name: module.TEXT for name, module in load_modules("cps.report.sections", SECTIONS).items()
}


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (83_400, "8.3万元", "83 thousand yuan"),
        (-1_250_000, "\u2212125.0万元", "\u22121,250 thousand yuan"),
        (400, "0.0万元", "0 thousand yuan"),
        (-400, "0.0万元", "0 thousand yuan"),
    ],
)
def test_money_is_one_rounded_number_in_both_languages(value: float, zh: str, en: str) -> None:
    for language, expected in (("zh", zh), ("en", en)):
        assert load_words(language).text(Quantity(value, "money")) == expected


def test_log_points_are_printed_as_the_change_they_mean() -> None:
    assert load_words("en").text(Quantity(0.0953, "change", is_signed=True)) == "+10.0%"


def test_an_absent_number_is_a_dash_and_never_zero() -> None:
    assert load_words("zh").text(Quantity(None, "money")) == "—"
    assert load_words("zh").text(Interval(None, 1.0, "money")) == "—"


def test_small_p_values_are_said_to_be_small() -> None:
    assert load_words("zh").text(Quantity(0.0004, "p_value")) == "< 0.001"
    assert load_words("zh").text(Quantity(0.04, "p_value")) == "0.040"


def test_counts_lists_and_terms_follow_the_language() -> None:
    zh, en = load_words("zh"), load_words("en")
    assert en.text(Counted(1, "nouns.village")) == "1 village"
    assert en.text(Counted(2, "nouns.village")) == "2 villages"
    assert zh.text(Listing(("甲", "乙"))) == "甲、乙"
    assert en.text(Term("claim", "not_testable")) == "not testable"
    assert en.text(Term("claim", "something new")) == "something new"


def test_text_from_the_data_can_hide_nothing() -> None:
    assert load_words("en").text("a\u202eb\nc") == "a⟨U+202E⟩b c"
    assert load_words("zh").text(Text("甲", "a")) == "甲"


def test_every_language_has_every_text_with_the_same_placeholders() -> None:
    texts = {one: load_words(one, sections=PROSE).texts for one in ("zh", "en")}
    assert set(texts["zh"]) == set(texts["en"])
    for key, text in texts["en"].items():
        assert placeholders(text) == placeholders(texts["zh"][key]), key


def test_no_sentence_of_the_vocabulary_is_the_same_in_both_languages() -> None:
    zh, en = (load_words(one, sections=PROSE).texts for one in ("zh", "en"))
    same = {
        key
        for key, text in zh.items()
        if text == en[key] and any("a" <= c <= "z" for c in placeholderless(text))
    }
    assert not same


def placeholderless(text: str) -> str:
    """Give a text without its placeholders."""
    for name in placeholders(text):
        text = text.replace(f"{{{name}}}", "")
    return text


def test_a_key_with_two_homes_is_refused() -> None:
    with pytest.raises(UsageError, match="two homes"):
        load_words("en", sections={"page": {"en": {"title": "twice"}, "zh": {"title": "两次"}}})


def test_a_sentence_whose_placeholders_differ_is_refused() -> None:
    prose = {"mine": {"en": {"a": "{n} villages"}, "zh": {"a": "{m} 个村"}}}
    with pytest.raises(UsageError, match="placeholders"):
        load_words("zh", sections=prose)


def test_a_language_is_one_more_file_and_falls_back_to_english(tmp_path: Path) -> None:
    (tmp_path / "fr.toml").write_text(
        '[language]\ntag = "fr"\nname = "Français"\n'
        '[page]\nindex = "Sommaire"\n'
        '[sections.mine]\na = "bonjour {n}"\n',
        encoding="utf-8",
    )
    prose = {"mine": {"en": {"a": "hello {n}", "b": "only English"}, "zh": {"a": "{n}", "b": "x"}}}
    words = load_words("fr", sections=prose, folder=tmp_path)
    assert languages(tmp_path) == ("en", "fr", "zh")
    assert words.say("page.index") == "Sommaire"
    assert words.text(Message("mine.a", {"n": "x"})) == "bonjour x"
    assert words.say("mine.b") == "only English"
    assert (FOLDER / "en.toml").exists()
