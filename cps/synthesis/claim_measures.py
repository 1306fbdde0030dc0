"""How each kind of published claim is measured on a panel, an effect or a filing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from cps.errors import Text
from cps.indicators.levels import mean_in_year, mean_yearly_gain
from cps.result import Effect, Estimate
from cps.synthesis.claim_file import Claim, ClaimFile
from cps.units import YUAN_PER_WAN

_SHOWN_UNITS = 5


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, and the range in which the truth lies given gaps and uncertainty.

    ``low`` and ``high`` equal ``value`` for an exact count; a None bound is open.
    """

    value: float | None
    low: float | None
    high: float | None
    words: Text


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything that a metric may look at."""

    values: dict[str, pl.DataFrame]  # outcome -> yearly values
    scopes: dict[str, list[str]]  # target_area, hosts, comparison -> units
    effects: Mapping[str, Effect]
    book: ClaimFile


def _local_jobs(claim: Claim, evidence: Evidence) -> Measurement:
    units = evidence.scopes[claim.scope]
    values = evidence.values["jobs_persons"].filter(pl.col("unit").is_in(units))
    years = values.drop_nulls("value")["year"]
    if not units or years.is_empty():
        return nothing(
            "项目村没有家门口就业的全年数据",
            "no host village has local jobs reported for a year",
        )
    year = int(years.max())  # type: ignore[arg-type]
    found = values.filter(pl.col("year") == year).drop_nulls("value")["value"]
    total, n_missing = int(found.sum()), len(units) - len(found)
    gap = (
        Text(
            f"；{n_missing} 个项目村未报，合计只会更高",
            f"; {n_missing} hosts did not report, so the total can only be higher",
        )
        if n_missing
        else Text("", "")
    )
    words = Text(
        f"{year} 年末 {len(found)} 个项目村家门口就业合计 {total:,} 人（人数、总额口径，"
        f"未扣除本来就有的就业）{gap.zh}。",
        f"At the end of {year}, {len(found)} host villages report {total:,} local jobs (persons, "
        f"gross: jobs that would exist anyway are not taken off){gap.en}.",
    )
    return Measurement(total, total, None if n_missing else total, words)


def _mean_yearly_gain(claim: Claim, evidence: Evidence) -> Measurement:
    base_year, year = _years(claim)
    values, units = evidence.values["income_yuan"], evidence.scopes[claim.scope]
    gap = _missing_years(values, units, years=(base_year, year))
    if gap:
        return nothing(gap.zh, gap.en)
    base = _wan(mean_in_year(values, units, year=base_year))
    last = _wan(mean_in_year(values, units, year=year))
    gain = _wan(mean_yearly_gain(values, units, base_year=base_year, last_year=year))
    words = Text(
        f"{base_year}—{year} 年，{len(units)} 个村的均值由 {base:.1f} 万元变为 {last:.1f} 万元，"
        f"每年 {gain:+.1f} 万元。",
        f"From {base_year} to {year} the mean of {len(units)} villages went from {base:.1f} to "
        f"{last:.1f} 万元, {gain:+.1f} 万元 a year. ",
    )
    trend = _comparison_trend(values, evidence.scopes["comparison"], base_year=base_year, year=year)
    return Measurement(gain, gain, gain, Text(words.zh + trend.zh, words.en + trend.en))


def _comparison_trend(
    values: pl.DataFrame, comparison: list[str], *, base_year: int, year: int
) -> Text:
    whole = (
        values.filter(
            pl.col("unit").is_in(comparison),
            pl.col("year").is_in([base_year, year]),
            pl.col("value").is_not_null(),
        )
        .group_by("unit")
        .len()
        .filter(pl.col("len") == 2)["unit"]
        .to_list()
    )
    gain = mean_yearly_gain(values, whole, base_year=base_year, last_year=year)
    if gain is None:
        return Text(
            "没有对照村可比，趋势本身不说明成效。",
            "There are no comparison villages; a trend alone shows no effect.",
        )
    return Text(
        f"同期 {len(whole)} 个对照村每年 {_wan(gain):+.1f} 万元：这是趋势，不是项目的效应。",
        f"Over the same years {len(whole)} comparison villages changed by {_wan(gain):+.1f} 万元 a "
        "year too: this is a trend, not an effect of the projects.",
    )


def _mean_rise(claim: Claim, evidence: Evidence) -> Measurement:
    _, year = _years(claim)
    values, units = evidence.values["income_yuan"], evidence.scopes[claim.scope]
    gap = _missing_years(values, units, years=(year,))
    if gap:
        return nothing(gap.zh, gap.en)
    last = mean_in_year(values, units, year=year) or 0.0
    earlier = sorted(one for one in values["year"].unique().to_list() if one < year)
    bases = {one: mean_in_year(values, units, year=one) for one in earlier}
    rises = {one: _wan(last - base) for one, base in bases.items() if base is not None}
    if not rises:
        return nothing(
            f"{year} 年之前没有各村齐全的年份",
            f"no year before {year} is complete for every village",
        )
    low, high = min(rises, key=rises.__getitem__), max(rises, key=rises.__getitem__)
    first = min(rises)
    words = Text(
        f"原文未说明基年。{year} 年 {len(units)} 个村的均值比 {first} 年高 "
        f"{rises[first]:.1f} 万元；逐个尝试各基年，增量从 {rises[low]:.1f} 万元（{low} 年）到 "
        f"{rises[high]:.1f} 万元（{high} 年）。这是前后差，不是效应。",
        f"The source gives no base year. In {year} the mean of {len(units)} villages is "
        f"{rises[first]:.1f} 万元 above {first}; over all base years the rise runs from "
        f"{rises[low]:.1f} ({low}) to {rises[high]:.1f} 万元 ({high}). This is before and after, "
        "not an effect.",
    )
    return Measurement(rises[first], rises[low], rises[high], words)


def _pooled_effect(claim: Claim, evidence: Evidence) -> Measurement:
    effect = evidence.effects.get(claim.effect or "")
    if effect is None:
        return nothing(
            "没有估计全部项目村的合并效应",
            "the pooled effect over all host villages was not estimated",
        )
    yuan = effect_in_yuan(effect)
    if yuan is None or yuan.att is None or yuan.ci_low is None or yuan.ci_high is None:
        return nothing("合并效应没有以元计的区间", "the pooled effect has no interval in 元")
    att, low, high = _wan(yuan.att), _wan(yuan.ci_low), _wan(yuan.ci_high)
    published = float(claim.value)
    holds = low <= published <= high
    words = Text(
        f"{effect.method_name.zh}：{effect.n_treated} 个项目村对 {effect.n_comparison} 个对照村，"
        f"平均效应每村每年 {att:+.1f} 万元，{effect.level:.0%} 区间 [{low:.1f}, {high:.1f}]"
        + (f"，区间包含所称的 {published:g} 万元。" if holds else "。"),
        f"{effect.method_name.en}, {effect.n_treated} host against {effect.n_comparison} comparison "
        f"villages: mean effect {att:+.1f} 万元 a village and year, {effect.level:.0%} interval "
        f"[{low:.1f}, {high:.1f}]"
        + (f"; the interval holds the claimed value of {published:g} 万元." if holds else "."),
    )
    return Measurement(att, low, high, words)


def effect_in_yuan(effect: Effect) -> Estimate | None:
    """Give the overall effect in 元, translated if estimated in logs; None for other measures."""
    if effect.measure == "yuan":
        return effect.overall
    return effect.natural if effect.natural_measure == "yuan" else None


def _above(claim: Claim, evidence: Evidence) -> tuple[int, int, list[str]]:
    values, units = evidence.values["income_yuan"], evidence.scopes[claim.scope]
    found = values.filter(
        pl.col("unit").is_in(units), pl.col("year") == claim.year, pl.col("value").is_not_null()
    )
    n_above = int((found["value"] > claim.threshold_yuan).sum())
    return n_above, len(found), sorted({*units} - {*found["unit"].to_list()})


def _count_above(claim: Claim, evidence: Evidence) -> Measurement:
    n_above, n_reported, missing = _above(claim, evidence)
    if n_reported == 0:
        return _no_year(claim)
    words = _above_words(claim, n_above, n_reported=n_reported, missing=missing)
    return Measurement(n_above, n_above, n_above + len(missing), words)


def _share_above(claim: Claim, evidence: Evidence) -> Measurement:
    n_above, n_reported, missing = _above(claim, evidence)
    if n_reported == 0:
        return _no_year(claim)
    words = _above_words(claim, n_above, n_reported=n_reported, missing=missing)
    n_units = n_reported + len(missing)
    low, high = 100 * n_above / n_units, 100 * (n_above + len(missing)) / n_units
    return Measurement(100 * n_above / n_reported, low, high, words)


def _above_words(claim: Claim, n_above: int, *, n_reported: int, missing: list[str]) -> Text:
    wan = (claim.threshold_yuan or 0) / YUAN_PER_WAN
    gap = Text("", "")
    if missing:
        shown = missing[:_SHOWN_UNITS]
        gap = Text(
            f"；{len(missing)} 个村缺数（{'、'.join(shown)}{'等' if len(missing) > 5 else ''}）",
            f"; {len(missing)} did not report ({', '.join(shown)}"
            f"{' …' if len(missing) > _SHOWN_UNITS else ''})",
        )
    return Text(
        f"{claim.year} 年有数据的 {n_reported} 个村中，{n_above} 个超过 {wan:g} 万元{gap.zh}。",
        f"Of {n_reported} villages reported for {claim.year}, {n_above} are above {wan:g} 万元"
        f"{gap.en}.",
    )


def _filing(claim: Claim, evidence: Evidence) -> Measurement:
    filings = [
        one
        for one in evidence.book.filings
        if (one.entity, one.period, one.unit) == (claim.scope, claim.filing_period, claim.unit)
    ]
    same = next((one for one in filings if one.metric == claim.filing_metric), None)
    if same is None:
        return nothing(
            f"没有 {claim.scope} {claim.filing_period} 的财报数",
            f"no filing of {claim.scope} for {claim.filing_period}",
        )
    words = Text(
        f"财报：{claim.filing_period} {same.name.zh} {same.value:+}%，所称为 {claim.value:+}%。",
        f"Filing for {claim.filing_period}: {same.name.en} {same.value:+}%, stated "
        f"{claim.value:+}%.",
    )
    other = next((one for one in filings if one is not same and one.value == claim.value), None)
    if other is not None and same.value != claim.value:
        words = Text(
            f"{words.zh}该数值是{other.name.zh}：指标张冠李戴。",
            f"{words.en} The number is the {other.name.en}: it was put on the wrong metric.",
        )
    value = float(same.value)
    return Measurement(value, value, value, words)


def _not_measurable(claim: Claim, evidence: Evidence) -> Measurement:
    return nothing("没有可用的度量", "there is no measure for it")


def nothing(zh: str, en: str) -> Measurement:
    """Give the measurement of something that could not be measured, and why."""
    return Measurement(None, None, None, Text(f"{zh}。", f"{en[0].upper()}{en[1:]}."))


def _no_year(claim: Claim) -> Measurement:
    return nothing(f"缺少 {claim.year} 年全年数据", f"no whole year {claim.year} in the panel")


def _wan(yuan: float | None) -> float:
    if yuan is None:
        raise ValueError("a mean was taken over villages that did not all report")
    return yuan / YUAN_PER_WAN


def _years(claim: Claim) -> tuple[int, int]:
    # The file's reader has made sure of the years that a metric needs.
    return claim.base_year or 0, claim.year or 0


def _missing_years(
    values: pl.DataFrame, units: list[str], *, years: tuple[int, ...]
) -> Text | None:
    """Say which villages lack which of ``years``; None if all are there."""
    parts = []
    for year in years:
        reported = values.filter(pl.col("year") == year).drop_nulls("value")["unit"].to_list()
        missing = sorted({*units} - {*reported})
        if missing:
            shown = ", ".join(missing[:_SHOWN_UNITS])
            parts.append(
                (year, len(missing), shown + (" …" if len(missing) > _SHOWN_UNITS else ""))
            )
    if not parts:
        return None
    return Text(
        "缺少全年数据：" + "；".join(f"{year} 年 {n} 个村（{shown}）" for year, n, shown in parts),
        "whole years are missing: "
        + "; ".join(f"{year} for {n} villages ({shown})" for year, n, shown in parts),
    )


MEASURES: dict[str, Callable[[Claim, Evidence], Measurement]] = {
    "local_jobs_total": _local_jobs,
    "mean_yearly_gain": _mean_yearly_gain,
    "mean_rise": _mean_rise,
    "pooled_effect": _pooled_effect,
    "share_above": _share_above,
    "count_above": _count_above,
    "filing": _filing,
    "not_measurable": _not_measurable,
}
