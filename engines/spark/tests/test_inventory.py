"""Plans from S3 Inventory: the same rows as the bucket's listing gives."""

import gzip
import hashlib
import json
import pathlib
import random

import plan
import pyarrow.parquet
import pytest
from bucket import Server, Version, naive_plan, planned, write_inventory

V = Version
DAY = 86_400
# Of each key oldest first, as the bucket has them.
BUCKET = {
    "plain": [V("plain", "p1", 100), V("plain", "p2", 200, size=7)],
    "deleted/a b+c%.txt": [V("", "d1", 150), V("", "d2", 160, marker=True)],
    "日本/é": [V("", "null", 120, etag="e-2", parts=True)],
    # Of one second: which is the latest decides.
    "pair": [V("", "z-older", 300), V("", "a-newer", 300, marker=True)],
    # Of one second, and the inventory does not tell: listed.
    "tie": [V("", "t1", 310), V("", "t3", 310, marker=True), V("", "t2", 310), V("", "t4", 311)],
    # An upload in parts that began first and ended last of three: the bucket has it behind w1.
    "parts": [V("", "w1", 330), V("", "m", 320, etag="e-9", parts=True), V("", "w2", 340)],
    "parts-after": [V("", "only-its-name-begins-so", 1)],
    # The latest is an upload in parts that began before the one below it.
    "late": [V("", "l1", 400), V("", "l2", 390, parts=True, etag="e-3")],
    # The same with two below it: their times are no proof.
    "later": [V("", "b1", 420), V("", "b2", 410), V("", "b3", 400, parts=True, etag="e-3")],
    # An upload in parts long before the next version.
    "old": [V("", "o1", 500, parts=True), V("", "o2", 500 + 8 * DAY), V("", "o3", 500 + 8 * DAY)],
}


@pytest.mark.parametrize("kind", ["CSV", "ORC", "Parquet"])
def test_each_format_gives_the_rows_of_the_listing(kind, make, tmp_path):
    manifest = write_inventory(tmp_path, BUCKET, kind, shuffle=random.Random(kind))
    with Server(BUCKET, most=2, fails=1) as server:
        code, folder, told = make(
            "--inventory",
            manifest,
            "--bucket",
            "b",
            "--endpoint-url",
            server.url,
            "--rows-a-run",
            5,
            "--report",
            tmp_path / "report.json",
        )
    assert code == 0, told.err
    assert planned(folder) == naive_plan(BUCKET)
    assert set(server.asked) == {"tie", "parts", "later"}
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ties"] == {"how": "list", "keys": 3, "versions": 10, "listed": 10, "gone": 0}
    assert (report["rows"], report["keys"], report["events"]) == (23, 10, 23)
    written = json.loads((folder / "manifest.json").read_text())
    assert written["version"] == 1 and written["bucket"] == "b" and written["madeBy"] == "engines/spark/plan.py"
    assert [run["name"] for run in written["runs"]] == [f"runs/{n:05d}.parquet" for n in range(len(written["runs"]))]
    assert len(written["runs"]) > 2
    assert written["summary"] == {
        "events": 23,
        "created": 20,
        "removed": 3,
        "bytes": 26,
        "byMonth": {"1970-01": 23},
        "first": "1970-01-01T00:00:01.000Z",
        "last": "1970-01-09T00:08:20.000Z",
    }
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "runs"]


