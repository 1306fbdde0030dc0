"""What a page says of its own origin: how far the data go, with what it was made, by hashes."""

from __future__ import annotations

from cps.locale import Content, Link, Listing, Message
from cps.runs import Run

SHORT = 12  # digits of a hash that a reader compares by eye


def metas_of(run: Run) -> list[tuple[str, str]]:
    """Give a page's origin whole, for machines: names and contents of its ``meta`` elements."""
    manifest = run.manifest
    return [
        ("cps-as-of", manifest.as_of or ""),
        ("cps-data-to", _last_day(run)),
        ("cps-data-sha256", manifest.data_sha256),
        ("cps-version", manifest.cps_version),
        ("cps-code-sha256", manifest.code_sha256),
        ("cps-run-hash", manifest.run_hash),
        ("cps-seed", str(manifest.seed)),
    ]


def footer_of(run: Run, *, editions_href: str = "") -> list[Content]:
    """Give a page's origin for a reader, and where to see whether there is a newer edition."""
    manifest = run.manifest
    made = Message(
        "page.made_by",
        {
            "data": manifest.data_sha256[:SHORT],
            "version": manifest.cps_version,
            "code": manifest.code_sha256[:SHORT],
            "run": manifest.run_hash[:SHORT],
            "seed": str(manifest.seed),
        },
    )
    return [age_of(run), made, newer(editions_href)]


def age_of(run: Run) -> Content:
    """Say how far a run's data go, and whether they were made up."""
    as_of, last = run.manifest.as_of, _last_day(run)
    if as_of is None or as_of == last:
        age = Message("page.data_to", {"date": last})
    else:
        age = Message("page.as_of", {"date": as_of, "last": last})
    return Listing((age, Message("page.synthetic_mark"))) if run.is_synthetic else age


def newer(editions_href: str) -> Content:
    """Say that there may be a newer edition, and where to look."""
    if not editions_href:
        return Message("page.newer_unknown")
    return Message("page.newer", {"editions": Link(editions_href, Message("page.editions"))})


def _last_day(run: Run) -> str:
    return str(run.design["data_to"] or run.design["period_labels"][-1])
