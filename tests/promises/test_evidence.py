"""The page of evidence says what tests have shown and nothing else."""

from pathlib import Path

import pytest

from tests.promises.evidence import PROPERTY, Claim, claims, page

SHOWN = Claim("P9", "reads <while> a run publishes & rolls back", 10_000, 7, "ci", "abc1234")


def results(folder: Path, outcome: str) -> Path:
    value = SHOWN.as_text().replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    path = folder / "results.xml"
    path.write_text(
        "<testsuites><testsuite><testcase classname='tests.promises.test_readers' name='test_reads[16]'>"
        f"<properties><property name='{PROPERTY}' value='{value}'/></properties>{outcome}"
        "</testcase></testsuite></testsuites>",
        encoding="utf-8",
    )
    return path


def test_a_passed_test_gives_a_line_with_its_count_seed_and_commit(tmp_path: Path) -> None:
    found = claims(results(tmp_path, ""))

    assert found == [(SHOWN, "test_readers::test_reads")]
    assert f"| {SHOWN.claim} | 10,000 | 7 | ci | abc1234 | `test_readers::test_reads` |" in page(found)


@pytest.mark.parametrize("outcome", ["<failure/>", "<error/>", "<skipped/>"])
def test_a_test_that_did_not_pass_proves_nothing(tmp_path: Path, outcome: str) -> None:
    assert claims(results(tmp_path, outcome)) == []


def test_a_claim_needs_a_promise_and_a_trial() -> None:
    with pytest.raises(AssertionError, match="none of the promises"):
        Claim("P99", "anything", 1, None, "ci", "abc1234")
    with pytest.raises(AssertionError, match="nothing was tried"):
        Claim("P1", "anything", 0, None, "ci", "abc1234")
