"""Specification curve: every reasonable way to estimate one effect, declared before any is tried."""

from __future__ import annotations

from cps.robustness.specifications.record import (
    Dimension,
    Influence,
    JointTest,
    Move,
    Option,
    Refusal,
    SpecificationCell,
    SpecificationCurve,
)

__all__ = [
    "Dimension",
    "Influence",
    "JointTest",
    "Move",
    "Option",
    "Refusal",
    "SpecificationCell",
    "SpecificationCurve",
]
