{{ reported_values('newest') }}
