"""The verdict on a delivery: accepted or rejected, every finding with its place and remedy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cps.errors import CpsError, Finding
from cps.ledger.read import Inspection
from cps.provenance import atomic_path

_LEVELS = {"reject": "error", "warn": "warning", "note": "note"}
_WORDS = {
    "zh": {
        "reject": "错误",
        "warn": "提醒",
        "note": "说明",
        "value": "原值",
        "mend": "处理",
        "accepted": "接受",
        "rejected": "不接受",
        "none": "没有发现问题",
        "more": "同类另有 {n} 处",
    },
    "en": {
        "reject": "error",
        "warn": "warning",
        "note": "note",
        "value": "value",
        "mend": "mend",
        "accepted": "accepted",
        "rejected": "rejected",
        "none": "nothing found",
        "more": "{n} more like it",
    },
}
_SHOWN = 10


def as_json(found: Inspection | CpsError, language: str) -> str:
    """Give the verdict as one JSON object: ``action``, ``findings``, totals by code, files."""
    findings = found.findings if isinstance(found, Inspection) else of_error(found)
    totals: dict[str, int] = {}
    for one in findings:
        totals[one.code] = totals.get(one.code, 0) + one.count
    verdict: dict[str, Any] = {
        "action": "reject" if any(one.severity == "reject" for one in findings) else "accept",
        "findings": [_plain(one, language) for one in findings],
        "totals": totals,
        "files": [],
    }
    if isinstance(found, Inspection):
        verdict["files"] = [
            {"name": one.name, "sha256": one.sha256, "layout": one.layout, "rows": one.n_rows}
            for one in found.files
        ]
    return json.dumps(verdict, ensure_ascii=False, indent=1)


def of_error(error: CpsError) -> tuple[Finding, ...]:
    """Give an error that was raised as a finding of its own."""
    if error.findings:
        return error.findings
    file = error.where.split(" › ")[0]
    return (Finding("E-INPUT", "reject", error.what, error.where, error.mend, file=file),)


def _plain(one: Finding, language: str) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": _LEVELS[one.severity],
        "file": one.file,
        "sheet": one.sheet,
        "cell": one.cell,
        "line": one.line,
        "column": one.column,
        "where": one.where,
        "value": one.value,
        "message": one.what.in_language(language),
        "mend": one.mend.in_language(language),
        "count": one.count,
    }


def as_text(found: Inspection, language: str) -> str:
    """Give the verdict for a terminal: worst first, ten places of a kind."""
    words = _WORDS["zh" if language.startswith("zh") else "en"]
    lines: list[str] = []
    for severity in _LEVELS:
        lines += _section(
            [one for one in found.findings if one.severity == severity], words, language
        )
    verdict = words["rejected"] if found.is_rejected else words["accepted"]
    counts = [
        sum(one.count for one in found.findings if one.severity == severity) for severity in _LEVELS
    ]
    if not found.findings:
        lines.append(words["none"])
    summary = " · ".join(
        f"{words[severity]} {n:,}" for severity, n in zip(_LEVELS, counts, strict=True) if n
    )
    rows = (
        f"{found.entries.height:,} rows" if language == "en" else f"{found.entries.height:,} 条数据"
    )
    colon = "：" if words is _WORDS["zh"] else ": "
    lines.append(f"{verdict}{colon}{rows}" + (f" · {summary}" if summary else ""))
    return "\n".join(lines)


def _section(findings: Sequence[Finding], words: dict[str, str], language: str) -> list[str]:
    lines: list[str] = []
    for code in dict.fromkeys(one.code for one in findings):
        alike = [one for one in findings if one.code == code]
        for one in alike[:_SHOWN]:
            lines.append(f"{words[one.severity]} {one.code}  {one.where}")
            lines.append(f"    {one.what.in_language(language)}")
            if one.value:
                lines.append(f"    {words['value']}: {one.value}")
            lines.append(f"    {words['mend']}: {one.mend.in_language(language)}")
        more = sum(one.count for one in alike) - sum(one.count for one in alike[:_SHOWN])
        if more > 0:
            lines.append(f"    … {words['more'].format(n=f'{more:,}')}")
    return lines


def write_table(found: Inspection, path: Path) -> None:
    """Write the canonical table as CSV, whole or not at all."""
    table: pl.DataFrame = found.table()
    with atomic_path(path) as temporary:
        table.write_csv(temporary)
