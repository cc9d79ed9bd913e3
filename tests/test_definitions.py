"""What Dagster shows is what was meant: the location loads, and its keys, jobs and checks equal a committed list."""

import json
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from pipelines.definitions import build_definitions, installation_of
from pipelines.settings import Settings

SNAPSHOT = Path(__file__).parent / "definitions.json"
# The UI draws a group at a time; more than this in one group cannot be read at laptop size.
MOST_BOXES = 45


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dg.RepositoryDefinition:
    settings = Settings(home=tmp_path_factory.mktemp("home"), profile="demo")
    return build_definitions(installation_of(settings)).get_repository_def()


def shown(repository: dg.RepositoryDefinition) -> dict[str, object]:
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
            for key in sorted(graph.get_all_asset_keys())
        },
        "blocking_checks": sorted(
            f"{key.asset_key.to_user_string()}:{key.name}"
            for key in graph.asset_check_keys
            if graph.get_check_spec(key).blocking
        ),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def test_definitions_equal_the_committed_list(repository: dg.RepositoryDefinition) -> None:
    """After a change that is meant: `python -m tests.test_definitions` writes the list anew."""
    assert shown(repository) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_asset_says_who_owns_it_and_what_it_is(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name == key.path[0], key
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), key
        assert node.pools == {"warehouse"}, key


def test_the_graph_stays_legible(repository: dg.RepositoryDefinition) -> None:
    groups = Counter(key.path[0] for key in repository.asset_graph.get_all_asset_keys())
    assert max(groups.values()) <= MOST_BOXES, groups


def test_all_jobs_end_in_bounded_time(repository: dg.RepositoryDefinition) -> None:
    for job in repository.get_all_jobs():
        if not job.name.startswith("__"):
            assert int(job.tags["dagster/max_runtime"]) > 0, job.name


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings(home=Path(folder), profile="demo")
        found = shown(build_definitions(installation_of(chosen)).get_repository_def())
    SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
