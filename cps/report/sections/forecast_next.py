"""What the next initiative could show: hosts, comparison villages and years, before it starts."""

from __future__ import annotations

from cps.locale import Content, Interval, Listing, Message, Quantity
from cps.report.blocks import Block, Column, Heading, Paragraph, Table
from cps.report.sections._common import text_of
from cps.report.sections._forecast import Record, forecast_of
from cps.runs import Run

ORDER = 4
PAGE = "forecast"
TEXT = {
    "zh": {
        "heading": "下一个项目：多大的效应才看得出来",
        "lead": "在本面板 {n} 个没有承办项目的村里反复模拟“假项目”：启动前 {before} 年、各承办村数和启动后年数之下，以 {power} 的把握能识别的最小效应如下。效应小于此数的项目，即使有效也多半看不出来。",
        "none": "可用的未承办村或年份太少，无法模拟，见下文“发现的问题”。",
        "words": "例如：{hosts} 个承办村、启动后观察 {after} 年，最小可识别效应约为 {effect}（典型村每年 {money}）。",
        "words_none": "{hosts} 个承办村、启动后观察 {after} 年，连最大的试验效应 {effect} 也达不到所需把握。",
        "table": "最小可识别效应（占收入的比重）",
        "table_note": "括号外为比重，按未承办村的平均水平折合为每村每年金额。“—”：模拟中没有一种效应达到所需把握。检验方法：{method}，随机置换检验，显著性水平 {alpha}。",
        "hosts": "承办村",
        "after": "启动后 {n} 年",
        "cell": "{share}（{money}）",
        "needed": "样本方案：要看出一定的效应，至少要多少个承办村",
        "needed_note": "只试过 {tried} 个承办村；“—”：所试最多的承办村也不够。",
        "size": "效应",
        "comparison": "{hosts} 个承办村、启动后 {after} 年：对照村多少的影响",
        "comparison_note": "对照村随机抽取多次，列出中位数和最小、最大值：抽到哪些村也有影响。",
        "number": "对照村",
        "years": "{hosts} 个承办村、启动后 {after} 年：启动前年数的影响",
        "years_before": "启动前年数",
        "detectable": "最小可识别效应",
        "range": "最小至最大",
        "assumes": "假定：{assumes}。",
    },
    "en": {
        "heading": "The next initiative: how large an effect would show",
        "lead": "Initiatives were pretended, again and again, in the {n} villages of this panel that host none. With {before} years before the start, this is the smallest effect found with a power of {power}, by hosts and years after the start. A project that does less will most likely show nothing, though it works.",
        "none": "There are too few villages without a project, or too few years, to simulate with: see the findings below.",
        "words": "For example, {hosts} hosts seen for {after} years after the start show about {effect} ({money} a typical village and year).",
        "words_none": "With {hosts} hosts seen for {after} years after the start, not even the largest effect tried, {effect}, is found with the power asked for.",
        "table": "Minimum detectable effect (share of income)",
        "table_note": "Shares, with the money that they are for a typical village without a project, a year. “—”: no effect tried has the power asked for. Test: {method}, randomisation, at {alpha}.",
        "hosts": "Hosts",
        "after": "{n} years after",
        "cell": "{share} ({money})",
        "needed": "Sample plan: fewest hosts that show an effect",
        "needed_note": "Tried with {tried} hosts; “—”: the most that were tried are not enough.",
        "size": "Effect",
        "comparison": "{hosts} hosts, {after} years after the start: what comparison villages add",
        "comparison_note": "Comparison villages are drawn several times; the median, the least and the most are shown, for which villages they are matters too.",
        "number": "Comparison villages",
        "years": "{hosts} hosts, {after} years after the start: what years before the start add",
        "years_before": "Years before",
        "detectable": "Minimum detectable effect",
        "range": "Least to most",
        "assumes": "Taken for granted: {assumes}.",
    },
}
_NOTHING = Message("grammar.absent")


def build(run: Run) -> list[Block]:
    """Show the plan; nothing where the run holds no forecast."""
    if forecast_of(run) is None:
        return []
    heading = Heading(Message("forecast_next.heading"))
    sample = run.extra.get("next_initiative")
    if not sample:
        return [heading, Paragraph(Message("forecast_next.none"), "warn")]
    plan = sample["plan"]
    lead = {
        "n": Quantity(plan["n_units"], "count"),
        "before": Quantity(plan["periods_before"], "count"),
        "power": Quantity(plan["target_power"], "share"),
    }
    assumes = Message("forecast_next.assumes", {"assumes": text_of(plan["assumes"])})
    return [
        heading,
        Paragraph(Message("forecast_next.lead", lead)),
        Paragraph(_words(sample)),
        _power_table(sample),
        _needed_table(plan),
        _varied(sample, "by_comparison"),
        _varied(sample, "by_years_before"),
        Paragraph(assumes, "note"),
    ]


