{% set key = ['from_currency', 'to_currency', 'rate_on'] %}
{% set content = [
    'rate'
] %}
{{ config(
    materialized='incremental', incremental_strategy='append', on_schema_change='fail', unique_key=key,
    pre_hook="{{ forget_touched('exchange_rates') }}"
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
    _record_no
from versions