def test_a_run_is_as_the_bridge_reads_it(make, tmp_path):
    manifest = write_inventory(
        tmp_path, {"k": [V("", f"{n:032}", n, etag=f"{n:032x}") for n in range(1, 30_001)]}, "Parquet"
    )
    code, folder, told = make("--inventory", manifest)
    assert code == 0, told.err
    file = pyarrow.parquet.ParquetFile(folder / "runs/00000.parquet")
    # crates/history/src/plan/run.rs
    optional = {"size", "etag"}
    names = [
        "effective_time",
        "key",
        "rank",
        "version_id",
        "last_modified",
        "is_delete_marker",
        "is_latest",
        "size",
        "etag",
    ]
    assert file.schema.names == names
    for n, name in enumerate(names):
        column = file.schema.column(n)
        assert (column.max_definition_level, column.max_repetition_level) == (int(name in optional), 0), name
    kinds = [file.schema.column(n).physical_type for n in range(9)]
    assert kinds == ["INT64", "BYTE_ARRAY", "INT64", "BYTE_ARRAY", "INT64", "BOOLEAN", "BOOLEAN", "INT64", "BYTE_ARRAY"]
    assert "isAdjustedToUTC=true, timeUnit=milliseconds" in str(file.schema.column(0).logical_type)
    groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
    assert all(group.num_rows <= 10_000 for group in groups) and len(groups) > 2
    for group in groups:
        assert group.column(0).statistics.has_min_max
        assert {group.column(n).compression for n in range(9)} == {"SNAPPY"}
        used = {encoding for n in range(9) for encoding in group.column(n).encodings}
        assert used <= {"PLAIN", "RLE", "BIT_PACKED"}, used


def random_bucket(seed: int) -> dict:
    rng = random.Random(seed)
    bucket = {}
    for number in range(60):
        key = rng.choice(["a", "a/", "b b", "é", "𝄞", "~", "A"]) + str(number)
        second, versions = rng.randrange(1, 50), []
        for n in range(rng.randrange(1, 7)):
            parts = rng.random() < 0.15
            # An upload in parts began some time before it is listed.
            time = max(1, second - rng.randrange(40)) if parts else second
            versions.append(
                V(
                    "",
                    f"{rng.randrange(10**6)}-{n}",
                    time,
                    rng.random() < 0.2 and not parts,
                    rng.randrange(100),
                    "e-2" if parts else "e",
                    parts,
                )
            )
            second += rng.choice([0, 0, 1, 30])
        bucket[key] = versions
    return bucket


@pytest.mark.parametrize("seed", [1, 2])
def test_any_bucket_gives_the_plan_made_plainly(seed, make, tmp_path):
    bucket = random_bucket(seed)
    kind = "Parquet" if seed % 2 else "CSV"
    manifest = write_inventory(
        tmp_path, bucket, kind, shuffle=random.Random(seed), without=("ismultipartuploaded",) if seed % 2 else ()
    )
    with Server(bucket, most=3) as server:
        code, folder, told = make("--inventory", manifest, "--endpoint-url", server.url, "--rows-a-run", 50)
    assert code == 0, told.err
    assert planned(folder) == naive_plan(bucket)
    assert len(server.asked) < 3 * len(bucket)


def test_keys_are_sorted_by_their_bytes(make, tmp_path):
    bucket = {key: [V("", "1", 5)] for key in ["𝄞", "ﬀ", "z", "é", "Z", "a\u0001", "a"]}
    # UTF-8 order is not that of UTF-16, in which U+FB00 is behind U+1D11E.
    code, folder, told = make("--inventory", write_inventory(tmp_path, bucket, "CSV"))
    assert code == 0, told.err
    assert [row[1].decode() for row in planned(folder)] == ["Z", "a", "a\u0001", "z", "é", "ﬀ", "𝄞"]


def test_a_key_is_taken_as_the_bucket_has_it_now_up_to_the_inventory(make, tmp_path):
    """What came later, or is gone for good, is as a listing would have it."""
    inventoried = {
        "k": [V("", "1", 10), V("", "2", 10), V("", "3", 10), V("", "4", 20)],
        "gone": [V("", str(n), 9) for n in "123"],
    }
    now = {"k": [V("", "2", 10), V("", "1", 10), V("", "4", 20), V("", "5", 30)]}
    with Server(now) as server:
        code, folder, told = make(
            "--inventory", write_inventory(tmp_path, inventoried, "ORC"), "--endpoint-url", server.url
        )
    assert code == 0, told.err
    assert planned(folder) == [row for row in naive_plan(now) if row[3] != "5"]
    assert "1 of these keys are gone" in told.err


