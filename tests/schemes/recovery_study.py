"""How well each scheme's design finds a known truth: coverage, bias and false alarms over many worlds.

``python -m tests.schemes.recovery_study [n_worlds]`` prints the table of docs/scheme_ledgers.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cps.demo.schemes import MODES, draw_scheme, list_scheme_ledgers
from cps.demo.schemes._record import Drawn
from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators.battery import Specification, _estimated, _headline
from cps.estimators.registry import count_treated, estimate
from cps.result import Effect
from cps.schemes import load_scheme

TRUE, SPURIOUS = MODES
EVALUABLE: tuple[str, ...] = tuple(
    one for one in list_scheme_ledgers() if load_scheme(one).design is not None
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the headline says of one world, beside its truth and the before-after figure."""

    truth: float
    att: float
    se: float
    low: float
    high: float
    before_after: float

    @property
    def covers(self) -> bool:
        """True if the interval holds the truth."""
        return self.low <= self.truth <= self.high

    @property
    def alarms(self) -> bool:
        """True if the interval excludes no effect."""
        return not self.low <= 0 <= self.high


def design_of(scheme: str, drawn: Drawn, outcome: str | None = None) -> Design:
    """Build the design that the scheme's file declares, straight from a drawn world."""
    chosen = next(one for one in drawn.outcomes if outcome in (None, one.name))
    declared = load_scheme(scheme).design
    assert declared is not None
    return design_from_frame(
        drawn.frame(chosen.name),
        unit="unit",
        period="period",
        outcome="value",
        cohort="cohort",
        ring="ring" if drawn.near else None,
        name=scheme,
        measure=chosen.measure,
        form=chosen.form,
        frequency=chosen.frequency,
        unit_kind=drawn.unit_kind,
        anticipation=declared.anticipation,
    )


def headline(design: Design, *, seed: int) -> Effect:
    """Estimate by the method that the battery would put first."""
    chosen, _ = _headline(design)
    return _estimated(design, chosen, count_treated(design), 0.95, seed)


def worlds(
    scheme: str, mode: str, seeds: Iterable[int], *, outcome: str | None = None, method: str = ""
) -> list[Found]:
    """Draw worlds and estimate each; ``method`` in place of the headline."""
    found = []
    for seed in seeds:
        drawn = draw_scheme(scheme, mode=mode, seed=seed)
        chosen = next(one for one in drawn.outcomes if outcome in (None, one.name))
        truth = chosen.effects(drawn.starts)["effect"].mean()
        design = design_of(scheme, drawn, outcome)
        effect = estimate(design, method) if method else headline(design, seed=seed)
        overall = effect.overall
        numbers = (truth, overall.att, overall.se, overall.ci_low, overall.ci_high)
        before_after = next(iter(drawn.naive.values()))
        found.append(Found(*(float(one) for one in numbers), before_after))  # type: ignore[arg-type]
    return found


def method_of(scheme: str) -> Specification:
    """Say which method is put first for a scheme."""
    return _headline(design_of(scheme, draw_scheme(scheme, seed=0)))[0]


def main(n_worlds: int) -> None:
    """Print the table."""
    print(
        "| scheme | truth | coverage | bias | s.d. of estimates | mean s.e. | found | "
        "before-after | false alarms, spurious | before-after, spurious |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for scheme in EVALUABLE:
        true, spurious = (worlds(scheme, mode, range(n_worlds)) for mode in MODES)
        att = np.array([one.att for one in true])
        truth = np.array([one.truth for one in true])
        covered = np.mean([one.covers for one in (*true, *spurious)])
        cells = [
            scheme,
            f"{truth.mean():.3f}",
            f"{covered:.3f}",
            f"{(att - truth).mean():+.4f}",
            f"{(att - truth).std():.4f}",
            f"{np.mean([one.se for one in true]):.4f}",
            f"{np.mean([one.alarms for one in true]):.2f}",
            f"{np.mean([one.before_after for one in true]):+.2f}",
            f"{np.mean([one.alarms for one in spurious]):.3f}",
            f"{np.mean([one.before_after for one in spurious]):+.2f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
