"""docs/profiles.md names every key a profile can have, and what it shows as an example is one."""

import re
import textwrap
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipelines.settings import REPOSITORY
from pipelines.sources.contracts import Contract, contract, contracts
from pipelines.sources.plan import Plan
from pipelines.sources.profiles import DeliveryDay, Lookup, Mapping, Notation, Profile, Source, load_profile

REFERENCE = (REPOSITORY / "docs" / "profiles.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[BaseModel]] = {
    "The company": Profile,
    "A source": Source,
    "`notation`": Notation,
    "`lookups`": Lookup,
}
KEYS = [(title, name) for title, model in SECTIONS.items() for name in model.model_fields]
COMPANY = "company: shop\nbase_currency: EUR\nstarts_on: 2026-01-01\nfeeds:\n"
EXAMPLES = re.findall(r"^ *```yaml\n(.*?)^ *```$", f"{REFERENCE}\n{README}", re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    (found,) = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    return str(found)


def row(title: str, first: str) -> str:
    """The rest of the row of the section's tables that begins so."""
    (found,) = re.findall(rf"^\| {re.escape(first)} \|(.+)\|$", section(title), re.MULTILINE)
    return str(found)


def literals(annotation: Any) -> list[str]:
    """The words a key may be, those of `X | None` too."""
    if get_origin(annotation) is Literal:
        return [str(each) for each in get_args(annotation)]
    return [word for part in get_args(annotation) for word in literals(part)]


def plain_default(field: FieldInfo) -> list[str]:
    if isinstance(field.default, str):
        return [field.default.strip()]
    return list(field.default) if isinstance(field.default, tuple) else []


@pytest.mark.parametrize(("title", "name"), KEYS)
def test_every_key_has_a_row_with_its_default_and_what_it_may_be(title: str, name: str) -> None:
    field = SECTIONS[title].model_fields[name]
    told = row(title, f"`{name}`")
    default = told.split("|")[0].strip()
    assert (default == "must be given") == field.is_required()
    assert all(f"`{each}`" in default for each in plain_default(field) if each)
    if name not in ("format", "thousands"):  # of the one the source's row tells, of the other some are hard to show
        assert all(f"`{word}`" in told for word in literals(field.annotation))


@pytest.mark.parametrize("name", sorted({title for title, _ in KEYS}))
def test_no_key_is_told_that_is_none(name: str) -> None:
    told = re.findall(r"^\| `(\w+)` \|", section(name), re.MULTILINE)
    assert sorted(told) == sorted(SECTIONS[name].model_fields)


@pytest.mark.parametrize("kind", literals(DeliveryDay.model_fields["kind"].annotation))
def test_every_origin_of_the_delivery_day_is_told(kind: str) -> None:
    assert re.search(rf"^\| `delivered_on: {{?{kind}\b", section("`delivered_on`"), re.MULTILINE)


@pytest.mark.parametrize("kind", literals(Mapping.model_fields["kind"].annotation))
def test_every_filling_of_a_column_is_told(kind: str) -> None:
    assert re.search(rf"^\| .*(\{{{kind}: |`{kind}`)", section("`columns`"), re.MULTILINE)


@pytest.mark.parametrize("feed", contracts(), ids=lambda feed: feed.feed)
def test_every_feed_is_told_with_what_must_be_filled(feed: Contract) -> None:
    key, others = (re.findall(r"`(\w+)`", cell) for cell in row("The feeds", f"`{feed.feed}`").split("|"))
    assert key == [*feed.key]
    assert others == [column.name for column in feed.columns if column.required and column.name not in feed.key]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_a_profile_whose_expressions_hold(tmp_path: Path, number: int) -> None:
    text = textwrap.dedent(EXAMPLES[number])
    path = tmp_path / "profile.yml"
    path.write_text(text if text.startswith("company:") else COMPANY + textwrap.indent(text, "  "), encoding="utf-8")
    for feed, sources in load_profile(str(path)).feeds.items():
        for source in sources:
            assert Plan(source, contract(feed)).used_columns


def test_there_is_an_example_of_every_format() -> None:
    for title in ("CSV", "Excel", "JSON lines", "Parquet", "SQL"):
        assert "```yaml" in section(title)
