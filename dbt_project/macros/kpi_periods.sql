{#
    Periods of the KPI catalogue, and the rows of a KPI per as-of day, period and segment.

    day             each of the 28 days up to the as-of day, so that corrections show as restatements
    month           each of the last two whole calendar months
    month_to_date   the first of the month to the as-of day
    trailing_<n>d   the n days up to and including the as-of day
    as_of           a state at the end of the as-of day
#}

{# How many days back from the as-of day a grain can look. #}
{% macro grain_days(grain) -%}
    {%- if grain.startswith('trailing_') -%} {{ return(grain.split('_')[1][:-1] | int) }}
    {%- endif -%}
    {{ return({'day': 28, 'month': 93, 'month_to_date': 31, 'as_of': 1}[grain]) }}
{%- endmacro %}


{% macro longest_window(grains) -%}
    {%- set windows = [] -%}
    {%- for grain in grains -%} {%- do windows.append(grain_days(grain)) -%} {%- endfor -%}
    {{ return(windows | max) }}
{%- endmacro %}


{# (as_of, period_grain, period_start, period_end) for every as-of day of the scope. #}
{% macro kpi_periods(grains) -%}
    (
        {%- for grain in grains %}
        {%- if grain == 'day' %}
        {%- set day = day_plus('scope.as_of', '-back.days') %}
        select scope.as_of, 'day' as period_grain, {{ day }} as period_start, {{ day }} as period_end
        from {{ source('ops', 'build_scope') }} as scope
        cross join (
            {%- for days in range(grain_days(grain)) %}
            select {{ days }} as days{{ ' union all' if not loop.last }}
            {%- endfor %}
        ) as back
        {%- elif grain == 'month' %}
        {%- for back in (1, 2) %}
        {%- set this_month = dbt.date_trunc('month', day_plus('as_of', 1)) %}
        select
            as_of,
            'month' as period_grain,
            cast({{ dbt.dateadd('month', -back, this_month) }} as date) as period_start,
            {{ day_plus(dbt.dateadd('month', 1 - back, this_month), -1) }} as period_end
        from {{ source('ops', 'build_scope') }}
        {%- if not loop.last %} union all {%- endif %}
        {%- endfor %}
        {%- else %}
        {%- set starts = {
            'month_to_date': 'cast(' ~ dbt.date_trunc('month', 'as_of') ~ ' as date)',
            'as_of': 'as_of',
        } %}
        select
            as_of,
            '{{ grain }}' as period_grain,
            {{ starts.get(grain) or day_plus('as_of', 1 - grain_days(grain)) }} as period_start,
            as_of as period_end
        from {{ source('ops', 'build_scope') }}
        {%- endif %}
        {%- if not loop.last %} union all {%- endif %}
        {%- endfor %}
    )
{%- endmacro %}


{#
    The rows of a KPI. `facts` is a CTE with as_of_from, as_of_to, numerator, denominator, n, the columns named in `segments` and

    * business_on, the day a fact belongs to; with `is_dated=false` the stretch of as-of days already says to which
      periods a fact belongs (distinct counts), and there is one grain;
    * currency, where `money` names the columns to bring into base currency at the rate of the business day as the
      as-of day knew it. Facts without a known rate are left out, as in the marts.

    With `has_squares` the facts also have `squares`, the sum of squares of what each observation adds to the numerator.

    Every fact counts in the segment all/all and in one segment per column of `segments` that is not null. No known
    fact, no row.
#}
{% macro kpi_values(facts, grains, segments=[], money=[], is_dated=true, has_squares=false) -%}
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
    cast({{ 'sum(segmented.squares)' if has_squares else 'null' }} as decimal(38, 6)) as squares
from (
    {%- for segment in ['all'] + segments %}
    select
        '{{ segment }}' as segment_type,
        {{ "'all'" if segment == 'all' else "cast(" ~ segment ~ " as " ~ dbt.type_string() ~ ")" }} as segment_value,
        {{ stretch | join(', ') }},
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(n) as n
        {%- if has_squares %},
        sum(squares) as squares
        {%- endif %}
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
inner join {{ kpi_windows(facts, grains, money, is_dated) }} as windows
    on
        {%- for column in when %}
        segmented.{{ column }} = windows.{{ column }} and
        {%- endfor %}
        segmented.as_of_from <= windows.as_of
        and segmented.as_of_to > windows.as_of
group by
    windows.as_of,
    windows.period_grain,
    windows.period_start,
    windows.period_end,
    segmented.segment_type,
    segmented.segment_value
{%- endmacro %}


{#
    The periods, one row per business day of the facts that lies in them and, for money, per currency with its rate: facts
    find their periods by equality, which is far cheaper than by range.
#}
{% macro kpi_windows(facts, grains, money, is_dated) -%}
    {%- if not is_dated -%}
    {{ kpi_periods(grains) }}
    {%- else -%}
    (
        select periods.*, days.business_on{{ ', rates.currency, rates.rate_to_base' if money }}
        from (select distinct business_on from {{ facts }}) as days
        inner join {{ kpi_periods(grains) }} as periods
            on days.business_on >= periods.period_start and days.business_on <= periods.period_end
        {%- if money %}
        inner join {{ ref('known_rates') }} as rates
            on periods.as_of = rates.as_of and days.business_on = rates.business_on
        {%- endif %}
    )
    {%- endif -%}
{%- endmacro %}
