"""The YAML documents people write, profiles and contracts: what they say twice is refused, not quietly dropped."""

from pathlib import Path
from typing import Any

import yaml


class DuplicateKeyError(yaml.MarkedYAMLError):
    """A mapping has a key twice; `lines` are where, counted from 1."""

    def __init__(self, first: yaml.ScalarNode, second: yaml.ScalarNode) -> None:
        self.key = str(second.value)
        self.lines = (first.start_mark.line + 1, second.start_mark.line + 1)
        super().__init__(problem=f"the key {self.key} stands twice", problem_mark=second.start_mark)


class _Loader(yaml.SafeLoader):
    """Looks at mappings as they are written: later, merged keys (<<) are rightly overridden by a mapping's own."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], yaml.ScalarNode] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                first = seen.setdefault((key.tag, key.value), key)
                if first is not key:
                    raise DuplicateKeyError(first, key)
        return node


def load_document(path: Path) -> Any:
    """What a YAML file says.

    Raises yaml.YAMLError (DuplicateKeyError where a key stands twice), or ValueError for an impossible day.
    """
    with path.open(encoding="utf-8") as stream:
        loader = _Loader(stream)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
