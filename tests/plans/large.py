"""The plans of a large bucket by listing, by Spark and by SQL: their rows compared, and what each took.

`cargo xtask plans --versions N` runs it. The machine needs memory and disk for three plans.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Callable, List, NamedTuple

import inventory
import opinion
from conftest import BUCKET, PROGRAMS, ROOT, SPARK, Server
from listing import versions

# How often the memory of a program is looked at, seconds.
PAUSE = 0.2
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Took(NamedTuple):
    """What a program, and all that it started, took."""

    seconds: float
    # Processor time, seconds; of what lives for less than a pause, nothing.
    cpu: float
    # The most memory that all had at a moment, MiB, shared pages counted once a process.
    peak_mib: float


def measure(command: List[object], environment: dict) -> Took:
    """Runs a program to its end."""
    words = [str(word) for word in command]
    begin = time.monotonic()
    # A session of its own: whatever it starts belongs to it.
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        cpu, peak = watch(process.pid, lambda: process.poll() is None)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed ({process.returncode})")
    return Took(time.monotonic() - begin, cpu, peak)


def watch(session: int, goes_on: Callable[[], bool]) -> tuple:
    """Processor seconds and the most memory, MiB, of the processes of a session."""
    cpu, peak = {}, 0
    while goes_on():
        memory = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                # It has ended.
                continue
            if int(fields[3]) == session:
                # By proc(5): utime, stime, starttime, rss.
                cpu[path, fields[19]] = (int(fields[11]) + int(fields[12])) / TICKS
                memory += int(fields[21]) * PAGE
        peak = max(peak, memory)
        time.sleep(PAUSE)
    return sum(cpu.values()), peak / 2**20


def tell(what: str, took: Took, rows: int) -> None:
    """A line of the result."""
    each = took.cpu / rows * 1e6
    print(
        f"{what:<40} {took.seconds:8.0f} s {each:8.2f} µs CPU a version {took.peak_mib:8.0f} MiB",
        flush=True,
    )


def write_inventory(endpoint: str, out: Path) -> Path:
    """The inventory, with what it took this program."""
    begin, before = time.monotonic(), time.process_time()
    manifest = inventory.write(versions(endpoint, BUCKET), BUCKET, out, "Parquet")
    seconds, cpu = time.monotonic() - begin, time.process_time() - before
    print(f"the inventory is written: {seconds:.0f} s, {cpu:.0f} s CPU", flush=True)
    return manifest


def count_different_events(server: Server, ways: List[List[object]]) -> int:
    """Sends two plans into pipes, and counts the lines that differ in more than the job."""
    with ExitStack() as stack:
        pipes = []
        for way in ways:
            state = stack.enter_context(tempfile.TemporaryDirectory())
            program = PROGRAMS / "s3-sqs-bridge"
            command = [program, "reseed", "--state", state, "--bucket", BUCKET]
            command += ["--out", "-", *way]
            process = subprocess.Popen(
                [str(word) for word in command],
                env=server.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            pipes.append(stack.enter_context(process).stdout)
        of_job = re.compile(rb'"jobId":"[^"]*"')
        pairs = zip_longest(*pipes, fillvalue=b"")
        return sum(of_job.sub(b"", one) != of_job.sub(b"", other) for one, other in pairs)


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", required=True, type=int)
    rows = parser.parse_args().versions
    local = ROOT / ".local"
    local.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=local)))
        command = [PROGRAMS / "load-server", "--shape", "every-kind", "--versions", str(rows)]
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(process.terminate)
        server = Server(process.stdout.readline().strip())

        program = PROGRAMS / "s3-sqs-bridge"
        listing = [program, "reseed", "--bucket", BUCKET, "--dry-run", "--state", folder / "state"]
        tell("by listing", measure(listing, server.environment), rows)
        (listed_plan,) = (folder / "state/jobs").iterdir()

        manifest = write_inventory(server.endpoint, folder / "inventory")
        spark_plan = folder / "spark"
        spark = [sys.executable, SPARK, "--inventory", manifest, "--out", spark_plan]
        spark += ["--bucket", BUCKET, "--endpoint-url", server.endpoint]
        tell("by Spark, of its inventory", measure(spark, server.environment), rows)

        compared = [sys.executable, opinion.__file__, "--inventory", manifest]
        compared += ["--endpoint-url", server.endpoint, "--plan", listed_plan, "--plan", spark_plan]
        tell("by SQL, and both compared: same rows", measure(compared, server.environment), rows)

        planned = ["--plan", spark_plan / "manifest.json"]
        different = count_different_events(server, [[], planned])
        print(f"events of Spark's plan that are not the listing's: {different}")
        return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
