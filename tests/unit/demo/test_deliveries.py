"""The demo's files: the same bytes again, named by the truth, readable through the profile, defects counted exactly."""

import fnmatch
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from pipelines.demo import Truth, generate
from pipelines.demo.plan import Plan
from pipelines.errors import OpscopeError
from pipelines.sources.contracts import FEEDS
from pipelines.sources.profiles import DAY_IN_PATH, load_profile
from tests.unit.demo import exports

SMALL = {"days": 5, "scale": 0.02, "history_days": 40}


def digest(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    generate(tmp_path / "one", seed=3, **SMALL)
    generate(tmp_path / "two", seed=3, **SMALL)
    generate(tmp_path / "other", seed=4, **SMALL)

    one = digest(tmp_path / "one")
    assert digest(tmp_path / "two") == one
    assert digest(tmp_path / "other") != one

    generate(tmp_path / "one", seed=3, **SMALL)
    assert digest(tmp_path / "one") == one


def test_a_folder_with_other_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ours.txt").write_text("keep")

    with pytest.raises(OpscopeError, match="name another folder"):
        generate(tmp_path, **SMALL)

    assert [path.name for path in tmp_path.iterdir()] == ["ours.txt"]


@pytest.mark.parametrize("wrong", [{"days": 0}, {"scale": 0.0}, {"history_days": -1}, {"seed": -1}, {"scale": 1e9}])
def test_arguments_out_of_range_are_named(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(OpscopeError, match=next(iter(wrong))):
        generate(tmp_path / "out", **{**SMALL, **wrong})

    assert not (tmp_path / "out").exists()


def test_scale_drives_lines_and_a_tiny_company_is_a_few_hundred_lines(tmp_path: Path, clean: Truth) -> None:
    tiny = generate(tmp_path, days=5, scale=0.02, history_days=60)

    assert 100 <= tiny.document["order_lines_current"] <= 500
    # 44 days at scale 0.5 of about 150 lines a day.
    assert 44 * 75 * 0.7 <= clean.document["order_lines_current"] <= 44 * 75 * 1.3


def test_truth_lists_exactly_the_files_delivered(company: Truth) -> None:
    listed = {row["path"] for row in company.table("files").to_pylist()}
    delivered = {
        str(path.relative_to(company.root))
        for day in exports.days(company.root)
        for path in day.rglob("*")
        if path.is_file()
    }
    assert listed == delivered


def test_every_file_matches_exactly_one_source_of_the_profile(company: Truth) -> None:
    profile = load_profile(str(company.root / "profile.yml"))

    assert profile.starts_on.isoformat() == company.document["starts_on"]
    assert set(profile.feeds) == set(FEEDS)
    for row in company.table("files").to_pylist():
        day, _, name = row["path"].partition("/")
        matching = [
            feed
            for feed, sources in profile.feeds.items()
            for source in sources
            if fnmatch.fnmatch(name, DAY_IN_PATH.sub("", source.path or "").lstrip("/"))
        ]
        assert matching == [row["feed"]]
        assert day == row["delivered_on"].isoformat()


def test_shipped_profile_fits_the_default_demo() -> None:
    profile = load_profile("demo")
    plan = Plan(seed=7, days=30, scale=1.0, history_days=420, dirty=True)
    assert (profile.starts_on, profile.ends_on) == (plan.starts_on, plan.on(plan.last))


def test_records_of_each_file_are_counted(company: Truth) -> None:
    encodings = {".gz": "latin-1"}
    for row in company.table("files").to_pylist():
        path = company.root / row["path"]
        if row["status"] == "refused" or path.suffix == ".parquet":
            continue
        lines = exports.text(path, encodings.get(path.suffix, "utf-8")).split("\n")
        assert lines.pop() == ""
        header = 0 if path.suffix == ".jsonl" else 1
        assert len(lines) - header == row["records"], row["path"]
        assert row["records"] >= row["loaded"] + row["quarantined"]


def test_every_kind_of_defect_is_planted_and_found_by_its_look(company: Truth) -> None:
    found: Counter[str] = Counter()
    for path in sorted(company.root.glob("*/web_orders.csv")):
        header, *lines = exports.text(path).rstrip("\n").split("\n")
        seen: set[str] = set()
        for line in lines:
            found["field_count"] += line.count(",") != header.count(",")
            found["control_character"] += "\0" in line
            found["stray_quote"] += '"' in line and line != header.replace('"', "") and not line.startswith('"')
            found["invalid_encoding"] += "\ufffd" in line
            found["repeated_header"] += line == header.replace('"', "")
            found["missing_required"] += line.startswith(",")
            found["pattern_mismatch"] += ",Euro," in line
            found["duplicate"] += line in seen and not line.startswith("9")
            seen.add(line)

    expected: Counter[str] = Counter()
    for row in company.table("files").to_pylist():
        if row["path"].endswith("web_orders.csv"):
            expected.update(json.loads(row["reasons"]))
            expected["duplicate"] += row["duplicates"]
    assert {reason: expected[reason] for reason in found} == dict(found)
    assert all(found.values())


def test_accidents_happen_to_store_files(company: Truth) -> None:
    rows = company.table("files").to_pylist()
    by_status = {status: [row for row in rows if row["status"] == status] for status in ("refused", "duplicate")}

    mended = {Path(row["path"]).name: row["path"] for row in rows if row["note"] == "mended"}
    assert [Path(cut["path"]).name for cut in by_status["refused"]] == list(mended) != []
    for cut in by_status["refused"]:
        assert not exports.is_whole(company.root / cut["path"])
        assert exports.is_whole(company.root / mended[Path(cut["path"]).name])
    assert by_status["duplicate"]
    for copy in by_status["duplicate"]:
        original = company.root / copy["note"].removeprefix("same bytes as ")
        assert (company.root / copy["path"]).read_bytes() == original.read_bytes()
    late = [row for row in rows if row["note"] == "late"]
    assert late
    for row in late:
        business_on = Path(row["path"]).name.split("_")[1][:8]
        assert row["delivered_on"].strftime("%Y%m%d") > business_on


def test_clean_company_tells_every_record_once_and_whole(clean: Truth) -> None:
    for feed, of in clean.document["feeds"].items():
        assert set(of["files"]) == {"loaded"}, feed
        assert of["records"]["seen"] == of["records"]["loaded"] == of["current"], feed
        assert of["corrections"] == 0
    keys = [record["key"] for day in exports.days(clean.root) for record in exports.order_line_records(day)]
    assert len(keys) == len(set(keys)) == clean.document["order_lines_current"]
