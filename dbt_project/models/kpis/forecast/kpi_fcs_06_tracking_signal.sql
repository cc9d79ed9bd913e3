{{ forecast_values(
    table='forecast_tracking', numerator='error_quantity', denominator='mad_quantity', n='days'
) }}
