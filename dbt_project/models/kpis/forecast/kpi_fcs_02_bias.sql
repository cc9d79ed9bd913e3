{{ forecast_values(numerator='forecast_quantity - actual_quantity', denominator='actual_quantity') }}
