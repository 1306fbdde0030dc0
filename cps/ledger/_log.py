"""Collect findings while reading, and say each kind once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cps.errors import Finding, LedgerError, Severity, Text

SHOWN = 10
_ALIKE = 4
_KEPT = 100


@dataclass(slots=True)
class Log:
    """Findings of a set of files, in the order met."""

    found: list[tuple[str, Finding]] = field(default_factory=list)  # sheet, finding

    def add(
        self,
        code: str,
        severity: Severity,
        what: Text,
        *,
        sheet: str,
        place: str = "",
        mend: Text,
        value: str | None = None,
    ) -> None:
        """Record one finding; ``sheet`` is ``file › sheet`` and ``place`` what follows it."""
        where = f"{sheet} › {place}" if place else sheet
        self.found.append((sheet, Finding(code, severity, what, where, mend, value)))

    def collapsed(self) -> tuple[Finding, ...]:
        """Give the findings; four or more of one kind in a sheet become one with their count."""
        groups: dict[tuple[str, str], list[Finding]] = {}
        for sheet, one in self.found:
            groups.setdefault((sheet, one.code), []).append(one)
        findings: list[Finding] = []
        for group in groups.values():
            alike = len(group) >= _ALIKE and group[0].severity != "reject"
            findings += [replace(group[0], count=len(group))] if alike else group[:_KEPT]
        return tuple(findings)


def refuse_rejected(findings: Iterable[Finding]) -> None:
    """Raise if any finding rejects; the message shows the first ten places.

    Raises
    ------
    LedgerError
    """
    rejected = [one for one in findings if one.severity == "reject"]
    if not rejected:
        return
    first = rejected[0]
    if len(rejected) == 1:
        raise LedgerError(first.what, where=first.where, mend=first.mend, findings=rejected)
    places = "\n         ".join(
        f"{one.where}: {one.what.en} / {one.what.zh}" for one in rejected[:SHOWN]
    )
    more = len(rejected) - SHOWN
    tail = f"\n         … +{more}" if more > 0 else ""
    raise LedgerError(
        Text(
            f"台账中有 {len(rejected)} 处无法读取，首处：{first.what.zh}",
            f"{len(rejected)} places in the ledgers can't be read; the first: {first.what.en}",
        ),
        where=f"{places}{tail}",
        mend=first.mend,
        findings=rejected,
    )
