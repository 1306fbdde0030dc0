"""What the parts and companions of a reading are called."""

from __future__ import annotations

from cps.errors import Text

PARTS: dict[str, Text] = {
    "total": Text("合计", "total"),
    "base_total": Text("基期合计", "base total"),
    "years": Text("间隔年数", "years between"),
    "without_largest_unit": Text("剔除最大单位", "without the largest unit"),
    "within": Text("组内", "within"),
    "between": Text("组间", "between"),
    "between_share_pct": Text("组间占比（%）", "between, share (%)"),
    "share_pct": Text("本期占比（%）", "share now (%)"),
    "base_share_pct": Text("基期占比（%）", "base share (%)"),
    "n_above": Text("超过的单位", "units above"),
    "n_below": Text("未达的单位", "units below"),
    "lowest_possible": Text("未报单位全不达时", "if none of the others were above"),
    "highest_possible": Text("未报单位全达时", "if all of the others were above"),
    "sd_log": Text("报告期对数标准差", "sd of logs now"),
    "base_sd_log": Text("基期对数标准差", "sd of logs in the base period"),
    "rho": Text("ρ", "ρ"),
    "speed_per_year": Text("每年趋同速度", "speed a year"),
    "half_life_years": Text("半衰期（年）", "half-life (years)"),
    "uncorrected_beta_per_year": Text("未校正 β", "uncorrected β"),
    "rho_lower_bound": Text("ρ 下界", "lower bound of ρ"),
    "rho_upper_bound": Text("ρ 上界", "upper bound of ρ"),
    "reliability": Text("可靠性比率", "reliability"),
    "first_stage_f": Text("第一阶段 F", "first-stage F"),
    "rho_earlier_instrument": Text(
        "再早一年作工具变量的 ρ", "ρ with the year before as instrument"
    ),
    "instrument_period": Text("工具变量年份", "year of the instrument"),
    "cells_below": Text("下方期数", "periods below"),
    "cells_above": Text("上方期数", "periods above"),
    "units_below": Text("多在下方的单位", "units mostly below"),
    "units_above": Text("多在上方的单位", "units mostly above"),
    "sign_test_p": Text("符号检验 p 值", "p of the sign test"),
    "excess_ratio": Text("超出比率", "excess ratio"),
    "missing_below": Text("下方缺少", "missing below"),
    "observed": Text("实有", "observed"),
    "expected": Text("应有", "expected"),
    "n_values": Text("期数", "values"),
    "moved": Text("换档比例", "share that moved"),
    "up": Text("上升", "up"),
    "down": Text("下降", "down"),
    "mean_jump": Text("平均移动档数", "mean jump"),
    "rank_correlation": Text("位次相关", "rank correlation"),
    "concentration": Text("集中度", "concentration"),
    "median_share_pct": Text("中位单位占比（%）", "median unit's share (%)"),
    "above_half_pct": Text("过半的单位（%）", "units above half (%)"),
    "mean": Text("均值", "mean"),
    "paying_units_pct": Text("分红单位占比（%）", "units that paid (%)"),
    "per_member_yuan": Text("人均（元）", "per member (yuan)"),
    "of_net_surplus_pct": Text("占净收益（%）", "of net surplus (%)"),
    "n_with_members": Text("有成员数的单位", "units with members"),
    "n_with_surplus": Text("有净收益的单位", "units with a surplus"),
}


def part_name(key: str) -> Text:
    """Name a part of a reading; one without a name stands as it is."""
    return PARTS.get(key, Text(key, key))