def test_filters_choose_as_reseed_does(spark, make, tmp_path):
    # As crates/history/src/scan/filter.rs tests it; times in seconds.
    bucket = {
        "a/changed": [V("", "c1", 10), V("", "c2", 30)],
        "a/deleted": [V("", "d1", 10), V("", "d2", 30, marker=True)],
        "a/new": [V("", "n1", 30)],
        "a/undeleted": [V("", "u1", 10), V("", "u2", 20, marker=True), V("", "u3", 30)],
    }
    time = "1970-01-01T00:00:{}Z".format
    manifest = write_inventory(
        tmp_path, {**bucket, "b/deleted": [V("", "o1", 10)], "a/other": [V("", "o2", 10)]}, "Parquet"
    )
    options = ["--prefix", "a/", "--suffix", "ed", "--current-only", "--until", time(20)]
    code, folder, told = make("--inventory", manifest, *options)
    assert code == 0, told.err
    rows = planned(folder)
    assert [row[3] for row in rows] == ["c1", "d1", "u1"]
    assert set(rows) <= set(naive_plan(bucket)), "positions do not depend on what is chosen"
    fields = "key string, id string, effective_time long, is_delete_marker boolean, next_time long"
    times = {row[3]: int(row[0].timestamp()) * 1000 for row in naive_plan(bucket)}
    rows = [
        (key, version.id, times[version.id], version.marker, times[after.id] if after else None)
        for key, versions in bucket.items()
        for version, after in zip(versions, [*versions[1:], None])
    ]
    rows = spark.createDataFrame(rows, fields).coalesce(1).cache()
    for options, expected in [
        (["--current-only", "true", "--until", time(25)], "c1 d1"),
        (["--current-only"], "c2 n1 u3"),
        (["--current-only", "--from", time(20), "--until", time(30)], ""),
        (["--from", time(20), "--until", time(30)], "u2"),
        (["--events", "removed"], "d2 u2"),
        (["--events", "created", "--from", time(30)], "c2 n1 u3"),
        (["--until", time(10)], ""),
    ]:
        args = plan.arguments(["--inventory", "-", "--out", "-", *options])
        assert [row.id for row in rows.filter(plan.chosen(args)).collect()] == expected.split(), options


def test_a_plan_of_nothing_has_no_runs(make, tmp_path):
    manifest = write_inventory(tmp_path, {"k": [V("", "1", 10)]}, "CSV")
    code, folder, told = make("--inventory", manifest, "--prefix", "other")
    assert code == 0, told.err
    assert json.loads((folder / "manifest.json").read_text())["runs"] == []


def test_without_a_file_system_for_s3_files_are_brought_and_sent(spark, make, tmp_path):
    bucket = {"k": [V("", "1", 10), V("", "2", 10), V("", "3", 11)]}
    manifest = pathlib.Path(write_inventory(tmp_path, bucket, "ORC")).relative_to(tmp_path)
    with Server(bucket) as server:
        for path in (tmp_path / "inv").rglob("*.*"):
            if path.is_file():
                server.objects[f"/d/{path.relative_to(tmp_path)}"] = path.read_bytes()
        options = ["--inventory", f"s3://d/{manifest}", "--out", "s3://d/plans/1", "--endpoint-url", server.url]
        code, _, told = make(*options)
        assert code == 0, told.err
        for name, data in server.objects.items():
            if name.startswith("/d/plans/1/"):
                to = tmp_path / name.removeprefix("/d/plans/1/")
                to.parent.mkdir(exist_ok=True)
                to.write_bytes(data)
        assert planned(tmp_path) == naive_plan(bucket)
        code, _, told = make(*options)
        assert code == 2 and "name another folder" in told.err


def test_files_of_a_cluster_are_read_and_written_by_spark(make, tmp_path, monkeypatch):
    bucket = {"k": [V("", "1", 10), V("", "3", 11)]}
    manifest = write_inventory(tmp_path, bucket, "CSV")
    text = json.loads(pathlib.Path(manifest).read_text())
    for file in text["files"]:
        file["key"] = f"{tmp_path}/{file['key']}".lstrip("/")
    pathlib.Path(manifest).write_text(json.dumps({**text, "destinationBucket": ""}))
    monkeypatch.setattr(plan, "local", lambda uri: None)
    code, _, told = make("--inventory", f"file://{manifest}", "--out", f"file://{tmp_path}/out")
    assert code == 0, told.err
    assert planned(tmp_path / "out") == naive_plan(bucket)
    assert "sizes, not MD5" in told.err


