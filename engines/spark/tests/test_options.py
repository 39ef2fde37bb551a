"""What needs no Spark session: options, manifests, times."""

import json

import plan
import pytest

NEEDED = ["--inventory", "m.json", "--out", "o"]


def test_glue_hands_on_arguments_of_its_own():
    of_glue = [
        "--JOB_ID",
        "j_1",
        "--JOB_RUN_ID",
        "jr_1",
        "--JOB_NAME",
        "plan",
        "--enable-metrics",
        "true",
        "--job-language",
        "python",
        "--TempDir",
        "s3://t/",
        "--extra-py-files",
        "a.zip",
    ]
    args = plan.arguments([of_glue[0], of_glue[1], *NEEDED, *of_glue[2:], "--current-only", "true", "--list-rate", "5"])
    assert (args.inventory, args.out, args.current_only, args.list_rate) == ("m.json", "o", True, 5)


@pytest.mark.parametrize(
    "wrong, told",
    [
        (["--out", "o"], "either --inventory"),
        ([*NEEDED, "--journal", "t", "--bucket", "b"], "either --inventory"),
        (["--out", "o", "--journal", "t"], "--bucket is needed"),
        ([*NEEDED, "--until", "yesterday"], "is not a time like 2024-05-01T12:00:00Z"),
        ([*NEEDED, "--until", "2024-05-01T12:00:00"], "is not a time like"),
        ([*NEEDED, "--current", "true"], "unrecognized arguments: --current"),
        ([*NEEDED, "--TempDir", "s3://t/"], "unrecognized arguments: --TempDir"),
        ([*NEEDED, "--list-rate", "0"], "above 0"),
        ([*NEEDED, "--conf", "x"], "is not KEY=VALUE"),
    ],
)
def test_wrong_options_are_refused_with_code_2(wrong, told, capsys):
    with pytest.raises(SystemExit) as refused:
        plan.arguments(wrong)
    assert refused.value.code == 2
    assert told in capsys.readouterr().err


def test_times_are_milliseconds():
    assert plan.time_of("2024-05-01T12:00:00.007Z") == 1_714_564_800_007
    assert plan.time_of("2024-05-01T14:00:00+02:00") == 1_714_564_800_000
    assert plan.text_of(1_714_564_800_007) == "2024-05-01T12:00:00.007Z"
    assert plan.text_of(-1) == "1969-12-31T23:59:59.999Z"


MANIFEST = {"sourceBucket": "b", "fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate", "files": []}


@pytest.mark.parametrize(
    "change, told",
    [
        ({"fileFormat": "JSON"}, "known are CSV, ORC, Parquet"),
        ({"fileSchema": "Bucket, Key"}, "no column lastmodifieddate"),
        ({"fileSchema": "Key, LastModifiedDate, VersionId"}, "not IsDeleteMarker"),
        ({"files": [{"key": "k", "size": "many", "MD5checksum": ""}]}, "is not the manifest.json"),
        ({"files": [{"key": "k"}]}, "is not the manifest.json"),
    ],
)
def test_a_manifest_that_says_too_little_is_refused(change, told):
    with pytest.raises(plan.Refused, match=told) as refused:
        plan.read_manifest(json.dumps({**MANIFEST, **change}).encode(), "m.json", None)
    assert refused.value.code == 2


def test_the_schema_of_each_format_names_its_columns():
    # Source: Amazon S3 User Guide, "Locating your inventory list".
    for kind, schema in [
        ("CSV", "Bucket, Key, VersionId"),
        ("ORC", "struct<bucket:string,key:string,version_id:string>"),
        (
            "Parquet",
            "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); "
            "optional binary version_id (UTF8);}",
        ),
    ]:
        assert [plan.plain(name) for name in plan.schema_columns(kind, schema)] == ["bucket", "key", "versionid"]


def test_data_files_lie_in_the_bucket_that_the_manifest_names():
    manifest = {
        "destinationBucket": "arn:aws:s3:::d",
        "files": [{"key": "p/data/1.orc", "size": 1, "MD5checksum": "0"}],
    }
    assert plan.data_files(manifest, "s3://d/p/manifest.json") == [("s3://d/p/data/1.orc", 1, "0")]
