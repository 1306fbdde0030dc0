"""All initiatives as one family: pooled, tested at once, and ranked with the ranks left open."""

from __future__ import annotations

from typing import Any

from cps.errors import Text
from cps.locale import Content, Counted, Interval, Listing, Message, Quantity, measure_kind
from cps.report.blocks import Block, Heading, Paragraph
from cps.report.sections._common import amount
from cps.report.sections._together import (
    Rows,
    level_of,
    name_of,
    pooled_figure,
    pooled_table,
    rank_figure,
    ranked_table,
)
from cps.runs import Run

ORDER = 41
PAGE = "overview"
TEXT = {
    "zh": {
        "heading": "放在一起看：能不能分出高低",
        "tells_nothing": "{n}放在一起比，数据分不出先后：按 {level}% 的把握，任何一个都可能排在第 1 位，也可能排在最后。请不要按估计值给项目排名次。",
        "tells_some": "{n}两两相比共 {pairs} 对，数据只能分出 {told} 对的高低，其余分不出先后。要谈名次，只能连同下图的名次区间一起谈。",
        "tests": "逐个看，效应明确的有 {alone} 个；但同时看 {n}，单凭偶然也会有看似明确的。把“哪怕误报一个”的概率控制在 {error}% 以内（Romano–Wolf），有 {rw} 个；把误报在所报结果中的比重控制在 {error}% 以内（Benjamini–Hochberg），有 {bh} 个。",
        "rejected": "同时检验后仍有明确效应的：{names}。",
        "mean": "各项目真实效应的平均值估计为 {mean}（{level}% 区间 {interval}；以项目为单位，不按村数加权）。",
        "spread": "各项目真实效应之间的差别（标准差）约为 {tau}（{level}% 区间 {interval}）；估计值之间的差别中，{i2}（{level}% 区间 {i2_interval}）是真实差别，其余是误差。",
        "further": "再上一个同类项目，其效应有 {level}% 的可能落在 {interval}，为正的概率 {positive}。",
        "best": "可能进入前 {k} 位的有 {n}：{names}。真正的前 {k} 位以 {level}% 的把握都在其中。",
        "best_all": "谁能进入前 {k} 位，数据排除不了任何一个。",
        "left_out": "{name}未能并入，可能排在任何位次：{why}。",
        "refused_joint": "项目之间的联合误差算不出来，以下各项均不给出：{what}。{mend}。",
        "refused_pooled": "不作部分合并：{what}。{mend}。",
        "refused_spread": "不给项目间差别的检验：{what}。{mend}。",
        "refused_tests": "不作多重检验：{what}。{mend}。",
        "refused_ranks": "不给名次区间：{what}。{mend}。",
        "figure": "各项目的效应：单独估计与合并后的估计",
        "figure_note": "按申报顺序排列。单独估计只用本项目的数据；合并后的估计参考了全部项目，数据越少的项目越向平均值靠拢。横线为 {level}% 区间。",
        "alone": "单独估计",
        "pooled": "合并后的估计",
        "ranks": "各项目可能的名次",
        "ranks_note": "色条为名次区间：全部项目的真实名次以 {level}% 的把握同时落在各自的区间内。{scale}{order}",
        "ranks_logs": "名次按增幅（百分比）比较，不按金额。",
        "ranks_levels": "名次按{outcome}的增加量比较。",
        "ranks_order": "圆点为估计值的位次，只能连同色条一起看；按该位次排列。",
        "ranks_no_order": "各条相同，即分不出先后，所以按申报顺序排列，也不标估计值的位次。",
        "rank_words": "排名可能在第 {low} 至第 {high} 位",
        "rank_word": "排名为第 {low} 位",
        "rank_axis": "名次（第 1 位为效应最大）",
        "table": "合并后的估计",
        "table_note": "合并按增幅进行，再换算为金额（典型承办单位每年）。",
        "table_note_levels": "单位与“各项目并列”一节相同。",
        "ranked": "同时检验的 p 值与名次区间",
        "ranked_note": "p 值由各项目的标准误按 t 分布算得，再按同时检验的个数校正。名次区间一列单看该项目时有 {level}% 的把握，另一列全部同时有 {level}% 的把握。",
        "name": "项目",
        "shrunk": "合并后",
        "interval": "合并后区间",
        "positive": "为正的概率",
        "rw": "p（RW）",
        "bh": "p（BH）",
        "rank_alone": "名次区间（单看一个）",
        "rank_all": "名次区间（全部同时）",
        "method": "{n}的误差并不独立：有 {shared}同时进入几个项目的估计（多为共同的对照），联合误差按各单位各年的权重算出，项目之间的相关系数在 {least} 至 {most} 之间。{errors}",
        "errors_effects": "各项目仍用自己的标准误。",
        "errors_source": "各项目自己的标准误不能用（{why}），改用由对照村波动算出的。",
    },
    "en": {
        "heading": "Taken together: can they be told apart?",
        "tells_nothing": "Set against one another, {n} can't be put in order by these data: with {level}% confidence any of them may be first, and any may be last. Please don't rank them by their estimates.",
        "tells_some": "Of the {pairs} pairs among {n}, the data tell {told} apart; the rest could stand either way. Ranks mean something only together with the sets in the figure below.",
        "tests": "Looked at one by one, clear effects number {alone}; but of {n} looked at together some would seem clear by chance. With the chance of even one false report held to {error}% (Romano–Wolf) the number is {rw}; with the expected share of false ones among those reported held to {error}% (Benjamini–Hochberg), it is {bh}.",
        "rejected": "With a clear effect when all are tested at once: {names}.",
        "mean": "The mean of the initiatives' true effects is estimated at {mean} ({level}% interval {interval}; initiatives count, not hosts).",
        "spread": "True effects differ between initiatives by about {tau} (standard deviation; {level}% interval {interval}). Of the differences between estimates, {i2} ({level}% interval {i2_interval}) is real and the rest error.",
        "further": "A further initiative of the kind would with {level}% probability have an effect of {interval}; that it is above zero has probability {positive}.",
        "best": "Among the top {k} may be {n}: {names}. With {level}% confidence the true top {k} are all among them.",
        "best_all": "None can be ruled out of the top {k}.",
        "left_out": "{name} could not be joined and may stand anywhere: {why}.",
        "refused_joint": "The joint errors of the initiatives can't be had, so nothing of what follows is given: {what}. To mend this: {mend}.",
        "refused_pooled": "No partial pooling: {what}. To mend this: {mend}.",
        "refused_spread": "No test of differences between initiatives: {what}. To mend this: {mend}.",
        "refused_tests": "No tests of all at once: {what}. To mend this: {mend}.",
        "refused_ranks": "No sets for ranks: {what}. To mend this: {mend}.",
        "figure": "Effect of each initiative: alone, and in the light of all",
        "figure_note": "In the order declared. Alone, an estimate uses its own data only; pooled, it draws on all, and the less data an initiative has, the nearer it moves to the mean. Bars are {level}% intervals.",
        "alone": "Alone",
        "pooled": "Pooled",
        "ranks": "The ranks that each initiative may have",
        "ranks_note": "Bars are sets: with {level}% confidence every initiative's true rank lies in its own, all at once. {scale} {order}",
        "ranks_logs": "Ranks compare gains in percent, not in money.",
        "ranks_levels": "Ranks compare gains in {outcome}.",
        "ranks_order": "Dots are the ranks of the estimates, which mean nothing without their bars; the rows follow them.",
        "ranks_no_order": "All bars are alike, so there is no order: rows follow the declaration, and ranks of the estimates are not shown.",
        "rank_words": "may rank {low} to {high}",
        "rank_word": "ranks {low}",
        "rank_axis": "Rank (1 is the largest effect)",
        "table": "Pooled estimates",
        "table_note": "Pooled as gains in percent, then translated into money (a typical host, a year).",
        "table_note_levels": "In the unit of the section that sets all initiatives side by side.",
        "ranked": "Tests of all at once, and the ranks possible",
        "ranked_note": "p-values come from each estimate's standard error and Student's t, then are adjusted for being several. Ranks possible hold with {level}% confidence for one initiative looked at alone, or for all at once.",
        "name": "Initiative",
        "shrunk": "Pooled",
        "interval": "Pooled interval",
        "positive": "Probability above zero",
        "rw": "p (RW)",
        "bh": "p (BH)",
        "rank_alone": "Ranks possible (alone)",
        "rank_all": "Ranks possible (all at once)",
        "method": "The errors of {n} depend on one another: {shared} enter several estimates, mostly as shared comparison. Joint errors come from the weight of each unit and year; correlations lie between {least} and {most}. {errors}",
        "errors_effects": "Each keeps its own standard error.",
        "errors_source": "Their own standard errors can't be used ({why}), so these come from the comparison units' spread.",
    },
}
_AT_LEVEL = 1e-12