def test_ties_are_refused_or_marked_where_it_is_asked(make, tmp_path):
    manifest = write_inventory(tmp_path, BUCKET, "ORC")
    code, folder, told = make("--inventory", manifest, "--ties", "refuse")
    assert code == 1 and "the order of 3 keys (10 versions) is not told" in told.err
    assert not (folder / "manifest.json").exists()
    code, folder, told = make("--inventory", manifest, "--ties", "mark")
    assert code == 0, told.err
    summary = json.loads((folder / "manifest.json").read_text())["summary"]
    assert summary["ambiguous"] == {"keys": 3, "first": "later"}
    decided = [row for row in naive_plan(BUCKET) if row[1] not in (b"tie", b"parts", b"later")]
    assert [row for row in planned(folder) if row[1] not in (b"tie", b"parts", b"later")] == decided
    assert [row[3] for row in planned(folder) if row[1] == b"tie"][-1] == "t4"


def test_an_inventory_of_current_versions_is_a_plan_of_these(make, tmp_path):
    bucket = {key: [V("", "null", n + 1)] for n, key in enumerate(["x", "y"])}
    manifest = write_inventory(
        tmp_path, bucket, "CSV", without=("versionid", "islatest", "isdeletemarker", "etag", "size")
    )
    code, folder, told = make("--inventory", manifest)
    assert code == 0, told.err
    assert planned(folder) == [(*row[:-2], None, None) for row in naive_plan(bucket)]
    assert "version ids are not known" in told.err


def test_a_server_that_lists_markers_apart_is_refused(make, tmp_path):
    bucket = {"k": [V("", "1", 10), V("", "2", 10, marker=True), V("", "3", 10), V("", "4", 10, marker=True)]}
    with Server(bucket, apart=True) as server:
        code, _, told = make("--inventory", write_inventory(tmp_path, bucket, "CSV"), "--endpoint-url", server.url)
    assert code == 1 and "otherwise than S3 does" in told.err and "Traceback" not in told.err


def test_what_is_damaged_or_of_another_bucket_is_refused(make, tmp_path):
    manifest = write_inventory(tmp_path, {"k": [V("", "1", 10)]}, "CSV")
    code, _, told = make("--inventory", manifest, "--bucket", "other")
    assert code == 2 and "inventory of the bucket b, --bucket says other" in told.err
    file = tmp_path / "inv/b/all/data/0.csv.gz"
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    code, _, told = make("--inventory", manifest)
    assert code == 1 and "0.csv.gz has the MD5" in told.err
    file.write_bytes(data[:-1])
    code, folder, told = make("--inventory", manifest)
    assert code == 1 and f"has {len(data) - 1} bytes" in told.err
    assert not (folder / "manifest.json").exists()


def test_a_row_without_a_time_is_refused(make, tmp_path):
    manifest = write_inventory(tmp_path, {"k": [V("", "1", 10)], "l": [V("", "1", 11)]}, "CSV")
    text = json.loads(pathlib.Path(manifest).read_text())
    file = tmp_path / text["files"][0]["key"]
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(b"1970-01-01T", b"once upon a ")))
    text["files"][0].update(size=file.stat().st_size, MD5checksum=hashlib.md5(file.read_bytes()).hexdigest())
    pathlib.Path(manifest).write_text(json.dumps(text))
    code, _, told = make("--inventory", manifest)
    assert code == 1 and "1 of 2 rows have no key, or no time" in told.err


def test_a_folder_with_a_plan_is_left_alone(make, tmp_path):
    manifest = write_inventory(tmp_path, {"k": [V("", "1", 10)]}, "CSV")
    assert make("--inventory", manifest)[0] == 0
    code, _, told = make("--inventory", manifest)
    assert code == 2 and "name another folder" in told.err
