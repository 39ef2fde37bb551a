"""Makes a plan from an inventory with DuckDB, and compares plans row by row.

    python opinion.py --inventory MANIFEST.json --endpoint-url http://127.0.0.1:PORT --plan FOLDER [--plan FOLDER …]

DuckDB's own plan is made by plan.sql; each `--plan` names a folder that has `runs`. The exit code is 1 when rows differ.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterable, List

import duckdb
import pyarrow as pa
import pyarrow.dataset

from listing import Version, versions

SQL = Path(__file__).with_name("plan.sql")
# A plan's columns, times in ms.
COLUMNS = (
    "effective_time, key, rank, version_id, last_modified, is_delete_marker, is_latest, size, etag"
)
# Keys that are listed at the same time, and that are held until they are in the database.
AT_ONCE = 8
KEYS_AT_A_TIME = 1000
# An inventory's columns by the name that plan.sql knows: in CSV files, in others, as what.
NAMES = {
    "key": ("Key", "key"),
    "version_id": ("VersionId", "version_id"),
    "is_latest": ("IsLatest", "is_latest"),
    "is_delete_marker": ("IsDeleteMarker", "is_delete_marker"),
    "size": ("Size", "size"),
    "last_modified": ("LastModifiedDate", "last_modified_date"),
    "etag": ("ETag", "e_tag"),
}


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory. Its order of texts is that of their bytes."""
    return duckdb.connect()


def read_inventory(database: duckdb.DuckDBPyConnection, manifest: Path) -> None:
    """Makes the view `inventory`."""
    described = json.loads(manifest.read_text())
    # Keys in the manifest begin at the destination bucket: above BUCKET/CONFIGURATION/DATE.
    destination = manifest.parents[3]
    files = [str(destination / file["key"]) for file in described["files"]]
    if described["fileFormat"] == "CSV":
        columns = [column.strip() for column in described["fileSchema"].split(",")]
        types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
        source = f"""read_csv({files}, columns = {{{types}}}, header = false, delim = ',', quote = '"', escape = '"')"""
        key, version = "url_decode(replace(Key, '+', ' '))", "VersionId"
        values = {
            "size": "nullif(Size, '')::BIGINT",
            "last_modified": "epoch_ms(LastModifiedDate::TIMESTAMP)",
            "etag": "nullif(ETag, '')",
            "is_latest": "IsLatest::BOOLEAN",
            "is_delete_marker": "IsDeleteMarker::BOOLEAN",
        }
    else:
        # DuckDB reads no ORC.
        rows = pyarrow.dataset.dataset(files, format=described["fileFormat"].lower())
        database.register("files", rows)
        columns, source, key, version = rows.schema.names, "files", "key", "version_id"
        values = {
            "size": "size",
            "last_modified": "epoch_ms(last_modified_date)",
            "etag": "nullif(e_tag, '')",
            "is_latest": "is_latest",
            "is_delete_marker": "is_delete_marker",
        }
    csv = described["fileFormat"] == "CSV"
    missing = {name for name, names in NAMES.items() if names[0 if csv else 1] not in columns}
    # An inventory of current versions names neither versions nor which is the latest.
    absent = {"version_id": "''", "is_latest": "true", "is_delete_marker": "false"}
    values |= {name: absent.get(name, "NULL") for name in missing}
    version = values.get("version_id", version)
    database.execute(f"""
        CREATE OR REPLACE TABLE inventory AS
        SELECT
            {key} AS key, coalesce(nullif({version}, ''), 'null') AS version_id, {values["is_latest"]} AS is_latest,
            {values["is_delete_marker"]} AS is_delete_marker, {values["size"]} AS size,
            {values["last_modified"]} AS last_modified, {values["etag"]} AS etag
        FROM {source}
    """)


def make(
    database: duckdb.DuckDBPyConnection, list_key: Callable[[str], Iterable[Version]]
) -> int:
    """Makes the view `plan` of the view `inventory`; tells how many keys had to be listed."""
    database.execute(SQL.read_text())
    keys = [key for (key,) in database.execute("SELECT key FROM undecided").fetchall()]
    for begin in range(0, len(keys), KEYS_AT_A_TIME):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            some = keys[begin : begin + KEYS_AT_A_TIME]
            of_keys = list(threads.map(lambda key: list(list_key(key)), some))
        rows = [
            (version.key, version.version_id, place)
            for of_key in of_keys
            for place, version in enumerate(of_key)
        ]
        columns = zip(("key", "version_id", "place"), map(list, zip(*rows)))
        database.register("found", pa.table(dict(columns)))
        database.execute("INSERT INTO listed SELECT * FROM found")
    return len(keys)


def lister(endpoint: str, bucket: str) -> Callable[[str], Iterable[Version]]:
    """Lists one key. Others may begin with it: they stand behind it."""

    def list_key(key: str) -> Iterable[Version]:
        for version in versions(endpoint, bucket, prefix=key):
            if version.key != key:
                return
            yield version

    return list_key


def read_plan(database: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
    """Makes a view of a plan's runs, with times in ms."""
    database.execute(f"""
        CREATE OR REPLACE VIEW {name} AS
        SELECT * REPLACE (epoch_ms(effective_time) AS effective_time, epoch_ms(last_modified) AS last_modified)
        FROM read_parquet('{folder}/runs/*.parquet')
    """)


def differences(database: duckdb.DuckDBPyConnection, one: str, other: str) -> List[tuple]:
    """The first rows that two plans do not have in common; none when they are equal.

    A key and a rank tell a row. That no plan has one twice is a difference, too.
    """
    repeated = []
    for name in (one, other):
        rows, distinct = database.execute(
            f"SELECT count(*), count(DISTINCT (key, rank)) FROM {name}"
        ).fetchone()
        if rows != distinct:
            repeated.append((name, f"{rows} rows, {distinct} keys and ranks"))
    found = database.execute(f"""
        SELECT one, other
        FROM (SELECT {COLUMNS} FROM {one}) AS one
        FULL OUTER JOIN (SELECT {COLUMNS} FROM {other}) AS other
            ON one.key = other.key AND one.rank = other.rank
        WHERE one IS DISTINCT FROM other
        ORDER BY coalesce(one.key, other.key), coalesce(one.rank, other.rank)
        LIMIT 10
    """).fetchall()
    return repeated + found


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inventory", required=True, type=Path)
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--plan", action="append", default=[], type=Path)
    arguments = parser.parse_args()
    database = connect()
    read_inventory(database, arguments.inventory)
    bucket = json.loads(arguments.inventory.read_text())["sourceBucket"]
    listed = make(database, lister(arguments.endpoint_url, bucket))
    # Once for all comparisons.
    database.execute("CREATE TABLE opinion AS FROM plan")
    (rows,) = database.execute("SELECT count(*) FROM opinion").fetchone()
    print(f"DuckDB's plan: {rows} rows, {listed} keys listed")
    differ = False
    for number, folder in enumerate(arguments.plan):
        read_plan(database, f"plan_{number}", folder)
        found = differences(database, "opinion", f"plan_{number}")
        differ |= bool(found)
        print(f"{folder}: {'rows differ' if found else 'the same rows'}")
        for row in found:
            print(f"  {row}", file=sys.stderr)
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
