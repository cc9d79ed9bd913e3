"""Dagster assets, one file per thing that happens: raw, dbt, ml, publish.

They name, wire and report. What they do is in ingestion, transforms, modelling, quality and publishing.
"""