def _words(sample: Record) -> Content:
    for cell in sample["plan"]["cells"]:
        if (cell["n_treated"], cell["periods_after"]) == (sample["hosts"], sample["years_after"]):
            found = cell["minimum_detectable"]
            natural = cell["minimum_detectable_natural"]
            break
    else:
        found = natural = None
    said: dict[str, Content] = {
        "hosts": Quantity(sample["hosts"], "count"),
        "after": Quantity(sample["years_after"], "count"),
    }
    if found is None:
        largest = Quantity(max(sample["plan"]["sizes"]), "share")
        return Message("forecast_next.words_none", {**said, "effect": largest})
    money = Quantity(natural, "money")
    return Message(
        "forecast_next.words", {**said, "effect": Quantity(found, "share"), "money": money}
    )


def _power_table(sample: Record) -> Table:
    plan = sample["plan"]
    after = sorted({one["periods_after"] for one in plan["cells"]})
    cells = {(one["n_treated"], one["periods_after"]): one for one in plan["cells"]}

    def cell(key: tuple[int, int]) -> Content:
        one = cells.get(key)
        if one is None or one["minimum_detectable"] is None:
            return _NOTHING
        money = Quantity(one["minimum_detectable_natural"], "money")
        share = Quantity(one["minimum_detectable"], "share")
        return Message("forecast_next.cell", {"share": share, "money": money})

    note: dict[str, Content] = {
        "method": text_of(sample["method_name"]),
        "alpha": Quantity(round(1 - plan["level"], 10), "share"),
    }
    return Table(
        Message("forecast_next.table"),
        (
            Column(Message("forecast_next.hosts"), "count"),
            *(
                Column(Message("forecast_next.after", {"n": Quantity(one, "count")}))
                for one in after
            ),
        ),
        tuple(
            (Quantity(hosts, "count"), *(cell((hosts, one)) for one in after))
            for hosts in sorted({one["n_treated"] for one in plan["cells"]})
        ),
        Message("forecast_next.table_note", note),
    )


def _needed_table(plan: Record) -> Table:
    after = sorted({one["periods_after"] for one in plan["cells"]})
    tried = sorted({one["n_treated"] for one in plan["cells"]})

    def fewest(size: float, periods: int) -> Content:
        enough = [
            one["n_treated"]
            for one in plan["cells"]
            if one["periods_after"] == periods
            and one["minimum_detectable"] is not None
            and one["minimum_detectable"] <= size
        ]
        return Quantity(min(enough), "count") if enough else _NOTHING

    listed = Listing(tuple(Quantity(one, "count") for one in tried))
    return Table(
        Message("forecast_next.needed"),
        (
            Column(Message("forecast_next.size"), "share"),
            *(
                Column(Message("forecast_next.after", {"n": Quantity(one, "count")}), "count")
                for one in after
            ),
        ),
        tuple(
            (Quantity(size, "share"), *(fewest(size, one) for one in after))
            for size in plan["sizes"]
        ),
        Message("forecast_next.needed_note", {"tried": listed}),
    )


def _varied(sample: Record, name: str) -> Table:
    is_comparison = name == "by_comparison"
    said: dict[str, Content] = {
        "hosts": Quantity(sample["hosts"], "count"),
        "after": Quantity(sample["years_after"], "count"),
    }
    first = "number" if is_comparison else "years_before"
    columns = [
        Column(Message(f"forecast_next.{first}"), "count"),
        Column(Message("forecast_next.detectable"), "share"),
    ]
    if is_comparison:
        columns.append(Column(Message("forecast_next.range"), "share"))

    def row(one: Record) -> tuple[Content, ...]:
        cells: list[Content] = [
            Quantity(one["number"], "count"),
            Quantity(one["minimum_detectable"], "share"),
        ]
        if is_comparison:
            cells.append(Interval(one["lowest"], one["highest"], "share"))
        return tuple(cells)

    return Table(
        Message(f"forecast_next.{'comparison' if is_comparison else 'years'}", said),
        tuple(columns),
        tuple(row(one) for one in sample[name]),
        Message("forecast_next.comparison_note") if is_comparison else None,
    )
