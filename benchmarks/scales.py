"""How much data each measurement gets. `default` takes about twenty minutes on two cores; `small` tries the bench."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of one run of the bench.

    A company's scale 1 is about 150 order lines a day; a history is 420 days, delivered on the first day.

    Attributes:
        ingest: scale of the company whose exported history is read.
        night: scale of the company that gets one more day.
        backfill: scale of the company that is backfilled.
        demo: scale of the company whose night is mostly fixed cost.
        backfill_days: delivery days of the backfill; one more follows as a night.
        history_days: days before the first delivery, of all but the backfilled one.
        repeats: runs of a cheap measurement; the median counts.
        forecast_series: sizes of the panels that are forecast; other libraries get the first.
    """

    name: str
    ingest: float
    night: float
    backfill: float
    demo: float
    backfill_days: int
    history_days: int
    repeats: int
    forecast_series: tuple[int, ...] = (1_000, 10_000, 30_000)


SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "small",
            ingest=0.2,
            night=0.1,
            backfill=0.1,
            demo=0.1,
            backfill_days=4,
            history_days=60,
            repeats=1,
            forecast_series=(1_000,),
        ),
        Scale("default", ingest=16, night=80, backfill=1, demo=1, backfill_days=365, history_days=418, repeats=3),
        Scale(
            "full",
            ingest=80,
            night=800,
            backfill=10,
            demo=1,
            backfill_days=365,
            history_days=418,
            repeats=3,
        ),
    )
}
