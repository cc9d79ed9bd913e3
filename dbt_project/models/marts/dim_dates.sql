{% set months = [
    'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November',
    'December'
] %}
{% set weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] %}

-- Whole years, as date tables of BI tools need them: from the first thing that happened to 400 days after the last.
with happened as (
    select min(ordered_on) as first_on, greatest(max(ordered_on), max(known_from)) as last_on
    from {{ ref('int_order_lines_versioned') }}
    union all
    select min(ordered_on), greatest(max(ordered_on), max(known_from))
    from {{ ref('int_purchase_order_lines_versioned') }}
    union all
    select min(submitted_on), greatest(max(submitted_on), max(known_from)) from {{ ref('int_feedback_versioned') }}
    union all
    select min(measured_on), greatest(max(measured_on), max(known_from)) from {{ ref('int_inventory_levels_versioned') }}
    union all
    select starts_on, starts_on from {{ source('ops', 'company') }}
),

ends as (
    select
        cast({{ dbt.date_trunc('year', 'min(first_on)') }} as date) as first_on,
        cast({{ dbt.date_trunc('year', 'max(last_on) + interval 400 day') }} + interval 1 year - interval 1 day as date)
            as last_on
    from happened
),

days as (
    {{ days_between('ends', 'first_on', 'last_on') }}
),

weeks as (
    -- An ISO week belongs to the year its Thursday is in.
    select
        date_on,
        cast({{ dbt.date_trunc('week', 'date_on') }} as date) as week_start_on,
        cast({{ dbt.date_trunc('week', 'date_on') }} + interval 3 day as date) as thursday_on
    from days
),

numbered as (
    select
        date_on,
        week_start_on,
        cast({{ dbt.date_trunc('month', 'date_on') }} as date) as month_start_on,
        cast(extract(year from date_on) as integer) as year,
        cast(extract(quarter from date_on) as integer) as quarter,
        cast(extract(month from date_on) as integer) as month,
        cast(extract(day from date_on) as integer) as day_of_month,
        cast({{ dbt.datediff(dbt.date_trunc('year', 'date_on'), 'date_on', 'day') }} + 1 as integer) as day_of_year,
        cast(extract(year from thursday_on) as integer) as iso_year,
        cast(floor({{ dbt.datediff(dbt.date_trunc('year', 'thursday_on'), 'thursday_on', 'day') }} / 7) + 1 as integer)
            as iso_week,
        cast({{ dbt.datediff('week_start_on', 'date_on', 'day') }} + 1 as integer) as iso_weekday,
        cast({{ dbt.last_day('date_on', 'month') }} as date) as month_end_on
    from weeks
)

select
    date_on,
    year * 10000 + month * 100 + day_of_month as date_key,
    year,
    quarter,
    month,
    day_of_month,
    day_of_year,
    iso_year,
    iso_week,
    iso_weekday,
    {{ calendar_name('month', months) }} as month_name,
    {{ calendar_name('iso_weekday', weekdays) }} as weekday_name,
    {{ dbt.concat(['cast(year as ' ~ dbt.type_string() ~ ')', "'-'", two_digits('month')]) }} as year_month,
    {{ dbt.concat(['cast(year as ' ~ dbt.type_string() ~ ')', "'-Q'", 'cast(quarter as ' ~ dbt.type_string() ~ ')']) }} as year_quarter,
    {{ dbt.concat(['cast(iso_year as ' ~ dbt.type_string() ~ ')', "'-W'", two_digits('iso_week')]) }} as iso_year_week,
    month_start_on,
    week_start_on,
    iso_weekday >= 6 as is_weekend,
    date_on = month_end_on as is_month_end
from numbered
