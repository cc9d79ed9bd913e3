{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ forget_months() }}",
    )
}}

with cube as (
    select spend.*
    from {{ ref('rpt_spend_cube') }} as spend
    inner join {{ snapshot_days() }} as days
        on spend.as_of = days.as_of
    where spend.spend_base is not null
),

spent as (
    {%- for dimension in ('all', 'category', 'location_id') %}
    select
        as_of,
        month_start_on,
        '{{ dimension }}' as segment_type,
        {{ "'all'" if dimension == 'all' else dimension }} as segment_value,
        supplier_id,
        sum(spend_base) as spend_base
    from cube
    group by as_of, month_start_on, supplier_id{{ ', ' ~ dimension if dimension != 'all' }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

shares as (
    select
        *,
        sum(spend_base) over segment as total_base,
        cast(spend_base as double) / nullif(cast(sum(spend_base) over segment as double), 0) as share,
        row_number() over (
            partition by as_of, segment_type, segment_value order by spend_base desc, supplier_id
        ) as place
    from spent
    window segment as (partition by as_of, segment_type, segment_value)
)

select
    as_of,
    month_start_on,
    segment_type,
    segment_value,
    cast(count(*) as bigint) as suppliers,
    cast(sum(spend_base) as decimal(28, 4)) as spend_base,
    max(case when place = 1 then supplier_id end) as largest_supplier_id,
    round(max(share), 6) as largest_share,
    round(cast(sum(case when place <= 5 then cast(share as decimal(18, 12)) end) as double), 6) as largest_5_share,
    round(cast(sum(cast(share * share as decimal(18, 12))) as double), 6) as hhi
from shares
group by as_of, month_start_on, segment_type, segment_value
