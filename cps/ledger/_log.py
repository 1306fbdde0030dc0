"""Collect findings while reading: each with its place, at most a hundred of a kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cps.errors import Finding, LedgerError, Severity, Text
from cps.ledger.containers.record import Remark, cell_name

SHOWN = 10
KEPT = 100
_VALUE = 80
_MOBILE = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
_IDENTITY = re.compile(
    r"(?<![0-9])[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"(?![0-9])"
)
_ACTS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ue000-\uf8ff]"
)
NOTHING = Text("无需处理", "nothing to do")


def visible(text: str) -> str:
    """Give a text whose control, direction and zero-width characters are shown, not acted on.

    Examples
    --------
    >>> visible("a\\x1b[2J\\u202eb")
    'a\\\\x1b[2J\\\\u202eb'
    """
    return _ACTS.sub(lambda one: ascii(one[0])[1:-1], text)


def personal(text: str) -> str | None:
    """Tell what personal data a text holds: ``mobile``, ``identity`` or nothing."""
    if _MOBILE.search(text):
        return "mobile"
    return "identity" if _IDENTITY.search(text) else None


def without_personal(text: str, sign: str = "〔已隐去 removed〕") -> str:
    """Give a text with numbers of telephones and identity cards taken out."""
    return _IDENTITY.sub(sign, _MOBILE.sub(sign, text))


@dataclass(frozen=True, slots=True)
class Source:
    """One sheet as findings and rows name it."""

    file: str
    sheet: str
    is_text: bool = False
    layout: str = ""
    is_synthetic: bool = False
    lines: Sequence[int] | None = None
    unit_at: int | None = None  # the column of villages' names

    @property
    def where(self) -> str:
        """``file › sheet``; a text file has no sheets."""
        return self.file if self.is_text or not self.sheet else f"{self.file} › {self.sheet}"

    def line(self, row: int) -> int:
        """Give the line of a row, from 1."""
        return self.lines[row] if self.lines is not None and row < len(self.lines) else row + 1


@dataclass(slots=True)
class Log:
    """Findings of a set of files, in the order met; the total of each kind is kept."""

    found: list[Finding] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)
    _kept: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        code: str,
        severity: Severity,
        what: Text,
        *,
        source: Source,
        at: tuple[int, int] | None = None,
        said: str = "",
        mend: Text = NOTHING,
        value: str | None = None,
        count: int = 1,
    ) -> None:
        """Record one finding at a row and column, both from 0, of a source.

        ``said`` names column and village as a clerk would; ``count`` is how many it stands for.
        """
        self.totals[code] += count
        self._kept[code] += 1
        if self._kept[code] > KEPT:
            return
        where, cell, line = source.where, None, None
        if at is not None and at[0] >= 0:
            line = source.line(at[0])
            cell = cell_name(line - 1, max(at[1], 0))
            where = f"{where} › {cell}"
        if said:
            where += f" ({said})"
        self.found.append(
            Finding(
                code=code,
                severity=severity,
                what=_clean(what),
                where=visible(without_personal(where)),
                mend=_clean(mend),
                value=None if value is None else visible(without_personal(value))[:_VALUE],
                count=count,
                file=visible(source.file),
                sheet=visible(source.sheet) or None,
                cell=cell,
                line=line,
                column=cell.rstrip("0123456789") if cell else None,
            )
        )

    def remark(self, remark: Remark, file: str) -> None:
        """Record what the reader of a container said."""
        self.totals[remark.code] += 1
        cell = remark.cell or None
        parts = [file, remark.sheet, cell or (f"line {remark.line}" if remark.line else "")]
        self.found.append(
            Finding(
                code=remark.code,
                severity=remark.severity,  # type: ignore[arg-type]
                what=_clean(remark.what),
                where=visible(" › ".join(one for one in parts if one)),
                mend=_clean(remark.mend),
                value=None if remark.value is None else visible(remark.value)[:_VALUE],
                file=visible(file),
                sheet=visible(remark.sheet) or None,
                cell=cell,
                line=remark.line,
            )
        )

    def findings(self) -> tuple[Finding, ...]:
        """Give all that was kept; the last of a kind says how many more there are."""
        given = list(self.found)
        for code, total in self.totals.items():
            kept = [i for i, one in enumerate(given) if one.code == code]
            more = total - sum(given[i].count for i in kept)
            if more > 0 and kept:
                last = given[kept[-1]]
                given[kept[-1]] = replace(
                    last,
                    count=last.count + more,
                    what=Text(
                        f"{last.what.zh}（同类另有 {more:,} 处）",
                        f"{last.what.en} (and {more:,} more like it)",
                    ),
                )
        return tuple(given)


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
    total = sum(one.count for one in rejected)
    if total == 1:
        raise LedgerError(first.what, where=first.where, mend=first.mend, findings=rejected)
    places = "\n         ".join(
        f"{one.where}: {one.what.en} / {one.what.zh}" for one in rejected[:SHOWN]
    )
    more = len(rejected) - SHOWN
    tail = f"\n         … +{more}" if more > 0 else ""
    raise LedgerError(
        Text(
            f"台账中有 {total} 处无法读取，首处：{first.what.zh}",
            f"{total} places in the ledgers can't be read; the first: {first.what.en}",
        ),
        where=f"{places}{tail}",
        mend=first.mend,
        findings=rejected,
    )


def _clean(text: Text) -> Text:
    return Text(visible(without_personal(text.zh)), visible(without_personal(text.en)))
