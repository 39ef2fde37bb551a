"""Writes the tables that S3 Metadata would keep of a bucket, from the bucket's own listing.

    python metadata.py --endpoint-url http://127.0.0.1:PORT --bucket load --out FOLDER

Two Iceberg tables, `b_BUCKET.journal` and `b_BUCKET.inventory`, in FOLDER/warehouse, with a catalog in
FOLDER/catalog.db; where each one's metadata is, is printed. Sources: Amazon S3 User Guide, "S3 Metadata journal tables schema" and "S3 Metadata
live inventory tables schema". What these leave open is made as hard as they allow:

- an upload in parts that was still going on when the next version came is told of behind it, though it is listed before;
- some versions have had their metadata changed, which the journal tells of;
- some keys had a version more, which was removed for good; the live inventory and the listing no longer have it.
"""

import argparse
from itertools import accumulate, groupby
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Tuple

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from listing import Version, versions

TEXTS = pa.map_(pa.string(), pa.string())
# No zone.
TIME = pa.timestamp("us")
# (name, type, is it required): of the live inventory; those of the journal only; in the end, those of both.
NAMES = [
    ("bucket", pa.string(), True),
    ("key", pa.string(), True),
    ("sequence_number", pa.string(), True),
]
RECORD = [("record_type", pa.string(), True), ("record_timestamp", TIME, True)]
OBJECT = [
    ("version_id", pa.string(), False),
    ("is_delete_marker", pa.bool_(), False),
    ("size", pa.int64(), False),
    ("last_modified_date", TIME, False),
    ("e_tag", pa.string(), False),
    ("storage_class", pa.string(), False),
    ("is_multipart", pa.bool_(), False),
    ("encryption_status", pa.string(), False),
    ("is_bucket_key_enabled", pa.bool_(), False),
    ("kms_key_arn", pa.string(), False),
    ("checksum_algorithm", pa.string(), False),
    ("object_tags", TEXTS, False),
    ("user_metadata", TEXTS, False),
]
REQUEST = [
    ("requester", pa.string(), False),
    ("source_ip_address", pa.string(), False),
    ("request_id", pa.string(), False),
]
SCHEMAS = {"journal": NAMES + RECORD + OBJECT + REQUEST, "inventory": NAMES + OBJECT}
# Rows that are appended at a time.
ROWS_AT_A_TIME = 200_000
# An upload in parts goes on for so long, ms.
UPLOAD = 60_000
# One of so many versions has had its metadata changed, one of so many keys has lost a version.
UPDATED = 20
BEREFT = 50


class Told(NamedTuple):
    """What the tables tell of one version."""

    version: Version
    # Its place among all that happened to its key.
    number: int
    # When it was told, ms.
    at: int
    record_type: str


def told(newest_first: List[Version]) -> List[Told]:
    """What happened to one key, by what was done first."""
    history = newest_first[::-1]
    # The server's clock may have been put back: times are raised.
    begun = accumulate((version.last_modified for version in history), max)
    done = [time + UPLOAD * version.is_multipart for time, version in zip(begun, history)]
    by_end = sorted(zip(done, history), key=lambda pair: pair[0])
    return [
        Told(version, number, at, "DELETE" if version.is_delete_marker else "CREATE")
        for number, (at, version) in enumerate(by_end)
    ]


def row(bucket: str, of: Told) -> dict:
    """A record as both tables have it."""
    version = of.version
    is_object = not version.is_delete_marker
    return {
        "bucket": bucket,
        "key": version.key,
        # Ordered as text, and of one key only.
        "sequence_number": f"80{of.number:032x}72",
        "record_type": of.record_type,
        "record_timestamp": of.at * 1000,
        "version_id": None if version.version_id == "null" else version.version_id,
        "is_delete_marker": version.is_delete_marker,
        "size": version.size,
        "last_modified_date": version.last_modified * 1000,
        "e_tag": version.e_tag,
        "storage_class": version.storage_class,
        "is_multipart": version.is_multipart if is_object else None,
        "encryption_status": "SSE-S3" if is_object else None,
        "is_bucket_key_enabled": False if is_object else None,
        "object_tags": {} if is_object else None,
        "user_metadata": {"name": "football"} if is_object else None,
        "requester": "111122223333",
        "source_ip_address": "192.0.2.1",
        "request_id": "CVK8FWYRW0M9JW65",
    }


def removal(bucket: str, version: Version, number: int, at: int) -> dict:
    """That a version was removed for good: all is missing that is not needed to tell which."""
    return {
        "bucket": bucket,
        "key": version.key,
        "sequence_number": f"80{number:032x}72",
        "record_type": "DELETE",
        "record_timestamp": at * 1000,
        "version_id": version.version_id,
    }


def records(bucket: str, rows: Iterable[Version]) -> Iterator[Tuple[str, dict]]:
    """Each table's name with a record of it."""
    seen = 0
    for number, (key, of_key) in enumerate(groupby(rows, key=lambda version: version.key)):
        history = told(list(of_key))
        later = len(history)
        for of in history:
            yield "journal", row(bucket, of)
            yield "inventory", row(bucket, of)
            seen += 1
            if seen % UPDATED == 0 and of.record_type == "CREATE":
                changed = of._replace(number=later, at=of.at + 1000, record_type="UPDATE_METADATA")
                later += 1
                yield "journal", row(bucket, changed)
        if number % BEREFT == 0:
            last = history[-1]
            at = last.version.last_modified
            gone = Version(key, f"gone-{number}", True, False, at, 7, "07", "STANDARD")
            yield "journal", row(bucket, Told(gone, later, last.at + 2000, "CREATE"))
            yield "journal", removal(bucket, gone, later + 1, last.at + 3000)


def write(rows: Iterable[Version], bucket: str, out: Path) -> Dict[str, str]:
    """Makes both tables, and tells where each one's metadata is."""
    warehouse = out / "warehouse"
    warehouse.mkdir(parents=True)
    catalog = SqlCatalog(
        "s3tablescatalog", uri=f"sqlite:///{out}/catalog.db", warehouse=f"file://{warehouse}"
    )
    namespace = "b_" + bucket.replace("-", "_").replace(".", "_")
    catalog.create_namespace(namespace)
    schemas = {
        table: pa.schema(
            [pa.field(name, kind, nullable=not required) for name, kind, required in columns]
        )
        for table, columns in SCHEMAS.items()
    }
    tables = {
        table: catalog.create_table(f"{namespace}.{table}", schema=schema)
        for table, schema in schemas.items()
    }
    waiting: Dict[str, List[dict]] = {table: [] for table in tables}

    def flush(table: str) -> None:
        if waiting[table]:
            tables[table].append(pa.Table.from_pylist(waiting[table], schema=schemas[table]))
            waiting[table].clear()

    for table, record in records(bucket, rows):
        waiting[table].append(record)
        if len(waiting[table]) == ROWS_AT_A_TIME:
            flush(table)
    for table in tables:
        flush(table)
    return {table: tables[table].metadata_location for table in tables}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args()
    rows = versions(given.endpoint_url, given.bucket)
    for table, location in write(rows, given.bucket, given.out.resolve()).items():
        print(f"{table}: {location}")


if __name__ == "__main__":
    main()
