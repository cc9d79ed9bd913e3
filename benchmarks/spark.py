"""The engine grouped over Spark: where one machine's memory ends, each group of series is a task of its own.

Spark hands each group to `forecast_group` (`applyInPandas`), which is the engine and knows nothing of Spark. The same
groups are forecast one after the other without Spark; the two must tell the same. Spark runs in an environment that
lends ours and adds pyspark, which is no dependency of the product; it needs Java 17.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import environments
from benchmarks.forecasts import HORIZON, ORIGIN, QUANTILES, SEASON
from benchmarks.measure import REPOSITORY, Watch, measure
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, Verdict

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("pyspark==4.3.0", "py4j==0.10.9.9")
GROUP = "location"
HERE_FILE, SPARK_FILE = "grouped_here.parquet", "grouped_on_spark.parquet"
EXPLAINED = "1,000 generated series in ten groups, each fitted and forecast by itself"


def run(scale: Scale, work: Path) -> list[Result]:
    """A thousand series, grouped by location, with Spark and without."""
    folder, logs = work / "spark", work / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    python, why = environment(work.parent / "spark")
    if python is None:
        rows = [Row("Spark", amount=f"left out: its environment could not be made: {why}")]
        return [Result("spark", EXPLAINED, rows, [])]
    measure("forecasts:write_panel", logs / "spark_panel.log", folder=folder, series=1_000)
    here = measure("spark:here", logs / "spark_here.log", folder=folder)
    there = measure("spark:on_spark", logs / "spark_there.log", python=python, folder=folder)
    differences = measure("spark:compare", logs / "spark_compare.log", folder=folder).facts
    rows = [
        Row("one group after the other", here.costs["groups"], f"{differences['rows']:,} forecasts"),
        # The CPU time of Java and of its workers is not that of our child.
        Row("local Spark, start of Java included", amount=f"{there.costs['groups'].wall:.0f} s of wall time"),
    ]
    verdicts = [
        Verdict("forecasts that only one of the two has", differences["unmatched"], 0, unit=""),
        Verdict("greatest relative difference of a mean or quantile", differences["greatest"], 1e-9, unit=""),
    ]
    return [Result("spark", EXPLAINED, rows, verdicts)]


def environment(folder: Path) -> tuple[Path | None, str]:
    """The Python of an environment with ours and pyspark, or None and why it cannot be had."""
    if shutil.which("java") is None:
        return None, "no java; install a Java 17 runtime, such as openjdk-17-jre-headless"
    python, how = environments.environment(folder, PACKAGES, "import pyspark", "--no-deps")
    if python is not None:
        lent = Path(sysconfig.get_path("purelib", vars={"base": str(folder)})) / "lent.pth"
        lent.write_text(f"{sysconfig.get_path('purelib')}\n{REPOSITORY}\n", encoding="utf-8")
    return python, how


def forecast_group(history: "pd.DataFrame") -> "pd.DataFrame":
    """Fit on the series of one group, and forecast them: a frame as `models_ml.frames` has it."""
    from models_ml import engine

    model = engine.fit(history, origin=ORIGIN, horizon=HORIZON, season=SEASON, quantiles=QUANTILES)
    return model.forecast(history, ORIGIN)


def here(watch: Watch, *, folder: str) -> None:
    """All groups, one after the other, without Spark."""
    import pandas as pd

    with watch("groups"):
        panel = pd.read_parquet(Path(folder) / "panel.parquet")
        panel = panel.astype(dict.fromkeys(panel.columns[panel.dtypes == "category"], "str"))
        told = [forecast_group(rows.reset_index(drop=True)) for _, rows in panel.groupby(GROUP, sort=True)]
    pd.concat(told).to_parquet(Path(folder) / HERE_FILE, index=False)


def on_spark(watch: Watch, *, folder: str) -> None:
    """The same on a local Spark, whose workers are processes of this interpreter."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    with watch("groups"):
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
        try:
            panel = session.read.parquet(str(Path(folder) / "panel.parquet"))
            told = panel.groupBy(GROUP).applyInPandas(forecast_group, _schema())
            told.toPandas().to_parquet(Path(folder) / SPARK_FILE, index=False)
        finally:
            session.stop()


def _schema() -> str:
    quantiles = ", ".join(f"`q{level:g}` double" for level in QUANTILES)
    return (
        "series_id string, origin timestamp, date timestamp, horizon bigint, model string, mean double, "
        f"{quantiles}, is_selected boolean"
    )


def compare(watch: Watch, *, folder: str) -> dict[str, Any]:
    """How far the two are apart, row by row."""
    import numpy as np
    import pandas as pd

    key = ["series_id", "date", "model"]
    ours, theirs = (
        pd.read_parquet(Path(folder) / name).set_index(key).sort_index() for name in (HERE_FILE, SPARK_FILE)
    )
    unmatched = len(ours.index.symmetric_difference(theirs.index))
    both = ours.index.intersection(theirs.index)
    numbers = ours.columns[ours.dtypes == "float64"]
    one, other = (frame.loc[both, numbers].to_numpy() for frame in (ours, theirs))
    unmatched += int((ours.loc[both, "is_selected"] != theirs.loc[both, "is_selected"]).sum())
    greatest = np.max(np.abs(one - other) / np.maximum(np.abs(one), 1e-9), initial=0.0)
    return {"rows": len(ours), "unmatched": unmatched, "greatest": float(greatest)}
