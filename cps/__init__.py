"""Common Prosperity Studies: what village projects changed, from ledgers to bilingual pages."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cps.design.build import make_design, pool_initiatives
    from cps.design.frame import design_from_frame
    from cps.design.initiatives import load_initiative, load_initiatives
    from cps.estimators.battery import estimate_all
    from cps.estimators.registry import estimate
    from cps.facts import load_facts
    from cps.ledger.read import read_ledgers
    from cps.panel.build import build_panel
    from cps.panel.store import load_panel
    from cps.planning.power import plan
    from cps.report.render import write_report
    from cps.robustness.registry import check_robustness
    from cps.robustness.specifications import trace_specifications
    from cps.runner.parameters import check_parameters
    from cps.runs import load_run, load_runs, make_run, save_run
    from cps.synthesis.claims import check_claims
    from cps.synthesis.grade import grade_evidence
    from cps.synthesis.money import appraise_initiative
    from cps.synthesis.overview import synthesise
    from cps.tables import show

# Public name -> its home; loaded when first asked for, so that ``import cps`` costs nothing.
_HOMES: dict[str, str] = {
    "appraise_initiative": "cps.synthesis.money",
    "build_panel": "cps.panel.build",
    "check_claims": "cps.synthesis.claims",
    "check_parameters": "cps.runner.parameters",
    "check_robustness": "cps.robustness.registry",
    "design_from_frame": "cps.design.frame",
    "estimate": "cps.estimators.registry",
    "estimate_all": "cps.estimators.battery",
    "grade_evidence": "cps.synthesis.grade",
    "load_facts": "cps.facts",
    "load_initiative": "cps.design.initiatives",
    "load_initiatives": "cps.design.initiatives",
    "load_panel": "cps.panel.store",
    "load_run": "cps.runs",
    "load_runs": "cps.runs",
    "make_design": "cps.design.build",
    "make_run": "cps.runs",
    "plan": "cps.planning.power",
    "pool_initiatives": "cps.design.build",
    "read_ledgers": "cps.ledger.read",
    "save_run": "cps.runs",
    "show": "cps.tables",
    "synthesise": "cps.synthesis.overview",
    "trace_specifications": "cps.robustness.specifications",
    "write_report": "cps.report.render",
}

__all__ = [
    "appraise_initiative",
    "build_panel",
    "check_claims",
    "check_parameters",
    "check_robustness",
    "design_from_frame",
    "estimate",
    "estimate_all",
    "grade_evidence",
    "load_facts",
    "load_initiative",
    "load_initiatives",
    "load_panel",
    "load_run",
    "load_runs",
    "make_design",
    "make_run",
    "plan",
    "pool_initiatives",
    "read_ledgers",
    "save_run",
    "show",
    "synthesise",
    "trace_specifications",
    "write_report",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cps' has no attribute {name!r}; it has: {', '.join(_HOMES)}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
