{# Money in base currency: at the last rate known for or before the business day, quoted directly or the other way. #}

{# Ranges in which one rate of a currency holds. `rates` is a relation or CTE with from_currency, to_currency, rate_on
   and rate; with per_as_of it also has as_of, and the ranges are computed for each day of ops.build_scope. #}
{% macro base_rates(rates, per_as_of=false) %}
    {% set as_of = 'as_of, ' if per_as_of else '' %}
    {% set series = as_of ~ 'currency' %}
    select
        {{ as_of }}currency, valid_from,
        coalesce(lead(valid_from) over (partition by {{ series }} order by valid_from), date '9999-12-31') as valid_to,
        rate, is_inverse,
        case when is_inverse then cast(1 / cast(rate as double) as decimal(28, 12)) else cast(rate as decimal(28, 12)) end
            as rate_to_base
    from (
        select
            *, row_number() over (partition by {{ series }}, valid_from order by is_inverse) as choice
        from (
            select {{ as_of }}from_currency as currency, rate_on as valid_from, rate, false as is_inverse
            from {{ rates }}
            where to_currency = (select base_currency from {{ source('ops', 'company') }}) and from_currency <> to_currency
            union all
            select {{ as_of }}to_currency as currency, rate_on as valid_from, rate, true as is_inverse
            from {{ rates }}
            where from_currency = (select base_currency from {{ source('ops', 'company') }}) and from_currency <> to_currency
            union all
            select
                {{ as_of }}base_currency as currency, date '1900-01-01' as valid_from,
                cast(1 as decimal(18, 8)) as rate, false as is_inverse
            from {{ source('ops', 'company') }}
            {% if per_as_of %}cross join {{ source('ops', 'build_scope') }}{% endif %}
        ) as quoted
    ) as preferred
    where choice = 1
{% endmacro %}

{% macro rate_of_day(rates, currency, day) -%}
    {{ rates }}.currency = {{ currency }} and {{ day }} >= {{ rates }}.valid_from and {{ day }} < {{ rates }}.valid_to
{%- endmacro %}

{# An amount in base currency; null when there is no rate. Division leaves decimals, so it is rounded once, here. #}
{% macro to_base(amount, rates) -%}
    case
        when {{ rates }}.is_inverse then {{ money('cast(' ~ amount ~ ' as double) / cast(' ~ rates ~ '.rate as double)') }}
        else {{ money(times(amount, rates ~ '.rate')) }}
    end
{%- endmacro %}
