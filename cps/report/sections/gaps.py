"""Gaps between units: how wide, what lies between groups, and whether the poorer catch up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cps.errors import Text
from cps.indicators.decomposition import round_parts
from cps.locale import Content, Interval, Message, Quantity, Words
from cps.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from cps.report.sections import _indicators as of
from cps.report.sections._common import text_of
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

ORDER = 23
PAGE = "overview"
DIGITS = 3
INDICES = (
    "gini",
    "gini_small_sample",
    "theil_t",
    "theil_l",
    "p90_p10",
    "palma",
    "poorest_fifth_mean",
    "sd_log",
)
TEXT = {
    "zh": {
        "heading": "差距与趋同",
        "figure": "村际基尼系数",
        "figure_note": "0 为完全均等。各单位等权，不按人口加权。",
        "table": "{area}：单位之间的收入差距",
        "index": "指标",
        "base": "{year} 年",
        "now": "{year} 年",
        "change": "变动",
        "alone": "剔除收入最高的单位",
        "beside": "{area}，{year} 年",
        "note": "最低20%单位均值以{unit}计，其余无量纲。{basis}；{interval}。各指标算式见指标目录（cps indicators --list）。",
        "parts": "泰尔指数的分解：组内与组间之和等于总数",
        "split": "分组",
        "total": "总数",
        "within": "组内",
        "between": "组间",
        "share": "组间占比",
        "by_host": "泰尔 {index}：承办村与其他村",
        "by_area": "泰尔 {index}：按地区（全部单位）",
        "parts_note": "T 以收入份额加权，L 以单位数加权。各项按最大余数法取舍，印出的数相加等于总数。",
        "sigma": "σ 收敛：同一批 {n} 个单位的对数标准差由 {before} 变为 {now}，{verb}（变动 {change}）。",
        "narrower": "差距收窄",
        "wider": "差距扩大",
        "beta_unclear": "β 收敛（{base}—{period} 年，已校正基年误差）：β = {beta}，{level}% 区间 {interval} 包含零，不能断定低收入单位在追赶。不作校正为 {plain}。",
        "beta_clear": "β 收敛（{base}—{period} 年，已校正基年误差）：β = {beta}，{level}% 区间 {interval}，{verb}。不作校正为 {plain}。",
        "catching": "低收入单位增长更快",
        "diverging": "高收入单位增长更快",
        "beta_absent": "β 收敛：没有可靠的校正，不给数字。{why}",
        "why": "{text}。",
        "mobility": "位次流动：按五等分，{period} 年与 {base} 年相比，{moved} 的单位换了组（上升 {up}，下降 {down}）；位次相关系数 {rank}，肖洛克斯指数 {shorrocks}（0 为不动，1 为与起点无关）。",
        "spans": "以上比较跨会计制度，变动中可能含口径变化。",
    },
    "en": {
        "heading": "Gaps and convergence",
        "figure": "Gini coefficient between units",
        "figure_note": "0 is equality. Every unit counts alike, whatever its population.",
        "table": "{area}: gaps of income between units",
        "index": "Indicator",
        "base": "{year}",
        "now": "{year}",
        "change": "Change",
        "alone": "Without the largest unit",
        "beside": "{area}, {year}",
        "note": "The mean of the poorest fifth is in {unit}; the rest have no unit. Basis: {basis}; {interval}. Formulas: cps indicators --list.",
        "parts": "Theil's indices in parts: within and between add up to the total",
        "split": "Groups",
        "total": "Total",
        "within": "Within",
        "between": "Between",
        "share": "Between, share",
        "by_host": "Theil {index}: hosts and others",
        "by_area": "Theil {index}: by area (all units)",
        "parts_note": "T weighs by share of income, L by number of units. Parts are rounded by largest remainders, so that what is printed adds up.",
        "sigma": "σ-convergence: over the same {n} units the standard deviation of logs went from {before} to {now}: {verb} (change {change}).",
        "narrower": "the gap narrowed",
        "wider": "the gap widened",
        "beta_unclear": "β-convergence ({base}–{period}, error in the base year taken out): β = {beta}; its {level}% interval, {interval}, holds zero, so that it can't be said that poorer units catch up. Uncorrected: {plain}.",
        "beta_clear": "β-convergence ({base}–{period}, error in the base year taken out): β = {beta}, {level}% interval {interval}: {verb}. Uncorrected: {plain}.",
        "catching": "poorer units grew faster",
        "diverging": "richer units grew faster",
        "beta_absent": "β-convergence: the error can't be taken out, and no figure is given. {why}",
        "why": "{text}.",
        "mobility": "Moves between fifths, {base} to {period}: {moved} of units changed their fifth ({up} up, {down} down); correlation of ranks {rank}, Shorrocks' index {shorrocks} (0: none moved; 1: no tie to where units started).",
        "spans": "These comparisons span two accounting systems: part of the change may be one of definition.",
    },
}


def build(run: Run) -> list[Block]:
    """Show the indices, their parts, and convergence; nothing without indicators."""
    gini = of.reading(run, "gini")
    if gini is None or gini["value"] is None:
        return []
    return [
        Heading(Message("gaps.heading")),
        Figure(Message("gaps.figure"), partial(_lines, run), Message("gaps.figure_note")),
        _indices(run, gini),
        *_parts(run),
        *_convergence(run),
    ]


def _indices(run: Run, gini: of.Row) -> Table:
    dates = of.asked(run)
    areas = of.compared(run)
    rows: list[tuple[Content, ...]] = []
    for name in INDICES:
        one = of.reading(run, name)
        if one is None:
            continue
        before = of.value_at(run, name, dates["base"])
        beside = [
            of.value_at(run, name, dates["period"], scope="comparison", area=area) for area in areas
        ]
        alone = one["parts"].get("without_largest_unit")
        change = of.difference(one["value"], before)
        rows.append(
            (
                text_of(one["title"]),
                of.quantity(before, one["unit"]),
                of.quantity(one["value"], one["unit"]),
                of.quantity(change, one["unit"], is_signed=True),
                of.quantity(alone, one["unit"]),
                *(of.quantity(value, one["unit"]) for value in beside),
            )
        )
    year: dict[str, Content] = {"year": dates["period_label"]}
    base: dict[str, Content] = {"year": dates["base_label"] or Message("grammar.absent")}
    said: dict[str, Content] = {
        "unit": Message("units_of.money"),
        "basis": of.basis(gini),
        "interval": text_of(gini["interval"]),
    }
    return Table(
        Message("gaps.table", {"area": of.area_name(run.extra.get("target_area"))}),
        (
            Column(Message("gaps.index")),
            Column(Message("gaps.base", base), "index"),
            Column(Message("gaps.now", year), "index"),
            Column(Message("gaps.change"), "index"),
            Column(Message("gaps.alone"), "index"),
            *(Column(Message("gaps.beside", {"area": area, **year}), "index") for area in areas),
        ),
        tuple(rows),
        Message("gaps.note", said),
    )


def _parts(run: Run) -> list[Block]:
    rows = []
    for scope in ("target", "everywhere"):
        for index in ("t", "l"):
            one = of.reading(run, f"theil_{index}_between", scope=scope)
            if one is None or one["value"] is None:
                continue
            parts: dict[str, Any] = one["parts"]
            name = "by_host" if set(one["table"]["group"]) == {"host", "other"} else "by_area"
            within, between = round_parts(
                parts["total"], [parts["within"], parts["between"]], digits=DIGITS
            )
            rows.append(
                (
                    Message(f"gaps.{name}", {"index": index.upper()}),
                    Quantity(parts["total"], "index"),
                    Quantity(within, "index"),
                    Quantity(between, "index"),
                    of.quantity(parts["between_share_pct"], "percent"),
                )
            )
    if not rows:
        return []
    heads = ("total", "within", "between")
    return [
        Table(
            Message("gaps.parts"),
            (
                Column(Message("gaps.split")),
                *(Column(Message(f"gaps.{head}"), "index") for head in heads),
                Column(Message("gaps.share"), "share"),
            ),
            tuple(rows),
            Message("gaps.parts_note"),
        )
    ]


def _convergence(run: Run) -> list[Block]:
    blocks: list[Block] = []
    sigma = of.reading(run, "sigma_convergence")
    if sigma and sigma["value"] is not None:
        said: dict[str, Content] = {
            "n": Quantity(float(sigma["n_reported"]), "count"),
            "before": Quantity(sigma["parts"]["base_sd_log"], "index"),
            "now": Quantity(sigma["parts"]["sd_log"], "index"),
            "change": Quantity(sigma["value"], "index", is_signed=True),
            "verb": Message("gaps.narrower" if sigma["value"] < 0 else "gaps.wider"),
        }
        blocks.append(Paragraph(Message("gaps.sigma", said)))
    beta = of.reading(run, "beta_convergence")
    if beta:
        blocks.append(Paragraph(_beta(beta)))
        blocks += [Paragraph(Message("gaps.why", {"text": one}), "note") for one in _granted(beta)]
    moves = of.reading(run, "mobility_quintiles")
    if moves and moves["value"] is not None:
        parts = moves["parts"]
        told: dict[str, Content] = {
            "period": moves["period_label"],
            "base": moves["base_label"],
            "moved": Quantity(parts["moved"], "share"),
            "up": Quantity(parts["up"], "share"),
            "down": Quantity(parts["down"], "share"),
            "rank": Quantity(parts["rank_correlation"], "ratio"),
            "shorrocks": Quantity(moves["value"], "ratio"),
        }
        blocks.append(Paragraph(Message("gaps.mobility", told)))
    if blocks and of.has_break(run):
        blocks.append(Paragraph(Message("gaps.spans"), "note"))
    return blocks


def _granted(beta: of.Row) -> list[Text]:
    """Give what the correction takes for granted; that accounting changed is said once, below."""
    if beta["value"] is None:
        return []
    return [text_of(one) for one in beta["notes"] if "会计制度" not in one["zh"]]


def _beta(beta: of.Row) -> Message:
    if beta["value"] is None or beta["ci_low"] is None:
        notes = [text_of(one) for one in beta["notes"][:1]]
        why: Content = Message("gaps.why", {"text": notes[0]}) if notes else ""
        return Message("gaps.beta_absent", {"why": why})
    is_unclear = beta["ci_low"] <= 0 <= beta["ci_high"]
    said: dict[str, Content] = {
        "base": beta["base_label"],
        "period": beta["period_label"],
        "beta": Quantity(beta["value"], "index", is_signed=True),
        "level": Quantity(round(100 * beta["level"], 6)),
        "interval": Interval(beta["ci_low"], beta["ci_high"], "index", is_signed=True),
        "plain": Quantity(beta["parts"]["uncorrected_beta_per_year"], "index", is_signed=True),
    }
    if is_unclear:
        return Message("gaps.beta_unclear", said)
    verb = Message("gaps.catching" if beta["value"] < 0 else "gaps.diverging")
    return Message("gaps.beta_clear", {**said, "verb": verb})


def _lines(run: Run, words: Words, mark: str) -> Spec:
    from cps.figures.charts import level_lines

    title = of.reading(run, "gini")
    name = words.text(text_of(title["title"])) if title else ""
    return level_lines(of.line_points(run, "gini", words, "index"), y=name, mark=mark)
