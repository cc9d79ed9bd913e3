{#
    Periods of the KPI catalogue, and the rows of a KPI per as-of day, period and segment.

    day               each of the 28 days up to the as-of day, so that corrections show as restatements
    week              each of the last four whole ISO weeks, Monday to Sunday
    month             each of the last two whole calendar months
    quarter           the last whole calendar quarter
    month_to_date     the first of the month to the as-of day; quarter_to_date and year_to_date likewise
    trailing_<n>d     the n days up to and including the as-of day
    as_of             a state at the end of the as-of day
#}

{# How many whole periods before the current one are valued. #}
{% macro whole_periods() -%} {{ return({'week': 4, 'month': 2, 'quarter': 1}) }} {%- endmacro %}


{# How many days back from the as-of day a grain can look. #}
{% macro grain_days(grain) -%}
    {%- if grain.startswith('trailing_') -%} {{ return(grain.split('_')[1][:-1] | int) }}
    {%- endif -%}
    {{ return({
        'day': 28,
        'week': 34,
        'month': 93,
        'quarter': 184,
        'month_to_date': 31,
        'quarter_to_date': 92,
        'year_to_date': 366,
        'as_of': 1,
    }[grain]) }}
{%- endmacro %}


{% macro longest_window(grains) -%}
    {%- set windows = [] -%}
    {%- for grain in grains -%} {%- do windows.append(grain_days(grain)) -%} {%- endfor -%}
    {{ return(windows | max) }}
{%- endmacro %}


{# 52 weeks: a day is compared with the same day of the week, and a leap day needs no rule of its own. #}
{% macro comparable_year() -%} {{ return(364) }} {%- endmacro %}


{#
    (as_of, period_grain, period_start, period_end) for every as-of day of the scope. With `lag_days` the periods are those
    of that many days ago, which by now had the time to come out.
#}
{% macro kpi_periods(grains, lag_days=0) -%}
    {%- set last_day = day_plus('as_of', -lag_days) if lag_days else 'as_of' -%}
    {%- set next_day = day_plus('as_of', 1 - lag_days) -%}
    (
        {%- for grain in grains %}
        {%- if grain == 'day' %}
        {%- set day = day_plus(last_day, '-back.days') %}
        select as_of, 'day' as period_grain, {{ day }} as period_start, {{ day }} as period_end
        from {{ source('ops', 'build_scope') }}
        cross join (
            {%- for days in range(grain_days(grain)) %}
            select {{ days }} as days{{ ' union all' if not loop.last }}
            {%- endfor %}
        ) as back
        {%- elif grain in whole_periods() %}
        {%- for back in range(1, whole_periods()[grain] + 1) %}
        {%- set this_period = dbt.date_trunc(grain, next_day) %}
        select
            as_of,
            '{{ grain }}' as period_grain,
            cast({{ dbt.dateadd(grain, -back, this_period) }} as date) as period_start,
            {{ day_plus(dbt.dateadd(grain, 1 - back, this_period), -1) }} as period_end
        from {{ source('ops', 'build_scope') }}
        {%- if not loop.last %} union all {%- endif %}
        {%- endfor %}
        {%- else %}
        select
            as_of,
            '{{ grain }}' as period_grain,
            {%- if grain.endswith('_to_date') %}
            cast({{ dbt.date_trunc(grain.split('_')[0], last_day) }} as date) as period_start,
            {%- else %}
            {{ last_day if grain == 'as_of' else day_plus('as_of', 1 - lag_days - grain_days(grain)) }} as period_start,
            {%- endif %}
            {{ last_day }} as period_end
        from {{ source('ops', 'build_scope') }}
        {%- endif %}
        {%- if not loop.last %} union all {%- endif %}
        {%- endfor %}
    )
{%- endmacro %}


{#
    The rows of a KPI. `facts` is a CTE with as_of_from, as_of_to, numerator, denominator, n, the columns named in
    `segments` and `coarse_segments`, and

    * business_on, the day a fact belongs to; with `is_dated=false` the stretch of as-of days already says to which
      periods a fact belongs (distinct counts), and there is one grain;
    * currency, where `money` names the columns to bring into base currency at the rate of the business day as the
      as-of day knew it. Facts without a known rate are left out, as in the marts;
    * the columns named in `spread`, from which intervals come (see no_spread): `squares`, and for ratios also
      `products` and `denominator_squares`.

    Every fact counts in the segment all/all and in one segment per column of `segments` and `coarse_segments` that is not
    null; the coarse ones have no values per day and week, which would be many and small. No known fact, no row.

    With `shift_days` a period is filled with the facts of that many days before; with `lag_days` the periods are those of
    that many days ago (cohorts that have come of age).
#}
{% macro kpi_values(
    facts, grains, segments=[], coarse_segments=[], money=[], is_dated=true, spread=[], shift_days=0,
    lag_days=0
) -%}
{%- set when = (['business_on'] if is_dated else []) + (['currency'] if money else []) -%}
{%- set stretch = ['as_of_from', 'as_of_to'] + when -%}
select
    windows.as_of,
    windows.period_grain,
    windows.period_start,
    windows.period_end,
    segmented.segment_type,
    segmented.segment_value,
    {%- for column in ('numerator', 'denominator') %}
    cast(sum(segmented.{{ column }}{{ ' * windows.rate_to_base' if column in money }}) as decimal(38, 6)) as {{ column }},
    {%- endfor %}
    cast(sum(segmented.n) as bigint) as n,
    {%- for column, factors in spread_columns().items() %}
    {%- set rate = [none, 'rate_to_base', 'rate_squared'][factors | select('in', money) | list | length] %}
    cast({% if column in spread -%} sum(segmented.{{ column }}{{ ' * windows.' ~ rate if rate }})
        {%- else -%} null {%- endif %} as decimal(38, 6)) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from (
    {%- for segment in ['all'] + segments + coarse_segments %}
    select
        '{{ segment }}' as segment_type,
        {{ "'all'" if segment == 'all' else "cast(" ~ segment ~ " as " ~ dbt.type_string() ~ ")" }} as segment_value,
        {{ stretch | join(', ') }},
        {%- for column in spread %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(n) as n
    from {{ facts }}
    {%- if segment != 'all' %}
    where {{ segment }} is not null
    {%- endif %}
    group by {{ stretch | join(', ') }}{{ ', ' ~ segment if segment != 'all' }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
) as segmented
inner join {{ kpi_windows(facts, grains, money, is_dated, shift_days, lag_days) }} as windows
    on
        {%- for column in when %}
        segmented.{{ column }} = windows.{{ column }} and
        {%- endfor %}
        segmented.as_of_from <= windows.as_of
        and segmented.as_of_to > windows.as_of
        {%- if coarse_segments %}
        and (
            segmented.segment_type not in ('{{ coarse_segments | join("', '") }}')
            or windows.period_grain not in ('day', 'week')
        )
        {%- endif %}
group by
    windows.as_of,
    windows.period_grain,
    windows.period_start,
    windows.period_end,
    segmented.segment_type,
    segmented.segment_value
{%- endmacro %}


{#
    What the interval of a mean or a ratio is computed from, sums over its observations, and whose product each is: squares
    of what an observation adds to the numerator, of what it adds to the denominator, and both multiplied.
#}
{% macro spread_columns() -%}
    {{ return({
        'squares': ['numerator', 'numerator'],
        'products': ['numerator', 'denominator'],
        'denominator_squares': ['denominator', 'denominator'],
    }) }}
{%- endmacro %}


{#
    One of them for one observation. Its parts are rounded first, so that sums of any pieces are exact and leave room for a
    rate, in whatever currency. `decimals` is how many the parts have at most.
#}
{% macro spread_of(left, right, decimals=4) %}
    {{ return(adapter.dispatch('spread_of')(left, right, decimals)) }}
{% endmacro %}

{# Rounding a number of more than 18 digits costs DuckDB a microsecond or two a row, thirty times all the rest. So that is
   only for rows with a part too large for the narrow product, and for parts that the narrow step would round twice. #}
{% macro duckdb__spread_of(left, right, decimals) -%}
    {%- if decimals > 4 -%}
    {{ wide_spread_of(left, right) }}
    {%- else -%}
    case
        when {{ left }} between -9999999 and 9999999 and {{ right }} between -9999999 and 9999999
            then cast(
                cast(cast({{ left }} as decimal(18, 4)) as decimal(18, 2))
                * cast(cast({{ right }} as decimal(18, 4)) as decimal(18, 2)) as decimal(38, 4)
            )
        else {{ wide_spread_of(left, right) }}
    end
    {%- endif -%}
{%- endmacro %}

{% macro spark__spread_of(left, right, decimals) -%}
    {{ wide_spread_of(left, right) }}
{%- endmacro %}

{# One of the parts is wide, so that the product is (see times). #}
{% macro wide_spread_of(left, right) -%}
    cast({{ left }} as decimal(28, 2)) * cast({{ right }} as decimal(18, 2))
{%- endmacro %}


{# The same columns of a KPI without an interval that is written without kpi_values. #}
{% macro no_spread() -%}
    {%- for column in spread_columns() %}
    cast(null as decimal(38, 6)) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#
    The periods, one row per business day of the facts that lies in them and, for money, per currency with its rate: facts
    find their periods by equality, which is far cheaper than by range.
#}
{% macro kpi_windows(facts, grains, money, is_dated, shift_days=0, lag_days=0) -%}
    {%- if not is_dated -%}
    {{ kpi_periods(grains, lag_days) }}
    {%- else -%}
    {%- set period_day = day_plus('days.business_on', shift_days) if shift_days else 'days.business_on' -%}
    (
        select
            periods.*,
            days.business_on
            {%- if money %},
            rates.currency,
            rates.rate_to_base,
            cast(rates.rate_to_base * cast(rates.rate_to_base as double) as decimal(28, 8)) as rate_squared
            {%- endif %}
        from (select distinct business_on from {{ facts }}) as days
        inner join {{ kpi_periods(grains, lag_days) }} as periods
            on {{ period_day }} >= periods.period_start and {{ period_day }} <= periods.period_end
        {%- if money %}
        inner join {{ ref('known_rates') }} as rates
            on periods.as_of = rates.as_of and days.business_on = rates.business_on
        {%- endif %}
    )
    {%- endif -%}
{%- endmacro %}
