"""Virtual environments for what is measured beside the product and is no dependency of it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def environment(folder: Path, packages: Sequence[str], probe: str, *options: str) -> tuple[Path | None, str]:
    """The Python of an environment with the packages, made in `folder` unless it is there; or None and why.

    Args:
        folder: of the environment; what else is in it is lost when it is made.
        packages: as pip takes them.
        probe: a statement that fails in an environment which is not whole.
        options: for `pip install`.
    """
    python = folder / "bin" / "python"
    found = subprocess.run([python, "-c", probe], check=False) if python.is_file() else None
    if found is not None and found.returncode == 0:
        return python, "kept from an earlier run"
    print(f"making an environment for {', '.join(packages)} ...", flush=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", *options, *packages],
    ):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            said = (made.stderr or made.stdout).strip().splitlines()
            return None, said[-1] if said else f"{command[1:3]} failed"
    return python, "made now"
