"""Scheme ledgers meet the published figures that a ledger can meet, whatever the seed and mode."""

from __future__ import annotations

import pytest

import cps
from cps.demo.schemes import MODES, draw_scheme, list_scheme_ledgers
from cps.demo.schemes._record import Drawn
from cps.facts import Comparator
from cps.schemes.reader import SchemeLedgers

# Stated in words, without a number: kinds of sensor and trouble, a formula that nobody explains.
IN_WORDS = {
    "digital_ground_governance__sensor_feed",
    "digital_ground_governance__early_handling",
    "smart_fire__layout",
}
RELATION = {
    Comparator.EQUAL: "=",
    Comparator.GREATER: ">",
    Comparator.AT_LEAST: ">=",
    Comparator.APPROX_AT_LEAST: ">=",
    Comparator.AT_MOST: "<=",
    Comparator.BETWEEN: "between",
    Comparator.APPROX_LESS: "between",
}


@pytest.fixture(scope="module")
def worlds() -> dict[tuple[str, str, int], Drawn]:
    return {
        (scheme, mode, seed): draw_scheme(scheme, mode=mode, seed=seed)
        for scheme in list_scheme_ledgers()
        for mode in MODES
        for seed in (20231231, 1)
    }


def test_every_target_is_met_in_both_modes(worlds: dict[tuple[str, str, int], Drawn]) -> None:
    missed = [
        (*key, target)
        for key, drawn in worlds.items()
        for target in drawn.targets
        if not target.is_met
    ]
    assert missed == []


def test_every_target_is_a_published_fact_with_the_published_figure(
    worlds: dict[tuple[str, str, int], Drawn],
) -> None:
    facts = cps.load_facts()
    for (scheme, _, _), drawn in worlds.items():
        for target in drawn.targets:
            fact = facts.fact(target.fact)
            assert fact.scheme_id == scheme
            if target.fact in IN_WORDS:
                assert fact.value is None
                continue
            assert fact.base_value is not None and fact.comparator is not None
            published = float(fact.base_value)
            if isinstance(target.wanted, tuple):
                low, high = target.wanted
                if fact.comparator is Comparator.BETWEEN:
                    assert fact.value_to is not None and fact.base_multiplier is not None
                    assert (low, high) == (published, float(fact.value_to * fact.base_multiplier))
                elif fact.comparator is Comparator.APPROX_LESS:  # 近 100 万元
                    assert high == published and low >= 0.9 * published
                else:  # a rounded quotient of two published figures
                    assert low <= published <= high and high - low <= 0.011
                continue
            assert target.wanted == pytest.approx(published, rel=1e-9)
            # A quotient of "at least 600" is at least, whatever the row of facts calls it.
            assert target.relation in (RELATION[fact.comparator], ">=")


def test_the_bills_ledgers_hold_103_firms_57_contracts_900_visits_and_200_hazards(
    read: dict[str, SchemeLedgers],
) -> None:
    tables = read["power_checkup"].tables
    checked = tables["register"].drop_nulls("checked_on")
    assert checked.height == 103
    assert tables["contracts"].height == 57
    assert set(tables["contracts"]["firm"]) <= set(checked["firm"])
    assert tables["contracts"].height / checked.height == pytest.approx(0.5534, abs=5e-5)
    assert tables["visits"].height >= 900
    assert set(tables["visits"]["firm"]) == set(checked["firm"])
    assert tables["hazards"].height >= 200
    assert tables["hazards"]["mended_on"].null_count() == 0
    assert tables["hazards"]["loss_avoided"].sum() >= 20_000_000


def test_nobody_is_visited_or_signs_before_the_check(read: dict[str, SchemeLedgers]) -> None:
    tables = read["power_checkup"].tables
    first = tables["register"].select("firm", "checked_on")
    for name, day in (
        ("visits", "visited_on"),
        ("contracts", "signed_on"),
        ("hazards", "found_on"),
    ):
        joined = tables[name].join(first, on="firm")
        assert joined.height == tables[name].height
        assert (joined[day] >= joined["checked_on"]).all()


def test_the_case_firm_pays_just_under_a_million_and_saves_5_to_10_wan(
    read: dict[str, SchemeLedgers],
) -> None:
    import polars as pl

    tables = read["power_checkup"].tables
    firm = "示例企业001"
    start = tables["register"].filter(pl.col("firm") == firm)["checked_on"][0]
    quarter = start.replace(month=3 * ((start.month - 1) // 3) + 1, day=1)
    bills = tables["bills"].filter(pl.col("firm") == firm).sort("month")
    before = bills.filter(pl.col("month") < quarter).tail(12)["bill"].sum()
    late = bills.filter(pl.col("month") >= quarter).head(12)["bill"].sum()
    assert 950_000 <= before < 1_000_000
    assert 50_000 <= before - late <= 100_000
    assert bills["adjustment"].is_close(1_627.8, abs_tol=0.001).any()
    assert tables["contracts"].filter(pl.col("firm") == firm)["fee"].to_list() == [9_000]


def test_1359_households_are_resettled_and_the_report_adds_up_to_them(
    read: dict[str, SchemeLedgers],
) -> None:
    import polars as pl

    tables = read["organic_renewal"].tables
    inside = tables["register"].filter(pl.col("town") == "示例街道")["village"].implode()
    households = tables["households"].filter(pl.col("village").is_in(inside))
    assert households["resettled_on"].count() == 1_359
    report = tables["report"].filter(pl.col("village").is_in(inside))
    assert report["resettled"].sum() == 1_359
    # The report's stock is the households pulled down before the quarter and not resettled by then.
    one = report.sort("closed_on", "village").row(-1, named=True)
    first = one["closed_on"].replace(month=one["closed_on"].month - 2, day=1)
    waits = households.filter(
        (pl.col("village") == one["village"])
        & (pl.col("down_on") < first)
        & (pl.col("resettled_on").is_null() | (pl.col("resettled_on") >= first))
    )
    assert waits.height == one["waiting"]


def test_the_hall_grows_from_120_to_1100_square_metres_and_from_5_to_24_windows(
    read: dict[str, SchemeLedgers],
) -> None:
    halls = read["service_centre"].tables["halls"].sort("on")
    assert halls["area_m2"].to_list() == [120, 1_100]
    assert halls["windows"].to_list() == [5, 24]
    # Staff and kinds of business before are not published, so they are not known.
    assert halls["staff"].to_list() == [None, 30]
    assert halls["items"][0] is None and halls["items"][1] >= 600


def test_the_safety_net_has_9_groups_2_modes_and_7_services(
    read: dict[str, SchemeLedgers],
) -> None:
    register = read["safety_net"].tables["register"]
    assert [register[one].n_unique() for one in ("group", "mode", "service")] == [9, 2, 7]


def test_stations_follow_the_formula_that_is_read_as_1_and_4_and_8(
    read: dict[str, SchemeLedgers],
) -> None:
    kinds = read["smart_fire"].tables["stations"]["kind"].value_counts()
    assert dict(kinds.iter_rows()) == {"指挥中心": 1, "消防站": 4, "微型消防站": 8}


def test_incomes_are_stated_under_the_line_and_the_card_shows_it(
    read: dict[str, SchemeLedgers],
) -> None:
    applications = read["safety_net"].tables["applications"]
    under, over = (applications[one].sum() for one in ("is_just_under", "is_just_over"))
    # Half of those just over the line state less: about 3 to 1, where a smooth density gives 1 to 1.
    assert under > 2 * over > 0
