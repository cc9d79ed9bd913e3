"""The command line in processes of its own that have imported everything: what a user types, without ten seconds of it.

A fork server imports, nobody else: it opens no database and starts no thread, so what it forks is as good as new.
"""

import multiprocessing
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 1800
# The models import these where they use them, which takes longer than all forecasts of a small company.
OF_THE_MODELS = (
    "models_ml.engine",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.utils.parallel",
)
# What a run imports as it goes; each is loaded by one command or another.
IMPORTED = ("pipelines.cli", "pipelines.definitions", "dbt.cli.main", "great_expectations", *OF_THE_MODELS)
SAID_TO = {"OMP_NUM_THREADS": "1", "COLUMNS": "160", "NO_COLOR": "1"}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(IMPORTED))


def command(*arguments: str) -> tuple[int, str]:
    """Run `opscope <arguments>`; its exit code, and what it printed on both streams."""
    with TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        process = _processes.Process(target=_opscope, args=(arguments, str(said), os.environ | SAID_TO))
        process.start()
        process.join(PATIENCE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode or 0, said.read_text(encoding="utf-8") if said.exists() else ""


def _opscope(arguments: tuple[str, ...], said: str, environment: dict[str, str]) -> None:
    from pipelines.cli import main

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    file = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(file, stream)
    sys.argv = ["opscope", *arguments]
    main()
