"""Repeatable measurements: `python -m benchmarks`, also `make bench`.

Each measurement compares a part of the pipeline with the least work that could do the same, in one run on one
machine, so that its ratio holds elsewhere too. One module per measurement; `measure` runs them in processes of their
own, `companies` makes their data, `tables` prints. Nothing of the product imports this package, and no test asserts a
time.
"""
