{% set key = ['from_currency', 'to_currency', 'rate_on'] %}
{% set content = [
    'rate'
] %}
{{ config(
    materialized='incremental', incremental_strategy='write_keys', on_schema_change='fail',
    unique_key=key, meta={'feed': 'exchange_rates'}, pre_hook="{{ collect_touched_keys() }}"
) }}

with versions as ({{ versioned('exchange_rates', key, content) }})

select
    from_currency,
    to_currency,
    rate_on,
    rate,
    known_from,
    known_to,
    _file_id,
    _record_no,
    _ended_by_file_id
from versions
