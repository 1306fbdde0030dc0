"""Scheme files: one for each scheme of the source, read strictly, and a new one is one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cps.errors import SchemeError, UsageError
from cps.facts import load_facts
from cps.schemes import load_scheme, load_schemes
from cps.schemes.load import FOLDER, read_scheme_file

FACTS = load_facts()
SCHEMES = load_schemes(facts=FACTS)
# What schemes.csv says -> what a file may say: data that only a firm has make it depend on them.
ALLOWED = {"yes": {"yes", "partly"}, "partly": {"partly"}, "weak": {"no"}, "no": {"no"}}


def test_every_scheme_of_the_source_has_a_file_and_no_file_is_of_any_other() -> None:
    assert [one.id for one in SCHEMES] == [one.id for one in FACTS.schemes]
    assert len(SCHEMES) == 21


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one.id)
def test_a_file_says_of_evaluation_what_the_facts_say(scheme) -> None:
    stated = next(one for one in FACTS.schemes if one.id == scheme.id).causally_evaluable
    assert scheme.is_evaluable in ALLOWED[re.split(r"[ ,(]", stated)[0]]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one.id)
def test_every_quantity_that_the_source_states_of_a_scheme_is_on_its_card(scheme) -> None:
    stated = {
        one.id for one in FACTS.facts if one.scheme_id == scheme.id and one.kind == "quantity"
    }
    lines = {one for one in stated if "threshold" in one}  # a line is part of the claim beside it
    assert stated - lines <= set(scheme.claims)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one.id)
def test_what_can_not_be_evaluated_says_why_and_has_no_design(scheme) -> None:
    assert len(scheme.reason.zh) > 20
    assert len(scheme.reason.en) > 60
    assert scheme.threats
    if scheme.is_evaluable == "no":
        assert not scheme.can_run


def test_the_schemes_that_the_engine_can_evaluate_have_names_for_every_outcome_in_both_languages() -> (
    None
):
    running = [one for one in SCHEMES if one.can_run]
    assert len(running) >= 8
    for scheme in running:
        for outcome in scheme.outcomes:
            assert outcome.name.zh != outcome.name.en


def test_a_new_scheme_is_one_file(scheme_path: Path) -> None:
    (scheme,) = load_schemes(scheme_path.parent, facts=FACTS)
    assert scheme.can_run
    assert load_scheme("waiting_rooms", scheme_path.parent).id == "waiting_rooms"


def test_a_scheme_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="power_checkup"):
        load_scheme("power_chekup")


# What is written, what stands there instead, the key that the message names, and what it says.
FAULTS = [
    ('unit_kind = "centre"', 'unit_kind = "center"', "unit_kind", "'centre'"),
    ('id = "waiting_rooms"', 'id = "waiting"', "id", "waiting_rooms"),
    ("claims = []", 'claims = ["power_checkup__firms_diagnosed"]', "claims", "fact of this scheme"),
    ('measure = "minutes"\nform = "level"', 'form = "level"', "outcomes[1] › measure", "missing"),
    ('take = "mean"\nof = "wait"', 'take = "meen"\nof = "wait"', "take", "'mean'"),
    ('take = "mean"\nof = "wait"', 'take = "mean"\nof = "weit"', "outcomes[1] › of", "'wait'"),
    ('take = "mean"\nof = "wait"', 'take = "share"\nof = "wait"', "of", "is_short"),
    ('take = "mean"\nof = "wait"', 'take = "ratio"\nof = "wait"', "by", "needs"),
    ('period = "taken"\ntake = "mean"', 'period = "centre"\ntake = "mean"', "period", "taken"),
    (
        'unit = "centre"\nperiod = "taken"\ntake = "mean"',
        'period = "taken"\ntake = "mean"',
        "unit",
        "missing",
    ),
    (
        'rule = "at_most", of = "wait", limit = 15',
        'rule = "at_most", of = "wait", limit = "15"',
        "limit",
        "number",
    ),
    (
        'rule = "minutes_between", from = "taken"',
        'rule = "minutes_between", from = "fee"',
        "from",
        "taken, called",
    ),
    ('{ id = "is_short",', '{ id = "wait",', "id", "already"),
    ('start = "refitted"', 'start = "town"', "start", "refitted"),
    ('type = "money", is_optional', 'type = "money", unit = "美元", is_optional', "unit", "万元"),
    ('choices = ["户籍", "社保"]', "choices = [1]", "choices", "text"),
    (
        'id = "tickets"\nname = { zh = "取号数", en = "tickets taken"',
        'id = "wait_minutes"\nname = { zh = "取号数", en = "tickets taken"',
        "outcomes[2]",
        "twice",
    ),
    ('is_evaluable = "yes"', 'is_evaluable = "no"', "design", "can't be evaluated"),
    ('series_needed = [{ zh = "叫号记录", en = "The queue log" }]', "", "series_needed", "needed"),
    ("[design]\n", "[design]\ncolour = 1\n", "colour", "no key"),
]


@pytest.mark.parametrize(("there", "instead", "key", "said"), FAULTS)
def test_a_fault_is_named_by_file_and_key_with_a_mend(
    scheme_path: Path, there: str, instead: str, key: str, said: str
) -> None:
    text = scheme_path.read_text(encoding="utf-8")
    assert there in text
    scheme_path.write_text(text.replace(there, instead, 1), encoding="utf-8")
    with pytest.raises(SchemeError) as caught:
        read_scheme_file(scheme_path, facts=FACTS)
    error = caught.value
    assert error.where.startswith("waiting_rooms.toml ›")
    assert key in error.where
    assert said in error.message("en")
    assert error.mend.zh
    assert error.mend.en


def test_weights_of_a_standardised_mean_sum_to_one(scheme_path: Path) -> None:
    text = scheme_path.read_text(encoding="utf-8")
    mixed = text.replace(
        'take = "mean"\nof = "wait"',
        'take = "standardised"\nof = "wait"\nclasses = "kind"\nweights = { "户籍" = 0.5, "社保" = 0.4 }',
    )
    scheme_path.write_text(mixed, encoding="utf-8")
    with pytest.raises(SchemeError, match="sum to 1"):
        read_scheme_file(scheme_path, facts=FACTS)


def test_no_real_village_is_named_in_a_file_with_ledgers() -> None:
    # Names of the source's villages beside synthetic numbers would be taken for their figures.
    real = [one.text.removesuffix("村") for one in FACTS.facts if "__project_village" in one.id]
    assert len(real) == 4
    for path in FOLDER.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert not [name for name in real if name in text], path.name
