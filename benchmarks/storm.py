"""Let many hosts change within a minute, through AWS's limits, and count the calls that this takes.

Beside it stands what AWS's sample does for each request, with AWS's own library and its retries: it lists the record
set and then changes it (https://github.com/awslabs/route53-dynamic-dns-with-lambda).
"""

import re
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.endpoint import served, update_path
from benchmarks.hosts import OTHER, SECRET, fill, name_of
from benchmarks.interleaved import Row
from ddns_updater.app.factories import open_hosts
from ddns_updater.history.hosts import SqlHosts
from tests.support.aws import Call, FakeAws, Fault
from tests.support.aws_limits import Limits
from tests.support.database import Database

_LATENCY, _IN_SYNC_AFTER = 0.3, 4.0  # seconds
_SETTLE = 180  # seconds
_CHANGE = "ChangeResourceRecordSets"


class Storm:
    """Hosts that ask one after the other, and when Route 53 has taken their changes."""

    def __init__(self, aws: FakeAws, names: Sequence[str], seconds: float) -> None:
        aws.reset()
        self.zone = aws.zone()
        self.limits = Limits(aws, latency=_LATENCY, in_sync_after=_IN_SYNC_AFTER)
        self._aws, self._names, self._seconds = aws, names, seconds
        self._asked_at: dict[str, float] = {}
        self._taken_at: dict[str, float] = {}
        self._limit, aws.limit = aws.limit, self._answer

    def _answer(self, call: Call, fault: Fault) -> bytes:
        if "HTTP_X_AMZ_TARGET" in call.environ:  # DynamoDB has other limits
            return fault(call)
        answer = self._limit(call, fault)
        if call.operation == _CHANGE and call.status.startswith("200"):
            for name in re.findall(r"<Name>([^<]*?)\.?</Name>", call.body):
                self._taken_at.setdefault(name, time.monotonic())
        return answer

    def blow(self, ask: Callable[[str], object]) -> None:
        """Let each host ask, spread over the time."""
        start = time.monotonic()
        for number, name in enumerate(self._names):
            time.sleep(max(start + self._seconds * number / len(self._names) - time.monotonic(), 0))
            self._asked_at[name] = time.monotonic()
            ask(name)

    @property
    def calls(self) -> Counter[str]:
        return self._aws.count()

    def told(self) -> str:
        """Return how many calls were refused, how many hosts are published, and how long that took."""
        took = sorted(at - self._asked_at[name] for name, at in self._taken_at.items())
        p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
        refused = sum(self.limits.refused.values()) + sum(self.limits.busy.values())
        return f"{refused} refused, {len(took):,} of {len(self._names):,} taken, p50 {p50:.1f} s, p99 {p99:.1f} s"


def rows(database: Database, folder: Path, digits: int, seconds: float) -> Iterator[Row]:
    """Let 10**`digits` hosts change within so many seconds, in both ways, and yield the rows of the table."""
    names = [name_of(number) for number in range(10**digits)]
    aws = FakeAws()
    try:
        one_by_one = Storm(aws, names, seconds)
        _as_the_sample(aws, one_by_one)
        theirs, told = one_by_one.calls.total(), one_by_one.told()
        yield f"{len(names):,} hosts in {seconds:g} s, one change a request, calls", f"{theirs:,}", "", "", told
        storm = Storm(aws, names, seconds)
        _as_serve(database, aws, folder, digits, storm)
        ours = storm.calls
        what = f"{len(names):,} hosts in {seconds:g} s, serve"
        by_operation = ", ".join(f"{number} {operation}" for operation, number in sorted(ours.items()))
        yield f"{what}, calls", f"{ours.total():,}", "", "", by_operation
        yield f"{what}, calls of one change a request / calls", f"{theirs / ours.total():.1f}", "", "", storm.told()
    finally:
        aws.stop()


def _as_serve(database: Database, aws: FakeAws, folder: Path, digits: int, storm: Storm) -> None:
    database.create_tables()
    with open_hosts(database.settings()) as hosts:
        assert isinstance(hosts, SqlHosts)
        fill(hosts.history, digits, storm.zone)
        with served(database, aws, folder) as (port, _):
            connection = HTTPConnection("127.0.0.1", port)

            def ask(name: str) -> None:
                login = b64encode(f"{name}:{SECRET}".encode()).decode()
                path = update_path(OTHER).format(name=name)
                connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
                answer = connection.getresponse().read()
                assert answer.startswith(b"good"), answer

            storm.blow(ask)
            end = time.monotonic() + _SETTLE
            while hosts.count_due()[0]:
                assert time.monotonic() < end
                time.sleep(0.5)


def _as_the_sample(aws: FakeAws, storm: Storm) -> None:
    # In the mode "standard" all hosts would share one quota of retries; each run of the sample has a client of its own.
    retries = Config(retries={"mode": "legacy", "max_attempts": 4})
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    sdk: Any = boto3  # the stubs do not know keys in a mapping
    client = sdk.client("route53", endpoint_url=aws.url, region_name="us-east-1", config=retries, **keys)

    def change(name: str) -> None:
        record = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": OTHER}]}
        try:
            client.list_resource_record_sets(
                HostedZoneId=storm.zone, StartRecordName=name, StartRecordType="A", MaxItems="2"
            )
            changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
            client.change_resource_record_sets(HostedZoneId=storm.zone, ChangeBatch={"Changes": changes})
        except (BotoCoreError, ClientError):
            pass  # the device asks again much later

    with ThreadPoolExecutor(50) as threads:
        storm.blow(lambda name: threads.submit(change, name))
