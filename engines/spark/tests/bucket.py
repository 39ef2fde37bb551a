"""A bucket whose listing order is known, its plan made plainly, its inventories, and a server that lists it."""

import gzip
import hashlib
import json
import os
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote_plus, urlsplit
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet


@dataclass(frozen=True)
class Version:
    """As the bucket lists it; `second` is its LastModified."""

    key: str
    id: str
    second: int
    marker: bool = False
    size: int = 1
    etag: str = "0a"
    parts: bool = False


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, timezone.utc)


def naive_plan(bucket: dict) -> list[tuple]:
    """Rows of the plan: `bucket` has of each key the versions, oldest first."""
    rows = []
    for key, versions in bucket.items():
        latest = 0
        for rank, version in enumerate(versions):
            latest = max(latest, version.second)
            marker = version.marker
            rows.append(
                (
                    at(latest),
                    key.encode(),
                    rank,
                    version.id,
                    at(version.second),
                    marker,
                    rank == len(versions) - 1,
                    None if marker else version.size,
                    None if marker else version.etag,
                )
            )
    return sorted(rows, key=lambda row: row[:3])


def planned(folder) -> list[tuple]:
    """The rows of a plan's runs, one behind the other."""
    manifest = json.loads((folder / "manifest.json").read_text())
    rows = []
    for run in manifest["runs"]:
        assert (folder / run["name"]).stat().st_size == run["bytes"]
        table = pyarrow.parquet.read_table(folder / run["name"])
        found = [tuple(row.values()) for row in table.to_pylist()]
        assert len(found) == run["rows"]
        for end, row in (("first", found[0]), ("last", found[-1])):
            millis = row[0].strftime("%Y-%m-%dT%H:%M:%S.") + f"{row[0].microsecond // 1000:03d}Z"
            assert run[end] == {"effectiveTime": millis, "key": row[1], "rank": row[2]}
        rows += found
    return [(row[0], row[1].encode(), *row[2:]) for row in rows]


FIELDS = {
    "CSV": [
        "Bucket",
        "Key",
        "VersionId",
        "IsLatest",
        "IsDeleteMarker",
        "Size",
        "LastModifiedDate",
        "ETag",
        "IsMultipartUploaded",
        "SomethingNew",
    ],
    "ORC": [
        "bucket",
        "key",
        "version_id",
        "is_latest",
        "is_delete_marker",
        "size",
        "last_modified_date",
        "e_tag",
        "is_multipart_uploaded",
        "something_new",
    ],
}
FIELDS["Parquet"] = FIELDS["ORC"]
KINDS = [
    pa.string(),
    pa.string(),
    pa.string(),
    pa.bool_(),
    pa.bool_(),
    pa.int64(),
    None,
    pa.string(),
    pa.bool_(),
    pa.string(),
]


def write_inventory(root, bucket: dict, kind: str, without=(), shuffle=None, ids=True) -> str:
    """An inventory of two files in `root`, which stands for the destination bucket; the path of its manifest."""
    rows = []
    for key, versions in bucket.items():
        for version in versions:
            marker = version.marker
            rows.append(
                (
                    "b",
                    key,
                    version.id if ids else None,
                    version is versions[-1],
                    marker,
                    None if marker else version.size,
                    at(version.second),
                    None if marker else version.etag,
                    version.parts,
                    "x",
                )
            )
    names = list(FIELDS[kind])
    order = [i for i in range(len(names)) if names[i].replace("_", "").lower() not in without]
    if shuffle:
        shuffle.shuffle(rows)
        shuffle.shuffle(order)  # columns are told by the schema, not by their place
    os.makedirs(root / "inv/b/all/data", exist_ok=True)
    files = []
    for number, part in enumerate((rows[::2], rows[1::2])):
        name = f"inv/b/all/data/{number}.{kind.lower()}"
        if kind == "CSV":
            data = "".join(",".join(f'"{csv_value(i, row[i])}"' for i in order) + "\n" for row in part)
            (root / name).write_bytes(gzip.compress(data.encode()))
            os.rename(root / name, root / f"{name}.gz")
            name += ".gz"
        else:
            time = pa.timestamp("ms", tz="UTC") if kind == "Parquet" else pa.timestamp("ms")
            columns = {
                names[i]: pa.array(
                    [row[i].replace(tzinfo=None) if i == 6 and kind == "ORC" else row[i] for row in part],
                    KINDS[i] or time,
                )
                for i in order
            }
            writer = pyarrow.parquet.write_table if kind == "Parquet" else pyarrow.orc.write_table
            writer(pa.table(columns), root / name)
        data = (root / name).read_bytes()
        files.append({"key": name, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()})
    names = [names[i] for i in order]
    schema = {
        "CSV": ", ".join(names),
        "ORC": "struct<" + ",".join(f"{name}:string" for name in names) + ">",
        "Parquet": "message s3.inventory { " + " ".join(f"optional binary {name} (UTF8);" for name in names) + " }",
    }
    os.makedirs(root / "inv/b/all/2024-05-02T00-00Z", exist_ok=True)
    manifest = root / "inv/b/all/2024-05-02T00-00Z/manifest.json"
    manifest.write_text(
        json.dumps(
            {
                "sourceBucket": "b",
                "destinationBucket": "arn:aws:s3:::d",
                "version": "2016-11-30",
                "creationTimestamp": "1000",
                "fileFormat": kind,
                "fileSchema": schema[kind],
                "files": files,
            }
        )
    )
    return str(manifest)


