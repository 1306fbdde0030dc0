"""Whether effects go with what initiatives are, and what so few of them can't tell."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Counted, Interval, Kind, Listing, Message, Quantity, measure_kind
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._common import amount
from cps.runs import Run

ORDER = 42
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "哪类项目效果更大",
        "none": "问了 {n} 个特征，没有一个能看出与效应大小有关。这不等于无关：{used}太少，相差小于下表“能看出的最小差别”的，本来就看不出来。",
        "some": "问了 {n} 个特征，与效应大小有关联的有：{names}。项目不是随机分到各类的，这只是描述，不能说改变该特征就会改变效应。",
        "spread": "各项目的效应之间有没有差别，本身就看不出来（全部相等这一假设的 p 值为 {q_p}），再问差别随什么而变，意义有限。",
        "refused": "项目之间的联合误差算不出来，不作比较。",
        "caption": "效应与项目特征",
        "compared": "比较",
        "difference": "效应相差",
        "interval": "{level}% 区间",
        "detectable": "能看出的最小差别",
        "adjusted": "p（Holm）",
        "verdict": "结论",
        "note": "每次只看一个特征，各项目按误差加权，标准误按 Knapp–Hartung 计算，p 值按 {n} 个特征作 Holm 校正。“能看出的最小差别”：真有这么大时，单独检验有 {power}% 的可能看得出来。基期收入高的村，同样的金额增幅较小，解读时须留意。",
        "trait_format": "业态大类",
        "trait_start_year": "启动时间",
        "trait_log_baseline": "启动前水平",
        "trait_public_wan_per_host": "财政资金",
        "compared_format": "{at}（{n_at} 个）比{against}（{n_against} 个）",
        "compared_start_year": "每晚启动一年",
        "compared_log_baseline": "启动前水平每高一倍",
        "compared_public_wan_per_host": "每个承办单位的财政资金每多 100 万元",
        "goes_with": "有关联",
        "not_shown": "看不出",
        "too_few": "{trait}不作比较：{why}。",
    },
    "en": {
        "heading": "Which kinds of initiative do better",
        "none": "Of {n} traits asked about, none is seen to go with the size of effects. That is not to say that none does: with {used}, differences smaller than those in the column Smallest seen could not have been seen.",
        "some": "Of {n} traits asked about, effects go with: {names}. Initiatives were not assigned their traits at random: this describes, and does not say that changing a trait would change the effect.",
        "spread": "Nor are the effects themselves seen to differ: with p = {q_p} they may all be equal, so there is little to ask differences about.",
        "refused": "The joint errors of the initiatives can't be had, so they are not compared.",
        "caption": "Effects and traits of initiatives",
        "compared": "Compared",
        "difference": "Difference in effect",
        "interval": "{level}% interval",
        "detectable": "Smallest seen",
        "adjusted": "p (Holm)",
        "verdict": "Verdict",
        "note": "One trait at a time, initiatives weighted by their errors; standard errors after Knapp and Hartung, p-values adjusted by Holm for {n} traits. Smallest seen: were the difference that large, a test of it alone would find it with probability {power}%. In villages that were richer before, the same money is a smaller percentage.",
        "trait_format": "Family of format",
        "trait_start_year": "Start",
        "trait_log_baseline": "Level before the start",
        "trait_public_wan_per_host": "Public money",
        "compared_format": "{at} ({n_at}) against {against} ({n_against})",
        "compared_start_year": "a start one year later",
        "compared_log_baseline": "a level before the start twice as high",
        "compared_public_wan_per_host": "1 million yuan more of public money for each host",
        "goes_with": "goes with it",
        "not_shown": "not seen",
        "too_few": "{trait} is not compared: {why}.",
    },
}
POWER = 80
Traits = list[dict[str, Any]]


def build(run: Run) -> list[Block]:
    """Say of each trait whether effects go with it, and how large a difference could be seen."""
    found = run.extra.get("together")
    if not found or not found["initiatives"]["initiative"]:
        return []
    blocks: list[Block] = [Heading(Message("heterogeneity.heading"))]
    traits, family = found["traits"], found["family"]
    if not traits:
        return [*blocks, Paragraph(Message("heterogeneity.refused"), "warn")]
    judged = [one for one in traits if one["verdict"] != "too_few"]
    if judged:
        blocks += [*_lead(judged, family), _table(judged, family)]
    return [*blocks, *_too_few(traits)]


def _lead(judged: Traits, family: dict[str, Any]) -> list[Block]:
    n = Quantity(len(judged), "count")
    related = [one for one in judged if one["verdict"] == "goes_with"]
    if related:
        names = Listing(tuple(_name(one) for one in related))
        return [Paragraph(Message("heterogeneity.some", {"n": n, "names": names}), "lead")]
    used = Counted(min(one["n_used"] for one in judged), "nouns.initiative")
    said = Message("heterogeneity.none", {"n": n, "used": used})
    blocks: list[Block] = [Paragraph(said, "lead")]
    q = family.get("q_p_value")
    if q is not None and q > 1 - family["level"]:
        said = Message("heterogeneity.spread", {"q_p": Quantity(q, "p_value")})
        blocks.append(Paragraph(said))
    return blocks


def _name(trait: dict[str, Any]) -> Message:
    return Message(f"heterogeneity.trait_{trait['trait']}")


def _table(judged: Traits, family: dict[str, Any]) -> Table:
    kind, unit = measure_kind(family["measure"])
    level = Quantity(round(100 * family["level"], 6), "number", "")
    rows: list[tuple[Content, ...]] = [
        _row(one, coefficient, kind, unit) for one in judged for coefficient in one["coefficients"]
    ]
    return Table(
        Message("heterogeneity.caption"),
        (
            Column(Message("heterogeneity.compared")),
            Column(Message("heterogeneity.difference"), kind, unit),
            Column(Message("heterogeneity.interval", {"level": level}), kind, unit),
            Column(Message("heterogeneity.detectable"), kind, unit),
            Column(Message("heterogeneity.adjusted"), "p_value"),
            Column(Message("heterogeneity.verdict")),
        ),
        tuple(rows),
        Message(
            "heterogeneity.note",
            {"n": Quantity(len(judged), "count"), "power": Quantity(POWER, "count")},
        ),
    )


def _row(
    trait: dict[str, Any], coefficient: dict[str, Any], kind: Kind, unit: str
) -> tuple[Content, ...]:
    return (
        _compared(trait, coefficient),
        amount(coefficient["estimate"], kind, unit),
        Interval(coefficient["low"], coefficient["high"], kind, unit, is_signed=True),
        Quantity(coefficient["detectable"], kind, unit),
        Quantity(trait["adjusted"], "p_value"),
        Message(f"heterogeneity.{trait['verdict']}"),
    )


def _compared(trait: dict[str, Any], coefficient: dict[str, Any]) -> Message:
    key = f"heterogeneity.compared_{trait['trait']}"
    if coefficient["at"] is None:
        return Message(key)
    counts = {one["kind"]: one["n"] for one in trait["kinds"]}
    said: dict[str, Content] = {}
    for end in ("at", "against"):
        kind = coefficient[end]
        said[end] = Text(kind["zh"], kind["en"])
        said[f"n_{end}"] = Quantity(counts[kind["kind"]], "count")
    return Message(key, said)


def _too_few(traits: Traits) -> list[Block]:
    return [
        Paragraph(
            Message(
                "heterogeneity.too_few",
                {"trait": _name(one), "why": Text(one["reason_zh"], one["reason_en"])},
            ),
            "note",
        )
        for one in traits
        if one["verdict"] == "too_few"
    ]
