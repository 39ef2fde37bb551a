"""The plan by SQL and the plan by listing have the same rows; and a comparison that finds what differs."""

import json
from pathlib import Path
from typing import Dict, List

import pytest

import inventory
import opinion
from conftest import BUCKET, SIZE, Server
from listing import Version


@pytest.mark.parametrize("file_format", inventory.ENDINGS)
def test_sql_and_listing_give_the_same_rows_whatever_the_format(
    server: Server, manifests: Dict[str, Path], listed_plan: Path, file_format: str
) -> None:
    database = opinion.connect()
    opinion.read_inventory(database, manifests[file_format])
    listed = opinion.make(database, opinion.lister(server.endpoint, BUCKET))
    opinion.read_plan(database, "listed_plan", listed_plan)
    assert opinion.differences(database, "plan", "listed_plan") == []
    (rows,) = database.execute("SELECT count(*) FROM plan").fetchone()
    assert rows == SIZE
    # Ties are few, and without the bucket they could not be told.
    (keys,) = database.execute("SELECT count(DISTINCT key) FROM plan").fetchone()
    assert 20 < listed < keys / 50
    database.execute("DELETE FROM listed")
    assert opinion.differences(database, "plan", "listed_plan") != []


def test_an_inventory_of_current_versions_has_what_is_current(
    listing: List[Version], server: Server, listed_plan: Path, tmp_path: Path
) -> None:
    manifest = inventory.write(listing, BUCKET, tmp_path, "CSV", current_only=True)
    described = json.loads(manifest.read_text())
    assert described["fileSchema"] == "Bucket, Key, Size, LastModifiedDate, ETag"
    database = opinion.connect()
    opinion.read_inventory(database, manifest)
    assert opinion.make(database, opinion.lister(server.endpoint, BUCKET)) == 0
    opinion.read_plan(database, "listed_plan", listed_plan)
    # It names no versions, and not how many are older.
    columns = "key, last_modified, size, etag"
    database.execute(f"""
        CREATE VIEW mine AS SELECT {columns} FROM plan;
        CREATE VIEW theirs AS SELECT {columns} FROM listed_plan WHERE is_latest AND NOT is_delete_marker;
    """)
    both = database.execute("""
        SELECT count(*), (SELECT count(*) FROM theirs),
               (SELECT count(*) FROM (FROM mine EXCEPT ALL FROM theirs))
        FROM mine
    """)
    rows, others, different = both.fetchone()
    assert (rows, different) == (others, 0) and 0 < rows < SIZE


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM other WHERE key = (SELECT min(key) FROM other)",
        "INSERT INTO other SELECT * FROM other LIMIT 1",
        "UPDATE other SET etag = NULL WHERE key = (SELECT max(key) FROM other WHERE etag IS NOT NULL)",
        "UPDATE other SET rank = 1 - rank WHERE key = (SELECT key FROM other GROUP BY key HAVING max(rank) = 1 ORDER BY key LIMIT 1)",
        "UPDATE other SET effective_time = effective_time + 1 WHERE size = (SELECT max(size) FROM other)",
    ],
)
def test_a_comparison_finds_what_differs(listed_plan: Path, change: str) -> None:
    database = opinion.connect()
    opinion.read_plan(database, "one", listed_plan)
    database.execute("CREATE TABLE other AS FROM one")
    assert opinion.differences(database, "one", "other") == []
    database.execute(change)
    assert opinion.differences(database, "one", "other") != []
    assert opinion.differences(database, "other", "one") != []
