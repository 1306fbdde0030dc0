"""League tables of 37 countries: confidence sets for ranks, as R ``csranks`` gives them."""

from __future__ import annotations

import csv
from pathlib import Path

from cps.synthesis.rank_sets import RankSets, rank_sets, tau_best
from tests.validation.table import Ours

SET = "pisa_rank_sets"
_DRAWS = 40_000  # as the card's own sets; integers still hang on the critical value


def ours(folder: Path) -> dict[str, Ours]:
    """Give ranks by the score in mathematics, independent errors."""
    with (folder / "data.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    names = [row["jurisdiction"] for row in rows]
    scores = [float(row["math_score"]) for row in rows]
    variances = [float(row["math_se"]) ** 2 for row in rows]
    each = rank_sets(scores, variances, scope="marginal")
    together = rank_sets(scores, variances, draws=_DRAWS)
    kingdom = names.index("United Kingdom")
    last = [names.index(one) for one in ("Chile", "Mexico", "Colombia")]
    return {
        "uk_rank": Ours(each.rank[kingdom]),
        "uk_marginal_cs": Ours([each.low[kingdom], each.high[kingdom]]),
        "top5_n": Ours(sum(tau_best(scores, variances, 5, draws=_DRAWS))),
        "top5_90": Ours(sum(tau_best(scores, variances, 5, level=0.9, draws=_DRAWS))),
        "bottom3_disjoint": Ours(float(_stand_apart(together, last))),
        "simul_sets": Ours([*together.low, *together.high]),
    }


def _stand_apart(sets: RankSets, group: list[int]) -> bool:
    others = [one for one in range(len(sets.low)) if one not in group]
    return min(sets.low[one] for one in group) > max(sets.high[one] for one in others)
