{{ forecast_values(numerator='inside_interval_count', denominator='n') }}
