"""The pages people follow must keep up with what they describe: settings, commands, links and pictures."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from click import Command, Group

from pipelines.cli import app
from pipelines.settings import REPOSITORY, Settings

OPERATIONS = REPOSITORY / "docs" / "operations.md"
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]+))?\)")
LARGEST_PICTURE_BYTES = 150_000


def commands(command: Command, name: str) -> Iterator[str]:
    """The full names of all commands, those of groups without the group itself."""
    if isinstance(command, Group):
        for child, below in command.commands.items():
            yield from commands(below, f"{name} {child}")
    else:
        yield name


def anchors(page: Path) -> set[str]:
    """The anchors GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_the_runbook_names_every_setting_with_its_default(field: str) -> None:
    rows = re.findall(rf"^\| `OPSCOPE_{field.upper()}` \|(.+)\|$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 1
    default = Settings.model_fields[field].default
    assert not default or f"`{default}`" in rows[0]


@pytest.mark.parametrize("command", sorted(commands(typer.main.get_command(app), "opscope")))
def test_the_runbook_names_every_command(command: str) -> None:
    assert f"`{command}" in OPERATIONS.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_of_the_pages_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        target = page.parent / link["path"] if link["path"] else page
        assert target.exists(), link[0]
        assert not link["anchor"] or link["anchor"] in anchors(target), link[0]


def test_pictures_are_used_and_small() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (REPOSITORY / "docs" / "images").iterdir():
        assert f"images/{picture.name}" in text
        assert picture.stat().st_size < LARGEST_PICTURE_BYTES, picture.name
