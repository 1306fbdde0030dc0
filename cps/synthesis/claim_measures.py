"""How each metric of a claim is measured on villages' yearly values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cps.errors import Text
from cps.indicators import distribution
from cps.synthesis._claim_effects import cost_per_job, effect
from cps.synthesis._claim_evidence import Evidence, effect_in_yuan
from cps.synthesis._claim_measurement import (
    SHOWN_UNITS,
    Measurement,
    amount,
    break_between,
    exactly,
    gap_of,
    join,
    nothing,
    units_in,
)
from cps.synthesis.claim_file import Claim
from cps.units import YUAN_PER_WAN

__all__ = ["MEASURES", "Measurement", "effect_in_yuan", "measure", "nothing"]

_NAMES = {
    "total": Text("合计", "total"),
    "mean": Text("均值", "mean"),
    "median": Text("中位数", "median"),
    "minimum": Text("最低值", "lowest value"),
    "gini": Text("基尼系数", "Gini coefficient"),
    "p90_p10": Text("第 90 与第 10 百分位之比", "ratio of the 90th to the 10th percentile"),
    "palma": Text("帕尔马比值（最高 10% 与最低 40% 之比）", "Palma ratio (top 10% to bottom 40%)"),
}


def measure(claim: Claim, evidence: Evidence) -> Measurement:
    """Measure what a claim states.

    Raises
    ------
    LedgerError
        If its scope names something that the data don't have.
    """
    return MEASURES[claim.metric](claim, evidence)


def _level(claim: Claim, evidence: Evidence) -> Measurement:
    units, year = units_in(claim, evidence), claim.year or 0
    found = evidence.of(claim.outcome, units, year)
    missing = len(units) - len(found)
    if claim.metric == "total" and found and missing and min(found.values()) >= 0:
        known = sum(found.values())
        said = amount(known, claim)
        words = Text(
            f"{year} 年有数据的 {len(found)} 个村合计 {said.zh}；{missing} 个村缺数，合计只会更高。",
            f"The {len(found)} villages reported for {year} have {said.en} together; {missing} did "
            "not report, so the total can only be higher.",
        )
        return Measurement(known / claim.size, known / claim.size, None, words)
    gap = gap_of(claim, evidence, units, (year,))
    if gap:
        return gap
    value = _statistic(claim.metric, list(found.values()))
    name, said = _NAMES[claim.metric], amount(value, claim)
    words = Text(
        f"{year} 年 {len(units)} 个村的{name.zh}为 {said.zh}。",
        f"In {year} the {name.en} of {len(units)} villages is {said.en}.",
    )
    return exactly(value, words, claim=claim)


def _statistic(metric: str, values: list[int]) -> float:
    # Whole 元 are summed as integers: a mean is then exact to the last place that a float has.
    if metric == "total":
        return float(sum(values))
    if metric == "mean":
        return sum(values) / len(values)
    if metric == "minimum":
        return float(min(values))
    return float(np.median(np.array(values, dtype=float)))


def _nth_highest(claim: Claim, evidence: Evidence) -> Measurement:
    units, year, rank = units_in(claim, evidence), claim.year or 0, claim.rank or 1
    found = sorted(evidence.of(claim.outcome, units, year).values(), reverse=True)
    if len(units) < rank:
        return nothing(
            f"范围内只有 {len(units)} 个村，没有第 {rank} 高的村",
            f"the scope has only {len(units)} villages, none ranks {rank}",
        )
    gap = gap_of(claim, evidence, units, (year,))
    if gap:
        return gap
    said = amount(found[rank - 1], claim)
    words = Text(
        f"{year} 年 {len(units)} 个村中第 {rank} 高的村为 {said.zh}。",
        f"In {year} the village that ranks {rank} of {len(units)} has {said.en}.",
    )
    return exactly(found[rank - 1], words, claim=claim)


def _gap_measure(claim: Claim, evidence: Evidence) -> Measurement:
    units, year = units_in(claim, evidence), claim.year or 0
    gap = gap_of(claim, evidence, units, (year,))
    if gap:
        return gap
    values = np.array(list(evidence.of(claim.outcome, units, year).values()), dtype=float)
    formula = {
        "gini": distribution.gini_of,
        "p90_p10": distribution.p90_p10_of,
        "palma": distribution.palma_of,
    }[claim.metric]
    value, name = float(formula(values)), _NAMES[claim.metric]
    if not np.isfinite(value):
        return nothing(
            f"有负值或零值，{name.zh}没有定义",
            f"values at or below 0 leave the {name.en} undefined",
        )
    words = Text(
        f"{year} 年 {len(units)} 个村经营性收入的{name.zh}为 {value:.3f}。",
        f"In {year} the {name.en} over {len(units)} villages is {value:.3f}.",
    )
    # A ratio is no percentage: 倍 counts as it stands.
    return Measurement(value, value, value, words)


def _growth(claim: Claim, evidence: Evidence) -> Measurement:
    year = claim.year or 0
    base_year = claim.base_year if claim.base_year is not None else year - 1
    units = units_in(claim, evidence)
    gap = gap_of(claim, evidence, units, (base_year, year))
    if gap:
        return gap
    base = sum(evidence.of(claim.outcome, units, base_year).values())
    last = sum(evidence.of(claim.outcome, units, year).values())
    if base <= 0:
        return nothing(
            f"{base_year} 年合计不是正数，增幅没有定义",
            f"the total of {base_year} is not above 0, so growth is undefined",
        )
    growth = (last / base - 1) * 100
    before, after = amount(base, claim), amount(last, claim)
    words = Text(
        f"{len(units)} 个村合计由 {base_year} 年的 {before.zh}变为 {year} 年的 {after.zh}，"
        f"{growth:+.1f}%（{year} 年 ÷ {base_year} 年 − 1）。",
        f"The total of {len(units)} villages went from {before.en} in {base_year} to {after.en} in "
        f"{year}, {growth:+.1f}% ({year} ÷ {base_year} − 1).",
    )
    return exactly(growth, join(words, break_between(evidence, base_year, year)), claim=claim)


def _mean_yearly_gain(claim: Claim, evidence: Evidence) -> Measurement:
    base_year, year = claim.base_year or 0, claim.year or 0
    units = units_in(claim, evidence)
    gap = gap_of(claim, evidence, units, (base_year, year))
    if gap:
        return gap
    base, last = (_mean(claim, evidence, units, one) for one in (base_year, year))
    gain = (last - base) / (year - base_year)
    before, after, said = amount(base, claim), amount(last, claim), amount(abs(gain), claim)
    sign = "+" if gain >= 0 else "−"
    words = Text(
        f"{base_year}—{year} 年，{len(units)} 个村的均值由 {before.zh}变为 {after.zh}，"
        f"每年 {sign}{said.zh}。",
        f"From {base_year} to {year} the mean of {len(units)} villages went from {before.en} to "
        f"{after.en}, {sign}{said.en} a year.",
    )
    trend = _comparison_trend(claim, evidence, base_year, year)
    return exactly(gain, join(words, trend, break_between(evidence, base_year, year)), claim=claim)


def _mean(claim: Claim, evidence: Evidence, units: Sequence[str], year: int) -> float:
    found = evidence.of(claim.outcome, units, year)
    return sum(found.values()) / len(found)


def _comparison_trend(claim: Claim, evidence: Evidence, base_year: int, year: int) -> Text:
    outside = evidence.comparison()
    base = evidence.of(claim.outcome, outside, base_year)
    last = evidence.of(claim.outcome, outside, year)
    whole = sorted({*base} & {*last})
    if not whole:
        return Text(
            "没有对照村可比，趋势本身不说明成效。",
            "There are no comparison villages; a trend alone shows no effect.",
        )
    gain = sum(last[unit] - base[unit] for unit in whole) / len(whole) / (year - base_year)
    said, sign = amount(abs(gain), claim), "+" if gain >= 0 else "−"
    return Text(
        f"同期其他未承办项目的 {len(whole)} 个村每年 {sign}{said.zh}，趋势本身不说明成效。",
        f"Meanwhile the mean of other villages, without an initiative ({len(whole)}), changed by "
        f"{sign}{said.en} a year too: a trend alone shows no effect.",
    )


def _mean_rise(claim: Claim, evidence: Evidence) -> Measurement:
    year, units = claim.year or 0, units_in(claim, evidence)
    gap = gap_of(claim, evidence, units, (year,))
    if gap:
        return gap
    wanted = [one for one in evidence.years if one < year]
    if claim.base_year is not None:
        gap = gap_of(claim, evidence, units, (claim.base_year,))
        if gap:
            return gap
        wanted = [claim.base_year]
    last = _mean(claim, evidence, units, year)
    rises = {
        one: last - _mean(claim, evidence, units, one)
        for one in wanted
        if len(evidence.of(claim.outcome, units, one)) == len(units)
    }
    if not rises:
        return nothing(
            f"{year} 年之前没有各村齐全的年份",
            f"no year before {year} is complete for every village",
        )
    first = min(rises)
    low, high = min(rises, key=rises.__getitem__), max(rises, key=rises.__getitem__)
    own = {one: rise / claim.size for one, rise in rises.items()}
    says = {one: _signed(rise, claim) for one, rise in rises.items()}
    words = Text(
        f"{year} 年 {len(units)} 个村的均值比 {first} 年变动 {says[first].zh}。",
        f"In {year} the mean of {len(units)} villages is {says[first].en} from {first}.",
    )
    if claim.base_year is None:
        words = join(
            Text("原文未说明基年。", "The claim gives no base year."),
            words,
            Text(
                f"逐个尝试各基年，变动从 {says[low].zh}（{low} 年）到 {says[high].zh}（{high} 年）。",
                f"Over all base years the change runs from {says[low].en} ({low}) to "
                f"{says[high].en} ({high}).",
            ),
        )
    words = join(words, Text("这是前后差，不是效应。", "This is before and after, not an effect."))
    return Measurement(own[first], own[low], own[high], words)


def _signed(value: float, claim: Claim) -> Text:
    said, sign = amount(abs(value), claim), "+" if value >= 0 else "−"
    return Text(sign + said.zh, sign + said.en)


def _above(claim: Claim, evidence: Evidence, year: int) -> tuple[int, int, list[str]]:
    units, threshold = units_in(claim, evidence), claim.threshold_yuan or 0
    found = evidence.of("income_yuan", units, year)
    above = [
        one
        for one in found.values()
        if one > threshold or (claim.threshold_includes and one == threshold)
    ]
    return len(above), len(found), sorted({*units} - {*found})


def _count_above(claim: Claim, evidence: Evidence) -> Measurement:
    n_above, n_reported, missing = _above(claim, evidence, claim.year or 0)
    if n_reported == 0:
        return _no_year(claim.year)
    words = _above_words(claim, n_above, n_reported=n_reported, missing=missing)
    return Measurement(n_above, n_above, n_above + len(missing), words, is_exact=True)


def _share_above(claim: Claim, evidence: Evidence) -> Measurement:
    n_above, n_reported, missing = _above(claim, evidence, claim.year or 0)
    if n_reported == 0:
        return _no_year(claim.year)
    words = _above_words(claim, n_above, n_reported=n_reported, missing=missing)
    n_units = n_reported + len(missing)
    low, high = 100 * n_above / n_units, 100 * (n_above + len(missing)) / n_units
    # None and all are exact; 47.5% is a rounded share.
    return Measurement(
        100 * n_above / n_reported, low, high, words, is_exact=claim.value in (0, 100)
    )


def _share_above_change(claim: Claim, evidence: Evidence) -> Measurement:
    base_year, year = claim.base_year or 0, claim.year or 0
    shares, low, high, sentences = [], [], [], []
    for one in (base_year, year):
        n_above, n_reported, missing = _above(claim, evidence, one)
        if n_reported == 0:
            return _no_year(one)
        n_units = n_reported + len(missing)
        shares.append(100 * n_above / n_reported)
        low.append(100 * n_above / n_units)
        high.append(100 * (n_above + len(missing)) / n_units)
        sentences.append(
            _above_words(claim, n_above, n_reported=n_reported, missing=missing, year=one)
        )
    change = shares[1] - shares[0]
    words = Text(f"变动 {change:+.1f} 个百分点。", f"A change of {change:+.1f} percentage points.")
    return Measurement(change, low[1] - high[0], high[1] - low[0], join(*sentences, words))


def _above_words(
    claim: Claim, n_above: int, *, n_reported: int, missing: list[str], year: int | None = None
) -> Text:
    year = claim.year if year is None else year
    wan = f"{(claim.threshold_yuan or 0) / YUAN_PER_WAN:,g} 万元"
    how = ("不低于", "at or above") if claim.threshold_includes else ("超过", "above")
    gap = Text("", "")
    if missing:
        shown = missing[:SHOWN_UNITS]
        has_more = len(missing) > SHOWN_UNITS
        gap = Text(
            f"；{len(missing)} 个村缺数（{'、'.join(shown)}{'等' if has_more else ''}）",
            f"; {len(missing)} did not report ({', '.join(shown)}{' …' if has_more else ''})",
        )
    return Text(
        f"{year} 年有数据的 {n_reported} 个村中，{n_above} 个{how[0]} {wan}{gap.zh}。",
        f"Of {n_reported} villages reported for {year}, {n_above} are {how[1]} {wan}{gap.en}.",
    )


def _no_year(year: int | None) -> Measurement:
    return nothing(f"缺少 {year} 年全年数据", f"no whole year {year} in the panel")


def _local_jobs(claim: Claim, evidence: Evidence) -> Measurement:
    units = units_in(claim, evidence)
    if "jobs_persons" not in evidence.values:
        return nothing("缺少：家门口就业人数", "missing: local jobs by village")
    years = (claim.year,) if claim.year else tuple(reversed(evidence.years))
    year = next((one for one in years if evidence.of("jobs_persons", units, one)), None)
    if year is None:
        return nothing(
            "范围内的村没有家门口就业的全年数据",
            "no village in the scope has local jobs reported for a year",
        )
    found = evidence.of("jobs_persons", units, year)
    total, n_missing = sum(found.values()), len(units) - len(found)
    gap = Text(
        f"；{n_missing} 个村未报，合计只会更高",
        f"; {n_missing} did not report, so the total can only be higher",
    )
    more = gap if n_missing else Text("", "")
    words = Text(
        f"{year} 年末 {len(found)} 个村家门口就业合计 {total:,} 人（人数、总额口径，"
        f"未扣除本来就有的就业）{more.zh}。",
        f"At the end of {year}, {len(found)} villages report {total:,} local jobs (persons, gross: "
        f"jobs that would exist anyway are not taken off){more.en}.",
    )
    own = total / claim.size
    return Measurement(own, own, None if n_missing else own, words)


MEASURES: dict[str, Callable[[Claim, Evidence], Measurement]] = {
    "total": _level,
    "mean": _level,
    "median": _level,
    "minimum": _level,
    "nth_highest": _nth_highest,
    "growth": _growth,
    "mean_rise": _mean_rise,
    "mean_yearly_gain": _mean_yearly_gain,
    "share_above": _share_above,
    "count_above": _count_above,
    "share_above_change": _share_above_change,
    "gini": _gap_measure,
    "p90_p10": _gap_measure,
    "palma": _gap_measure,
    "local_jobs_total": _local_jobs,
    "effect": effect,
    "cost_per_job": cost_per_job,
}
"""Metrics measured on the data; ``filing`` and ``not_measurable`` are judged without them."""
