"""Grades of the vintages, as of each day: forecasts whose targets have come true, against demand as known then.

What the columns mean is said in `grade_tables`; the formulas are those of `models_ml.metrics`, as sums in SQL. Sums are
of decimals: the order of adding doubles would show in their last digits.
"""

from datetime import date, timedelta
from typing import ClassVar

import pandas as pd
import pyarrow as pa

from models_ml.features import Snapshot
from models_ml.frames import SERIES
from models_ml.metrics import seasonal_scales
from models_ml.panel import Panel
from models_ml.selection import segments
from pipelines.modelling.context import Context, keep_newest_of_month
from pipelines.modelling.demand import SEPARATOR
from pipelines.modelling.grade_tables import (
    FORECAST_ACCURACY,
    FORECAST_ACCURACY_SERIES,
    FORECAST_TRACKING,
    FORECAST_VALUE_ADDED,
)
from pipelines.modelling.tables import MlTable

# Grades cover the targets of this many days up to the as-of day: four whole weeks.
GRADED_DAYS = 28
# The horizon at which orders are decided (macros/kpi_forecast.sql has the same); one forecast per target day.
DECISION_HORIZON_DAYS = 7
# In-sample differences are to the same weekday of the week before.
SEASON = 7

# Every series with a forecast that is due, on every graded day: what came true, null where stock ran out, for what
# nobody could buy says nothing of demand.
TRUTH = """
    create or replace temp table truth as
    with series as (
        select product_id, channel_id, row_number() over (order by product_id, channel_id)::integer as series_no
        from (
            select distinct product_id, channel_id from ml.demand_forecasts
            where target_on between $as_of - $days + 1 and $last_known and as_of < $as_of
        )
    ), days as (
        select unnest(range(first_on, last_on + interval 1 day, interval 1 day))::date as target_on
        from (select ($as_of - $days + 1)::timestamp as first_on, $last_known::timestamp as last_on)
    )
    select
        series_no, product_id, channel_id, target_on,
        case when held_back is null then coalesce(quantity, 0) end as came_true
    from series
    cross join days
    left join actuals using (product_id, channel_id, target_on)
    left join beyond_sales
        on beyond_sales.ordered_on = target_on
        and beyond_sales.product_id = series.product_id and beyond_sales.channel_id = series.channel_id
"""
# One row per forecast that is due. Of what has no truth no error is known, and every sum goes without. There are
# thousands of them per series: nobody writes them down.
GRADED = """
    select
        series_no, forecasts.as_of as forecast_on, target_on, horizon_days, model, is_selected,
        came_true is not null as is_graded,
        came_true::decimal(24, 6) as actual,
        case when came_true is not null then mean::decimal(24, 6) end as forecast,
        abs(mean::decimal(24, 6) - came_true::decimal(24, 6)) as abs_error,
        ((mean - came_true) ** 2)::decimal(38, 4) as square_error,
        (
            greatest(0.1 * (came_true - p10), 0.9 * (p10 - came_true))
            + greatest(0.5 * (came_true - p50), 0.5 * (p50 - came_true))
            + greatest(0.9 * (came_true - p90), 0.1 * (p90 - came_true))
        )::decimal(24, 6) as pinball,
        came_true < p10 as is_below_p10, came_true <= p10 as is_up_to_p10,
        came_true < p50 as is_below_p50, came_true <= p50 as is_up_to_p50,
        came_true < p90 as is_below_p90, came_true <= p90 as is_up_to_p90
    from ml.demand_forecasts as forecasts
    inner join truth using (product_id, channel_id, target_on)
    where target_on between $as_of - $days + 1 and $last_known and forecasts.as_of < $as_of
"""
# Sums per series, horizon and model, and beside them those of the naive forecasts of the same series, target and
# origin. A model's forecasts that stood at the time count as those of `selected` too.
SERIES_GRADED = f"""
    create or replace temp table series_graded as
    with graded as not materialized (
        {GRADED}
    ), naive as not materialized (
        select series_no, forecast_on, target_on, abs_error as naive_error, pinball as naive_pinball
        from graded where model = 'seasonal_naive' and is_graded
    ), summed as (
        select
            series_no, horizon_days, model, is_selected,
            count(*) filter (is_graded) as n, count(*) filter (not is_graded) as out_of_stock,
            sum(actual) as actual, sum(forecast) as forecast, sum(abs_error) as abs_error,
            sum(square_error) as square_error, sum(pinball) as pinball,
            count(*) filter (is_below_p10) as below_p10, count(*) filter (is_up_to_p10) as up_to_p10,
            count(*) filter (is_below_p50) as below_p50, count(*) filter (is_up_to_p50) as up_to_p50,
            count(*) filter (is_below_p90) as below_p90, count(*) filter (is_up_to_p90) as up_to_p90,
            count(naive_error) as pairs,
            sum(actual) filter (naive_error is not null) as paired_actual,
            sum(abs_error) filter (naive_error is not null) as paired_error,
            sum(naive_error) as naive_error,
            sum(pinball) filter (naive_error is not null) as paired_pinball,
            sum(naive_pinball) as naive_pinball
        from graded left join naive using (series_no, forecast_on, target_on)
        group by all
    ), told as (
        select * exclude (model, is_selected), unnest(if(is_selected, [model, 'selected'], [model])) as model
        from summed
    ), of_series as (
        select series_no, horizon_days, model, coalesce(sum(columns(* exclude (series_no, horizon_days, model))), 0)
        from told group by all
    )
    select
        product_id, channel_id, of_series.* exclude (series_no),
        coalesce(abc, 'C') as abc, coalesce(xyz, 'Z') as xyz, coalesce(demand_class, 'dead') as demand_class,
        case when absolute_scale is null then 0 else abs_error end as scaled_error,
        case when absolute_scale is null then 0 else square_error end as scaled_square,
        coalesce(n::bigint * absolute_scale::decimal(24, 6), 0) as abs_scale,
        coalesce(n::bigint * square_scale::decimal(34, 4), 0) as square_scale
    from of_series
    inner join (select distinct series_no, product_id, channel_id from truth) using (series_no)
    left join series_known using (product_id, channel_id)
"""
SUMS = """
    sum(n) as n, sum(out_of_stock) as out_of_stock_count, sum(actual) as actual_quantity,
    sum(forecast) as forecast_quantity,
    sum(abs_error) as abs_error_quantity, sum(square_error) as square_error, sum(pinball) as pinball_quantity,
    sum(below_p10) as below_p10_count, sum(up_to_p10) as up_to_p10_count,
    sum(below_p50) as below_p50_count, sum(up_to_p50) as up_to_p50_count,
    sum(below_p90) as below_p90_count, sum(up_to_p90) as up_to_p90_count,
    sum(up_to_p90 - below_p10) as inside_interval_count,
    sum(scaled_error) as scaled_abs_error_quantity, sum(abs_scale) as abs_scale_quantity,
    sum(scaled_square) as scaled_square_error, sum(square_scale) as square_scale
"""
RATIOS = """
    abs_error_quantity / nullif(actual_quantity, 0) as wape,
    (forecast_quantity - actual_quantity) / nullif(actual_quantity, 0) as bias,
    scaled_abs_error_quantity / nullif(abs_scale_quantity, 0) as mase,
    sqrt(scaled_square_error / nullif(square_scale, 0)) as rmsse,
    2 * pinball_quantity / 3 / nullif(actual_quantity, 0) as weighted_quantile_loss,
    inside_interval_count / nullif(n, 0) as interval_coverage
"""
ACCURACY = f"""
    insert into ml.forecast_accuracy by name
    with summed as (
        select $as_of as as_of, model, horizon_days, abc, xyz, demand_class, {SUMS}
        from series_graded group by all
    )
    select *, {RATIOS} from summed
"""
VALUE_ADDED = """
    insert into ml.forecast_value_added by name
    with summed as (
        select
            $as_of as as_of, model, horizon_days, abc, xyz, demand_class,
            sum(pairs) as n, sum(paired_actual) as actual_quantity, sum(paired_error) as abs_error_quantity,
            sum(naive_error) as naive_abs_error_quantity, sum(paired_pinball) as pinball_quantity,
            sum(naive_pinball) as naive_pinball_quantity
        from series_graded where model <> 'seasonal_naive' and pairs > 0 group by all
    )
    select
        *,
        (naive_abs_error_quantity - abs_error_quantity) / nullif(actual_quantity, 0) as forecast_value_added,
        1 - abs_error_quantity / nullif(naive_abs_error_quantity, 0) as skill,
        1 - pinball_quantity / nullif(naive_pinball_quantity, 0) as quantile_skill
    from summed
"""
TRACKING = f"""
    insert into ml.forecast_tracking by name
    with graded as not materialized (
        {GRADED}
    ), summed as (
        select model, is_selected, horizon_days, target_on, sum(forecast - actual) as error
        from graded where is_graded group by all
    ), told as (
        select horizon_days, target_on, error, unnest(if(is_selected, [model, 'selected'], [model])) as model
        from summed
    ), daily as (
        select model, horizon_days, target_on, sum(error) as error from told group by all
    ), tracked as (
        select
            $as_of as as_of, model, horizon_days, count(*) as days, sum(error) as error_quantity,
            sum(abs(error)) as abs_error_quantity, (sum(abs(error)) / count(*))::decimal(38, 6) as mad_quantity
        from daily group by all
    )
    select *, error_quantity / nullif(mad_quantity, 0) as tracking_signal from tracked
"""
BY_SERIES = f"""
    insert into ml.forecast_accuracy_series by name
    with summed as (
        select
            $as_of as as_of, date_trunc('month', $as_of)::date as month_start_on,
            product_id, channel_id, abc, xyz, demand_class, {SUMS},
            sum(naive_error) as naive_abs_error_quantity,
            sum(naive_error - paired_error) as gained, sum(paired_actual) as paired_actual,
            sum(forecast - actual) filter (horizon_days = $decision) as error,
            sum(abs_error) filter (horizon_days = $decision) as tracked_error,
            coalesce(sum(n) filter (horizon_days = $decision), 0) as tracked_days
        from series_graded where model = 'selected' group by all
    )
    select
        * exclude (gained, paired_actual, error, tracked_error), {RATIOS},
        gained / nullif(paired_actual, 0) as forecast_value_added,
        error * tracked_days / nullif(tracked_error, 0) as tracking_signal
    from summed
"""


