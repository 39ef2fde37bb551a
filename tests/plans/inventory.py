"""Writes what S3 Inventory would write of a bucket, from the bucket's own listing.

    python inventory.py --endpoint-url http://127.0.0.1:PORT --bucket load --out FOLDER [--format csv|orc|parquet]

It prints where the manifest is. Rows stand in no particular order, in several files; `null` versions have an empty
version id. Sources: Amazon S3 User Guide, "Amazon S3 Inventory list", "Locating your inventory list" and "Converting
empty version ID strings in Amazon S3 Inventory reports to null strings".
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import random
import urllib.parse
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Iterable, List, NamedTuple

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from listing import EPOCH, Version, versions


class Column(NamedTuple):
    """One of an inventory's columns."""

    # In the schema of CSV files, and in that of the others.
    csv: str
    name: str
    # In ORC files, and in Parquet files.
    orc: str
    parquet: str
    kind: pa.DataType
    value: Callable[[Version], object]


TIME = pa.timestamp("ms")


def text(csv_name: str, name: str, value: Callable[[Version], object]) -> Column:
    """A column of texts."""
    return Column(csv_name, name, "string", "optional binary %s (UTF8)", pa.string(), value)


def boolean(csv_name: str, name: str, value: Callable[[Version], object]) -> Column:
    """A column of yes and no."""
    return Column(csv_name, name, "boolean", "optional boolean %s", pa.bool_(), value)


def when_object(value: Callable[[Version], object]) -> Callable[[Version], object]:
    """Delete markers have none."""
    return lambda version: None if version.is_delete_marker else value(version)


# In every inventory, in this order; those of versions only where all versions are listed.
KEY = text("Key", "key", lambda v: v.key)
OF_VERSIONS = [
    text("VersionId", "version_id", lambda v: "" if v.version_id == "null" else v.version_id),
    boolean("IsLatest", "is_latest", lambda v: v.is_latest),
    boolean("IsDeleteMarker", "is_delete_marker", lambda v: v.is_delete_marker),
]
# Those that are asked for, in the order of the User Guide.
OPTIONAL = [
    Column("Size", "size", "bigint", "optional int64 %s", pa.int64(), lambda v: v.size),
    Column(
        "LastModifiedDate",
        "last_modified_date",
        "timestamp",
        "optional int64 %s (TIMESTAMP_MILLIS)",
        TIME,
        lambda v: v.last_modified,
    ),
    text("ETag", "e_tag", lambda v: v.e_tag),
    text("StorageClass", "storage_class", lambda v: v.storage_class),
    boolean("IsMultipartUploaded", "is_multipart_uploaded", when_object(lambda v: v.is_multipart)),
    text("ReplicationStatus", "replication_status", lambda v: None),
    text("EncryptionStatus", "encryption_status", when_object(lambda v: "SSE-S3")),
    Column(
        "ObjectLockRetainUntilDate",
        "object_lock_retain_until_date",
        "timestamp",
        "optional int64 %s (TIMESTAMP_MILLIS)",
        TIME,
        lambda v: None,
    ),
    text("ObjectLockMode", "object_lock_mode", lambda v: None),
    text("ObjectLockLegalHoldStatus", "object_lock_legal_hold_status", lambda v: None),
    text("IntelligentTieringAccessTier", "intelligent_tiering_access_tier", lambda v: None),
    text("BucketKeyStatus", "bucket_key_status", when_object(lambda v: "DISABLED")),
    text("ChecksumAlgorithm", "checksum_algorithm", lambda v: None),
    text("ObjectAccessControlList", "object_access_control_list", lambda v: None),
    text("ObjectOwner", "object_owner", lambda v: None),
]
# What an event needs.
WANTED = ["Size", "LastModifiedDate", "ETag"]
# Files end in these.
ENDINGS = {"CSV": "csv.gz", "ORC": "orc", "Parquet": "parquet"}
# Rows that are shuffled and written at a time: more would not fit into memory.
ROWS_A_FILE = 1_000_000


def columns_of(bucket: str, optional: Iterable[str], current_only: bool) -> List[Column]:
    """The columns of an inventory."""
    unknown = set(optional) - {column.csv for column in OPTIONAL}
    if unknown:
        raise SystemExit(f"no such column: {', '.join(sorted(unknown))}")
    return [
        text("Bucket", "bucket", lambda v: bucket),
        KEY,
        *([] if current_only else OF_VERSIONS),
        *(column for column in OPTIONAL if column.csv in optional),
    ]


def schema_of(file_format: str, columns: List[Column]) -> str:
    """What the manifest says about the files."""
    if file_format == "CSV":
        return ", ".join(column.csv for column in columns)
    if file_format == "ORC":
        return f"struct<{','.join(f'{column.name}:{column.orc}' for column in columns)}>"
    # Bucket and key are required.
    fields = [
        (column.parquet % column.name).replace("optional", "required" if index < 2 else "optional")
        for index, column in enumerate(columns)
    ]
    return f"message s3.inventory {{ {' '.join(field + ';' for field in fields)} }}"


