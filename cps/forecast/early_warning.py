"""The early-warning list: which villages may fall short of a threshold, and what speaks for it."""

from __future__ import annotations

from cps.errors import Text, UsageError
from cps.forecast.record import Chance, EarlyWarning, Outlook, VillageOutlook
from cps.units import YUAN_PER_WAN


def early_warnings(
    outlook: Outlook, *, keep_below: float = 0.8, reach_below: float = 0.2
) -> tuple[EarlyWarning, ...]:
    """List villages at risk, most urgent first.

    Threatened losses come before thresholds out of reach; within each, the smaller the probability
    the earlier. What is settled (12 months reported) is listed too: a threshold missed is no longer
    a risk but a fact, with probability 0.

    Parameters
    ----------
    keep_below : float
        A threshold passed last year is listed if this year's probability is below this.
    reach_below : float
        The next threshold above last year's (the lowest one, if last year isn't known) is listed if
        its probability is below this.

    Raises
    ------
    UsageError
        If a limit is no probability.
    """
    for name, limit in (("keep_below", keep_below), ("reach_below", reach_below)):
        if not 0 <= limit <= 1:
            raise UsageError(
                Text(f"{name}={limit} 不是概率", f"{name}={limit} is no probability"),
                where=f"early_warnings({name}=…)",
                mend=Text("取 0 至 1", "take 0 to 1"),
            )
    found = []
    for village in outlook.villages:
        for chance in village.chances:
            if chance.passed_last_year and chance.probability < keep_below:
                found.append(_warning(outlook, village, chance))
        ahead = [one for one in village.chances if not one.passed_last_year]
        if ahead and ahead[0].probability < reach_below:
            found.append(_warning(outlook, village, ahead[0]))
    return tuple(
        sorted(
            found,
            key=lambda one: (one.risk != "fall_below", one.probability, -one.needed_yuan, one.unit),
        )
    )


def _warning(outlook: Outlook, village: VillageOutlook, chance: Chance) -> EarlyWarning:
    needed = max(0.0, chance.threshold_yuan - village.to_date_yuan)
    return EarlyWarning(
        unit=village.unit,
        risk="fall_below" if chance.passed_last_year else "not_reach",
        threshold_yuan=chance.threshold_yuan,
        probability=chance.probability,
        needed_yuan=needed,
        reasons=tuple(_reasons(outlook, village, chance, needed)),
    )


def _reasons(
    outlook: Outlook, village: VillageOutlook, chance: Chance, needed: float
) -> list[Text]:
    name = f"{chance.threshold_yuan / YUAN_PER_WAN:,g}"
    if chance.is_settled:
        return [
            Text(
                f"全年已报齐，合计 {_wan(village.to_date_yuan)} 万元，未超 {name} 万元",
                f"all 12 months are in: {_wan(village.to_date_yuan)} 万元, not above {name}",
            )
        ]
    share = _share(chance.probability)
    told = [
        Text(
            f"全年预计 {_wan(village.median_yuan)} 万元（{100 * outlook.level:.0f}% 区间 "
            f"{_wan(village.lower_yuan)}–{_wan(village.upper_yuan)}），超 {name} 万元的概率{share.zh}",
            f"expected for the year: {_wan(village.median_yuan)} 万元 "
            f"({100 * outlook.level:.0f}% interval {_wan(village.lower_yuan)}–"
            f"{_wan(village.upper_yuan)}); chance of passing {name}: {share.en}",
        ),
        _needed(outlook, village, needed, name),
    ]
    same = village.same_months_last_year_yuan
    if same is not None and same > 0:
        change = 100 * (village.to_date_yuan / same - 1)
        told.append(
            Text(
                f"已报 {village.n_reported} 个月累计 {_wan(village.to_date_yuan)} 万元，"
                f"同比{'增长' if change >= 0 else '下降'} {abs(change):.1f}%",
                f"{village.n_reported} months reported bring {_wan(village.to_date_yuan)} 万元, "
                f"{'up' if change >= 0 else 'down'} {abs(change):.1f}% on the same months last year",
            )
        )
    if village.n_gaps:
        told.append(
            Text(
                f"缺 {village.n_gaps} 个月未报，先补报再下结论",
                f"{village.n_gaps} months are missing: have them reported before concluding",
            )
        )
    if village.basis == "pooled":
        told.append(
            Text(
                "本村往年数据不足，季节结构取全体村的",
                "too little history of its own: the season is the pool's",
            )
        )
    return told


def _needed(outlook: Outlook, village: VillageOutlook, needed: float, name: str) -> Text:
    open_months = 12 - village.n_reported
    if needed == 0:
        return Text(
            f"累计已达 {name} 万元，仅未来冲销会使其回落",
            f"the sum to date has reached {name} 万元; only reversals could take it back",
        )
    last, same = village.last_year_yuan, village.same_months_last_year_yuan
    if last is None or same is None:
        return Text(
            f"其余 {open_months} 个月还需 {_wan(needed)} 万元",
            f"the {open_months} months to come must bring {_wan(needed)} 万元",
        )
    return Text(
        f"其余 {open_months} 个月还需 {_wan(needed)} 万元，上年同期月份为 {_wan(last - same)} 万元",
        f"the {open_months} months to come must bring {_wan(needed)} 万元; last year they "
        f"brought {_wan(last - same)}",
    )


def _share(probability: float) -> Text:
    """Say a probability that draws have estimated: never that nothing, or everything, is certain."""
    if probability < 0.01:
        return Text("不足 1%", "less than 1%")
    if probability > 0.99:
        return Text("超过 99%", "more than 99%")
    return Text(f" {100 * probability:.0f}%", f"{100 * probability:.0f}%")


def _wan(yuan: float) -> str:
    return f"{yuan / YUAN_PER_WAN:.1f}"