def build(run: Run) -> list[Block]:
    """Say what can be told apart, then show pooled effects, tests and rank sets."""
    found = run.extra.get("together")
    if not found or not found["initiatives"]["initiative"]:
        return []
    table, family = found["initiatives"], found["family"]
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    blocks: list[Block] = [Heading(Message("together.heading"))]
    if "n_pairs" in family:
        blocks.append(_order(family))
    blocks += _refusals(found["refusals"])
    if "att" not in table:
        return [*blocks, *_left_out(rows)]
    blocks += [*_best(rows, family), *_tests(rows, family), *_whole(family), *_left_out(rows)]
    if any(row["rank_low_all"] is not None for row in rows):
        blocks.append(rank_figure(run, rows, family))
    if any(row["adjusted_rw"] is not None for row in rows):
        blocks.append(ranked_table(rows, family))
    if any(row["pooled"] is not None for row in rows):
        blocks += [pooled_figure(run, rows, family), pooled_table(rows, family)]
    return [*blocks, _method(run, family)]


def _named(rows: Rows) -> Listing:
    return Listing(tuple(name_of(row) for row in rows))


def _order(family: dict[str, Any]) -> Block:
    said: dict[str, Content] = {"n": Counted(family["n_declared"], "nouns.initiative")}
    if family["tells_nothing"]:
        said["level"] = level_of(family)
        return Paragraph(Message("together.tells_nothing", said), "lead")
    said |= {
        "pairs": Quantity(family["n_pairs"], "count"),
        "told": Quantity(family["n_pairs_told"], "count"),
    }
    return Paragraph(Message("together.tells_some", said), "lead")


