"""The synthetic panel meets every published figure it is calibrated to, whatever the seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cps.demo._villages import NEXT_DOOR, TARGET, VISITED, YEARS
from cps.demo._world import World, draw_world
from cps.design.initiatives import load_initiatives

SEEDS = (20231231, 1, 2, 3, 4)
WAN = 10_000


class Drawn(NamedTuple):
    """A world and what tests look at: 万元 by village and year, and who lies where."""

    world: World
    wan: NDArray[np.float64]
    area: NDArray[np.str_]
    is_spurious: bool

    def year(self, year: int, *areas: str) -> NDArray[np.float64]:
        return self.wan[
            np.isin(self.area, areas or (TARGET, NEXT_DOOR, VISITED)), YEARS.index(year)
        ]


def by_year(months: NDArray[np.int64]) -> NDArray[np.int64]:
    return months.reshape(len(months), len(YEARS), 12).sum(axis=2)


def draw(seed: int, is_spurious: bool) -> Drawn:
    world = draw_world(load_initiatives(), is_spurious=is_spurious, seed=seed)
    area = np.array([one.area for one in world.villages])
    return Drawn(world, by_year(world.income_yuan) / WAN, area, is_spurious)


@pytest.fixture(
    scope="module",
    params=[(seed, mode) for seed in SEEDS for mode in (False, True)],
    ids=lambda one: f"seed{one[0]}-{'spurious' if one[1] else 'true'}",
)
def drawn(request: pytest.FixtureRequest) -> Drawn:
    return draw(*request.param)


def gini(values: NDArray[np.float64]) -> float:
    return float(np.abs(values[:, None] - values[None]).mean() / 2 / values.mean())


def test_there_are_30_villages_in_the_target_and_45_next_door(drawn: Drawn) -> None:
    assert (drawn.area == TARGET).sum() == 30
    assert (drawn.area == NEXT_DOOR).sum() == 45


def test_in_2020_every_village_is_at_20_wan_and_47_percent_at_50_wan(drawn: Drawn) -> None:
    assert (drawn.year(2020) >= 20).all()
    # 40 of 85: the whole number of villages nearest to 47.5%.
    assert (drawn.year(2020) >= 50).mean() == pytest.approx(0.475, abs=0.5 / 85)
    assert (drawn.year(2020, TARGET) >= 50).mean() == pytest.approx(0.475, abs=0.5 / 30)


def test_in_2021_about_80_percent_are_at_50_wan(drawn: Drawn) -> None:
    assert (drawn.year(2021, TARGET) >= 50).mean() == pytest.approx(0.80)
    assert (drawn.year(2021, NEXT_DOOR) >= 50).mean() == pytest.approx(0.80)


def test_in_2023_all_30_are_above_50_wan_and_16_above_100(drawn: Drawn) -> None:
    assert (drawn.year(2023, TARGET) > 50).sum() == 30
    assert (drawn.year(2023, TARGET) > 100).sum() == 16


def test_one_giant_lies_between_1000_and_1500_wan(drawn: Drawn) -> None:
    ordered = np.sort(drawn.year(2023, TARGET))
    assert 1000 <= ordered[-1] <= 1500
    assert ordered[-2] < 1000


def test_the_spread_of_log_income_is_085_and_the_gini_a_half(drawn: Drawn) -> None:
    # Across all villages in 2020, the year of the published shares; 0.08 is one draw's own spread.
    assert np.log(drawn.year(2020)).std() == pytest.approx(0.85, abs=0.08)
    assert gini(drawn.year(2020)) == pytest.approx(0.5, abs=0.05)


def test_noise_has_persistence_07_and_a_yearly_deviation_of_020(drawn: Drawn) -> None:
    noise = drawn.world.idiosyncratic
    persistence = (noise[:, 1:] * noise[:, :-1]).sum() / (noise[:, :-1] ** 2).sum()
    # 85 villages × 7 steps leave a standard error of 0.03 on the persistence.
    assert persistence == pytest.approx(0.7, abs=0.05)
    assert noise.std() == pytest.approx(0.20, abs=0.01)


def test_jobs_of_hosts_have_median_20_mean_37_upper_quartile_50_and_pass_1000(drawn: Drawn) -> None:
    hosts = {host.unit for one in load_initiatives() for host in one.treated}
    end_of_2023 = 12 * (2023 - YEARS[0]) + 11
    jobs = np.array(
        [
            row[end_of_2023]
            for one, row in zip(drawn.world.villages, drawn.world.jobs_persons, strict=True)
            if one.name in hosts
        ]
    )
    assert np.median(jobs) == 20
    assert jobs.mean() == pytest.approx(37, abs=0.5)
    assert np.quantile(jobs, 0.75) == 50
    assert jobs.sum() >= 1000


def test_true_effects_grow_over_four_years_average_8_to_15_wan_and_some_are_zero() -> None:
    world = draw(SEEDS[0], False).world
    yearly = {name: by_year(months) / WAN for name, months in world.effect_yuan.items()}
    means = {name: one[one > 0].mean() if one.any() else 0.0 for name, one in yearly.items()}
    total = np.sum(list(yearly.values()), axis=0)
    assert 8 <= total[total > 0].mean() <= 15
    assert sum(mean == 0 for mean in means.values()) >= 2
    assert max(means.values()) > 2 * min(mean for mean in means.values() if mean > 0)
    bonsai = yearly["bonsai"][0]  # starts in May 2021
    assert (np.diff(bonsai[YEARS.index(2021) :]) > 0).all()


def test_in_the_spurious_mode_nothing_was_caused() -> None:
    world = draw(SEEDS[0], True).world
    assert not any(effect.any() for effect in world.effect_yuan.values())
    assert not any(effect.any() for effect in world.jobs_effect.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_both_modes_have_the_same_raw_growth_of_the_target(seed: int) -> None:
    logs = [
        np.log(one.wan[one.area == TARGET]).mean(axis=0)
        for one in (draw(seed, False), draw(seed, True))
    ]
    assert logs[0] == pytest.approx(logs[1], abs=1e-5)


def test_visitors_halve_in_2020_and_stay_away_in_two_months_of_2022() -> None:
    world = draw(SEEDS[0], False).world
    village = next(i for i, one in enumerate(world.villages) if one.name == "示例村09")
    effect = world.effect_yuan["rural_tourism"][village]
    may = {year: effect[12 * (year - YEARS[0]) + 4] for year in (2019, 2020, 2021)}
    assert 0.4 < may[2020] / np.mean([may[2019], may[2021]]) < 0.6
    april = {year: effect[12 * (year - YEARS[0]) + 3] for year in (2021, 2022)}
    assert april[2022] < 0.35 * april[2021]


def test_visitors_flood_one_outside_town_from_september_2023(drawn: Drawn) -> None:
    def growth(area: str) -> float:
        months = drawn.world.income_yuan[drawn.area == area].sum(axis=0)
        after = months[12 * 7 : 12 * 7 + 12].sum()
        return float(after / months[12 * 5 : 12 * 5 + 12].sum())

    assert growth(VISITED) / growth(NEXT_DOOR) > 1.3


def test_months_follow_the_seasons_of_the_trade() -> None:
    world = draw(SEEDS[0], False).world
    bonsai = world.effect_yuan["bonsai"][0][-12:]
    jujube = world.effect_yuan["jujube_garden"].sum(axis=0)[-12:]
    assert bonsai[9:].sum() > 0.6 * bonsai.sum()
    assert jujube.argmax() == 7
    everyone = world.income_yuan.sum(axis=0).reshape(len(YEARS), 12).sum(axis=0)
    assert set(np.argsort(everyone)[-2:]) == {0, 11}  # rents in January, catch-up in December
