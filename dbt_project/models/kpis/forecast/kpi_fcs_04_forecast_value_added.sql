{{ forecast_values(numerator='naive_abs_error_quantity - abs_error_quantity', denominator='actual_quantity') }}
