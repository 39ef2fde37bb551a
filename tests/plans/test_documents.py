"""The queries of docs/PLANS.md, on a real plan."""

import json
import re
from pathlib import Path
from typing import List

import pytest

import opinion
from conftest import BUCKET, ROOT, SIZE, Server


def documented(title: str) -> List[str]:
    """The queries of a section."""
    _, _, section = (ROOT / "docs/PLANS.md").read_text().partition(f"\n## {title}\n")
    return re.findall(r"```sql\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)


def test_every_documented_query_finds_something(
    listed_plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, *queries = documented("Looking at a plan with DuckDB")
    assert len(queries) == 5
    (tmp_path / "plan").symlink_to(listed_plan)
    monkeypatch.chdir(tmp_path)
    database = opinion.connect()
    database.execute(view)
    for query in queries:
        assert database.execute(query).to_arrow_table().num_rows > 0, query


def test_a_plan_that_duckdb_writes_gives_the_events_of_the_listing(
    server: Server, listed_plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events(*arguments: object) -> List[dict]:
        way = ["--bucket", BUCKET, "--out", "-", *arguments]
        lines = server.reseed(tmp_path / "state", *way).splitlines()
        return [{**json.loads(line), "jobId": None} for line in lines]

    copy, manifest = documented("Making one with DuckDB")
    (tmp_path / "plan/runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    database = opinion.connect()
    runs = f"read_parquet('{listed_plan}/runs/*.parquet')"
    # Two runs that follow each other, of rows in no order.
    database.execute(f"CREATE TABLE whole AS FROM {runs} ORDER BY hash(version_id)")
    middle = "(SELECT median(effective_time) FROM whole)"
    for name, comparison in (("00000", "<"), ("00001", ">=")):
        chosen = f"FROM whole WHERE effective_time {comparison} {middle}"
        database.execute(f"CREATE OR REPLACE TABLE versions AS {chosen}")
        database.execute(copy.replace("00000", name))
    database.execute(manifest.replace("ledger", BUCKET))
    assert len(json.loads(Path("plan/manifest.json").read_text())["runs"]) == 2
    planned = events("--plan", tmp_path / "plan")
    assert len(planned) == SIZE
    assert planned == events()
