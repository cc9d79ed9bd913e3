{# Money in base currency: at the last rate known for or before the business day, quoted directly or the other way. #}

{# Ranges in which one rate of a currency holds. `rates` is a relation or CTE with from_currency, to_currency, rate_on
   and rate. For several states of knowledge at once it also has the columns `per`, and `states` is a relation of their
   values; `carried` are columns that come along with each rate, null for the base currency. #}
{% macro base_rates(rates, per=[], states=none, carried=[]) %}
    {% set state = per | join(', ') ~ ', ' if per else '' %}
    {% set series = state ~ 'currency' %}
    {% set along = ', ' ~ carried | join(', ') if carried else '' %}
    select
        {{ state }}currency, valid_from,
        coalesce(lead(valid_from) over (partition by {{ series }} order by valid_from), date '9999-12-31') as valid_to,
        rate, is_inverse,
        case when is_inverse then cast(1 / cast(rate as double) as decimal(28, 12)) else cast(rate as decimal(28, 12)) end
            as rate_to_base{{ along }}
    from (
        select
            *, row_number() over (partition by {{ series }}, valid_from order by is_inverse) as choice
        from (
            select {{ state }}from_currency as currency, rate_on as valid_from, rate, false as is_inverse{{ along }}
            from {{ rates }}
            where to_currency = (select base_currency from {{ source('ops', 'company') }}) and from_currency <> to_currency
            union all
            select {{ state }}to_currency as currency, rate_on as valid_from, rate, true as is_inverse{{ along }}
            from {{ rates }}
            where from_currency = (select base_currency from {{ source('ops', 'company') }}) and from_currency <> to_currency
            union all
            select
                {{ state }}base_currency as currency, date '1900-01-01' as valid_from,
                cast(1 as decimal(18, 8)) as rate, false as is_inverse
                {%- for column in carried %}, null as {{ column }}{% endfor %}
            from {{ source('ops', 'company') }}
            {% if states %}cross join {{ states }}{% endif %}
        ) as quoted
    ) as preferred
    where choice = 1
{% endmacro %}

{# The same as each of the `days` (a relation or CTE with as_of) knew it at its end. #}
{% macro known_base_rates(days) -%}
    {{ base_rates(rates_known(days), per=['as_of'], states=days) }}
{%- endmacro %}

{# Exchange rates of days up to each of the `days`, as known at its end. #}
{% macro rates_known(days) -%}
(
    select days.as_of, versions.from_currency, versions.to_currency, versions.rate_on, versions.rate
    from {{ days }} as days
    inner join {{ ref('int_exchange_rates_versioned') }} as versions
        on {{ is_known('versions', 'days') }} and versions.rate_on <= days.as_of
) as rates
{%- endmacro %}

{% macro rate_of_day(rates, currency, day) -%}
    {{ rates }}.currency = {{ currency }} and {{ day }} >= {{ rates }}.valid_from and {{ day }} < {{ rates }}.valid_to
{%- endmacro %}

{# An amount in base currency; null when there is no rate. Division leaves decimals, so it is rounded once, here. #}
{% macro to_base(amount, rates) -%}
    case
        when {{ rates }}.is_inverse then {{ money('cast(' ~ amount ~ ' as double) / cast(' ~ rates ~ '.rate as double)') }}
        else {{ product_amount(amount, rates ~ '.rate', decimals=12) }}
    end
{%- endmacro %}
