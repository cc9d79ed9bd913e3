{{ forecast_values(numerator='scaled_abs_error_quantity', denominator='abs_scale_quantity') }}
