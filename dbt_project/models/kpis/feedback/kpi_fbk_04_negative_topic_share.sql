{%- set grains = ['trailing_28d', 'trailing_90d'] -%}

{{ complaint_shares(grains) }}
