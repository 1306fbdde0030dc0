"""How often the joint test of a specification curve rejects where there is no effect.

Usage: python -m tests.robustness.specification_size [DRAWS] [--hosts 1] [--effect 0]
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from cps.estimators.registry import estimate
from cps.robustness.specifications import JointTest, trace_specifications
from tests.robustness.specification_worlds import areas_of, log_incomes, village_design

NAMES = ("p_median", "p_share", "p_combined", "p_joint")
STARTS = {1: (2019,), 2: (2019, 2020), 4: (2019, 2020, 2019, 2021)}


def draw(seed: int, *, n_hosts: int, n_units: int, effect: float) -> JointTest:
    """Trace the curve of one panel; the hosts are any units."""
    y = log_incomes(n_units, seed)
    design = village_design(y, STARTS[n_hosts], effect=effect, ring=(n_units - 1, n_units - 2))
    headline = estimate(design, "synthetic_did", options={"solver": "exact"}, seed=seed)
    joint = trace_specifications(design, headline, panel=areas_of(design), seed=seed).joint
    assert joint is not None
    return joint


def main() -> None:
    """Print the share of rejections at 5 and 10%, with two standard errors, and the mean p-value."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("draws", type=int, nargs="?", default=400)
    parser.add_argument("--hosts", type=int, default=1, choices=sorted(STARTS))
    parser.add_argument("--units", type=int, default=24)
    parser.add_argument("--effect", type=float, default=0.0)
    given = parser.parse_args()
    found = [
        draw(seed, n_hosts=given.hosts, n_units=given.units, effect=given.effect)
        for seed in range(given.draws)
    ]
    print(
        f"{given.draws} panels, {given.hosts} of {given.units} units hosts, effect {given.effect}; "
        f"smallest p {found[0].smallest_p:.3f}"
    )
    for name in NAMES:
        p = np.array([getattr(one, name) for one in found])
        for size in (0.05, 0.10):
            share = float((p <= size + 1e-12).mean())
            error = 2 * math.sqrt(size * (1 - size) / len(p))
            print(f"{name:<11} rejects {share:.3f} at {size:.2f} (± {error:.3f})", end="   ")
        print(f"mean {p.mean():.3f}")


if __name__ == "__main__":
    main()
