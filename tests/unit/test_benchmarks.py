"""The bench's own arithmetic and printing. What it measures is measured by `make bench`, never here."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASUREMENTS, PAGE
from benchmarks.measure import Cost, Measured, Watch, measure, median_of
from benchmarks.real_panels import BACKTESTS, Backtest, origins, read
from benchmarks.recording import statement
from benchmarks.scales import SCALES
from benchmarks.tables import BEGIN, END, Result, Row, Verdict, as_json, from_json, markdown, ratio, speed, with_figures

RUN = {
    "scale": "small",
    "measured_on": "2026-01-02",
    "commit": "abc",
    "cores": 2,
    "machine": "x86_64",
    "python": "3.11.9",
    "load_average": 0.5,
}


def test_ratio_is_judged_by_cpu_and_tells_wall() -> None:
    verdict = ratio("ours / theirs", Cost(wall=9.0, cpu=3.0), Cost(wall=3.0, cpu=2.0), goal=1.5)
    assert (verdict.value, verdict.by_wall, verdict.is_met) == (1.5, 3.0, True)
    assert not ratio("ours / theirs", Cost(9.0, 3.1), Cost(3.0, 2.0), goal=1.5).is_met


def test_speed_is_the_inverse_of_time_and_more_is_better() -> None:
    verdict = speed("ours / theirs", Cost(wall=4.0, cpu=4.0), Cost(wall=1.0, cpu=2.0), goal=0.8)
    assert (verdict.value, verdict.by_wall, verdict.is_met) == (0.5, 0.25, False)
    assert speed("ours / theirs", Cost(1.0, 1.0), Cost(1.0, 1.0), goal=0.8).is_met


def test_median_takes_each_cost_on_its_own_and_the_highest_peak() -> None:
    runs = [
        Measured(Cost(wall, cpu), peak, {"read": Cost(wall, cpu)}, {"rows": 7})
        for wall, cpu, peak in ((1.0, 9.0, 10.0), (2.0, 7.0, 30.0), (9.0, 8.0, 20.0))
    ]
    found = median_of(runs)
    assert (found.process, found.costs["read"], found.peak_mb) == (Cost(2.0, 8.0), Cost(2.0, 8.0), 30.0)
    assert found.facts == {"rows": 7}


def test_watch_adds_up_what_has_one_name() -> None:
    watch = Watch()
    with watch("part"):
        pass
    first = watch.costs["part"]
    with watch("part"):
        sum(range(100_000))
    assert watch.costs["part"].wall > first.wall
    assert watch.costs["part"].cpu >= first.cpu


def test_measure_brings_back_costs_and_facts_of_a_child(tmp_path: Path) -> None:
    version, target = tmp_path / "version", tmp_path / "copy"
    version.mkdir()
    (version / "data").write_bytes(b"12345")
    (version / "other_name").hardlink_to(version / "data")
    found = measure("publication:copy_version", tmp_path / "log", version=version, target=target)
    assert found.facts == {"bytes": 5}
    assert [path.read_bytes() for path in target.iterdir()] == [b"12345"]
    assert found.process.wall >= found.costs["copy"].wall > 0
    assert found.peak_mb > 1


def test_measure_says_why_a_child_failed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)startup:load failed.*No module named 'nowhere'"):
        measure("startup:load", tmp_path / "log", module="nowhere")


@pytest.mark.parametrize(
    ("node", "sent", "does_work"),
    [
        ("model.opscope.a", '/* {"app": "dbt"} */\n  create table a as select 1;', True),
        ("model.opscope.a", "BEGIN", True),
        ("model.opscope.a", "delete from a; insert into a from b", True),
        ("model.opscope.a", "\n  select column_name from information_schema.columns", False),
        ("model.opscope.a", "describe a", False),
        ("test.opscope.t", "select\n  count(*) as failures from a", True),
        ("test.opscope.t", "BEGIN", False),
        ("", "create schema if not exists marts", False),
    ],
)
def test_only_statements_about_rows_are_replayed(node: str, sent: str, does_work: bool) -> None:
    assert statement(node, sent).does_work is does_work


def test_statement_loses_the_comment_and_the_semicolon() -> None:
    assert statement("model.m", "/* from dbt */ drop table a ;\n").sql == "drop table a"


def test_page_has_goals_first_then_figures() -> None:
    result = Result(
        "a",
        "Part A",
        [Row("ours", Cost(1.25, 2.5), "7 rows"), Row("size", amount="3 MB")],
        [
            Verdict("a / b", 0.5, 0.8, more_is_better=True, by_wall=0.25),
            Verdict("memory", 900.0, 1000.0, unit="MB"),
        ],
    )
    lines = markdown([(result, RUN)]).splitlines()
    assert "| a / b | 0.50x | 0.25x | at least 0.80x | **no** |" in lines
    assert "| memory | 900 MB |  | at most 1,000 MB | yes |" in lines
    assert lines.index("| memory | 900 MB |  | at most 1,000 MB | yes |") < lines.index("### Part A")
    assert "| ours | 1.25 | 2.50 | 7 rows |" in lines
    assert "| size |  |  | 3 MB |" in lines


def test_figures_replace_only_what_stands_between_the_marks() -> None:
    page = f"# Head\n\n{BEGIN}\n\nold\n\n{END}\n\ntail\n"
    written = with_figures(page, "new\n")
    assert written == f"# Head\n\n{BEGIN}\n\nnew\n\n{END}\n\ntail\n"
    assert with_figures(written, "new\n") == written
    with pytest.raises(ValueError, match="the page needs the lines"):
        with_figures("# Head\n", "new\n")


def test_the_committed_page_can_take_figures() -> None:
    assert "figures" in with_figures(PAGE.read_text(encoding="utf-8"), "figures\n")


def test_result_comes_back_from_json_which_says_whether_each_goal_was_met() -> None:
    result = Result(
        "a", "Part A", [Row("ours", Cost(1.0, 2.0)), Row("size", amount="1 MB")], [Verdict("a / b", 2.0, 1.5)]
    )
    written = json.loads(json.dumps(as_json(result, RUN)))
    assert from_json(written) == (result, RUN)
    assert written["verdicts"][0]["is_met"] is False
    assert written["rows"][0]["cost"] == {"wall": 1.0, "cpu": 2.0}
    assert written["run"] == RUN


def test_scales_are_found_by_their_names() -> None:
    assert list(SCALES) == [scale.name for scale in SCALES.values()]
    assert SCALES["small"].night < SCALES["default"].night < SCALES["full"].night
    assert len(set(MEASUREMENTS)) == len(MEASUREMENTS)


@pytest.mark.parametrize("backtest", BACKTESTS, ids=lambda each: each.name)
def test_a_backtest_stands_on_six_origins_whose_targets_do_not_overlap(backtest: Backtest) -> None:
    days = [*origins(backtest), backtest.last]
    assert len(days) == 7
    for earlier, later in pairwise(days):
        months = (later.year - earlier.year) * 12 + later.month - earlier.month
        periods = {7: (later - earlier).days, 52: (later - earlier).days / 7, 12: months}
        assert periods[backtest.season] == backtest.horizon


def test_what_is_cancelled_the_same_day_was_never_demand(tmp_path: Path) -> None:
    lines = [
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "1,23843,BIRDIE,80995,2011-09-09 09:15:00,2.08,16446.0,United Kingdom",
        "C2,23843,BIRDIE,-80995,2011-09-09 09:27:00,2.08,16446.0,United Kingdom",
        "3,22423,CAKESTAND,4,2011-09-09 10:00:00,12.75,1.0,United Kingdom",
        "3,22423,CAKESTAND,4,2011-09-09 10:00:00,12.75,1.0,United Kingdom",
        "4,POST,POSTAGE,1,2011-09-09 10:00:00,18.0,1.0,France",
        "5,22423,,-9,2011-09-09 11:00:00,0.0,,United Kingdom",
    ]
    (tmp_path / "online-retail").mkdir()
    (tmp_path / "online-retail" / "2011-09-09.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    daily = next(each for each in BACKTESTS if each.name == "online_retail_daily")
    history = read(daily, tmp_path)
    assert history[["series_id", "quantity"]].to_numpy().tolist() == [["22423", 4]]
