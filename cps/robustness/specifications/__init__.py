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
from cps.robustness.specifications.trace import trace_specifications

__all__ = [
    "Dimension",
    "Influence",
    "JointTest",
    "Move",
    "Option",
    "Refusal",
    "SpecificationCell",
    "SpecificationCurve",
    "trace_specifications",
]