def as_csv(columns: List[Column], rows: List[Version]) -> bytes:
    """Every field in quotes, keys encoded as in a form, no header."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        writer.writerow(csv_field(column, column.value(row)) for column in columns)
    return gzip.compress(out.getvalue().encode(), compresslevel=1)


def csv_field(column: Column, value: object) -> str:
    """A value as CSV files have it."""
    if value is None:
        return ""
    if column is KEY:
        return urllib.parse.quote_plus(str(value), safe="/")
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.kind == TIME:
        time = datetime.fromtimestamp(int(value) / 1000, timezone.utc)
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return str(value)


def as_table(file_format: str, columns: List[Column], rows: List[Version]) -> pa.Table:
    """The rows in columns."""
    # TIMESTAMP_MILLIS is one in UTC; ORC's timestamp has no zone.
    kinds = {TIME: pa.timestamp("ms", tz="UTC")} if file_format == "Parquet" else {}
    fields = [
        pa.field(column.name, kinds.get(column.kind, column.kind), nullable=index >= 2)
        for index, column in enumerate(columns)
    ]
    values = ([column.value(row) for row in rows] for column in columns)
    arrays = [pa.array(column, type=field.type) for column, field in zip(values, fields)]
    return pa.table(arrays, schema=pa.schema(fields))


def encode(file_format: str, columns: List[Column], rows: List[Version]) -> bytes:
    """A file of these rows."""
    if file_format == "CSV":
        return as_csv(columns, rows)
    out = io.BytesIO()
    table = as_table(file_format, columns, rows)
    if file_format == "ORC":
        pyarrow.orc.write_table(table, out, compression="zlib")
    else:
        pyarrow.parquet.write_table(table, out, compression="snappy")
    return out.getvalue()


def write(
    rows: Iterable[Version],
    bucket: str,
    out: Path,
    file_format: str = "Parquet",
    optional: Iterable[str] = tuple(WANTED),
    current_only: bool = False,
    files: int = 4,
    seed: int = 1,
) -> Path:
    """Writes an inventory and tells where its manifest is."""
    columns = columns_of(bucket, set(optional), current_only)
    if current_only:
        rows = (row for row in rows if row.is_latest and not row.is_delete_marker)
    # Each format is a configuration of its own.
    configured = out / bucket / f"every-{file_format.lower()}"
    data, dated = configured / "data", configured / "2026-11-26T01-00Z"
    for folder in (data, dated):
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    chance = random.Random(seed)

    def flush(part: List[Version]) -> None:
        content = encode(file_format, columns, part)
        path = data / f"{chance.getrandbits(128):032x}.{ENDINGS[file_format]}"
        path.write_bytes(content)
        written.append(
            {
                "key": path.relative_to(out).as_posix(),
                "size": len(content),
                "MD5checksum": hashlib.md5(content).hexdigest(),
            }
        )

    for part in shuffled(rows, chance):
        # Of what is left, every file has its share: versions of one key are in several.
        for number in range(files):
            flush(part[number::files])
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{out.name}",
        "version": "2016-11-30",
        "creationTimestamp": str((datetime.now(timezone.utc) - EPOCH).days * 86_400_000),
        "fileFormat": file_format,
        "fileSchema": schema_of(file_format, columns),
        "files": written,
    }
    content = json.dumps(manifest, indent=2)
    (dated / "manifest.json").write_text(content)
    (dated / "manifest.checksum").write_text(hashlib.md5(content.encode()).hexdigest())
    return dated / "manifest.json"


def shuffled(rows: Iterable[Version], chance: random.Random) -> Iterable[List[Version]]:
    """The rows in no order, as many at a time as fit into memory."""
    part: List[Version] = []
    for row in rows:
        part.append(row)
        if len(part) == ROWS_A_FILE:
            chance.shuffle(part)
            yield part
            part = []
    if part:
        chance.shuffle(part)
        yield part


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--format", choices=list(ENDINGS), default="Parquet", dest="file_format")
    parser.add_argument("--columns", default=",".join(WANTED), help="optional ones, by commas; or all")
    parser.add_argument("--current-only", action="store_true")
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--prefix", default="")
    arguments = parser.parse_args()
    every = ",".join(column.csv for column in OPTIONAL)
    columns = every if arguments.columns == "all" else arguments.columns
    manifest = write(
        versions(arguments.endpoint_url, arguments.bucket, arguments.prefix),
        arguments.bucket,
        arguments.out,
        arguments.file_format,
        columns.split(","),
        arguments.current_only,
        arguments.files,
    )
    print(manifest)


if __name__ == "__main__":
    main()
