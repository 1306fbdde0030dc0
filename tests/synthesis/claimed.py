"""What the tests of claims share: a registry of projects, evidence, and files of claims."""

import datetime

from cps.design.record import Initiative, TreatedUnit
from cps.errors import Text
from cps.synthesis._claim_evidence import evidence_of, gather_evidence

WAN = 10_000


def project(hosts, name="project", cost_yuan=100 * WAN):
    """Declare an initiative with these hosts; each cost the same, or nobody knows if None."""
    start = datetime.date(2021, 1, 1)
    cost = {"county": cost_yuan} if cost_yuan is not None else {}
    return Initiative(
        id=name,
        name=Text("项目", "Project"),
        description=Text("", ""),
        format="bonsai",
        provenance="illustrative",
        stands_for=(),
        is_synthetic=False,
        unit_kind="village",
        frequency="year",
        outcomes=("income_yuan",),
        comparison_areas=(),
        exclusions=(),
        anticipation=0,
        assumptions=(),
        source_sha256="",
        treated=tuple(TreatedUnit(host, start, cost) for host in hosts),
    )


def evidence_from(panel, projects, *, area=None, pooled=None, comparison=None):
    """Gather evidence as ``synthesise`` does."""
    gathered = gather_evidence(panel, projects, target_area=area)
    return evidence_of(gathered, comparison or {}, pooled=pooled, outcome="income_yuan")


def claims_file(folder, *bodies, more=""):
    """Write a file of claims; each body is the keys of one beyond id and text."""
    path = folder / "own.toml"
    tables = [
        f'[[claim]]\nid = "c{place}"\ntext = "一句话 {place}"\n{body}\n'
        for place, body in enumerate(bodies)
    ]
    path.write_text("\n".join(tables) + more, encoding="utf-8")
    return path
