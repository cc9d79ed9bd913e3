{{ forecast_values(numerator='abs_error_quantity', denominator='actual_quantity') }}
