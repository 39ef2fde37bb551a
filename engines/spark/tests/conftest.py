"""One Spark session for all tests: starting one takes longer than most of them."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
# Spark's Python workers import what they run.
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2] + [os.environ.get("PYTHONPATH", "")])
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REQUEST_CHECKSUM_CALCULATION="when_required",
)  # bodies as they are, for the tests' server

import plan  # noqa: E402


@pytest.fixture(scope="session")
def spark():
    args = plan.arguments(
        [
            "--inventory",
            "-",
            "--out",
            "-",
            "--conf",
            "spark.master=local[2]",
            "--conf",
            "spark.driver.memory=1g",
            "--conf",
            "spark.sql.shuffle.partitions=2",
            # Not UTC: ORC's times must be read alike everywhere.
            "--conf",
            "spark.driver.extraJavaOptions=-Duser.timezone=Asia/Tokyo -XX:TieredStopAtLevel=1",
        ]
    )
    session = plan.start_spark(args)
    yield session
    session.stop()


@pytest.fixture
def make(spark, tmp_path, capsys):
    """Makes a plan in `tmp_path/out` by options; returns the exit code, the folder and what was told."""

    def make(*options, out="out"):
        folder = tmp_path / out
        code = plan.run(spark, plan.arguments(["--out", str(folder), *map(str, options)]))
        return code, folder, capsys.readouterr()

    return make
