{%- set grains = ['week', 'month_to_date', 'month', 'quarter_to_date', 'quarter', 'year_to_date'] -%}
{%- set coarse_segments = ['category', 'country_code'] -%}
{%- set place = ['as_of', 'period_grain', 'period_start', 'period_end', 'segment_type', 'segment_value'] -%}

with first_known as (
    select ordered_on as business_on, min(known_from) as known_from
    from {{ ref('int_order_lines_versioned') }}
    where is_revenue
    group by ordered_on
),

{# A year is comparable when the company sold before it: half a period of the year before is no yardstick. #}
histories as (
    select scope.as_of, min(first_known.business_on) as first_on
    from {{ source('ops', 'build_scope') }} as scope
    inner join first_known
        on first_known.known_from <= scope.as_of and first_known.business_on <= scope.as_of
    group by scope.as_of
),

revenue as (
    select *, net_amount as numerator, cast(null as decimal(38, 6)) as denominator, lines as n
    from {{ ref('known_sales') }}
),

{# Days of the year before whose counterpart has not been heard of yet do not count: deliveries may lag. #}
revenue_before as (
    select
        revenue.business_on,
        greatest(revenue.as_of_from, reached.as_of_from) as as_of_from,
        revenue.as_of_to,
        {% for column in ['currency', 'numerator', 'denominator', 'n', 'channel_id'] + coarse_segments -%}
        revenue.{{ column }}{{ ', ' if not loop.last }}
        {%- endfor %}
    from revenue
    inner join (
        select days.business_on, min(first_known.known_from) as as_of_from
        from (select distinct business_on from revenue) as days
        inner join first_known
            on first_known.business_on >= {{ day_plus('days.business_on', comparable_year()) }}
        group by days.business_on
    ) as reached
        on revenue.business_on = reached.business_on
),

current_year as (
    {{ kpi_values(
        'revenue', grains, segments=['channel_id'], coarse_segments=coarse_segments, money=['numerator']
    ) }}
),

year_before as (
    {{ kpi_values(
        'revenue_before', grains, segments=['channel_id'], coarse_segments=coarse_segments, money=['numerator'],
        shift_days=comparable_year()
    ) }}
),

compared as (
    select {{ place | join(', ') }}, numerator as revenue, 0 as revenue_before, 0 as n
    from current_year
    union all
    select {% for column in place %}year_before.{{ column }}, {% endfor %}0, year_before.numerator, year_before.n
    from year_before
    inner join histories
        on
            year_before.as_of = histories.as_of
            and {{ day_plus('year_before.period_start', -comparable_year()) }} >= histories.first_on
)

select
    {{ place | join(',
    ') }},
    cast(sum(revenue) - sum(revenue_before) as decimal(38, 6)) as numerator,
    cast(sum(revenue_before) as decimal(38, 6)) as denominator,
    cast(sum(n) as bigint) as n,
    {{- no_spread() }}
from compared
group by {{ place | join(', ') }}
