"""Contracts: what each feed must look like. The YAML files beside this module are the only place that says it.

The typed read, the quarantine rules, the checks of the raw stage, the raw tables and the dbt sources all come from
here. The vocabulary follows the Open Data Contract Standard 3.0; `unit`, `businessTime` and `controlAmount` are ours.
"""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ContractError
from pipelines.sources.documents import load_document

CONTRACTS = Path(__file__).parent / "contracts"
FEEDS = (
    "order_lines",
    "customers",
    "products",
    "feedback",
    "suppliers",
    "supplier_products",
    "purchase_order_lines",
    "inventory_levels",
    "exchange_rates",
    "kpi_targets",
)
LogicalType = Literal["string", "integer", "number", "date", "timestamp", "boolean"]


class Column(BaseModel):
    """One column of a feed: its type, whether it must be there, and the values it may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    logical_type: LogicalType = Field(alias="logicalType")
    physical_type: str = Field(alias="physicalType")
    required: bool = False
    key_position: int | None = Field(default=None, alias="primaryKeyPosition")
    classification: Literal["personal"] | None = None
    unit: str | None = None
    description: str
    options: dict[str, Any] = Field(default_factory=dict, alias="logicalTypeOptions")

    @property
    def is_personal(self) -> bool:
        return self.classification == "personal"

    @property
    def is_identifier(self) -> bool:
        """True for keys and references in text: blanks around them are a way of writing, not a difference."""
        return self.logical_type == "string" and (self.key_position is not None or self.name.endswith("_id"))

    @property
    def allowed(self) -> tuple[str, ...] | None:
        values = self.options.get("enum")
        return tuple(values) if values else None

    @property
    def minimum(self) -> Any:
        return self.options.get("minimum")

    @property
    def maximum(self) -> Any:
        return self.options.get("maximum")

    @property
    def pattern(self) -> str | None:
        return self.options.get("pattern")

    @property
    def max_length(self) -> int | None:
        return self.options.get("maxLength")

    @property
    def precision_scale(self) -> tuple[int, int]:
        """(precision, scale) of a DECIMAL column."""
        precision, scale = self.physical_type.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return int(precision), int(scale)


class Contract(BaseModel):
    """One feed: its columns in order, its key, owner, business time and control amount."""

    model_config = ConfigDict(frozen=True)

    feed: str
    title: str
    version: str
    purpose: str
    owner: str
    business_time: str | None
    control_amount: str | None
    columns: tuple[Column, ...]

    @property
    def table(self) -> str:
        return f"raw.{self.feed}"

    @property
    def key(self) -> tuple[str, ...]:
        keyed = [column for column in self.columns if column.key_position]
        return tuple(column.name for column in sorted(keyed, key=lambda column: column.key_position or 0))

    @property
    def personal_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.is_personal)

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns)
        raise ContractError(f"contract {self.feed}", f"has no column {name!r}", f"Use one of: {known}.")


@cache
def contract(feed: str) -> Contract:
    """The contract of one feed.

    Raises ContractError when the feed is unknown or its file is not valid.
    """
    if feed not in FEEDS:
        raise ContractError(f"feed {feed!r}", "is not a feed Opscope knows", f"Use one of: {', '.join(FEEDS)}.")
    path = CONTRACTS / f"{feed}.yml"
    try:
        document = load_document(path)
        table = document["schema"][0]
        return Contract(
            feed=document["id"],
            title=document["name"],
            version=document["version"],
            purpose=document["description"]["purpose"],
            owner=document["team"][0]["username"],
            business_time=table.get("businessTime"),
            control_amount=table.get("controlAmount"),
            columns=tuple(Column(**properties) for properties in table["properties"]),
        )
    except (OSError, KeyError, yaml.YAMLError, ValidationError) as error:
        raise ContractError(str(path), f"is not a valid contract ({error})", "Compare it with another one.") from error


def contracts() -> tuple[Contract, ...]:
    """All contracts, in the order of FEEDS."""
    return tuple(contract(feed) for feed in FEEDS)
