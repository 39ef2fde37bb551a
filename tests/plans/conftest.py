"""What the tests share: a server with a bucket of every kind of key, its listing, its inventories, and plans of it.

The programs are those of `cargo build --package bridge-sim --package s3-sqs-bridge`; `PROGRAMS` names another folder
of them. `cargo xtask plans` runs all of this.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest

import inventory
import metadata
from listing import Version, versions

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROGRAMS", ROOT / "target/debug"))
SPARK = ROOT / "engines/spark/plan.py"
# Versions in the bucket.
SIZE = int(os.environ.get("VERSIONS", "20000"))
BUCKET = "load"


def pytest_configure(config: pytest.Config) -> None:
    """The marks of tests."""
    config.addinivalue_line("markers", "java: runs Spark, which needs Java 17")


class Server:
    """A running load server."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": "/dev/null",
        }

    def run(self, command: List[object]) -> str:
        """Runs a program that asks this server; what it writes to its standard output."""
        words = [str(word) for word in command]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr[-5000:]}"
        return done.stdout

    def reseed(self, state: Path, *arguments: object) -> str:
        """Runs a reseed."""
        program = PROGRAMS / "s3-sqs-bridge"
        return self.run([program, "reseed", "--state", state, *arguments])


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The bucket."""
    command = [PROGRAMS / "load-server", "--shape", "every-kind", "--versions", str(SIZE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield Server(process.stdout.readline().strip())
        process.terminate()


@pytest.fixture(scope="session")
def listing(server: Server) -> List[Version]:
    """All that the bucket lists."""
    return list(versions(server.endpoint, BUCKET))


@pytest.fixture(scope="session")
def manifests(
    listing: List[Version], tmp_path_factory: pytest.TempPathFactory
) -> Dict[str, Path]:
    """The bucket's inventories by format. CSV has all columns, the others those that are needed."""
    out = tmp_path_factory.mktemp("inventory")
    every = [column.csv for column in inventory.OPTIONAL]
    columns = {"CSV": every, "ORC": inventory.WANTED, "Parquet": inventory.WANTED}
    return {
        file_format: inventory.write(listing, BUCKET, out, file_format, optional)
        for file_format, optional in columns.items()
    }


@pytest.fixture(scope="session")
def tables(listing: List[Version], tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """Where the metadata of the tables of S3 Metadata is: `journal`, `inventory`."""
    return metadata.write(listing, BUCKET, tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="session")
def listed_plan(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan that the program makes by listing the bucket."""
    state = tmp_path_factory.mktemp("state")
    server.reseed(state, "--bucket", BUCKET, "--dry-run")
    (job,) = (state / "jobs").iterdir()
    return job


@pytest.fixture(scope="session")
def spark(server: Server) -> Callable[..., str]:
    """Makes a plan with Spark."""

    def make(*arguments: object) -> str:
        command = [sys.executable, SPARK, *arguments]
        return server.run([*command, "--bucket", BUCKET, "--endpoint-url", server.endpoint])

    return make
