"""Demand forecasts as of each day: the vintages.

A vintage is what was forecast as of one day from what was known that day. Every vintage is kept.
"""

from dataclasses import replace
from datetime import date
from typing import ClassVar

import pandas as pd
import pyarrow as pa

from models_ml import engine
from models_ml.cards import ModelCard
from models_ml.frames import quantile_column
from pipelines.modelling.context import Context
from pipelines.modelling.demand import SEPARATOR
from pipelines.modelling.registry import MODEL_REGISTRY, register
from pipelines.modelling.stock_outs import HISTORY_DAYS
from pipelines.modelling.tables import MlTable

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}

DEMAND_FORECASTS = MlTable(
    "demand_forecasts",
    "One row per as-of day, target day, product, channel and model: the forecast from what was known then.",
    {
        "as_of": ("DATE NOT NULL", "Day from whose knowledge the forecast was made."),
        "target_on": ("DATE NOT NULL", "Day the forecast is for."),
        "horizon_days": ("INTEGER NOT NULL", "Days from as_of to target_on."),
        "product_id": ("VARCHAR NOT NULL", "Product."),
        "channel_id": ("VARCHAR NOT NULL", "Sales channel."),
        "model": ("VARCHAR NOT NULL", "Model that made the forecast; seasonal_naive is the baseline."),
        "mean": ("DOUBLE NOT NULL", "Expected demand, units."),
        "p10": ("DOUBLE NOT NULL", "Demand is below this with probability 0.1, units."),
        "p50": ("DOUBLE NOT NULL", "Median demand, units."),
        "p90": ("DOUBLE NOT NULL", "Demand is below this with probability 0.9, units."),
        "is_selected": ("BOOLEAN NOT NULL", "True for the one model whose forecast stands for this series and day."),
        "trained_on": ("DATE NOT NULL", "Day at whose end the model was fitted."),
    },
    deps=("marts.fct_order_lines", "marts.fct_inventory_snapshot_daily"),
    owner="team:demand-planning",
)


class DemandForecasts:
    """Fits once per training day, forecasts once per as-of day, from the demand behind sales where stock ran out.

    No company delivers prices or promotions ahead of their day, so nothing known ahead is used but the calendar.
    """

    tables: ClassVar[tuple[MlTable, ...]] = (DEMAND_FORECASTS, MODEL_REGISTRY)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._models: dict[date, engine.Model] = {}
        self._cards: dict[date, ModelCard] = {}

    def write(self, day: date) -> None:
        vintage = self.vintage(day)
        connection = self._context.connection
        connection.execute("delete from ml.demand_forecasts where as_of = ?", [day])
        made = None if vintage.empty else self._cards[vintage["trained_on"].iloc[0]]
        register(connection, day, DEMAND_FORECASTS.name, made)
        if vintage.empty:
            return
        connection.register("vintage", pa.Table.from_pandas(vintage, preserve_index=False))
        connection.execute("insert into ml.demand_forecasts by name select * from vintage")
        connection.unregister("vintage")

    def vintage(self, day: date) -> pd.DataFrame:
        """Forecasts as of the day, in the columns of ml.demand_forecasts; no rows while no demand is known."""
        history = self._context.demand.known(day)
        if history.empty:
            return pd.DataFrame()
        trained_on = self._context.training_day(day, self._can_train)
        forecasts = self._model(trained_on).forecast(history, day)
        product_ids, channel_ids = forecasts["series_id"].str.split(SEPARATOR, n=1, expand=True).to_numpy().T
        columns = {
            "as_of": day,
            "target_on": forecasts["date"].dt.date,
            "horizon_days": forecasts["horizon"],
            "product_id": product_ids,
            "channel_id": channel_ids,
            "model": forecasts["model"],
            "mean": forecasts["mean"],
        }
        columns |= {name: forecasts[quantile_column(level)] for name, level in QUANTILES.items()}
        return pd.DataFrame(columns | {"is_selected": forecasts["is_selected"], "trained_on": trained_on})

    def _can_train(self, day: date) -> bool:
        return day in self._models or not self._context.demand.known(day).empty

    def _model(self, trained_on: date) -> engine.Model:
        if trained_on not in self._models:
            settings, profile = self._context.settings, self._context.profile
            model = engine.fit(
                self._context.demand.known(trained_on),
                origin=trained_on,
                horizon=settings.horizon_days,
                quantiles=tuple(QUANTILES.values()),
                seed=settings.seed,
                country=profile.country,
            )
            card = model.card()
            read = {"history_days": HISTORY_DAYS, "forecast_series": settings.forecast_series}
            self._cards[trained_on] = replace(card, parameters={**card.parameters, **read})
            self._models[trained_on] = model
        return self._models[trained_on]
