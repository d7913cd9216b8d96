"""Print what ddns costs, as ratios within one run: `python -m benchmarks [--quick]`, on loopback only.

Each ratio is the median of the ratios within each round, with its quartiles. Commands are compared by CPU time; queries
by wall time, as the server does half of their work. "1,000 x 10" is a table with 10 versions of each of 1,000 origins.

Other programs stand beside ddns where they are there: ddclient and the AWS CLI on the usual paths, and NewFuture/DDNS
after `python3 -m venv .venv/newfuture && .venv/newfuture/bin/pip install ddns`.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pymysql

from benchmarks import functions, storm
from benchmarks.commands import Commands
from benchmarks.endpoint import Endpoint
from benchmarks.interleaved import HEADER, Row
from benchmarks.rows import rows
from ddns_updater.history.url import MySqlUrl, SqliteUrl
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.mysqld import MySqlServer


def main() -> None:
    """Start the servers, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Print what ddns costs, as ratios.")
    parser.add_argument("--quick", action="store_true", help="use few repetitions and rows")
    quick = parser.parse_args().quick
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped, too
    for key in list(os.environ):
        if key.startswith(("AWS_", "DDNS_")) or key.lower().endswith("_proxy"):
            del os.environ[key]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _print(list(_measure(stack, folder, quick)))


def _measure(stack: ExitStack, folder: Path, quick: bool) -> Iterator[Row]:
    server = MySqlServer(folder)
    stack.callback(server.stop)
    aws = FakeAws()
    stack.callback(aws.stop)
    databases = [f"rows{number}" for number in range(4)]
    with closing(pymysql.connect(host="127.0.0.1", port=server.port, user="tester", password="tester")) as admin:
        for name in ("bench", "hosts", *databases):
            admin.cursor().execute(f"CREATE DATABASE {name}")
    home = folder / "home"
    home.mkdir()
    commands = Commands(home, aws, f"{server.url}bench")
    yield from commands.rows(2 if quick else 60)
    rounds, digits = (2, 4) if quick else (100, 6)
    yield from rows("SQLite", [SqliteUrl(folder / name) for name in databases], rounds, digits)
    mysql = [MySqlUrl("127.0.0.1", server.port, "tester", "tester", name) for name in databases]
    yield from rows("MySQL", mysql, rounds, digits)
    yield from commands.long_history(f"sqlite:///{folder}/{databases[1]}", 10 ** min(digits, 5))
    yield from commands.first_publication(1000)
    yield from commands.checks(100 if quick else 10_000)
    yield from commands.warm_ec2(20 if quick else 200)
    yield from _endpoint(folder, f"{server.url}hosts", aws, quick)
    yield from functions.rows(folder, *((20, 3, (2, 3)) if quick else (200, 5, (3, 20))))


def _endpoint(folder: Path, mysql_url: str, aws: FakeAws, quick: bool) -> Iterator[Row]:
    requests, rounds, digits = (500, 2, 4) if quick else (5000, 7, 5)
    aws.reset()  # another zone has the same name
    zone_id = aws.zone()
    for database in (Database("sqlite", f"sqlite:///{folder}/hosts.sqlite3"), Database("mysql", mysql_url)):
        yield from Endpoint(database, aws, zone_id, folder, digits).rows(requests, rounds)
    storm_of = Database("sqlite", f"sqlite:///{folder}/storm.sqlite3")
    yield from storm.rows(storm_of, folder, *((2, 5) if quick else (3, 50)))


def _print(table: list[Row]) -> None:
    lines = [HEADER, *table]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
