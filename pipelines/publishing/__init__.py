"""Publishing: what readers get, how a version is built beside the served one, and how the switch is made.

`publish` builds, `rollback` points back, `versions` lists; `digest` compares contents. Nothing here decides whether the
data is good: the gate is passed in. Nothing outside this package writes below `<home>/published`.
"""

from pipelines.publishing.publication import Publication, publish
from pipelines.publishing.versions import rollback, verify, versions

__all__ = ["Publication", "publish", "rollback", "verify", "versions"]
