"""Orchestration: everything that names, wires, reads, checks and publishes. Nothing but tests imports it."""
