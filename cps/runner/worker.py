"""The process that papermill runs in: one order, one executed notebook."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

# A second of CPU in every process that imports jsonschema; only needed to validate IRIs.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

TAKEN = b"\xff"  # an order; no exit status of ours
EXIT_ASKED = "a cell called exit()"
_OUTPUT_CHARACTERS = 200_000  # of one cell, kept in the executed notebook


def run_papermill(payload: bytes) -> int:
    """Execute the notebook that ``payload`` orders; 0 if papermill ended without error.

    Parameters
    ----------
    payload : bytes
        JSON: notebook, output, parameters, kernel, timeout_seconds (of one cell).
    """
    order = json.loads(payload)
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from cps.runner import kernels
    from cps.runner.saving import ExitAskedError, register_engine

    try:
        papermill.execute_notebook(
            order["notebook"],
            order["output"],
            parameters=order["parameters"],
            engine_name=register_engine(Path(order["output"])),
            progress_bar=False,
            log_output=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            kernel_name=order["kernel"],
            language="python",
            start_timeout=120,
            execution_timeout=order["timeout_seconds"],
            # Read by nbclient: a kernel that has saved its run has nothing left to tidy.
            shutdown_kernel="immediate",
            kernel_manager_class=kernels.ObservedKernelManager,
        )
    except PapermillExecutionError as error:
        print(f"{error.ename}: {error.evalue}", flush=True)
        return 1
    except DeadKernelError:
        print(f"kernel died: {kernels.deaths[0] if kernels.deaths else 1}", flush=True)
        return 1
    except ExitAskedError:
        print(EXIT_ASKED, flush=True)
        return 1
    except CellTimeoutError:
        print("cell timed out", flush=True)
        return 124
    finally:
        cap_outputs(Path(order["output"]))
    return 0


def serve_orders(payload: bytes) -> int:
    """Execute one notebook after another, as ordered on standard output, which is a socket.

    Ends at the first that does not end well, and when whoever orders is gone.
    """
    from cps.runner import kernels
    from cps.runner.warm import processes

    own = "cps-worker"
    with (
        socket.socket(fileno=os.dup(1)) as connection,
        connection.makefile("rb") as orders,
        open(os.devnull, "wb") as nothing,
    ):
        _print_to(nothing.fileno())
        while line := orders.readline():
            head = json.loads(line)
            connection.sendall(TAKEN)
            processes.set_name(head["name"])
            with open(head["printed"], "ab") as printed:
                _print_to(printed.fileno())
            status = run_papermill(orders.read(head["bytes"]))
            is_clean = kernels.forget()
            _print_to(nothing.fileno())
            processes.set_name(own)
            connection.sendall(bytes([status]))
            if status != 0 or not is_clean:
                return status
    return 0


def _print_to(descriptor: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for standard in (1, 2):
        os.dup2(descriptor, standard)


def cap_outputs(path: Path, limit: int = _OUTPUT_CHARACTERS) -> None:
    """Cut what cells printed to ``limit`` characters each, and say so in the notebook."""
    if not path.exists() or path.stat().st_size <= limit:
        return
    stored = json.loads(path.read_text(encoding="utf-8"))
    for cell in stored["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = _capped(cell["outputs"], limit)
    path.write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _capped(outputs: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    left, kept = limit, []
    for shown in outputs:
        size = len(json.dumps(shown, ensure_ascii=False))
        if size <= left or shown["output_type"] == "error":
            kept.append(shown)
            left -= size
            continue
        text = "".join(shown.get("text", ""))
        words = f"[… {len(text) or size:,} characters, cut 已截断]\n"
        kept.append(
            {
                "output_type": "stream",
                "name": "stdout",
                "text": f"{text[: left // 2]}\n{words}{text[len(text) - left // 2 :]}"
                if text and left > 2
                else words,
            }
        )
        left = 0
    return kept


def main() -> int:
    """Take the order from standard input."""
    return run_papermill(sys.stdin.buffer.read())


if __name__ == "__main__":
    sys.exit(main())
