{{ config(materialized='table') }}

{#- A year and the same days of the year before, for the season of a goal that lasts a year. -#}
{%- set history_days = 730 -%}
{#- What control limits rest on: a week that is judged, and thirteen weeks before its first day. -#}
{%- set watched_days = 98 -%}

with order_stretches as (
    select order_id, business_on, channel_id, as_of_from, as_of_to
    from {{ known_rows(ref('int_order_lines_versioned'), 'ordered_on', watched_days) }} as lines
    where is_revenue and quantity > 0
),

amounts as (
    select
        business_on, as_of_from, as_of_to, currency, channel_id,
        {%- for amount in ('net_amount', 'costed_amount', 'margin_amount', 'discount_amount', 'gross_amount') %}
        sum({{ amount }}) as {{ amount }},
        {%- endfor %}
        sum(lines) as lines,
        sum(costed_lines) as costed_lines,
        sum(sold_lines) as sold_lines
    from {{ ref('known_sales') }}
    group by business_on, as_of_from, as_of_to, currency, channel_id
),

{#- Stretches of knowledge meet the as-of days before they meet the measures, so that each is joined once. #}
known_amounts as (
    select
        scope.as_of, amounts.business_on, amounts.channel_id,
        {%- for amount in ('net_amount', 'costed_amount', 'margin_amount', 'discount_amount', 'gross_amount') %}
        cast(sum(amounts.{{ amount }} * rates.rate_to_base) as decimal(38, 6)) as {{ amount }},
        {%- endfor %}
        cast(sum(amounts.lines) as bigint) as lines,
        cast(sum(amounts.costed_lines) as bigint) as costed_lines,
        cast(sum(amounts.sold_lines) as bigint) as sold_lines
    from amounts
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            amounts.as_of_from <= scope.as_of
            and amounts.as_of_to > scope.as_of
            and amounts.business_on <= scope.as_of
            and amounts.business_on > {{ day_plus('scope.as_of', -history_days) }}
    inner join {{ ref('known_rates') }} as rates
        on
            scope.as_of = rates.as_of
            and amounts.currency = rates.currency
            and amounts.business_on = rates.business_on
    group by scope.as_of, amounts.business_on, amounts.channel_id
),

orders as (
    select *
    from {{ overlapping('order_stretches', ['order_id', 'business_on', 'channel_id']) }} as orders
    where total > 0
),

known_orders as (
    select scope.as_of, orders.business_on, orders.channel_id, count(*) as orders
    from orders
    inner join {{ source('ops', 'build_scope') }} as scope
        on
            orders.as_of_from <= scope.as_of
            and orders.as_of_to > scope.as_of
            and orders.business_on <= scope.as_of
            and orders.business_on > {{ day_plus('scope.as_of', -watched_days) }}
    group by scope.as_of, orders.business_on, orders.channel_id
),

measures as (
    select
        'SAL-01' as kpi_id, as_of, business_on, channel_id,
        net_amount as numerator, cast(null as decimal(38, 6)) as denominator, lines as n
    from known_amounts
    union all
    select 'SAL-02' as kpi_id, as_of, business_on, channel_id, margin_amount, costed_amount, costed_lines
    from known_amounts
    where costed_lines > 0
    union all
    select
        'SAL-03' as kpi_id, known_amounts.as_of, known_amounts.business_on, known_amounts.channel_id,
        known_amounts.net_amount, cast(known_orders.orders as decimal(38, 6)), known_orders.orders
    from known_amounts
    inner join known_orders
        on
            known_amounts.as_of = known_orders.as_of
            and known_amounts.business_on = known_orders.business_on
            and known_amounts.channel_id = known_orders.channel_id
    union all
    select 'SAL-06' as kpi_id, as_of, business_on, channel_id, discount_amount, gross_amount, sold_lines
    from known_amounts
    where sold_lines > 0
),

{#- Only net revenue is looked at over years. #}
watched as (
    select *
    from measures
    where kpi_id = 'SAL-01' or business_on > {{ day_plus('as_of', -watched_days) }}
)

{%- for segment_type, segment_value in (('all', "'all'"), ('channel_id', 'channel_id')) %}
select
    as_of,
    kpi_id,
    '{{ segment_type }}' as segment_type,
    {{ segment_value }} as segment_value,
    business_on,
    cast(sum(numerator) as decimal(38, 6)) as numerator,
    cast(sum(denominator) as decimal(38, 6)) as denominator,
    cast(sum(n) as bigint) as n
from watched
{%- if segment_type == 'channel_id' %}
where channel_id is not null
{%- endif %}
group by as_of, kpi_id, business_on{{ ', channel_id' if segment_type == 'channel_id' }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
