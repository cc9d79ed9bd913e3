{#
    Suppliers and stock: what was known on a day, what the tables assume, and the statistics of few observations.
#}

{#
    What the tables of suppliers and stock assume, where no feed tells it. The owner sets them here; the table
    reports.rpt_supply_assumptions shows them beside the figures that rest on them.
#}
{% macro supply_assumptions() -%}
    {{ return([
        ['window_days', 365, 'days', 'Days up to the as-of day that a supplier, a price or a turn is judged by.'],
        ['min_lines', 20, 'lines', 'Lines due below which a supplier has a score and no grade or rank.'],
        ['min_receipts', 10, 'lines', 'Receipts below which the spread of lead times is not scored.'],
        ['prior_lines_least', 4, 'lines', 'Least weight of the company average beside a supplier own lines.'],
        ['prior_lines_most', 200, 'lines', 'Most weight of it, for when suppliers differ by no more than chance.'],
        ['weight_delivery', 0.40, 'ratio', 'Weight of on time in full (shrunken) in the supplier score.'],
        ['weight_quality', 0.25, 'ratio', 'Weight of the share of units rejected (shrunken).'],
        ['weight_lead_time', 0.15, 'ratio', 'Weight of the spread of lead times.'],
        ['weight_price', 0.15, 'ratio', 'Weight of the price paid above contract.'],
        ['weight_response', 0.05, 'ratio', 'Weight of the days until an order is confirmed.'],
        ['worst_rejected_share', 0.05, 'ratio', 'Share of units rejected that scores 0; none scores 100.'],
        ['worst_lead_time_cv', 1.0, 'ratio', 'Coefficient of variation of lead times that scores 0; 0 scores 100.'],
        ['worst_price_variance', 0.10, 'ratio', 'Price above contract that scores 0; at contract or below scores 100.'],
        ['worst_confirm_days', 7, 'days', 'Days to confirm that score 0; the same day scores 100.'],
        ['grade_a_score', 90, 'points', 'Least score of grade A.'],
        ['grade_b_score', 80, 'points', 'Least score of grade B.'],
        ['grade_c_score', 65, 'points', 'Least score of grade C; D is below it.'],
        ['holding_rate', 0.25, 'ratio per year', 'Cost of holding stock for a year, of its value: capital, room, loss.'],
        ['safety_days', 7, 'days', 'Days of demand held as safety stock beside the lead time.'],
        ['late_cost_rate', 0.05, 'ratio', 'Cost of a late line, of its value: expediting and lost sales.'],
        ['defect_cost_rate', 0.50, 'ratio', 'Cost of a rejected unit beside its price credit, of its price: handling, delay.'],
        ['cover_days', 180, 'days', 'Days of forward demand above which stock is excess.'],
        ['obsolete_days', 365, 'days', 'Days without any demand or issue after which stock is obsolete.'],
        ['trusted_count_days', 7, 'days', 'Days that a stock count speaks for, when no newer one is known.'],
    ]) }}
{%- endmacro %}

{# The value of one of them. #}
{% macro assumed(name) -%}
    {%- for row in supply_assumptions() if row[0] == name -%} {{ return(row[1]) }} {%- endfor -%}
    {{ exceptions.raise_compiler_error('supply_assumptions() has no ' ~ name) }}
{%- endmacro %}


{# Condition: the version `versions` was known at the end of the as-of day `days`.as_of. #}
{% macro is_known(versions, days) -%}
    {{ versions }}.known_from <= {{ days }}.as_of
    and ({{ versions }}.known_to is null or {{ versions }}.known_to > {{ days }}.as_of)
{%- endmacro %}

{# Condition: a day lies in the `length` days up to and including the as-of day. #}
{% macro in_window(day, as_of, length) -%}
    ({{ day }} <= {{ as_of }} and {{ day }} > {{ day_plus(as_of, -length) }})
{%- endmacro %}


{#
    What every table, KPI and exception about purchases means by a line that is owed, undated or kept. Each is a condition
    on one version of a line.

    Cancelled and rejected lines are owed by nobody. Of an undated line all units came and nobody wrote down when, so it is
    neither on time nor late, and not due (docs/decisions/0017). A line keeps a promise when it comes in full by its day.
#}
{% macro is_owed(line) -%}
    coalesce({{ line }}.status, 'open') not in ('cancelled', 'rejected')
{%- endmacro %}

{% macro is_undated(line) -%}
    ({{ line }}.received_on is null and {{ line }}.quantity_ordered > 0
        and coalesce({{ line }}.quantity_received, 0) >= {{ line }}.quantity_ordered)
{%- endmacro %}

{% macro is_kept(line, promise) -%}
    ({{ line }}.received_on <= {{ line }}.{{ promise }} and {{ line }}.quantity_received >= {{ line }}.quantity_ordered)
{%- endmacro %}


{#
    The sums of lead days of `sums` (rows of kpi_values with squares), without those of a window in which all suppliers took
    the same days for everything: then the feed has a booking rule where the receipts should be. That is neither a lead
    time nor a variation of 0, and no goal is met by it.
#}
{% macro measured_lead_times(sums) -%}
(
    select *
    from (
        select
            *,
            max(case when segment_type = 'all' then n end) over whole >= {{ assumed('min_receipts') }}
            and max(case when segment_type = 'all' then n * squares - numerator * numerator end) over whole = 0 as is_a_rule
        from {{ sums }}
        window whole as (partition by as_of, period_grain, period_start)
    ) as judged
    where not is_a_rule
)
{%- endmacro %}


{#
    Purchase order lines as known at the end of each of the `days` (a relation with as_of) that bear on the window before
    it: ordered, promised or received in it, or still open. A receipt dated after the as-of day has not happened yet,
    even where a file that was delivered early tells of it. Only lines that are owed.

    Adds to the columns of the lines: is_ordered (in the window), is_due, is_due_last (first or last promise in it),
    is_received, is_open, is_open_late (past the first promise) and is_undated.
#}
{% macro purchase_lines_known(days) -%}
(
    select
        *,
        {{ in_window('ordered_on', 'as_of', assumed('window_days')) }} as is_ordered,
        not is_undated and coalesce({{ in_window('promised_on', 'as_of', assumed('window_days')) }}, false) as is_due,
        not is_undated and coalesce({{ in_window('last_promised_on', 'as_of', assumed('window_days')) }}, false) as is_due_last,
        coalesce({{ in_window('received_on', 'as_of', assumed('window_days')) }}, false) as is_received,
        received_on is null and not is_undated as is_open,
        coalesce(received_on is null and not is_undated and promised_on <= as_of, false) as is_open_late
    from (
        select
            days.as_of,
            versions.po_id,
            versions.line_no,
            versions.supplier_id,
            versions.product_id,
            versions.location_id,
            versions.ordered_on,
            case when versions.confirmed_on <= days.as_of then versions.confirmed_on end as confirmed_on,
            versions.promised_on,
            coalesce(versions.promised_last_on, versions.promised_on) as last_promised_on,
            case when versions.received_on <= days.as_of then versions.received_on end as received_on,
            {{ is_undated('versions') }} as is_undated,
            versions.quantity_ordered,
            case when versions.received_on is null or versions.received_on <= days.as_of
                then coalesce(versions.quantity_received, 0) else 0 end as quantity_received,
            case when versions.received_on is null or versions.received_on <= days.as_of
                then coalesce(versions.quantity_rejected, 0) else 0 end as quantity_rejected,
            versions.unit_price,
            versions.contract_unit_price,
            versions.currency,
            versions.ordered_amount
        from {{ days }} as days
        inner join {{ ref('int_purchase_order_lines_versioned') }} as versions
            on {{ is_known('versions', 'days') }} and versions.ordered_on <= days.as_of
        where {{ is_owed('versions') }}
    ) as lines
    where
        received_on is null
        or {{ in_window('received_on', 'as_of', assumed('window_days')) }}
        or {{ in_window('ordered_on', 'as_of', assumed('window_days')) }}
        or {{ in_window('last_promised_on', 'as_of', assumed('window_days')) }}
)
{%- endmacro %}


{#
    The company average of a rate and how many observations it weighs beside those of one member: the beta-binomial prior
    by the method of moments, per as-of day. `rates` has as_of, n and rate per member.

    With weights w = n / sum(n), mean p = sum(w * rate) and S = sum(w * (rate - p)^2), the correlation inside members is
    rho = (S - p(1-p) * sum(w(1-w)/n)) / (p(1-p) * (sum(w(1-w)) - sum(w(1-w)/n))) and the prior weighs (1 - rho) / rho
    observations (Kleinman, Proportions with extraneous variance, JASA 68, 1973). What rests on few members is kept
    inside the bounds of supply_assumptions.
#}
{% macro beta_prior(rates) -%}
(
    select
        as_of,
        prior_rate,
        case
            when correlation is null or correlation <= 0 then 1.0 * {{ assumed('prior_lines_most') }}
            else least(
                greatest((1 - correlation) / correlation, {{ assumed('prior_lines_least') }}),
                {{ assumed('prior_lines_most') }}
            )
        end as prior_lines
    from (
        select
            as_of,
            prior_rate,
            (spread - prior_rate * (1 - prior_rate) * chance)
            / nullif(prior_rate * (1 - prior_rate) * (room - chance), 0) as correlation
        from (
            select
                as_of,
                prior_rate,
                cast(sum(cast(weight * (rate - prior_rate) * (rate - prior_rate) as decimal(38, 18))) as double) as spread,
                cast(sum(cast(weight * (1 - weight) as decimal(38, 18))) as double) as room,
                cast(sum(cast(weight * (1 - weight) / n as decimal(38, 18))) as double) as chance
            from (
                select
                    *,
                    cast(n as double) / sum(n) over (partition by as_of) as weight,
                    cast(sum(cast(n * rate as decimal(38, 12))) over (partition by as_of) as double)
                    / sum(n) over (partition by as_of) as prior_rate
                from {{ rates }}
                where n > 0
            ) as weighted
            group by as_of, prior_rate
        ) as moments
    ) as estimated
)
{%- endmacro %}


{# One bound of the Wilson score interval of a share at 95 % ('-' the lower, '+' the upper); null without observations. #}
{% macro wilson(count, of, sign) -%}
    case
        when {{ of }} > 0
            then (
                {{ count }} + 1.920729
                {{ sign }} 1.959964 * sqrt(
                    cast({{ count }} as double) * ({{ of }} - {{ count }}) / {{ of }} + 0.960365
                )
            ) / ({{ of }} + 3.841459)
    end
{%- endmacro %}


{# Points of a part of the supplier score: 100 at 0 or better, 0 at the worst value assumed or worse. Nothing known, no
   points: `least` and `greatest` alone would take the bound for it. #}
{% macro points(measure, worst) -%}
    case when {{ measure }} is not null then 100 * (1 - least(greatest({{ measure }}, 0) / {{ assumed(worst) }}, 1)) end
{%- endmacro %}


{#
    The offers that stand on each of the `days` (a relation with as_of), as known then: of a supplier's offers for a
    product that have begun and not ended, the one that began last. Adds the price in base currency at the newest rate
    that was known.
#}
{% macro standing_offers(days) -%}
(
    select
        standing.as_of,
        standing.product_id,
        standing.supplier_id,
        standing.valid_from,
        standing.unit_price,
        standing.currency,
        {{ to_base('standing.unit_price', 'rates') }} as unit_price_base,
        standing.min_order_quantity,
        standing.order_multiple,
        standing.lead_time_days
    from (
        select
            days.as_of,
            versions.*,
            row_number() over (
                partition by days.as_of, versions.product_id, versions.supplier_id order by versions.valid_from desc
            ) as recency
        from {{ days }} as days
        inner join {{ ref('int_supplier_products_versioned') }} as versions
            on {{ is_known('versions', 'days') }} and versions.valid_from <= days.as_of
    ) as standing
    left join (
        {{ known_base_rates(days) }}
    ) as rates
        on standing.as_of = rates.as_of and {{ rate_of_day('rates', 'standing.currency', 'standing.as_of') }}
    where standing.recency = 1 and (standing.valid_to is null or standing.valid_to >= standing.as_of)
)
{%- endmacro %}
{#
    Running sums over sliding windows of days, as known at the end of each as-of day of the scope, at the cost of one scan.

    `facts` is a relation or CTE with the columns `keys`, business_on, as_of_from, as_of_to and the numbers named in
    `windows` ({name: [number, days]}). A fact enters the sum on the first as-of day that knows it, and leaves it when it is
    corrected or its day drops out of the window. Gives as_of, keys and the sums for every as-of day on which a key that
    has facts is known; sums are of DECIMAL or integer numbers.
#}
{% macro sliding_sums(facts, keys, windows) -%}
(
    with entries as (
        {%- for days in windows.values() | map('last') | unique %}
        {%- set ends = 'least(as_of_to, ' ~ day_plus('business_on', days) ~ ')' %}
        {%- for day, sign in (('greatest(as_of_from, business_on)', ''), (ends, '-')) %}
        select
            {{ keys | join(', ') }},
            {{ day }} as as_of,
            {%- for name, window in windows.items() %}
            {{ 'sum(' ~ sign ~ window[0] ~ ')' if window[1] == days else '0' }} as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ facts }}
        where greatest(as_of_from, business_on) < {{ ends }}
        group by {{ keys | join(', ') }}, {{ day }}
        union all
        {%- endfor %}
        {%- endfor %}
        select
            {% for key in keys %}series.{{ key }}, {% endfor %}
            scope.as_of,
            {%- for name in windows %}
            0 as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select {{ keys | join(', ') }}, min(greatest(as_of_from, business_on)) as known_from
            from {{ facts }}
            group by {{ keys | join(', ') }}
        ) as series
        inner join {{ source('ops', 'build_scope') }} as scope
            on series.known_from <= scope.as_of
    ),

    daily as (
        select
            {{ keys | join(', ') }},
            as_of,
            {%- for name in windows %}
            sum({{ name }}) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from entries
        group by {{ keys | join(', ') }}, as_of
    )

    select running.*
    from (
        select
            {{ keys | join(', ') }},
            as_of,
            {%- for name in windows %}
            sum({{ name }}) over knowledge as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from daily
        window knowledge as (
            partition by {{ keys | join(', ') }} order by as_of
            rows between unbounded preceding and current row
        )
    ) as running
    inner join {{ source('ops', 'build_scope') }} as scope
        on running.as_of = scope.as_of
)
{%- endmacro %}


{#
    Demand behind sales (ml.unconstrained_demand) of whole months, per product, location and day, for every as-of day of the
    scope: as estimated on the month's last day, the only estimate that covers it. A month whose last day was not computed
    is left out, and one in which no place with stock sold anything: where sales are booked by region and stock by site,
    none would seem to lose anything.
#}
{% macro demand_estimated() -%}
(
    select as_of, period_grain, period_start, period_end, product_id, location_id, sales_quantity, demand_quantity
    from (
        select
            periods.as_of,
            periods.period_grain,
            periods.period_start,
            periods.period_end,
            demand.product_id,
            demand.location_id,
            demand.sales_quantity,
            greatest(cast(demand.demand_quantity as decimal(18, 6)), demand.sales_quantity) as demand_quantity,
            sum(demand.sales_quantity) over (
                partition by periods.as_of, periods.period_grain, periods.period_start
            ) as sold_quantity
        from {{ kpi_periods(['month']) }} as periods
        inner join {{ source('ml', 'unconstrained_demand') }} as demand
            on
                demand.as_of = periods.period_end
                and demand.demand_on >= periods.period_start
                and demand.demand_on <= periods.period_end
    ) as estimated
    where sold_quantity > 0
)
{%- endmacro %}
