"""Claims on what projects caused, and on what a job cost."""

from __future__ import annotations

import math

from cps.errors import Text
from cps.synthesis._claim_evidence import POOLED, EffectFigure, Evidence
from cps.synthesis._claim_measurement import Measurement, amount, nothing, units_in
from cps.synthesis.claim_file import Claim
from cps.units import YUAN_PER_WAN


def effect(claim: Claim, evidence: Evidence) -> Measurement:
    """Give an initiative's effect, or that on all hosts together, with its interval."""
    units_in(claim, evidence)  # refuses an initiative that isn't there
    name = POOLED if claim.scope == "hosts" else claim.scope.partition(":")[2]
    figure = evidence.effects.get(name)
    if figure is not None and figure.failure is not None:
        return nothing(
            f"该项目没有可用的估计：{figure.failure.zh}",
            f"there is no estimate of it: {figure.failure.en}",
        )
    if figure is None or figure.outcome != claim.outcome:
        return nothing(
            "没有估计全部项目村的合并效应"
            if name == POOLED
            else "没有估计该项目在这一指标上的效应",
            "the pooled effect over all host villages was not estimated"
            if name == POOLED
            else "the initiative's effect on this outcome was not estimated",
        )
    return _in_per_cent(claim, figure) if claim.kind == "rate" else _in_own_unit(claim, figure)


def _in_own_unit(claim: Claim, figure: EffectFigure) -> Measurement:
    if figure.natural is None or None in figure.natural:
        kind = "人" if claim.kind == "persons" else "元"
        return nothing(f"效应没有以{kind}计的区间", f"the effect has no interval in {kind}")
    att, low, high = (float(one or 0.0) for one in figure.natural)
    said = tuple(_plain(one, claim) for one in (att, low, high))
    unit = amount(0, claim).zh.rpartition(" ")[2]
    return _measured(
        claim, figure, (att / claim.size, low / claim.size, high / claim.size), said, unit
    )


def _in_per_cent(claim: Claim, figure: EffectFigure) -> Measurement:
    if figure.log is None or None in figure.log:
        return nothing(
            "该效应不是以对数估计的，没有百分比区间",
            "the effect was not estimated in logs and has no interval in per cent",
        )
    att, low, high = (100 * math.expm1(float(one or 0.0)) for one in figure.log)
    said = (f"{att:+.1f}", f"{low:.1f}", f"{high:.1f}")
    return _measured(claim, figure, (att, low, high), said, "%")


def _measured(
    claim: Claim,
    figure: EffectFigure,
    numbers: tuple[float, float, float],
    said: tuple[str, ...],
    unit: str,
) -> Measurement:
    att, low, high = numbers
    published = float(claim.value)
    holds = low <= published <= high
    end = Text(
        f"，区间包含所称的 {published:g} {claim.unit}。" if holds else "。",
        f"; the interval holds the claimed value of {published:g} {claim.unit}." if holds else ".",
    )
    space = "" if unit == "%" else " "
    words = Text(
        f"{figure.method.zh}：{figure.n_treated} 个项目村对 {figure.n_comparison} 个对照村，"
        f"平均效应每村每年 {said[0]}{space}{unit}，{figure.level:.0%} 区间 [{said[1]}, {said[2]}]"
        f"{end.zh}",
        f"{figure.method.en}, {figure.n_treated} host against {figure.n_comparison} comparison "
        f"villages: mean effect {said[0]}{space}{unit} a village and year, {figure.level:.0%} "
        f"interval [{said[1]}, {said[2]}]{end.en}",
    )
    return Measurement(att, low, high, words)


def _plain(value: float, claim: Claim) -> str:
    return f"{value:.1f}" if claim.outcome == "jobs_persons" else f"{value / YUAN_PER_WAN:.1f}"


def cost_per_job(claim: Claim, evidence: Evidence) -> Measurement:
    """Give recorded cost over jobs at the year's end: head-count, gross, whatever paid for it."""
    year, units = claim.year or 0, units_in(claim, evidence)
    chosen = list(evidence.initiatives.values())
    if claim.scope != "hosts":
        chosen = [evidence.initiatives[claim.scope.partition(":")[2]]]
    lacking = [one.name for one in chosen if one.cost_yuan is None]
    if lacking or not chosen:
        return nothing(
            f"缺少投入金额：{'、'.join(one.zh for one in lacking)}",
            f"the money is not recorded: {', '.join(one.en for one in lacking)}",
        )
    jobs = evidence.of("jobs_persons", units, year)
    if len(jobs) < len(units) or not sum(jobs.values()):
        return nothing(
            f"{len(units) - len(jobs)} 个项目村缺 {year} 年末就业人数，或合计为零",
            f"{len(units) - len(jobs)} host villages lack jobs at the end of {year}, or there is none",
        )
    cost, total = sum(one.cost_yuan or 0 for one in chosen), sum(jobs.values())
    each = cost / total
    words = Text(
        f"{len(chosen)} 个项目登记投入 {cost / YUAN_PER_WAN:,.1f} 万元，{year} 年末 {len(jobs)} 个村"
        f"就业 {total:,} 人，每个岗位 {each / YUAN_PER_WAN:,.2f} 万元（人数、总额口径：未扣除"
        "本来就有的就业，净增岗位的成本更高）。",
        f"{len(chosen)} initiatives record {cost / YUAN_PER_WAN:,.1f} 万元; {len(jobs)} villages have "
        f"{total:,} jobs at the end of {year}: {each / YUAN_PER_WAN:,.2f} 万元 a job (persons, gross: "
        "jobs that would exist anyway are not taken off, so a net job costs more).",
    )
    own = each / claim.size
    return Measurement(own, own, own, words)
