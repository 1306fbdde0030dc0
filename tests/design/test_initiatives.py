"""The 15 initiatives: data, illustrative where no source names them, overlap in the open."""

from __future__ import annotations

import datetime
import re

import pytest

from cps.demo._villages import FORMATS
from cps.design.build import make_design
from cps.design.initiatives import FOLDER, load_initiatives
from cps.facts import load_facts

INITIATIVES = load_initiatives()
NAMED_PROJECTS = {"bonsai", "rice_shrimp", "brown_sugar", "jujube_garden"}
NAMED_FORMATS = {"rural_tourism", "smart_agriculture", "creative_culture"}


def test_there_are_fifteen_and_the_demonstration_knows_what_each_brings() -> None:
    assert len(INITIATIVES) == 15
    assert {one.id for one in INITIATIVES} == set(FORMATS)


def test_only_what_the_source_names_is_published_the_rest_is_illustrative() -> None:
    published = {one.id for one in INITIATIVES if one.provenance == "published"}
    assert published == NAMED_PROJECTS | NAMED_FORMATS


@pytest.mark.parametrize("one", INITIATIVES, ids=lambda one: one.id)
def test_an_initiative_has_hosts_starts_costs_and_a_fact_it_stands_for(one) -> None:  # type: ignore[no-untyped-def]
    assert 1 <= len(one.treated) <= 4
    for host in one.treated:
        assert datetime.date(2018, 1, 1) <= host.start <= datetime.date(2023, 12, 31)
        assert sum(host.cost_yuan.values()) > 0
        assert re.fullmatch(r"示例村\d\d", host.unit)
    assert one.name.zh.endswith("（示例）")
    assert one.name.en.endswith("(example)")
    assert one.is_synthetic
    assert one.assumptions
    assert all(exclusion.explanation.zh for exclusion in one.exclusions)
    book = load_facts()
    known = {fact.id for fact in (*book.facts, *book.context)}
    assert set(one.stands_for) <= known
    assert one.stands_for


def test_no_real_village_is_named_in_any_initiative() -> None:
    for path in FOLDER.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        for real in ("城西", "流里塘", "石明堂", "分水塘", "何斯路", "义乌"):
            assert real not in text, path.name


def test_villages_that_host_two_are_declared_and_left_out_of_both(demo_panel) -> None:  # type: ignore[no-untyped-def]
    hosts = [host.unit for one in INITIATIVES for host in one.treated]
    twice = {unit for unit in hosts if hosts.count(unit) == 2}
    assert twice == {"示例村05", "示例村09", "示例村10", "示例村19"}
    design = make_design(
        demo_panel,
        next(one for one in INITIATIVES if one.id == "rural_tourism"),
        others=INITIATIVES,
    )
    assert not twice & set(design.units)
    overlaps = [one for one in design.findings if one.code == "W-DESIGN-OVERLAP"]
    assert {one.where for one in overlaps} == {"示例村09", "示例村10"}
    assert "（示例）" in overlaps[0].what.zh


@pytest.mark.parametrize("one", INITIATIVES, ids=lambda one: one.id)
def test_no_host_of_any_initiative_is_ever_a_comparison(one, demo_panel) -> None:  # type: ignore[no-untyped-def]
    design = make_design(demo_panel, one, others=INITIATIVES)
    hosts = {host.unit for other in INITIATIVES for host in other.treated}
    donors = {u for u, is_one in zip(design.units, design.is_donor, strict=True) if is_one}
    assert not donors & hosts
    assert design.n_donors >= 40


@pytest.fixture(scope="module")
def demo_panel(tmp_path_factory):  # type: ignore[no-untyped-def]
    from cps.demo import write_demo
    from cps.ledger.read import read_ledgers
    from cps.panel.build import build_panel

    folder = tmp_path_factory.mktemp("data") / "raw" / "demo"
    write_demo(folder)
    return build_panel(read_ledgers(folder))
