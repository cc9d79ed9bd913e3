{{ reported_values('oldest') }}
