"""Checks at every stage: what must hold, how it is measured, who judges it, and the gate that asks for the verdicts.

Nothing here changes a delivered or derived row.
"""
