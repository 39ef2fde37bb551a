#!/usr/bin/env python3
"""Makes a plan for `s3-sqs-bridge reseed --plan` by Spark, from S3 Inventory or S3 Metadata.

One file, since `spark-submit`, EMR and Glue take one. README.md beside it has the commands; docs/ARCHITECTURE.md
("Plan") the form of what is written. From top to bottom: options, files, what S3 Inventory and S3 Metadata say,
order, listing of keys whose order they do not tell, choice, runs and manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_plus, urlsplit
from xml.etree import ElementTree

from pyspark import StorageLevel
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

# Rows of a run. One is sorted at a time by a task; the bridge takes up to 65,536 row groups in one.
ROWS_A_RUN = 4_000_000
# Rows of a row group, and bytes before compression where Spark's Parquet (before 1.16) counts only these. The bridge
# holds two row groups.
ROWS_A_GROUP = 4096
ROW_GROUP_BYTES = 448 * 1024
# How long after its begin an upload in parts is taken to have ended: a key with another version in that time is listed.
# Lifecycle rules commonly end uploads that are older than this.
PARTS_DAYS = 7
# Requests in flight of a task that lists.
REQUESTS_AT_ONCE = 8
# Tries of one request.
TRIES = 8
# Arguments that Glue hands on to every script. Source: AWS Glue guide, "Using job parameters in AWS Glue jobs".
OF_GLUE = re.compile(
    r"--(JOB_|SECURITY_CONFIGURATION|TempDir|enable-|extra-|job-|additional-|datalake-|continuous-|"
    r"scriptLocation|spark-event-logs|encryption-type|custom-log)"
)


class Refused(Exception):
    """What is told to a person; `code` is the exit code."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S ", time.gmtime()) + text, file=sys.stderr, flush=True)


# --- Options


def time_of(text: str) -> int:
    """RFC 3339 as milliseconds since 1970."""
    try:
        at = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2024-05-01T12:00:00Z")
    return (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def text_of(millis: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=millis)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03d}Z"


def positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("it must be above 0")
    return number


