{# What differs between engines, each behind one name. Everything else in the project is standard SQL. #}

{# The day on the company's clock of a UTC moment. #}
{% macro local_date(moment) %}{{ return(adapter.dispatch('local_date')(moment)) }}{% endmacro %}

{% macro duckdb__local_date(moment) -%}
    cast(timezone((select time_zone from {{ source('ops', 'company') }}), timezone('UTC', {{ moment }})) as date)
{%- endmacro %}

{% macro spark__local_date(moment) -%}
    cast(from_utc_timestamp({{ moment }}, (select time_zone from {{ source('ops', 'company') }})) as date)
{%- endmacro %}

{# A key that fits a BIGINT and is the same on every engine: the first 60 bits of the MD5 of a text. #}
{% macro hash_key(text) %}{{ return(adapter.dispatch('hash_key')(text)) }}{% endmacro %}

{% macro duckdb__hash_key(text) -%}
    cast('0x' || substr(md5({{ text }}), 1, 15) as bigint)
{%- endmacro %}

{% macro spark__hash_key(text) -%}
    cast(conv(substr(md5({{ text }}), 1, 15), 16, 10) as bigint)
{%- endmacro %}

{# A number of 64 bits for several columns, nulls included: equal for equal values, and for other values as good as never. #}
{% macro row_hash(columns) %}{{ return(adapter.dispatch('row_hash')(columns)) }}{% endmacro %}

{% macro duckdb__row_hash(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__row_hash(columns) -%}
    xxhash64({{ columns | join(', ') }})
{%- endmacro %}

{# Several columns as one value that can be compared, nulls included. #}
{% macro record_of(columns) %}{{ return(adapter.dispatch('record_of')(columns)) }}{% endmacro %}

{% macro duckdb__record_of(columns) -%}
    row({{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__record_of(columns) -%}
    struct({{ columns | join(', ') }})
{%- endmacro %}

{# An amount of money: four decimals, and null rather than an error when it is beyond all sense. #}
{% macro money(expression) %}{{ return(adapter.dispatch('money')(expression)) }}{% endmacro %}

{% macro duckdb__money(expression) -%}
    try_cast({{ expression }} as decimal(18, 4))
{%- endmacro %}

{% macro spark__money(expression) -%}
    try_cast({{ expression }} as decimal(18, 4))
{%- endmacro %}

{# The product of two decimals. DuckDB gives a product of numbers of 18 digits 18 digits and fails when it has more:
   ten million at a rate of eight decimals is too much. One wide factor makes the product wide. #}
{% macro times(left, right) -%}
    cast({{ left }} as decimal(28, 4)) * {{ right }}
{%- endmacro %}

{# Two decimals multiplied, less a third, as an amount of money. `decimals` is how many the product has. #}
{% macro product_amount(left, right, decimals, less='0') %}
    {{ return(adapter.dispatch('product_amount')(left, right, decimals, less)) }}
{% endmacro %}

{# Making a wide product narrow costs DuckDB five microseconds a row, a hundred times the narrow product. So the wide one
   is only for rows whose narrow one could be too large. (`try` would not do: two of them that share a product fail.) #}
{% macro duckdb__product_amount(left, right, decimals, less) -%}
    case
        when abs(cast({{ left }} as double) * cast({{ right }} as double)) + abs(cast({{ less }} as double))
            < 1e{{ 17 - decimals }}
            then {{ money(left ~ ' * ' ~ right ~ ' - ' ~ less) }}
        else {{ money(times(left, right) ~ ' - ' ~ less) }}
    end
{%- endmacro %}

{% macro spark__product_amount(left, right, decimals, less) -%}
    {{ money(times(left, right) ~ ' - ' ~ less) }}
{%- endmacro %}

{# The sum of amounts times their rates as an amount of money; the product has sixteen decimals. Null without a rate. #}
{% macro money_at_rates(amount, rate) %}{{ return(adapter.dispatch('money_at_rates')(amount, rate)) }}{% endmacro %}

{# Taking decimals off a wide number costs DuckDB microseconds a row, over doubles a fraction of that. The double finds the
   nearest amount, and what is left over, which is exact, says whether it is; else the long way is gone. Amounts in base
   currency, which most are, have nothing to take off and are summed by themselves. #}
{% macro duckdb__money_at_rates(amount, rate) -%}
    {%- set base = 'sum(case when ' ~ rate ~ ' = 1 then ' ~ amount ~ ' end)' -%}
    {%- set foreign = 'sum(case when ' ~ rate ~ ' <> 1 then ' ~ amount ~ ' * ' ~ rate ~ ' end)' -%}
    {%- set total = '(coalesce(' ~ base ~ ', 0) + ' ~ foreign ~ ')' -%}
    {%- set nearest = 'try_cast(cast(' ~ total ~ ' as double) as decimal(18, 4))' -%}
    case
        when {{ foreign }} is null then {{ money(base) }}
        when abs({{ total }} - cast({{ nearest }} as decimal(38, 16))) < 0.00005 then {{ nearest }}
        else {{ money(total) }}
    end
{%- endmacro %}

{% macro spark__money_at_rates(amount, rate) -%}
    {{ money('sum(' ~ amount ~ ' * ' ~ rate ~ ')') }}
{%- endmacro %}

{# One row `date_on` per day between two day columns of a one-row relation, both included. #}
{% macro days_between(relation, first_on, last_on) %}
    {{ return(adapter.dispatch('days_between')(relation, first_on, last_on)) }}
{% endmacro %}

{% macro duckdb__days_between(relation, first_on, last_on) -%}
    select cast(unnest(generate_series({{ first_on }}, {{ last_on }}, interval 1 day)) as date) as date_on
    from {{ relation }}
{%- endmacro %}

{% macro spark__days_between(relation, first_on, last_on) -%}
    select explode(sequence({{ first_on }}, {{ last_on }}, interval 1 day)) as date_on
    from {{ relation }}
{%- endmacro %}

{# One number for a set of rows, whatever their order; other rows give another number. #}
{% macro digest_of(columns) %}{{ return(adapter.dispatch('digest_of')(columns)) }}{% endmacro %}

{% macro duckdb__digest_of(columns) -%}
    sum({{ row_hash(columns) }})
{%- endmacro %}

{% macro spark__digest_of(columns) -%}
    sum(cast({{ row_hash(columns) }} as decimal(38, 0)))
{%- endmacro %}

{# Hooks around a model that the planner of DuckDB is no help with. To plan a model that reads very many views with what is
   known of the values took as long as all the rest of it on a small company, and saved nothing on a large one. And rows
   that an as-of day knows are taken for hundreds of times fewer than they are, so that millions of lines were hashed to
   look up a few thousand rows in them: here the relation on the right of a join is the one that is hashed, as written. #}
{% macro plan_plainly() %}{{ return(adapter.dispatch('plan_plainly')()) }}{% endmacro %}

{% macro duckdb__plan_plainly() -%}
    set disabled_optimizers = 'statistics_propagation,build_side_probe_side'
{%- endmacro %}

{% macro spark__plan_plainly() -%}{%- endmacro %}

{% macro plan_as_usual() %}{{ return(adapter.dispatch('plan_as_usual')()) }}{% endmacro %}

{% macro duckdb__plan_as_usual() -%}
    reset disabled_optimizers
{%- endmacro %}

{% macro spark__plan_as_usual() -%}{%- endmacro %}
