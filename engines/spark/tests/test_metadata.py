"""Plans from S3 Metadata: journal and live inventory."""

import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet
from bucket import Server, Version, naive_plan, planned

V = Version
JOURNAL = pa.schema(
    [
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("sequence_number", pa.string()),
        ("record_type", pa.string()),
        ("record_timestamp", pa.timestamp("us")),
        ("version_id", pa.string()),
        ("is_delete_marker", pa.bool_()),
        ("size", pa.int64()),
        ("last_modified_date", pa.timestamp("us")),
        ("e_tag", pa.string()),
        ("is_multipart", pa.bool_()),
    ]
)
INVENTORY = pa.schema([field for field in JOURNAL if not field.name.startswith("record_")])


def record(number: int, version: Version, kind: str = "CREATE") -> dict:
    time = datetime(1970, 1, 1).replace(minute=version.second // 60, second=version.second % 60)
    row = {
        "bucket": "b",
        "key": version.key,
        "sequence_number": f"00{number:06d}",
        "record_type": kind,
        "record_timestamp": time,
        "version_id": None if version.id == "null" else version.id,
    }
    if kind != "DELETE":
        row.update(
            is_delete_marker=version.marker,
            last_modified_date=time,
            is_multipart=version.parts,
            size=None if version.marker else version.size,
            e_tag=None if version.marker else version.etag,
        )
    return row


def write(path, schema, rows) -> str:
    names = set(schema.names)
    table = pa.Table.from_pylist([{n: v for n, v in row.items() if n in names} for row in rows], schema)
    pyarrow.parquet.write_table(table, path)
    return str(path)


A = [V("a", "a1", 10), V("a", "a2", 10, marker=True), V("a", "a3", 10, size=5), V("a", "a4", 20)]
GONE = V("a", "a0", 10)
NULL = V("n", "null", 5)
TAGGED = [V("t", "t1", 30), V("t", "t2", 31)]
TAGGED_AND_KNOWN = [V("u", "u1", 40), V("u", "u2", 40)]
BUCKET = {"a": A, "n": [NULL], "t": TAGGED, "u": TAGGED_AND_KNOWN}
HELD = [  # the live inventory: as of some time ago
    record(4, A[0]),
    record(5, A[1]),
    record(3, GONE),
    record(1, NULL),
    record(9, TAGGED[0]),
    record(8, TAGGED[1]),  # a tag gave the older one a newer number: listed
    record(14, TAGGED_AND_KNOWN[0]),
    record(12, TAGGED_AND_KNOWN[1]),
]
CHANGES = [  # the journal: it began when some were there, and went on
    record(11, TAGGED_AND_KNOWN[0]),
    record(12, TAGGED_AND_KNOWN[1]),
    record(14, TAGGED_AND_KNOWN[0], "UPDATE_METADATA"),
    record(6, A[2]),
    record(7, A[3]),
    record(15, GONE, "DELETE"),
    record(16, V("z", "z1", 50)),
    record(17, V("z", "z1", 50), "DELETE"),  # came and went in between
]


def test_journal_and_live_inventory_give_the_versions_there_are(make, tmp_path):
    held = write(tmp_path / "held.parquet", INVENTORY, HELD)
    changes = write(tmp_path / "changes.parquet", JOURNAL, CHANGES)
    with Server(BUCKET) as server:
        code, folder, told = make(
            "--live-inventory",
            held,
            "--journal",
            changes,
            "--bucket",
            "b",
            "--endpoint-url",
            server.url,
            "--report",
            tmp_path / "report.json",
        )
    assert code == 0, told.err
    assert planned(folder) == naive_plan(BUCKET)
    assert server.asked == ["t"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["permanentDeletes"] == 2
    assert report["source"] == "S3 Metadata"


def test_a_live_inventory_that_is_an_iceberg_table_is_read_by_its_metadata(make, tmp_path):
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("c", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("b_b")
    table = catalog.create_table("b_b.inventory", schema=INVENTORY)
    bucket = {"a": A, "n": [NULL]}
    for part in ([record(4, A[0]), record(5, A[1]), record(1, NULL)], [record(6, A[2]), record(7, A[3])]):
        names = set(INVENTORY.names)
        table.append(pa.Table.from_pylist([{n: v for n, v in row.items() if n in names} for row in part], INVENTORY))
    code, folder, told = make("--live-inventory", table.metadata_location, "--bucket", "b")
    assert code == 0, told.err
    assert planned(folder) == naive_plan(bucket)


def test_a_journal_alone_is_what_it_saw(make, tmp_path):
    changes = write(tmp_path / "changes.parquet", JOURNAL, CHANGES)
    code, folder, told = make("--journal", changes, "--bucket", "b", "--prefix", "a")
    assert code == 0, told.err
    assert planned(folder) == naive_plan({"a": A[2:]})
    assert "no live inventory" in told.err


def test_a_record_of_an_unknown_kind_is_not_passed_over(make, tmp_path):
    changes = write(tmp_path / "changes.parquet", JOURNAL, [*CHANGES, record(18, A[0], "RENAME")])
    code, _, told = make("--journal", changes, "--bucket", "b")
    assert code == 1 and "RENAME" in told.err
