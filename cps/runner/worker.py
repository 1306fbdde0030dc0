"""The process that papermill runs in: one order on standard input, one executed notebook."""

from __future__ import annotations

import json
import sys

# A second of CPU in every process that imports jsonschema; only needed to validate IRIs.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def main() -> int:
    """Execute the notebook that standard input orders; 0 if papermill ended without error."""
    order = json.loads(sys.stdin.buffer.read())
    import papermill
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            order["notebook"],
            order["output"],
            parameters=order["parameters"],
            progress_bar=False,
            log_output=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            kernel_name="python3",
            start_timeout=120,
        )
    except PapermillExecutionError as error:
        print(f"{error.ename}: {error.evalue}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
