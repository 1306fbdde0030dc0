"""Indicator cards: values with coverage, claims with what they leave open, and no value unasked."""

from __future__ import annotations

import html as markup
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cps.facts import load_facts
from cps.report.cards import write_cards
from cps.report.vocabulary import words_of
from cps.runs import encode
from cps.schemes import Scheme, load_schemes
from cps.schemes.cards import Card, make_card
from cps.schemes.load import read_scheme_file
from cps.schemes.reader import empty_ledgers, read_scheme

FACTS = load_facts()
SCHEMES = load_schemes(facts=FACTS)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    write_cards([encode(make_card(one, FACTS)) for one in SCHEMES], folder)
    return folder


@pytest.fixture
def card(scheme_path: Path, ledger_folder: Path) -> Card:
    scheme = read_scheme_file(scheme_path)
    return make_card(scheme, FACTS, read_scheme(scheme, ledger_folder))


def _text(path: Path) -> str:
    page = re.sub(r"<style.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return markup.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def test_an_indicator_is_given_by_year_with_the_rows_that_it_rests_on(
    card: Card, scheme_path: Path, ledger_folder: Path
) -> None:
    scheme = read_scheme_file(scheme_path)
    queue = read_scheme(scheme, ledger_folder).tables["queue"]
    short, tickets = card.figures
    assert [one.year for one in short.values] == [2020, 2021, 2022, 2023]
    for value in short.values:
        own = [
            row["wait"] for row in queue.iter_rows(named=True) if row["taken"].year == value.year
        ]
        assert value.value == pytest.approx(
            100 * sum(one <= 15 for one in own) / len(own), rel=1e-11
        )
        assert (value.n_used, value.n_rows) == (len(own), len(own))
    assert sum(one.value for one in tickets.values) == queue.height


def test_coverage_tells_rows_without_the_figure_from_rows_with_it(
    scheme_path: Path, ledger_folder: Path
) -> None:
    path = ledger_folder / "合成_叫号记录.csv"
    lines = path.read_text(encoding="gb18030").splitlines()
    for place in range(2, 12):
        cells = lines[place].split(",")
        lines[place] = ",".join([*cells[:2], "…", *cells[3:]])
    path.write_text("\n".join(lines), encoding="gb18030")
    scheme = read_scheme_file(scheme_path)
    made = make_card(scheme, FACTS, read_scheme(scheme, ledger_folder))
    first = made.figures[0].values[0]
    assert first.n_rows - first.n_used == 10


def test_a_card_without_ledgers_has_formulas_and_no_values() -> None:
    for scheme in SCHEMES:
        card = make_card(scheme, FACTS)
        assert all(not one.values for one in card.figures)
        assert all(one.formula.zh and one.formula.en for one in card.figures)
        assert not card.is_synthetic


@pytest.mark.parametrize(
    "scheme", [one for one in SCHEMES if one.indicators], ids=lambda one: one.id
)
def test_empty_ledgers_give_no_value_and_never_zero(scheme: Scheme) -> None:
    card = make_card(scheme, FACTS, empty_ledgers(scheme))
    assert all(not one.values for one in card.figures)


def test_every_claim_says_in_both_languages_what_it_leaves_open() -> None:
    words = {language: words_of(language) for language in ("zh", "en")}
    for scheme in SCHEMES:
        for claim in make_card(scheme, FACTS).claims:
            fact = FACTS.fact(claim.fact_id)
            assert claim.ambiguity == fact.ambiguity_code
            for one in words.values():
                if claim.ambiguity:
                    assert f"ambiguity.{claim.ambiguity}" in one.texts
                if claim.role:
                    assert f"role.{claim.role}" in one.texts


STATED = {
    "power_checkup__onsite_visits": "900 余次（截至目前）",
    "power_checkup__case_bill_saving": "5—10 万元（改革后）",
    "village_tender__collective_income_gain": "超过 46%（平台上线以来）",
    "clean_safety__approval_deadline": "不超过 30 分钟",
    "service_centre__area_after": "1,100 平方米（改造后）",
    "jx_investment_centre__merchants_pipeline": "近 40 家（目前）",
    "smart_fire__layout": "1+4+8+X",
}


def test_a_figure_is_stated_as_the_source_binds_it() -> None:
    said = {
        claim.fact_id: claim.stated.zh
        for scheme in SCHEMES
        for claim in make_card(scheme, FACTS).claims
    }
    assert {one: said[one] for one in STATED} == STATED


def test_there_is_a_page_for_each_scheme_and_a_list_that_links_them_in_both_languages(
    pages: Path,
) -> None:
    for language in ("zh", "en"):
        index = (pages / language / "index.html").read_text(encoding="utf-8")
        for scheme in SCHEMES:
            name = scheme.name.in_language(language)
            text = _text(pages / language / f"{scheme.id}.html")
            assert f'href="{scheme.id}.html"' in index
            assert scheme.reason.in_language(language) in text
            assert name in text
            assert "合成数据" not in text
            assert "Synthetic data" not in text


def test_what_can_not_be_evaluated_is_said_plainly_and_what_can_names_its_command(
    pages: Path,
) -> None:
    said = {one.id: _text(pages / "en" / f"{one.id}.html") for one in SCHEMES}
    assert "No. There is one subdistrict" in said["population"]
    assert "Not with the data there are." in said["safety_net"]
    assert "cps run --scheme power_checkup" in said["power_checkup"]
    assert "cps run --scheme" not in said["population"]


def test_made_up_values_are_marked_and_published_claims_are_not(
    scheme_path: Path, card: Card, tmp_path: Path
) -> None:
    text = scheme_path.read_text(encoding="utf-8").replace("waiting_rooms", "service_centre")
    renamed = scheme_path.with_name("service_centre.toml")
    renamed.write_text(
        text.replace("claims = []", 'claims = ["service_centre__area_after"]'), encoding="utf-8"
    )
    scheme = read_scheme_file(renamed)
    ledgers = read_scheme(scheme, scheme_path.parents[1] / "ledgers")
    write_cards([encode(make_card(scheme, FACTS, ledgers))], tmp_path / "out")
    html = (tmp_path / "out" / "en" / "service_centre.html").read_text(encoding="utf-8")
    assert 'class="banner"' in html
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html, re.S)
    marked = {re.sub(r"<[^>]+>", "", one): 'class="mark"' in one for one in captions}
    assert [is_marked for one, is_marked in marked.items() if "Indicators by year" in one] == [True]
    assert [is_marked for one, is_marked in marked.items() if "What the source says" in one] == [
        False
    ]


def test_the_same_ledgers_give_the_same_bytes_whatever_the_threads(
    scheme_path: Path, ledger_folder: Path, tmp_path: Path
) -> None:
    code = (
        "import sys, json; from pathlib import Path; from cps.facts import load_facts;"
        "from cps.runs import encode; from cps.schemes.load import read_scheme_file;"
        "from cps.schemes.reader import read_scheme; from cps.schemes.cards import make_card;"
        "s = read_scheme_file(Path(sys.argv[1]));"
        "c = make_card(s, load_facts(), read_scheme(s, sys.argv[2]));"
        "print(json.dumps(encode(c), ensure_ascii=False))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, str(scheme_path), str(ledger_folder)],
            capture_output=True,
            check=True,
            env={"POLARS_MAX_THREADS": threads, "PYTHONUTF8": "1", "PYTHONPATH": str(_ROOT)},
        ).stdout
        for threads in ("1", "4")
    }
    assert len(printed) == 1


_ROOT = Path(__file__).parents[2]