def flag(text: str) -> bool:
    """Glue knows no argument without a value."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="plan.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--inventory", metavar="MANIFEST", help="manifest.json of an S3 Inventory: path or URI")
    add(
        "--journal",
        metavar="TABLE|PATH",
        help="S3 Metadata's journal: as Spark's catalog names it, an Iceberg metadata "
        "file (.json), or a folder of Parquet files",
    )
    add("--live-inventory", metavar="TABLE|PATH", help="S3 Metadata's live inventory, likewise")
    add("--out", required=True, metavar="FOLDER", help="where the plan is written: path or URI; must be empty")
    add("--bucket", help="whose versions these are; checked against the inventory")
    add("--prefix", default="", help="keys that begin so")
    add("--suffix", default="", help="keys that end so")
    add("--from", dest="since", type=time_of, metavar="TIME", help="effective time not before")
    add("--until", type=time_of, metavar="TIME", help="effective time before")
    add("--events", choices=("all", "created", "removed"), default="all")
    add(
        "--current-only",
        type=flag,
        nargs="?",
        const=True,
        default=False,
        help="of each key the newest version before --until, unless that is a delete marker",
    )
    add(
        "--ties",
        choices=("list", "refuse", "mark"),
        default="list",
        help="keys whose order the source does not tell: list them from the bucket, refuse, or count them as ambiguous",
    )
    add("--list-rate", type=positive, default=100, metavar="N", help="requests a second for that, over all (100)")
    add(
        "--parts-days",
        type=float,
        default=PARTS_DAYS,
        metavar="DAYS",
        help=f"how long an upload in parts may have taken ({PARTS_DAYS}); see README.md",
    )
    add("--endpoint-url", metavar="URL", help="another S3 than AWS's")
    add("--report", metavar="FILE", help="what was done, as JSON: path or URI")
    add("--rows-a-run", type=int, default=ROWS_A_RUN, metavar="N", help=f"rows of a run, about ({ROWS_A_RUN})")
    add(
        "--conf", action="append", default=[], metavar="KEY=VALUE", help="for Spark, when it is started by this program"
    )
    by_glue = "--JOB_NAME" in argv
    args = parser.parse_args(without_glue(argv) if by_glue else argv)
    args.by_glue = by_glue
    tables = [args.journal, args.live_inventory]
    if bool(args.inventory) == any(tables):
        parser.error("either --inventory, or --live-inventory and --journal (or one of them) must be given")
    if args.rows_a_run < 1:
        parser.error("argument --rows-a-run: it must be above 0")
    if wrong := [pair for pair in args.conf if "=" not in pair]:
        parser.error(f"argument --conf: {wrong[0]!r} is not KEY=VALUE")
    if any(tables) and not args.bucket:
        parser.error("--bucket is needed with S3 Metadata")
    return args


def without_glue(argv: list[str]) -> list[str]:
    kept, skip = [], False
    for word in argv:
        if word.startswith("--"):
            skip = bool(OF_GLUE.match(word))
        if not skip:
            kept.append(word)
    return kept


# --- Files


def start_spark(args: argparse.Namespace) -> SparkSession:
    builder = SparkSession.builder.appName("s3-sqs-bridge plan")
    if "PYSPARK_GATEWAY_PORT" not in os.environ and not args.by_glue:  # not started by spark-submit
        # A key's versions are sorted in memory as far as it goes, and spilled then: 2 GB do.
        alone = {
            "spark.master": "local[*]",
            "spark.driver.memory": "2g",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "16",
        }
        for key, value in alone.items():
            builder = builder.config(key, value)
    for pair in args.conf:
        builder = builder.config(*pair.split("=", 1))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    for key, value in {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "false",  # what cannot be read is null, and refused by this program
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MILLIS",
        "spark.sql.parquet.compression.codec": "snappy",
        "spark.sql.files.maxRecordsPerFile": "0",
        "spark.sql.files.ignoreMissingFiles": "false",
        "spark.sql.files.ignoreCorruptFiles": "false",
    }.items():
        spark.conf.set(key, value)
    # ORC's times without a zone are read as the JVM's. Executors of a cluster: README.md.
    spark._jvm.java.util.TimeZone.setDefault(spark._jvm.java.util.TimeZone.getTimeZone("UTC"))
    return spark


def s3_client(endpoint_url: str | None):
    import boto3
    from botocore.config import Config

    path_style = {"addressing_style": "path"} if endpoint_url else {}
    return boto3.client("s3", endpoint_url=endpoint_url, config=Config(signature_version="s3v4", s3=path_style))


class Files:
    """Local paths by Python; other URIs by Spark's file systems (EMR's and Glue's S3 among them)."""

    def __init__(self, spark: SparkSession):
        self.jvm = spark._jvm
        self.conf = spark._jsc.hadoopConfiguration()

    def knows(self, scheme: str) -> bool:
        try:
            return self.jvm.org.apache.hadoop.fs.FileSystem.getFileSystemClass(scheme, self.conf) is not None
        except Exception:  # py4j's, with a Java stack trace that says the same
            return False

    def hadoop(self, uri: str):
        path = self.jvm.org.apache.hadoop.fs.Path(uri)
        return path.getFileSystem(self.conf), path

    def exists(self, uri: str) -> bool:
        if local(uri):
            return os.path.exists(local(uri))
        system, path = self.hadoop(uri)
        return system.exists(path)

    def read(self, uri: str) -> bytes:
        if local(uri):
            with open(local(uri), "rb") as file:
                return file.read()
        system, path = self.hadoop(uri)
        stream = system.open(path)
        try:
            return bytes(self.jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def write(self, uri: str, data: bytes) -> None:
        if local(uri):
            os.makedirs(os.path.dirname(local(uri)) or ".", exist_ok=True)
            with open(local(uri), "wb") as file:
                file.write(data)
            return
        system, path = self.hadoop(uri)
        stream = system.create(path, True)
        stream.write(bytearray(data))
        stream.close()

    def size(self, uri: str) -> int:
        if local(uri):
            return os.path.getsize(local(uri))
        system, path = self.hadoop(uri)
        return system.getFileStatus(path).getLen()

    def move(self, uri: str, to: str) -> None:
        if local(uri):
            os.replace(local(uri), local(to))
            return
        system, path = self.hadoop(uri)
        if not system.rename(path, self.jvm.org.apache.hadoop.fs.Path(to)):
            raise Refused(f"{uri} could not be renamed to {to}")

    def remove(self, uri: str) -> None:
        if local(uri):
            shutil.rmtree(local(uri))
            return
        system, path = self.hadoop(uri)
        system.delete(path, True)


def local(uri: str) -> str | None:
    """The path, if it is one of this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return parts.path
    return uri if "://" not in uri else None


def is_s3(uri: str | None) -> bool:
    return urlsplit(uri or "").scheme in ("s3", "s3a")


class Staged:
    """S3 where Spark has no file system for it, as PyPI's: files are brought here by boto3, and the plan back."""

    def __init__(self, client, folder: str):
        self.client = client
        self.folder = folder

    def bring(self, uri: str) -> str:
        parts = urlsplit(uri)
        to = os.path.join(self.folder, parts.netloc, parts.path.lstrip("/"))
        os.makedirs(os.path.dirname(to), exist_ok=True)
        self.client.download_file(parts.netloc, parts.path.lstrip("/"), to)
        return to

    def send(self, path: str, uri: str) -> None:
        parts = urlsplit(uri)
        self.client.upload_file(path, parts.netloc, parts.path.lstrip("/"))

    def exists(self, uri: str) -> bool:
        parts = urlsplit(uri)
        found = self.client.list_objects_v2(Bucket=parts.netloc, Prefix=parts.path.lstrip("/"), MaxKeys=1)
        return found.get("KeyCount", 0) > 0


# --- What S3 Inventory says

# Columns that matter, without underscores and in lower case, as CSV, ORC and Parquet write them.
# Source: Amazon S3 User Guide, "Amazon S3 Inventory list".
VERSION_COLUMNS = ("versionid", "islatest", "isdeletemarker")


def plain(name: str) -> str:
    return name.replace("_", "").lower()


def schema_columns(file_format: str, schema: str) -> list[str]:
    """The columns that a manifest's fileSchema names, in its order."""
    if file_format == "CSV":
        return [name.strip() for name in schema.split(",")]
    if file_format == "ORC":
        return re.findall(r"[<,]\s*(\w+)\s*:", schema)
    return re.findall(r"(?:required|optional)\s+\w+\s+(\w+)", schema)


def read_manifest(text: bytes, uri: str, bucket: str | None) -> dict:
    """Checks what is needed of a manifest."""
    try:
        manifest = json.loads(text)
        for field in ("sourceBucket", "fileFormat", "fileSchema", "files"):
            manifest[field]
        [(file["key"], int(file["size"]), file["MD5checksum"]) for file in manifest["files"]]
    except (ValueError, KeyError, TypeError) as e:
        raise Refused(f"{uri} is not the manifest.json of an S3 Inventory: {e!r}", 2) from e
    if bucket not in (None, manifest["sourceBucket"]):
        raise Refused(f"{uri} is an inventory of the bucket {manifest['sourceBucket']}, --bucket says {bucket}", 2)
    if manifest["fileFormat"] not in ("CSV", "ORC", "Parquet"):
        raise Refused(f"{uri}: fileFormat is {manifest['fileFormat']!r}, known are CSV, ORC, Parquet", 2)
    names = schema_columns(manifest["fileFormat"], manifest["fileSchema"])
    columns = {plain(name): name for name in names}
    for needed in ("key", "lastmodifieddate"):
        if needed not in columns:
            raise Refused(
                f"{uri}: the inventory has no column {needed} (fileSchema: {manifest['fileSchema']}); "
                "configure it with the optional field LastModifiedDate",
                2,
            )
    if "versionid" in columns and "isdeletemarker" not in columns:
        raise Refused(f"{uri}: the inventory has VersionId and not IsDeleteMarker: what was removed cannot be told", 2)
    return {**manifest, "names": names, "columns": columns}


def data_files(manifest: dict, uri: str) -> list[tuple[str, int, str]]:
    """Path or URI, size and MD5 of the files that a manifest names: keys of its destination bucket. Where the
    bucket was copied to this machine, the folder that stands for it is one above the manifest."""
    files = [(file["key"], int(file["size"]), file["MD5checksum"]) for file in manifest["files"]]
    if not local(uri):
        parts = urlsplit(uri)
        bucket = manifest.get("destinationBucket", parts.netloc).split(":::")[-1]
        return [(f"{parts.scheme}://{bucket}/{key}", size, md5) for key, size, md5 in files]
    folder = os.path.dirname(os.path.abspath(local(uri)))
    root = folder
    while files and not os.path.exists(os.path.join(root, files[0][0])):
        if root == os.path.dirname(root):
            raise Refused(f"{files[0][0]}, which {uri} names, is in no folder above it")
        root = os.path.dirname(root)
    return [(os.path.join(root, key), size, md5) for key, size, md5 in files]


def check_md5(path: str, md5: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    if digest.hexdigest() != md5.lower():
        raise Refused(
            f"{path} has the MD5 {digest.hexdigest()}, the inventory's manifest says {md5}: it is damaged, "
            "or of another inventory"
        )


def inventory_frame(spark: SparkSession, manifest: dict, paths: list[str], uri: str):
    """The files as they are: columns by name, CSV's by fileSchema."""
    names, file_format = manifest["names"], manifest["fileFormat"]
    if not paths:
        return spark.createDataFrame([], T.StructType([T.StructField(name, T.StringType()) for name in names]))
    if file_format == "CSV":
        schema = T.StructType([T.StructField(name, T.StringType()) for name in names])
        return spark.read.schema(schema).options(quote='"', escape='"', mode="FAILFAST").csv(paths)
    frame = spark.read.format(file_format.lower()).load(paths)
    if missing := {plain(n) for n in names} - {plain(n) for n in frame.columns}:
        raise Refused(
            f"{uri}: fileSchema names {', '.join(sorted(missing))}, which {paths[0]} does not have; "
            f"it has {', '.join(frame.columns)}"
        )
    return frame


def inventory_rows(frame, manifest: dict):
    """Rows in this program's terms: key, version_id, last_modified (ms), is_delete_marker, latest, size, etag,
    in_parts."""
    by_plain = {plain(name): name for name in frame.columns}
    is_csv = manifest["fileFormat"] == "CSV"

    def column(name: str, kind: str):
        if name not in manifest["columns"]:
            return F.lit(None).cast(kind)
        return F.col(f"`{by_plain[name]}`").cast(kind)

    key = column("key", "string")
    if is_csv:  # form-encoded: a space is `+`. Source: cloud-custodian/cloud-custodian#1997
        key = F.expr(f"url_decode(`{by_plain['key']}`)")
    etag = column("etag", "string")
    parts = F.coalesce(column("ismultipartuploaded", "boolean"), etag.contains("-"), F.lit(False))
    versioned = "isdeletemarker" in manifest["columns"]
    return frame.select(
        key.alias("key"),
        version_id_of(column("versionid", "string")).alias("version_id"),
        F.unix_millis(column("lastmodifieddate", "timestamp")).alias("last_modified"),
        (column("isdeletemarker", "boolean") if versioned else F.lit(False)).alias("is_delete_marker"),
        F.coalesce(column("islatest", "boolean"), F.lit(False)).alias("latest"),
        column("size", "bigint").alias("size"),
        etag.alias("etag"),
        parts.alias("in_parts"),
    )


def version_id_of(column):
    return F.when(column.isNull() | (column == ""), "null").otherwise(column)


# --- What S3 Metadata says


def metadata_frame(spark: SparkSession, table: str, needed: tuple[str, ...]):
    if "/" not in table:
        frame = spark.table(table)
    elif table.endswith(".json"):
        frame = spark.read.parquet(*iceberg_files(table))
    else:
        frame = spark.read.parquet(table)
    if missing := [name for name in needed if name not in frame.columns]:
        raise Refused(f"{table} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}", 2)
    return frame


def iceberg_files(path: str) -> list[str]:
    """The data files of an Iceberg table's present state, where Spark has no catalog for it."""
    from pyiceberg.table import StaticTable

    tasks = list(StaticTable.from_metadata(path).scan().plan_files())
    if any(task.delete_files for task in tasks):
        raise Refused(
            f"{path} has delete files, which only Iceberg's own reader applies: name the table as "
            "Iceberg's catalog does (README.md)"
        )
    if not tasks:
        raise Refused(f"{path} has no rows")
    return [task.file.file_path for task in tasks]


def metadata_columns(frame):
    """A table's rows in this program's terms, with the number that orders a key's rows as text."""

    def optional(name: str, kind: str):
        return F.col(name).cast(kind) if name in frame.columns else F.lit(None).cast(kind)

    etag = optional("e_tag", "string")
    return frame.select(
        "key",
        version_id_of(F.col("version_id")).alias("version_id"),
        "sequence_number",
        F.unix_millis(F.col("last_modified_date").cast("timestamp")).alias("last_modified"),
        F.col("is_delete_marker"),
        optional("size", "bigint").alias("size"),
        etag.alias("etag"),
        *([F.upper("record_type").alias("record_type")] if "record_type" in frame.columns else []),
    )


def metadata_rows(inventory, journal):
    """The versions that exist by both tables: those of the live inventory, without what the journal says was removed
    since, and with what came since. Either may be None."""
    values = ("sequence_number", "last_modified", "is_delete_marker", "size", "etag")
    if journal is None:
        return inventory
    change = F.struct(
        "sequence_number",
        ((F.col("record_type") == "DELETE") & F.col("is_delete_marker").isNull()).alias("gone"),
        *values[1:],
    )
    last = (
        journal.filter(F.col("record_type") != "UPDATE_METADATA")
        .groupBy("key", "version_id")
        .agg(F.max(change).alias("last"))
    )
    if inventory is None:
        return last.filter(~F.col("last.gone")).select(
            "key", "version_id", *[F.col(f"last.{name}").alias(name) for name in values]
        )
    both = (
        inventory.withColumn("held", F.struct(*values))
        .select("key", "version_id", "held")
        .join(last, ["key", "version_id"], "full_outer")
    )
    unheld, newer = F.col("held").isNull(), F.col("last.sequence_number") > F.col("held.sequence_number")
    gone = F.col("last").isNotNull() & F.col("last.gone") & (unheld | newer)
    # Where both have the version, its number is that of its coming: the live inventory's may be that of a later tag.
    by_journal = (
        F.col("last").isNotNull()
        & ~F.col("last.gone")
        & (unheld | newer | (F.col("last.last_modified") == F.col("held.last_modified")))
    )
    chosen = F.when(by_journal, F.struct(*[F.col(f"last.{name}").alias(name) for name in values])).otherwise(
        F.col("held")
    )
    return (
        both.filter(~gone).select("key", "version_id", chosen.alias("chosen")).select("key", "version_id", "chosen.*")
    )


# --- Order: number within the key, effective time, and whether the source tells it


def order_by_inventory(rows, parts_days: float):
    """By time, the latest last. Not told: versions of one moment, none of which is the latest; an upload in parts, of
    which only the begin is known, and what came while it may have lasted; anything behind a second latest; all, where
    the latest is not the newest by its time: then times say nothing of the others either, if there are several."""
    near = F.col("last_modified") - F.col("before.last_modified") <= int(parts_days * 86_400_000)
    same = F.col("before.last_modified") == F.col("last_modified")
    back = (F.col("before.last_modified") > F.col("last_modified")) & (F.col("rank") >= 2)
    untold = F.col("before.latest") | F.when(F.col("latest"), back).otherwise(same | F.col("before.in_parts") & near)
    return ordered(rows, ["latest", "last_modified", "version_id"], ["latest", "last_modified", "in_parts"], untold)


def order_by_sequence(rows):
    """By number. Not told: where times contradict it, since S3 places an upload in parts by its begin."""
    untold = (F.col("before.sequence_number") == F.col("sequence_number")) | (
        F.col("before.last_modified") > F.col("last_modified")
    )
    return ordered(rows, ["sequence_number"], ["sequence_number", "last_modified"], untold)


def order_by_listing(rows):
    """As listed."""
    return ordered(rows, [F.col("place").desc()], [], F.lit(False))


def ordered(rows, order: list, compared: list[str], untold):
    """Adds rank, effective_time (ms), next_time (the next version's), is_latest and untold (of the key). Windows spill:
    a key of any number of versions takes a task's time, not its memory."""
    oldest_first = Window.partitionBy("key").orderBy(*order)
    so_far = oldest_first.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = F.lag(F.struct(*compared)).over(oldest_first) if compared else F.lit(None)
    next_modified = F.lead("last_modified").over(oldest_first)
    numbered = (
        rows.withColumn("rank", (F.row_number().over(oldest_first) - 1).cast("bigint"))
        .withColumn("effective_time", F.max("last_modified").over(so_far))
        .withColumn("next_modified", next_modified)
        .withColumn("before", before)
    )
    untold = F.coalesce(untold, F.lit(False))
    key_untold = F.max(untold).over(Window.partitionBy("key")) if compared else untold
    return numbered.withColumn("untold", key_untold).select(
        *told(
            F.col("rank"),
            F.col("effective_time"),
            F.col("next_modified").isNull(),
            F.greatest("effective_time", "next_modified"),
            F.col("untold"),
        )
    )


def told(rank, effective_time, is_latest, next_time, untold) -> list:
    is_marker = F.col("is_delete_marker")
    etag = F.expr("trim(BOTH '\"' FROM etag)")
    return [
        effective_time.alias("effective_time"),
        F.col("key"),
        rank.alias("rank"),
        F.col("version_id"),
        F.col("last_modified"),
        is_marker,
        is_latest.alias("is_latest"),
        F.when(~is_marker, F.col("size")).alias("size"),
        F.when(~is_marker & (etag != ""), etag).alias("etag"),
        F.when(~is_latest, next_time).alias("next_time"),
        untold.alias("untold"),
    ]


def unversioned(rows):
    """Of an inventory of current versions: each row is all that is known of its key."""
    return rows.select(
        *told(F.lit(0).cast("bigint"), F.col("last_modified"), F.lit(True), F.lit(None).cast("bigint"), F.lit(False))
    )


# --- Listing of keys whose order the source does not tell (on the executors)


class Lister:
    """Reads ListObjectVersions as the document has it: boto3 returns versions and delete markers as two lists, which
    loses their order (aws/aws-sdk-cpp#1649), so it only signs."""

    def __init__(self, bucket: str, endpoint_url: str | None, rate: float):
        from botocore.httpsession import URLLib3Session

        self.bucket, self.rate = bucket, rate
        self.client = s3_client(endpoint_url)
        self.http = URLLib3Session(max_pool_connections=REQUESTS_AT_ONCE)
        self.lock, self.next_at = threading.Lock(), 0.0

    def rows(self, key: str, page: ElementTree.Element):
        """All versions of a key, of which `page` has the newest: rows of `LISTED`."""
        place, before = 0, set()
        while True:
            seen, ended = set(), False
            encoded = page.findtext("EncodingType") == "url"
            for entry in page:
                if entry.tag not in ("Version", "DeleteMarker"):
                    continue
                name = entry.findtext("Key", "")
                if (unquote_plus(name) if encoded else name) != key:
                    ended = True
                    continue
                row = self.row(key, place, entry, ended)
                seen.add(row[2:4])
                if row[2:4] not in before:
                    yield row
                    place += 1
            more = page.findtext("IsTruncated", "").strip().lower() != "false"
            following = page.findtext("NextKeyMarker", "")
            if ended or not more or key not in (following, unquote_plus(following)):
                return
            if not seen - before:
                raise Refused(f"s3://{self.bucket} answers the listing of {key!r} with the same page again")
            before, page = seen, self.page(key, 1000, page.findtext("NextVersionIdMarker", ""))

    def row(self, key: str, place: int, entry: ElementTree.Element, ended: bool) -> tuple:
        is_marker = entry.tag == "DeleteMarker"
        etag, size = entry.findtext("ETag", "").strip('"'), entry.findtext("Size")
        modified = time_of(entry.findtext("LastModified", ""))
        is_latest = entry.findtext("IsLatest", "").strip().lower()
        if ended or is_latest == "true" and place > 0 or is_latest == "false" and place == 0:
            raise Refused(
                f"s3://{self.bucket} lists {key!r} otherwise than S3 does (its latest version first, delete "
                "markers among the versions): its order cannot be told so; use s3-sqs-bridge reseed, which "
                "knows such servers, or --ties mark"
            )
        return (
            key,
            place,
            entry.findtext("VersionId") or "null",
            modified,
            is_marker,
            None if is_marker or size is None else int(size),
            None if is_marker or not etag else etag,
        )

    def first_page(self, tie: tuple[str, int]) -> ElementTree.Element:
        key, versions = tie
        # One more, which shows that the key has ended; other keys begin with this one.
        return self.page(key, min(1000, versions + 1), None)

    def page(self, key: str, most: int, after: str | None) -> ElementTree.Element:
        ask = {"Bucket": self.bucket, "Prefix": key, "MaxKeys": most, "EncodingType": "url"}
        if after is not None:
            ask.update(KeyMarker=key, VersionIdMarker=after)
        answer = self.get(key, self.client.generate_presigned_url("list_object_versions", Params=ask))
        page = ElementTree.fromstring(answer)
        for element in page.iter():
            element.tag = element.tag.rpartition("}")[2]
        return page

    def get(self, key: str, url: str) -> bytes:
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import HTTPClientError

        for attempt in itertools.count(1):
            self.wait()
            try:
                answer = self.http.send(AWSRequest("GET", url).prepare())
                if answer.status_code == 200:
                    return answer.content
                reason = f"{answer.status_code} {answer.content[:400].decode('utf-8', 'replace')}"
                passes = answer.status_code >= 500 or answer.status_code == 429
            except HTTPClientError as e:
                reason, passes = str(e), True
            if not passes or attempt == TRIES:
                raise Refused(
                    f"the versions of {key!r} in s3://{self.bucket} cannot be listed: {reason} "
                    "(s3:ListBucketVersions is needed, or --ties mark)"
                )
            time.sleep(random.uniform(0, min(20, 0.2 * 2**attempt)))

    def wait(self) -> None:
        with self.lock:
            at = max(time.monotonic(), self.next_at)
            self.next_at = at + 1 / self.rate
        time.sleep(max(0.0, at - time.monotonic()))


def list_keys(ties, bucket: str, endpoint_url: str | None, rate: float):
    """The rows of a partition's keys. Only first pages are asked for ahead, so memory does not depend on how many
    versions a key has."""
    lister = Lister(bucket, endpoint_url, rate)
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        while batch := list(itertools.islice(ties, 4 * REQUESTS_AT_ONCE)):
            for (key, _), page in zip(batch, pool.map(lister.first_page, batch)):
                yield from lister.rows(key, page)


LISTED = T.StructType(
    [
        T.StructField("key", T.StringType()),
        T.StructField("place", T.LongType()),
        T.StructField("version_id", T.StringType()),
        T.StructField("last_modified", T.LongType()),
        T.StructField("is_delete_marker", T.BooleanType()),
        T.StructField("size", T.LongType()),
        T.StructField("etag", T.StringType()),
    ]
)


def listed_rows(spark: SparkSession, rows, count: int, args: argparse.Namespace):
    tasks = min(count, spark.sparkContext.defaultParallelism)
    ties = rows.filter(F.col("untold") & F.col("is_latest")).select("key", F.col("rank") + 1).repartition(tasks)
    bucket, endpoint_url, rate = args.bucket, args.endpoint_url, args.list_rate / tasks
    listed = ties.rdd.map(tuple).mapPartitions(lambda part: list_keys(part, bucket, endpoint_url, rate))
    return order_by_listing(spark.createDataFrame(listed, LISTED))


# --- Choice: as crates/history/src/scan/filter.rs has it


def chosen(args: argparse.Namespace):
    time_, marker = F.col("effective_time"), F.col("is_delete_marker")
    keep = F.lit(True)
    if args.since is not None:
        keep &= time_ >= args.since
    if args.until is not None:
        keep &= time_ < args.until
    if args.events != "all":
        keep &= marker if args.events == "removed" else ~marker
    if args.current_only:
        newest = F.col("next_time").isNull()
        if args.until is not None:
            newest |= F.col("next_time") >= args.until
        keep &= newest & ~marker
    return keep


# --- Runs and manifest


def write_runs(rows, count: int, folder: str, rows_a_run: int) -> None:
    """Sorted Parquet files that do not overlap. A column that must be there is `required` where Spark knows that it is
    never null: the defaults are never taken, since null was refused before."""

    def required(name: str, default):
        return F.coalesce(F.col(name), F.lit(default)).alias(name)

    def when(name: str):
        return F.coalesce(F.timestamp_millis(F.col(name)), F.lit(0).cast("timestamp")).alias(name)

    order = ["effective_time", "key", "rank"]
    frame = rows.select(
        when("effective_time"),
        required("key", ""),
        required("rank", 0),
        required("version_id", ""),
        when("last_modified"),
        required("is_delete_marker", False),
        required("is_latest", False),
        "size",
        "etag",
    )
    (
        frame.repartitionByRange(-(-count // rows_a_run), *order)
        .sortWithinPartitions(*order)
        .write.option("parquet.block.row.count.limit", ROWS_A_GROUP)
        .option("parquet.block.size", ROW_GROUP_BYTES)
        .option("parquet.block.size.row.check.min", 256)
        .option("parquet.block.size.row.check.max", 1024)
        .option("parquet.enable.dictionary", "false")
        .option("parquet.writer.version", "v1")  # v2 has encodings that the bridge refuses
        .option("parquet.column.statistics.enabled", "false")
        .option("parquet.column.statistics.enabled#effective_time", "true")
        .parquet(folder)
    )


def read_back(spark: SparkSession, folder: str) -> tuple[dict, dict]:
    """What is in the files that were written: by name, and in sum."""
    frame = spark.read.parquet(folder).withColumn("file", F.element_at(F.split(F.input_file_name(), "/"), -1))
    millis = F.unix_millis("effective_time")
    parts = (
        frame.groupBy("file", F.date_format(F.date_trunc("month", "effective_time"), "yyyy-MM").alias("month"))
        .agg(
            F.count("*").alias("rows"),
            F.min(millis).alias("first"),
            F.max(millis).alias("last"),
            F.sum(F.col("is_delete_marker").cast("bigint")).alias("removed"),
            F.sum("size").alias("bytes"),
        )
        .collect()
    )
    runs: dict = {}
    summary = {"events": 0, "created": 0, "removed": 0, "bytes": 0, "byMonth": {}}
    for part in sorted(parts, key=lambda part: part.month):
        run = runs.setdefault(part.file, {"rows": 0, "ends": (part.first, part.last)})
        run["rows"] += part.rows
        run["ends"] = (min(run["ends"][0], part.first), max(run["ends"][1], part.last))
        summary["events"] += part.rows
        summary["removed"] += part.removed
        summary["created"] += part.rows - part.removed
        summary["bytes"] += part.bytes or 0
        summary["byMonth"][part.month] = summary["byMonth"].get(part.month, 0) + part.rows
    if not runs:
        return runs, summary
    ends = spark.createDataFrame([(file, *run["ends"]) for file, run in runs.items()], "file string, lo long, hi long")
    place = F.struct(millis.alias("time"), "key", "rank")
    at_ends = frame.join(F.broadcast(ends), "file").filter((millis == F.col("lo")) | (millis == F.col("hi")))
    for row in at_ends.groupBy("file").agg(F.min(place).alias("first"), F.max(place).alias("last")).collect():
        for end in ("first", "last"):
            time_, key, rank = row[end]
            runs[row.file][end] = {"effectiveTime": text_of(time_), "key": key, "rank": rank}
    summary["first"] = text_of(min(run["ends"][0] for run in runs.values()))
    summary["last"] = text_of(max(run["ends"][1] for run in runs.values()))
    return runs, summary


def settle(files: Files, out: str, parts: str, runs: dict) -> list[dict]:
    """Gives the files their names, in order."""
    if local(out):
        os.makedirs(f"{local(out)}/runs", exist_ok=True)
    elif runs:
        system, path = files.hadoop(f"{out}/runs")
        system.mkdirs(path)
    settled = []
    for number, file in enumerate(sorted(runs)):
        name, run = f"runs/{number:05d}.parquet", runs[file]
        files.move(f"{parts}/{file}", f"{out}/{name}")
        settled.append(
            {
                "name": name,
                "rows": run["rows"],
                "bytes": files.size(f"{out}/{name}"),
                "first": run["first"],
                "last": run["last"],
            }
        )
    if files.exists(parts):
        files.remove(parts)
    return settled


# --- All of it


class Plan:
    """One plan in the making."""

    def __init__(self, spark: SparkSession, args: argparse.Namespace, scratch: str):
        self.spark, self.args, self.scratch = spark, args, scratch
        self.files = Files(spark)
        self.notes: list[str] = []
        self.report: dict = {}
        self.created_at: int | None = None

    def note(self, text: str) -> None:
        say(text)
        self.notes.append(text)

    def staged(self, uri: str | None) -> Staged | None:
        if is_s3(uri) and not self.files.knows(urlsplit(uri).scheme):
            return Staged(s3_client(self.args.endpoint_url), self.scratch)
        return None

    def of_inventory(self):
        uri = self.args.inventory
        staged = self.staged(uri)
        text = self.files.read(staged.bring(uri) if staged else uri)
        manifest = read_manifest(text, uri, self.args.bucket)
        self.args.bucket = manifest["sourceBucket"]
        self.created_at = int(manifest.get("creationTimestamp") or 0)
        paths = []
        for path, size, md5 in data_files(manifest, uri):
            path = staged.bring(path) if staged else path
            if self.files.size(path) != size:
                raise Refused(
                    f"{path} has {self.files.size(path)} bytes, {uri} says {size}: it is not complete, or of "
                    "another inventory"
                )
            if local(path):
                check_md5(path, md5)
            paths.append(path)
        checked = "sizes and MD5" if all(map(local, paths)) else "sizes, not MD5,"
        self.note(
            f"S3 Inventory of {self.args.bucket}: {len(paths)} {manifest['fileFormat']} files, {checked} as its "
            "manifest says"
        )
        rows = self.of_keys(inventory_rows(inventory_frame(self.spark, manifest, paths, uri), manifest))
        self.report["source"] = f"S3 Inventory, {manifest['fileFormat']}"
        if not set(VERSION_COLUMNS) & set(manifest["columns"]):
            self.note(
                "the inventory lists current versions only: no history, no delete markers; version ids are not "
                "known and written as null"
            )
            return unversioned(rows)
        if "islatest" not in manifest["columns"]:
            self.note("the inventory has no column IsLatest: the version with the latest time is taken for it")
        return order_by_inventory(rows, self.args.parts_days)

    def of_metadata(self):
        args = self.args
        needed = ("key", "sequence_number", "version_id", "is_delete_marker", "last_modified_date")
        inventory = journal = None
        if args.live_inventory:
            frame = metadata_frame(self.spark, args.live_inventory, needed)
            inventory = self.of_keys(metadata_columns(frame))
        else:
            self.note("no live inventory: versions from before the journal began are not in this plan")
        if args.journal:
            frame = metadata_frame(self.spark, args.journal, (*needed, "record_type"))
            journal = self.of_keys(metadata_columns(frame))
            kinds = {
                row.record_type: row
                for row in journal.groupBy("record_type")
                .agg(F.count("*").alias("rows"), F.sum(F.col("is_delete_marker").isNull().cast("bigint")).alias("gone"))
                .collect()
            }
            if unknown := set(kinds) - {"CREATE", "DELETE", "UPDATE_METADATA"}:
                raise Refused(f"the journal has records of an unknown record_type: {', '.join(map(str, unknown))}")
            gone = kinds["DELETE"].gone if "DELETE" in kinds else 0
            self.report["permanentDeletes"] = gone
            self.note(f"the journal tells of {gone} versions removed for good; they are no events of a plan")
        self.report["source"] = "S3 Metadata"
        return order_by_sequence(metadata_rows(inventory, journal))

    def of_keys(self, rows):
        """Only keys that are wanted: positions do not depend on other keys."""
        if self.args.prefix:
            rows = rows.filter(F.col("key").startswith(self.args.prefix))
        if self.args.suffix:
            rows = rows.filter(F.col("key").endswith(self.args.suffix))
        return rows

    def counted(self, rows, keep):
        """Computes all rows, once, and counts them."""
        rows = rows.persist(StorageLevel.DISK_ONLY)
        needed = ("key", "version_id", "last_modified", "is_delete_marker")
        bad = F.lit(False)
        for name in needed:
            bad |= F.col(name).isNull()
        bad |= F.coalesce(F.length("key") == 0, F.lit(False))
        begins = F.col("rank") == 0

        def number(condition):
            return F.coalesce(F.sum(F.when(condition, 1).otherwise(0)), F.lit(0))

        return rows, rows.agg(
            F.count("*").alias("rows"),
            number(bad).alias("bad"),
            number(begins).alias("keys"),
            number(begins & F.col("untold")).alias("untold_keys"),
            number(F.col("untold")).alias("untold_rows"),
            number(keep & ~F.col("untold")).alias("told"),
            number(keep).alias("kept"),
            F.max("last_modified").alias("last"),
        ).collect()[0]

    def resolved(self, rows, counts, keep):
        """Rows in an order that is sure, or was asked to be taken as it is; and how many there will be."""
        args, keys = self.args, counts.untold_keys
        ties = self.report["ties"] = {"how": args.ties, "keys": keys, "versions": counts.untold_rows}
        if not keys or args.ties == "mark":
            if keys:
                self.note(f"the order of {keys} keys is not told by the source: they are in the plan, ambiguous")
            return rows.filter(keep), counts.kept
        if args.ties == "refuse":
            raise Refused(
                f"the order of {keys} keys ({counts.untold_rows} versions) is not told by the source; "
                "--ties list lists them from the bucket, --ties mark takes them as they are"
            )
        say(
            f"listing {keys} keys of s3://{args.bucket} whose order the source does not tell, "
            f"at most {args.list_rate:g} requests a second"
        )
        # What came after the source was made is not in the plan of other keys either.
        end = max(self.created_at or 0, counts.last or 0)
        listed, found = self.counted(listed_rows(self.spark, rows, keys, args), keep & (F.col("last_modified") <= end))
        ties.update(listed=found.rows, gone=keys - found.keys)
        self.note(f"{keys} keys listed: {found.rows} versions; {keys - found.keys} of these keys are gone")
        told = rows.filter(keep & ~F.col("untold"))
        return told.unionByName(listed.filter(keep & (F.col("last_modified") <= end))), counts.told + found.kept

    def make(self) -> dict:
        args, files = self.args, self.files
        out, upload = args.out.rstrip("/"), None
        if staged := self.staged(out):
            upload, out = out, os.path.join(self.scratch, "plan")
        elif is_s3(out) and not local(out):
            say(f"writing by Spark's file system for {urlsplit(out).scheme}://")
        if (
            files.exists(f"{out}/manifest.json")
            or files.exists(f"{out}/runs")
            or upload
            and staged.exists(upload + "/")
        ):
            raise Refused(f"{args.out} has a plan, or part of one: name another folder, or remove it", 2)
        rows = self.of_inventory() if args.inventory else self.of_metadata()
        keep = chosen(args)
        say("ordering the versions of each key")
        rows, counts = self.counted(rows, keep)
        if counts.bad:
            raise Refused(
                f"{counts.bad} of {counts.rows} rows have no key, or no time that can be read, or do not say "
                "whether they are a delete marker"
            )
        say(f"{counts.rows} versions of {counts.keys} keys")
        rows, count = self.resolved(rows, counts, keep)
        parts = f"{out}/parts"
        runs, summary = {}, {"events": 0, "created": 0, "removed": 0, "bytes": 0, "byMonth": {}}
        if count:
            say(f"sorting and writing {count} events")
            write_runs(rows, count, parts, args.rows_a_run)
            say("reading them back")
            runs, summary = read_back(self.spark, parts)
        if summary["events"] != count:
            raise Refused(
                f"{summary['events']} events were written, {count} expected: the source has changed meanwhile"
            )
        if counts.untold_keys and args.ties == "mark":
            first = rows.filter("untold").agg(F.min("key")).collect()[0][0]
            if first is not None:
                summary["ambiguous"] = {"keys": rows.filter("untold").select("key").distinct().count(), "first": first}
        manifest = {
            "version": 1,
            "bucket": args.bucket,
            "madeBy": "engines/spark/plan.py",
            "runs": settle(files, out, parts, runs),
            "summary": summary,
        }
        files.write(f"{out}/manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False).encode())
        if upload:
            for name in [*[run["name"] for run in manifest["runs"]], "manifest.json"]:
                staged.send(f"{out}/{name}", f"{upload}/{name}")
        self.report.update(rows=counts.rows, keys=counts.keys, events=count, runs=len(runs), notes=self.notes)
        return manifest


def show(manifest: dict) -> None:
    """The plan in a few lines."""
    summary = manifest["summary"]
    print(f"events   {summary['events']} ({summary['created']} versions, {summary['removed']} delete markers)")
    print(f"size     {summary['bytes']} bytes")
    if summary["events"]:
        print(f"from     {summary['first']}\nto       {summary['last']}")
    for month, events in summary["byMonth"].items():
        print(f"{month}  {events}")
    if "ambiguous" in summary:
        print(f"ambiguous keys  {summary['ambiguous']['keys']}, the first {summary['ambiguous']['first']!r}")
    print(f"runs     {len(manifest['runs'])}, {sum(run['bytes'] for run in manifest['runs'])} bytes")


def cpu_seconds(spark: SparkSession) -> float | None:
    """Of the JVM and this program, where both are on this machine, and it is Linux."""
    try:
        pid = spark._jvm.java.lang.ProcessHandle.current().pid()
        with open(f"/proc/{pid}/stat") as file:
            ticks = [int(word) for word in file.read().rpartition(")")[2].split()[11:15]]
    except OSError:
        return None
    if not spark.sparkContext.master.startswith("local"):
        return None
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return sum(ticks) / os.sysconf("SC_CLK_TCK") + mine.ru_utime + mine.ru_stime


def reason_of(error: Exception) -> str:
    """A failure on an executor comes wrapped in stack traces."""
    found = re.findall(r"Refused: (.*)", str(error))
    if found:
        return found[0]
    lines = [line for line in str(error).splitlines() if line.strip() and not line.strip().startswith(("at ", "..."))]
    return f"{type(error).__name__}: " + " ".join(lines[:3])[:2000]


def run(spark: SparkSession, args: argparse.Namespace) -> int:
    """Makes the plan; returns the exit code."""
    began, cpu = time.monotonic(), cpu_seconds(spark)
    with tempfile.TemporaryDirectory(prefix="plan-") as scratch:
        plan = Plan(spark, args, scratch)
        try:
            manifest = plan.make()
            plan.report["seconds"] = round(time.monotonic() - began, 1)
            if cpu is not None:
                plan.report["cpuSeconds"] = round(cpu_seconds(spark) - cpu, 1)
            if args.report:
                plan.files.write(args.report, json.dumps(plan.report, indent=1).encode())
        except Refused as e:
            print(f"error: {e}", file=sys.stderr)
            return e.code
        except Exception as e:  # Spark's, py4j's, boto3's: no plan was made, and its manifest not written
            print(f"error: {args.out} was not made: {reason_of(e)}", file=sys.stderr)
            return 1
        finally:
            spark.catalog.clearCache()
    show(manifest)
    return 0


def main() -> None:
    args = arguments(sys.argv[1:])
    spark = start_spark(args)
    code = run(spark, args)
    spark.stop()
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
