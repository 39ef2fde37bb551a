"""Spark's plans have the rows of the plan by listing, and the same events are sent from them."""

import json
from pathlib import Path
from typing import Callable, Dict, List

import pytest

import inventory
import opinion
from conftest import BUCKET, SIZE, Server
from listing import milliseconds

pytestmark = pytest.mark.java


def check_runs(plan: Path) -> None:
    """The manifest tells of each run what is in it; runs are sorted, and none overlaps another."""
    manifest = json.loads((plan / "manifest.json").read_text())
    assert (manifest["version"], manifest["bucket"]) == (1, BUCKET)
    database = opinion.connect()
    database.execute("SET TimeZone = 'UTC'")
    last = None
    for run in manifest["runs"]:
        path = plan / run["name"]
        assert path.stat().st_size == run["bytes"]
        rows = database.execute(f"""
            SELECT epoch_ms(effective_time), key, rank FROM read_parquet('{path}', file_row_number = true)
            ORDER BY file_row_number
        """).fetchall()
        # Texts are compared as their bytes are.
        places = [(time, key.encode(), rank) for time, key, rank in rows]
        assert all(one < other for one, other in zip(places, places[1:]))
        assert len(places) == run["rows"] > 0
        for end, place in (("first", rows[0]), ("last", rows[-1])):
            told = run[end]
            assert (milliseconds(told["effectiveTime"]), told["key"], told["rank"]) == place
        assert last is None or last < places[0]
        last = places[-1]
    assert manifest["summary"]["events"] == sum(run["rows"] for run in manifest["runs"]) == SIZE


def assert_same_rows(plan: Path, listed_plan: Path) -> None:
    """Every row of one is a row of the other."""
    database = opinion.connect()
    opinion.read_plan(database, "listed_plan", listed_plan)
    opinion.read_plan(database, "spark_plan", plan)
    assert opinion.differences(database, "spark_plan", "listed_plan") == []


@pytest.fixture(scope="module")
def spark_plans(
    spark: Callable[..., str], manifests: Dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Dict[str, Path]:
    """Spark's plan of each inventory."""
    plans = {}
    for file_format, manifest in manifests.items():
        plans[file_format] = tmp_path_factory.mktemp(f"spark-{file_format}") / "plan"
        spark("--inventory", manifest, "--out", plans[file_format])
    return plans


@pytest.mark.parametrize("file_format", inventory.ENDINGS)
def test_spark_and_listing_give_the_same_rows_whatever_the_format(
    spark_plans: Dict[str, Path], listed_plan: Path, file_format: str
) -> None:
    assert_same_rows(spark_plans[file_format], listed_plan)
    check_runs(spark_plans[file_format])


def test_the_events_of_sparks_plan_are_those_of_the_listing(
    server: Server, spark_plans: Dict[str, Path], tmp_path: Path
) -> None:
    def events(*arguments: object) -> List[dict]:
        way = ["--bucket", BUCKET, "--out", "-", *arguments]
        lines = server.reseed(tmp_path / "state", *way).splitlines()
        return [{**json.loads(line), "jobId": None} for line in lines]

    listed = events()
    planned = events("--plan", spark_plans["Parquet"] / "manifest.json")
    assert len(listed) == SIZE
    for one, other in zip(listed, planned):
        assert one == other
    assert len(planned) == len(listed)


@pytest.mark.parametrize("table", ["journal", "inventory"])
def test_spark_makes_the_same_rows_of_the_tables_of_s3_metadata(
    spark: Callable[..., str],
    tables: Dict[str, str],
    listed_plan: Path,
    tmp_path: Path,
    table: str,
) -> None:
    plan = tmp_path / "plan"
    option = {"journal": "--journal", "inventory": "--live-inventory"}[table]
    spark(option, tables[table], "--out", plan)
    assert_same_rows(plan, listed_plan)
    check_runs(plan)
