"""The queries of docs/PLANS.md, on a real plan."""

import re
from pathlib import Path

import pytest

import opinion
from conftest import ROOT


def test_every_documented_query_finds_something(
    listed_plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/PLANS.md").read_text()
    _, _, section = text.partition("\n## Looking at a plan with DuckDB\n")
    view, *queries = re.findall(r"```sql\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    assert len(queries) == 5
    (tmp_path / "plan").symlink_to(listed_plan)
    monkeypatch.chdir(tmp_path)
    database = opinion.connect()
    database.execute(view)
    for query in queries:
        assert database.execute(query).to_arrow_table().num_rows > 0, query
