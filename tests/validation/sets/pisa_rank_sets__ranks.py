"""League tables of 37 countries: no effect is estimated there."""

from __future__ import annotations

from pathlib import Path

from tests.validation.table import Ours

SET = "pisa_rank_sets"
_WHY = "confidence sets for ranks compare estimates; cps has no ranking of initiatives yet"
OUT_OF_SCOPE = dict.fromkeys(
    ("uk_rank", "uk_marginal_cs", "top5_n", "top5_90", "bottom3_disjoint", "simul_sets"), _WHY
)


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: see ``OUT_OF_SCOPE``."""
    return {}
