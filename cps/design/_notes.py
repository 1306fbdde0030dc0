"""What a design must tell its reader: how small an effect it can find, and which errors it bears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design._power import FEW_DONORS, Detectable, detectable_effect
from cps.design.record import Design, starts_of
from cps.errors import Finding, Text


def detectable_of(design: Design) -> Detectable:
    """Compute the smallest effect that a design is likely to find; see :mod:`cps.design._power`."""
    weights = design.weights
    y = design.y
    for starts in design.other_cohorts.values():
        other = starts_of(starts)
        y = np.where(np.asarray(design.periods)[None, :] >= other[:, None], np.nan, y)
    return detectable_effect(
        y,
        design.starts,
        design.is_donor,
        np.asarray(design.periods),
        anticipation=design.anticipation,
        weights=None if weights is None else np.nanmean(weights, axis=1),
        cluster=_codes(design),
    )


def power_findings(design: Design, detectable: Detectable) -> list[Finding]:
    """Say where the noise is known from if not from comparison units, or why it isn't known."""
    if detectable.reason is not None:
        return [
            Finding(
                "N-DESIGN-NO-MDE",
                "note",
                Text(
                    f"无法给出最小可检测效应：{detectable.reason.zh}",
                    f"no minimum detectable effect can be given: {detectable.reason.en}",
                ),
                design.name,
                Text(
                    f"补充至少 {FEW_DONORS} 个有启动前后数据的对照单位",
                    f"add comparison units, {FEW_DONORS} or more, seen before and after the starts",
                ),
            )
        ]
    if detectable.source != "untreated":
        return []
    persistence = f"{detectable.persistence or 0.0:.2f}"
    return [
        Finding(
            "N-DESIGN-MDE-BEFORE-START",
            "note",
            Text(
                f"从未处理且前后均有数据的对照单位不足 {FEW_DONORS} 个，最小可检测效应按 "
                f"{detectable.n} 个单位启动前的波动推算（误差逐期相关 {persistence}）",
                f"fewer than {FEW_DONORS} never-treated units are seen before and after: the "
                f"minimum detectable effect rests on {detectable.n} units' noise before their "
                f"starts (errors related by {persistence} from one period to the next)",
            ),
            design.name,
            Text("补充从未处理的对照单位", "add never-treated units"),
        )
    ]


def few_cluster_findings(design: Design) -> list[Finding]:
    """Warn where treated or comparison units all lie in one cluster."""
    codes = _codes(design)
    if codes is None:
        return []
    treated = np.array([one is not None for one in design.cohort])
    n_treated = len(np.unique(codes[treated]))
    n_other = len(np.unique(codes[~treated]))
    if n_other == 0 or min(n_treated, n_other) > 1:
        return []
    return [
        Finding(
            "W-DESIGN-ONE-CLUSTER",
            "warn",
            Text(
                f"承办单位分属 {n_treated} 个聚类，对照单位分属 {n_other} 个：聚类本身的波动与效应无法区分，"
                "聚类稳健的标准误和区间不成立",
                f"the treated units lie in {n_treated} cluster(s), the comparison units in "
                f"{n_other}: a shock to one cluster can't be told from the effect, and no "
                "cluster-robust error or interval is valid",
            ),
            design.name,
            Text(
                "加入其他聚类的单位；否则只能假定聚类没有自身冲击，并在报告中写明",
                "add units of further clusters; otherwise the reading rests on clusters having no "
                "shocks of their own, and must say so",
            ),
        )
    ]


def _codes(design: Design) -> NDArray[np.int64] | None:
    if design.cluster is None:
        return None
    return np.unique(np.array(design.cluster), return_inverse=True)[1]
