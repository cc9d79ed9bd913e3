"""The demo company: a made-up retailer whose deliveries, and the truth behind them, are generated.

`company.generate` is the only door. `plan` says when and how big, `catalogue` draws the masters, `market` demand,
`supply` stock and purchase orders, `sales` orders and what happens to them, `voices` feedback; `feeds` says how each of
the company's systems writes, `deliveries` which file arrives when, `defects` what is wrong in them, and `truth` keeps
the books that a pipeline must reproduce. Nothing here reads a clock, the environment or a warehouse, and nothing
of the pipeline imports it: it knows the pipeline only by the profile `demo.yml`.
"""

from pipelines.demo.company import generate
from pipelines.demo.truth import Truth, load_truth

__all__ = ["Truth", "generate", "load_truth"]
