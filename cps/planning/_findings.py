"""What a plan must tell its reader, and why a cell of it is missing."""

from __future__ import annotations

from cps.errors import Finding, Text
from cps.planning.record import PowerCell

_FEW = 20


def cell_findings(cell: PowerCell, alpha: float) -> list[Finding]:
    """Warn of tests that can't find anything, of few assignments, and of false alarms."""
    found = []
    where = f"plan › n_treated={cell.n_treated}, periods_after={cell.periods_after}"
    if cell.p_value_floor is not None and cell.p_value_floor > alpha:
        floor = f"{cell.p_value_floor:.3f}"
        found.append(
            Finding(
                "W-PLAN-NO-SMALL-P",
                "warn",
                Text(
                    f"可作比较的指派太少，最小 p 值为 {floor}，任何效应都到不了 {alpha:.2f}",
                    f"too few assignments to rank among: the smallest p-value is {floor}, and no "
                    f"effect can reach {alpha:.2f}",
                ),
                where,
                Text("增加未承办的对照单位", "add untreated comparison units"),
            )
        )
    if cell.n_assignments < _FEW:
        found.append(
            Finding(
                "W-PLAN-FEW-ASSIGNMENTS",
                "warn",
                Text(
                    f"只有 {cell.n_assignments} 个可供模拟的指派，功效仅为粗略估计",
                    f"only {cell.n_assignments} assignments to simulate with: the power is rough",
                ),
                where,
                Text("补充单位或更早的时期", "add units, or earlier periods"),
                count=cell.n_assignments,
            )
        )
    if cell.false_alarms is not None and cell.false_alarms > 2 * alpha:
        share = f"{cell.false_alarms:.2f}"
        found.append(
            Finding(
                "W-PLAN-FALSE-ALARMS",
                "warn",
                Text(
                    f"没有效应时仍有 {share} 的比例被“发现”，这种推断在此不可靠，功效被高估",
                    f"without any effect {share} are found: this inference does not hold here, and "
                    "the power is overstated",
                ),
                where,
                Text("换用随机化推断", "take randomisation inference"),
            )
        )
    return found


def too_many(k: int, n: int) -> Finding:
    """Say that so many treated units leave no comparison."""
    return Finding(
        "W-PLAN-FEW-UNITS",
        "warn",
        Text(
            f"未承办的单位只有 {n} 个，拿不出 {k} 个来试还留下对照",
            f"of {n} untreated units {k} can't be tried and leave any comparison",
        ),
        f"plan › n_treated={k}",
        Text("减少单位数，或补充台账", "plan fewer units, or add ledgers"),
    )


def too_long(n: int, before: int, after: int, start: int | None) -> Finding:
    """Say that the panel is too short for a cell."""
    at = "" if start is None else f", start={start}"
    return Finding(
        "W-PLAN-FEW-PERIODS",
        "warn",
        Text(
            f"面板只有 {n} 期，容不下启动前 {before} 期、启动后 {after} 期",
            f"the panel's {n} periods have no room for {before} before the start and "
            f"{after} after it",
        ),
        f"plan › periods_after={after}{at}",
        Text("减少期数，或补充更早的台账", "ask for fewer periods, or add earlier ledgers"),
    )


def nothing_estimated(method: str, k: int, after: int) -> Finding:
    """Say that the method could be fitted nowhere."""
    return Finding(
        "W-PLAN-NO-ESTIMATE",
        "warn",
        Text(
            f"{method} 在任何一个指派上都无法估计",
            f"{method} can't be fitted to any assignment",
        ),
        f"plan › n_treated={k}, periods_after={after}",
        Text("换用其他方法或更长的时期", "take another method, or more periods"),
    )
