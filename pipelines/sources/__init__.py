"""Reading: contracts, company profiles, and the readers that turn a delivered file into contract rows and rejects.

Nothing here knows Dagster, dbt or the warehouse.
"""