def _refusals(refusals: list[dict[str, str]]) -> list[Block]:
    return [
        Paragraph(
            Message(
                f"together.refused_{one['part']}",
                {
                    "what": Text(one["what_zh"], one["what_en"]),
                    "mend": Text(one["mend_zh"], one["mend_en"]),
                },
            ),
            "warn",
        )
        for one in refusals
    ]


def _left_out(rows: Rows) -> list[Block]:
    return [
        Paragraph(
            Message(
                "together.left_out",
                {"name": name_of(row), "why": Text(row["reason_zh"], row["reason_en"])},
            ),
            "warn",
        )
        for row in rows
        if row["reason_zh"]
    ]


def _best(rows: Rows, family: dict[str, Any]) -> list[Block]:
    if "may_lead" not in rows[0]:
        return []
    k = Quantity(min(family["foremost"], len(rows)), "count")
    may = [row for row in rows if row["may_lead"]]
    if len(may) == len(rows):
        # Where nothing is told apart, the lead has said so.
        said = Message("together.best_all", {"k": k})
        return [] if family["tells_nothing"] else [Paragraph(said)]
    n = Counted(len(may), "nouns.initiative")
    said = Message(
        "together.best", {"k": k, "n": n, "names": _named(may), "level": level_of(family)}
    )
    return [Paragraph(said)]


def _tests(rows: Rows, family: dict[str, Any]) -> list[Block]:
    if "n_rejected_rw" not in family:
        return []
    said: dict[str, Content] = {
        "n": Counted(family["n_joined"], "nouns.initiative"),
        "level": level_of(family),
        "error": Quantity(round(100 * (1 - family["level"]), 6), "number", ""),
        "alone": Quantity(family["n_clear_alone"], "count"),
        "rw": Quantity(family["n_rejected_rw"], "count"),
        "bh": Quantity(family["n_rejected_bh"], "count"),
    }
    blocks: list[Block] = [Paragraph(Message("together.tests", said))]
    bound = 1 - family["level"] + _AT_LEVEL
    clear = [row for row in rows if row["adjusted_rw"] is not None and row["adjusted_rw"] <= bound]
    if clear:
        blocks.append(Paragraph(Message("together.rejected", {"names": _named(clear)})))
    return blocks


def _whole(family: dict[str, Any]) -> list[Block]:
    """Say the mean, the spread and what a further initiative may bring, in one paragraph each."""
    if "mean" not in family:
        return []
    kind, unit = measure_kind(family["measure"])
    level = level_of(family)

    def ends(name: str, *, is_signed: bool = True) -> Interval:
        return Interval(family[f"{name}_low"], family[f"{name}_high"], kind, unit, is_signed)

    blocks: list[Block] = [
        Paragraph(
            Message(
                "together.mean",
                {
                    "mean": amount(family["mean"], kind, unit),
                    "interval": ends("mean"),
                    "level": level,
                },
            )
        )
    ]
    if "i2" in family:
        said: dict[str, Content] = {
            "tau": Quantity(family["tau"], kind, unit),
            "interval": ends("tau", is_signed=False),
            "level": level,
            "i2": Quantity(family["i2"], "share"),
            "i2_interval": Interval(family["i2_low"], family["i2_high"], "share"),
        }
        blocks.append(Paragraph(Message("together.spread", said)))
    said = {
        "interval": ends("new"),
        "level": level,
        "positive": Quantity(family["new_probability_positive"], "share"),
    }
    return [*blocks, Paragraph(Message("together.further", said))]


def _method(run: Run, family: dict[str, Any]) -> Block:
    errors: Content = Message(f"together.errors_{family['errors']}")
    if family["errors"] == "source":
        why = Text(family["errors_why_zh"], family["errors_why_en"])
        errors = Message("together.errors_source", {"why": why})
    said: dict[str, Content] = {
        "n": Counted(family["n_joined"], "nouns.initiative"),
        "shared": Counted(family["n_shared"], f"nouns.{_noun(run)}"),
        "least": Quantity(round(family["correlation_least"], 2), "number"),
        "most": Quantity(round(family["correlation_most"], 2), "number"),
        "errors": errors,
    }
    return Paragraph(Message("together.method", said), "note")


def _noun(run: Run) -> str:
    return "village" if run.design["unit_kind"] == "village" else "unit"
