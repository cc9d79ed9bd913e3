{#
    Snapshots of entities: a row per product, customer or supplier and month, as of a day.

    A row per entity and as-of day would be millions a year, so these tables keep one as-of day a month: the newest of
    that month that was ever asked for. Asking for a newer day replaces the month; computing an older one changes nothing,
    because the newer ones after it are computed with it. So the rows depend on the days asked for, not on their order.
#}

{# The as-of days of the scope that speak for their month, with the month's first day. #}
{% macro snapshot_days() -%}
    (
        select
            scope.as_of,
            cast({{ dbt.date_trunc('month', 'scope.as_of') }} as date) as month_start_on
        from {{ source('ops', 'build_scope') }} as scope
        where scope.as_of in (
            select max(as_of)
            from {{ source('ops', 'as_of_days') }}
            where stage = 'reports'
            group by {{ dbt.date_trunc('month', 'as_of') }}
        )
    )
{%- endmacro %}

{# Pre-hook of an incremental snapshot: takes the months out whose newest as-of day is computed. #}
{% macro forget_months() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where month_start_on in (select month_start_on from {{ snapshot_days() }} as days)
    {%- endif -%}
{%- endmacro %}
