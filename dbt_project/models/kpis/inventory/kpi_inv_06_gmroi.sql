{{ per_stock_value('margin_base') }}
