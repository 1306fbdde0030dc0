"""The kernelspec ``cps``: where it lies in the package, how it is installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from cps.errors import StorageError, Text

KERNEL_NAME = "cps"
# For JUPYTER_PATH: with it, Jupyter finds the kernel without an installation.
SHARE = Path(__file__).parent / "share" / "jupyter"


def install_kernelspec(prefix: Path | None = None) -> Path:
    """Write the kernelspec where Jupyter looks for it.

    Parameters
    ----------
    prefix : Path or None
        Installation to write into; the running interpreter's own if None.

    Returns
    -------
    Path
        Folder of the kernelspec.

    Raises
    ------
    StorageError
        If the folder can't be written.
    """
    source = SHARE / "kernels" / KERNEL_NAME
    target = Path(prefix or sys.prefix) / "share" / "jupyter" / "kernels" / KERNEL_NAME
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir():
            shutil.copyfile(path, target / path.name)
    except OSError as error:
        raise StorageError(
            Text(f"无法写入：{error.strerror}", f"can't be written: {error.strerror}"),
            where=str(target),
            mend=Text("换一个可写的安装位置", "give a prefix that can be written"),
        ) from error
    return target
