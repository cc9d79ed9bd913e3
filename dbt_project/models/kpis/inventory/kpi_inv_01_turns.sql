{{ per_stock_value('cost_base') }}
