{{ forecast_values(
    table='forecast_value_added',
    numerator='naive_abs_error_quantity - abs_error_quantity',
    denominator='actual_quantity'
) }}