def csv_value(column: int, value) -> str:
    if value is None:
        return ""
    if column == 1:
        return quote_plus(value)
    if column == 6:
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return str(value).lower() if isinstance(value, bool) else str(value)


class Server:
    """Lists a bucket as S3 does: keys by their bytes, each key's versions newest first, pages of `most`. Keeps objects
    of other buckets, too."""

    def __init__(self, bucket: dict, most: int = 1000, apart: bool = False, fails: int = 0):
        server = self
        self.asked: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.fails = fails
        entries = [
            (key, version, version is versions[-1])
            for key, versions in sorted(bucket.items(), key=lambda item: item[0].encode())
            for version in reversed(versions)
        ]

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                server.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(200, b"")

            def do_HEAD(self):
                data = server.objects.get(self.path)
                self.answer(404 if data is None else 200, data or b"")

            def do_GET(self):
                ask = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                if self.path in server.objects:
                    self.answer(200, server.objects[self.path])
                elif "list-type" in ask:
                    prefix = f"{urlsplit(self.path).path}/{ask['prefix']}"
                    found = sum(name.startswith(prefix) for name in server.objects)
                    self.answer(200, f"<ListBucketResult><KeyCount>{found}</KeyCount></ListBucketResult>".encode())
                else:
                    self.list_versions(ask)

            def list_versions(self, ask: dict):
                server.asked.append(ask["prefix"])
                if server.fails:
                    server.fails -= 1
                    self.answer(503, b"<Error><Code>SlowDown</Code></Error>")
                    return
                listed = [entry for entry in entries if entry[0].startswith(ask["prefix"])]
                if "key-marker" in ask:
                    after = [(entry[0], entry[1].id) for entry in listed].index(
                        (ask["key-marker"], ask["version-id-marker"])
                    )
                    listed = listed[after + 1 :]
                page = listed[: min(most, int(ask["max-keys"]))]
                if apart:
                    page.sort(key=lambda entry: entry[1].marker)
                text = "".join(map(entry_of, page))
                more = len(page) < len(listed)
                if more:
                    text += (
                        f"<NextKeyMarker>{escape(quote_plus(page[-1][0]))}</NextKeyMarker>"
                        f"<NextVersionIdMarker>{page[-1][1].id}</NextVersionIdMarker>"
                    )
                text = (
                    '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
                    f"<IsTruncated>{str(more).lower()}</IsTruncated>{text}</ListVersionsResult>"
                )
                self.answer(200, text.encode())

            def answer(self, status: int, data: bytes):
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def entry_of(entry) -> str:
    key, version, latest = entry
    kind = "DeleteMarker" if version.marker else "Version"
    facts = "" if version.marker else f"<ETag>&quot;{version.etag}&quot;</ETag><Size>{version.size}</Size>"
    return (
        f"<{kind}><Key>{escape(quote_plus(key))}</Key><VersionId>{version.id}</VersionId>"
        f"<IsLatest>{str(latest).lower()}</IsLatest>"
        f"<LastModified>{at(version.second).strftime('%Y-%m-%dT%H:%M:%S.000Z')}</LastModified>{facts}</{kind}>"
    )
