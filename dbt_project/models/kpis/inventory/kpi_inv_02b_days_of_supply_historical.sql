{{ ratio_of_stock('cast(average_value_base as double) * days_spanned', 'cast(cost_base as double)') }}
