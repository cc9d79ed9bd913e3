{# The three stages of ops.reconciliation for one feed. Each row says: what came in was set aside for a reason or went
   out, per delivery day, in rows and (where the feed has a control amount) in money. #}

{# An amount in all its decimals: a gap must not be rounded away, and rounding must not look like one. All amounts have
   this one type, because the engine rounds where it unites two. #}
{% macro whole_amount(expression) -%}
    cast({{ expression }} as decimal(38, 8))
{%- endmacro %}

{% macro count_and_sum(amount) -%}
    count(*) as row_count, {{ whole_amount('coalesce(sum(' ~ amount ~ '), 0)' if amount else 'null') }} as amount
{%- endmacro %}

{# Zero where the feed has a control amount, else null. #}
{% macro nothing(amount) -%}
    {{ whole_amount('0' if amount else 'null') }}
{%- endmacro %}

{# What the ledger says of the files that count, against the raw rows that are there. #}
{% macro landing_to_raw(feed, amount) %}
    select
        '{{ feed }}' as feed,
        'landing_to_raw' as stage,
        coalesce(ledger.delivered_on, landed.delivered_on) as delivered_on,
        sum(coalesce(ledger.records_seen, 0)) as rows_in,
        sum(coalesce(ledger.records_duplicate + ledger.records_quarantined + ledger.records_filtered, 0))
            as rows_set_aside,
        sum(coalesce(landed.row_count, 0)) as rows_out,
        sum(coalesce(ledger.amount_loaded, {{ nothing(amount) }})) as amount_in,
        {{ nothing(amount) }} as amount_set_aside,
        sum(coalesce(landed.amount, {{ nothing(amount) }})) as amount_out
    from (
        select * from {{ source('ops', 'files') }}
        where feed = '{{ feed }}' and status in ('loaded', 'loaded_with_quarantine')
    ) as ledger
    full outer join (
        select _file_id, min(_delivered_on) as delivered_on, {{ count_and_sum(amount) }}
        from {{ source('raw', feed) }}
        group by _file_id
    ) as landed on landed._file_id = ledger.file_id
    group by coalesce(ledger.delivered_on, landed.delivered_on)
{% endmacro %}

{# Every raw row began a version, or withdrew its key, or was superseded within its day, or said nothing new. Reasons
   are looked for only on days with fewer versions than rows. #}
{% macro raw_to_versions(feed, key, amount) %}
    {% set versions = ref('int_' ~ feed ~ '_versioned') %}
    {% set staged = ref('stg_' ~ feed) %}
    select
        '{{ feed }}' as feed,
        'raw_to_versions' as stage,
        coalesce(delivered.delivered_on, began.delivered_on) as delivered_on,
        coalesce(delivered.row_count, 0) as rows_in,
        coalesce(explained.row_count, 0) as rows_set_aside,
        coalesce(began.row_count, 0) as rows_out,
        coalesce(delivered.amount, {{ nothing(amount) }}) as amount_in,
        coalesce(explained.amount, {{ nothing(amount) }}) as amount_set_aside,
        coalesce(began.amount, {{ nothing(amount) }}) as amount_out
    from {{ feed }}_delivered as delivered
    full outer join {{ feed }}_began as began on began.delivered_on = delivered.delivered_on
    left join (
        select _delivered_on as delivered_on, {{ count_and_sum(amount) }}
        from (
            select * from {{ staged }}
            where _delivered_on in (
                select delivered_on from {{ feed }}_delivered
                except
                select d.delivered_on
                from {{ feed }}_delivered as d
                inner join {{ feed }}_began as b on b.delivered_on = d.delivered_on and b.row_count = d.row_count
            )
        ) as candidates
        where not exists (
            select 1 from {{ versions }} as version
            where version._file_id = candidates._file_id and version._record_no = candidates._record_no
                and {{ same_key('version', 'candidates', key) }}
        )
        and (
            candidates.is_deleted
            or exists (
                select 1 from {{ staged }} as later
                where {{ same_key('later', 'candidates', key) }}
                    and later._delivered_on = candidates._delivered_on
                    and {{ record_of(['later._source_path', 'later._record_no']) }}
                        > {{ record_of(['candidates._source_path', 'candidates._record_no']) }}
            )
            or exists (
                select 1 from {{ versions }} as version
                where {{ same_key('version', 'candidates', key) }}
                    and version.known_from < candidates._delivered_on
                    and coalesce(version.known_to > candidates._delivered_on, true)
            )
        )
        group by _delivered_on
    ) as explained on explained.delivered_on = delivered.delivered_on
{% endmacro %}

{# Every version a mart should hold stands in it. #}
{% macro versions_to_marts(feed, amount, mart, versions_where, mart_where) %}
    select
        '{{ feed }}' as feed,
        'versions_to_marts' as stage,
        coalesce(version.delivered_on, held.delivered_on) as delivered_on,
        coalesce(version.row_count, 0) as rows_in,
        0 as rows_set_aside,
        coalesce(held.row_count, 0) as rows_out,
        coalesce(version.amount, {{ nothing(amount) }}) as amount_in,
        {{ nothing(amount) }} as amount_set_aside,
        coalesce(held.amount, {{ nothing(amount) }}) as amount_out
    from (
        select known_from as delivered_on, {{ count_and_sum(amount) }}
        from {{ ref('int_' ~ feed ~ '_versioned') }}
        where {{ versions_where }}
        group by known_from
    ) as version
    full outer join (
        select known_from as delivered_on, {{ count_and_sum(amount) }}
        from {{ mart }}
        where {{ mart_where }}
        group by known_from
    ) as held on held.delivered_on = version.delivered_on
{% endmacro %}