class ForecastGrades:
    """Grades the vintages of earlier days."""

    tables: ClassVar[tuple[MlTable, ...]] = (
        FORECAST_ACCURACY,
        FORECAST_VALUE_ADDED,
        FORECAST_TRACKING,
        FORECAST_ACCURACY_SERIES,
    )

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, day: date) -> None:
        """Grade the forecasts whose targets have come true as known on the day.

        Targets after the last business day with known demand are left for a later day: orders of the newest day may
        arrive with the next delivery, and grading against their absence would call every forecast too high. Targets on
        which stock ran out are not graded: sales say only what demand was at least. What that does to the grades was
        measured (docs/findings/forecasts.md): half the bias that sales would show, and no error that nobody observed.
        """
        last_known = self._know_actuals(day)
        self._context.location_demand.know_beyond_sales(day)
        self._know_series(day)
        execute = self._context.connection.execute
        span = {"as_of": day, "days": GRADED_DAYS, "last_known": last_known}
        for statement in (TRUTH, SERIES_GRADED):
            execute(statement, span)
        for table in (FORECAST_ACCURACY, FORECAST_VALUE_ADDED, FORECAST_TRACKING):
            execute(f"delete from {table.full_name} where as_of = ?", [day])
        for statement in (ACCURACY, VALUE_ADDED):
            execute(statement, {"as_of": day})
        execute(TRACKING, span)
        if keep_newest_of_month(self._context.connection, [FORECAST_ACCURACY_SERIES], day):
            execute(BY_SERIES, {"as_of": day, "decision": DECISION_HORIZON_DAYS})

    def _know_actuals(self, day: date) -> date | None:
        """Fill the temporary table `actuals` as known on the day; return the last business day with demand."""
        assert self._context.demand
        connection = self._context.connection
        connection.execute(
            """
            create or replace temp table actuals as
            select product_id, channel_id, ordered_on as target_on, sum(quantity)::double as quantity
            from demand
            where known_on <= $day and ordered_on between $day - $days + 1 and $day
            group by all
            """,
            {"day": day, "days": GRADED_DAYS},
        )
        known = connection.execute("select max(target_on) from actuals where quantity > 0").fetchone()
        return known[0] if known else None

    def _know_series(self, day: date) -> None:
        """Fill the temporary table `series_known`: segment of every series, and its scale before the graded days.

        One scale serves all vintages of a day, so that horizons can be compared; nothing of a target is in it.
        """
        history = self._context.demand.known(day)
        known = pd.DataFrame(columns=["product_id", "channel_id", "abc", "xyz", "demand_class", *SCALES], dtype=object)
        if not history.empty:
            panel = Panel.of(history, day, SEASON)
            before = history[history["date"] <= pd.Timestamp(day - timedelta(days=GRADED_DAYS))]
            found = segments(Snapshot.at(panel, panel.last))
            if not before.empty:
                scales = seasonal_scales(before, day - timedelta(days=GRADED_DAYS), season=SEASON)
                found = found.merge(scales, on=SERIES, how="left", validate="one_to_one")
            product_ids, channel_ids = found[SERIES].str.split(SEPARATOR, n=1, expand=True).to_numpy().T
            known = found.assign(product_id=product_ids, channel_id=channel_ids).reindex(columns=known.columns)
        connection = self._context.connection
        connection.register("series_frame", pa.Table.from_pandas(known, schema=KNOWN, preserve_index=False))
        connection.execute("create or replace temp table series_known as select * from series_frame")
        connection.unregister("series_frame")


SCALES = ("absolute_scale", "square_scale")
KNOWN = pa.schema(
    [
        *((name, pa.string()) for name in ("product_id", "channel_id", "abc", "xyz", "demand_class")),
        *((name, pa.float64()) for name in SCALES),
    ]
)
