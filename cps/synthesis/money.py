"""Jobs and money of an initiative: from its estimated effects and listed outlays to what it is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cps.design.build import make_design
from cps.design.record import Design, Initiative
from cps.errors import CpsError, DesignError, InitiativeError, Text
from cps.indicators.benefit.appraise import appraise
from cps.indicators.benefit.defaults import Basis, basis_of
from cps.indicators.benefit.jobs import find_jobs
from cps.indicators.benefit.record import PUBLIC_SOURCES, Appraisal, Capital, JobsFound
from cps.panel.record import Panel
from cps.result import Effect
from cps.synthesis._money_gain import estimated, host_gain, jobs_gain
from cps.synthesis._money_record import Estimated, Refusal, Worth

__all__ = ["Worth", "appraise_initiative"]
INCOME, JOBS = "income_yuan", "jobs_persons"
N_DRAWS = 4_000


def appraise_initiative(
    panel: Panel,
    initiative: Initiative,
    *,
    design: Design,
    effects: Sequence[Effect],
    others: Sequence[Initiative] = (),
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Worth:
    """Say what an initiative brought in income and jobs, at what price, and whether it pays.

    The income gain is that of all estimated hosts together. An effect in logarithms is translated
    host by host and year by year from observed incomes; how it spreads over hosts, what is left of
    gross income as surplus and how long it lasts are assumptions (``assumptions.toml``), which the
    initiative's ``[appraisal]`` replaces. The other outcome, jobs or income, is estimated by the
    battery's headline rule in a second design. What can't be said is absent, with the reason.

    Parameters
    ----------
    panel : Panel
    initiative : Initiative
        With ``cost_yuan`` of each host.
    design : Design
        What ``effects`` were estimated from.
    effects : sequence of Effect
        The headline first.
    others : sequence of Initiative
        As for ``make_design``.
    n_draws : int
        Draws of the effect and of every assumption.
    seed : int

    Returns
    -------
    Worth
        Money in 元, jobs in persons; the same for the same seed.

    References
    ----------
    HM Treasury, The Green Book (discounting, switching values). Fieller (1954), J. R. Stat. Soc. B
    16, doi:10.1111/j.2517-6161.1954.tb00159.x (cost per unit). Krinsky & Robb (1986), Review of
    Economics and Statistics 68(4), doi:10.2307/1924536 (intervals by simulation).
    """
    refusals: list[Refusal] = []
    basis = basis_of(initiative.appraisal, source=initiative.appraisal_source)
    level = effects[0].level if effects else 0.95
    found: dict[str, tuple[Design, Effect]] = {}
    for outcome, part in ((INCOME, "income"), (JOBS, "jobs")):
        if outcome not in (design.outcome, *initiative.outcomes, *panel.frame.columns):
            continue  # nobody speaks of it
        try:
            if design.outcome == outcome and effects:
                found[outcome] = design, effects[0]
            else:
                found[outcome] = _second(panel, initiative, outcome, others=others, seed=seed)
        except CpsError as error:
            refusals.append(_refusal(part, error))
    income = employment = appraisal = jobs = None
    cost: dict[str, int] | None = None
    if INCOME in found:
        try:
            income, cost, appraisal = _money(
                initiative, found[INCOME], basis, refusals, n_draws=n_draws, seed=seed
            )
        except CpsError as error:
            refusals.append(_refusal("income", error))
    if JOBS in found:
        try:
            employment, jobs, own = _jobs(initiative, found[JOBS], basis, refusals)
            cost = own if income is None else cost
        except CpsError as error:
            refusals.append(_refusal("jobs", error))
    return Worth(
        initiative=initiative.id,
        income=income,
        employment=employment,
        cost_yuan=cost or {},
        total_yuan=sum(cost.values()) if cost else None,
        public_yuan=_public(cost) if cost else None,
        appraisal=appraisal,
        jobs=jobs,
        fte=basis.fte,
        assumed=basis.listed,
        refusals=tuple(dict.fromkeys(refusals)),
        level=level,
        n_draws=n_draws,
        seed=seed,
        is_synthetic=design.is_synthetic,
    )


def _second(
    panel: Panel, initiative: Initiative, outcome: str, *, others: Sequence[Initiative], seed: int
) -> tuple[Design, Effect]:
    """Give design and headline of the outcome that is not at hand."""
    if outcome not in panel.frame.columns or panel.frame[outcome].is_null().all():
        raise DesignError(
            Text(f"台账中没有 {outcome}", f"the ledgers hold no {outcome}"),
            where=outcome,
            mend=Text("补充这一项的台账", "add ledgers that hold it"),
        )
    from cps.estimators.battery import estimate_headline

    second = make_design(panel, initiative, outcome=outcome, others=others)
    return second, estimate_headline(second, seed=seed)


def _money(
    initiative: Initiative,
    found: tuple[Design, Effect],
    basis: Basis,
    refusals: list[Refusal],
    *,
    n_draws: int,
    seed: int,
) -> tuple[Estimated, dict[str, int] | None, Appraisal | None]:
    design, effect = found
    gain, hosts = host_gain(design, effect, len(initiative.treated))
    shown = estimated(effect, hosts, len(initiative.treated))
    cost = _cost(initiative, hosts, refusals)
    if cost is None:
        return shown, None, None
    try:
        appraisal = appraise(
            gain,
            Capital({source: (float(amount),) for source, amount in cost.items()}),
            assumptions=basis.assumptions,
            level=effect.level,
            n_draws=n_draws,
            seed=seed,
        )
    except CpsError as error:
        refusals.append(_refusal("money", error))
        return shown, cost, None
    return shown, cost, appraisal


def _jobs(
    initiative: Initiative, found: tuple[Design, Effect], basis: Basis, refusals: list[Refusal]
) -> tuple[Estimated, JobsFound, dict[str, int] | None]:
    design, effect = found
    gain = jobs_gain(design, effect, len(initiative.treated), basis.fte)
    hosts = tuple(
        unit for unit, cohort in zip(design.units, design.cohort, strict=True) if cohort is not None
    )
    cost = _cost(initiative, hosts, refusals)
    jobs = find_jobs(
        gain,
        total_yuan=float(sum(cost.values())) if cost else None,
        public_yuan=float(_public(cost)) or None if cost else None,
        displacement=basis.assumptions.displacement,
        level=effect.level,
    )
    return estimated(effect, hosts, len(initiative.treated)), jobs, cost


def _cost(
    initiative: Initiative, hosts: Iterable[str], refusals: list[Refusal]
) -> dict[str, int] | None:
    """Add up the outlays of some hosts by source; a host without any makes it unknown."""
    total: dict[str, int] = {}
    chosen = set(hosts)
    for number, host in enumerate(initiative.treated, start=1):
        if host.unit not in chosen:
            continue
        if not sum(host.cost_yuan.values()):
            error = InitiativeError(
                Text(
                    f"没有 {host.unit} 的投资额，不计算成本与效益",
                    f"the outlays of {host.unit} are not given: no cost, no benefit per cost",
                ),
                where=f"{initiative.id}.toml › treated[{number}] › cost_yuan",
                mend=Text(
                    "按资金来源填写投资额（元）", "give the outlays by source of money, in yuan"
                ),
            )
            refusals.append(_refusal("cost", error))
            return None
        for source, amount in host.cost_yuan.items():
            total[source] = total.get(source, 0) + amount
    return {source: amount for source, amount in total.items() if amount}


def _public(cost: dict[str, int]) -> int:
    return sum(amount for source, amount in cost.items() if source in PUBLIC_SOURCES)


def _refusal(part: str, error: CpsError) -> Refusal:
    return Refusal(part, error.what, error.where, error.mend)  # type: ignore[arg-type]


def fill_caches() -> None:
    """Read the package's own assumptions."""
    basis_of({})
