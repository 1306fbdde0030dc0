"""Render pages in processes of their own: a list of saved runs in, finished HTML out."""

from __future__ import annotations

import json
from pathlib import Path


def render_task(payload: bytes) -> int:
    """Render runs to pages.

    Parameters
    ----------
    payload : bytes
        JSON: jobs [[run folder, output folder]], languages.
    """
    from cps.report.render import write_report
    from cps.runs import load_run

    order = json.loads(payload)
    for run, out in order["jobs"]:
        write_report(load_run(run), Path(out), languages=order["languages"])
    return 0
