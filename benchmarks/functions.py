"""Measure the functions for AWS Lambda: a first event, a later one, a storm of hosts, and a long history in the table.

The CPU time is that of the function's process, so the time in which the simulated AWS answers is not in it.
"""

import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from benchmarks.hosts import OTHER, SECRET, name_of
from benchmarks.interleaved import Row
from benchmarks.storm import Storm
from ddns_updater.app.factories import open_history, open_hosts
from ddns_updater.hosts import NewHost
from ddns_updater.model import Family
from tests.support.aws import FakeAws
from tests.support.dynamodb import REGION, dynamodb_environment, dynamodb_settings, make_table, sdk
from tests.support.runtime_api import RuntimeApi

_HANDLER = Path(__file__).with_name("handler.py")
_VERSIONS = Path(__file__).with_name("versions.py")
_NAME = "home.example.com"
_CALLS = 5  # of each kind; moto looks through the whole history in each
_PROCESSES = 4  # of a function, while a storm blows
_SWEEP = {"source": "aws.events"}
_IMAGE = "ami-12c6146b"  # one that moto knows


def rows(folder: Path, count: int, digits: int, storm: tuple[int, float]) -> Iterator[Row]:
    """Measure `count` later events, 10**`digits` versions, and a storm of 10**N hosts within some seconds."""
    aws = FakeAws()
    try:
        environment = {**dynamodb_environment(aws.url), "PYTHONPATH": str(_HANDLER.parents[1]), "HOME": str(folder)}
        os.environ.update(environment)  # the SDK reads it in this process too
        aws.zone()
        make_table(aws.url)
        instance = _launch(aws)
        follows = environment | {"DDNS_IP_SOURCES": f"ec2:{instance}", "DDNS_RECORDS": "follow.example.com"}
        for _ in range(2):  # the second process finds nothing to do
            aws.calls.clear()
            cost = _cost("follow", 1, _SWEEP, follows)
        yield "follow, cold start", f"{cost['first_ms'] / 500:.2f}", "", "1.00", f"{cost['first_ms']:.0f} / 500 ms CPU"
        aws.calls.clear()
        cost = _cost("follow", count, _SWEEP, follows)
        calls = ", ".join(f"{number / (count + 1):.0f} {name}" for name, number in sorted(aws.count().items()))
        figures = f"{cost['warm_ms']:.1f} / 15 ms CPU; {calls}"
        yield "follow, warm run without a change", f"{cost['warm_ms'] / 15:.2f}", "", "1.00", figures
        with open_hosts(dynamodb_settings(aws.url)) as hosts:
            hosts.add(NewHost(_NAME, _NAME, SECRET))
        _cost("endpoint", 1, request(_NAME), environment)
        aws.calls.clear()
        cost = _cost("endpoint", count, request(_NAME), environment)
        calls = ", ".join(f"{number / (count + 1):.1f} {name}" for name, number in sorted(aws.count().items()))
        figures = f"{cost['warm_ms']:.1f} / 10 ms CPU; {calls}"
        yield "endpoint, warm answer without a change", f"{cost['warm_ms'] / 10:.2f}", "", "1.00", figures
        yield from _long_history(aws, environment, 10**digits)
        yield from _storm(aws, environment, *storm)
    finally:
        aws.stop()


def request(name: str) -> dict[str, Any]:
    """Return the event of an update by `name`."""
    login = b64encode(f"{name}:{SECRET}".encode()).decode()
    return {
        "version": "2.0",
        "rawPath": "/nic/update",
        "rawQueryString": f"hostname={name}&myip={OTHER}",
        "headers": {"authorization": f"Basic {login}"},
        "requestContext": {"http": {"method": "GET", "path": "/nic/update", "sourceIp": "192.0.2.1"}},
        "isBase64Encoded": False,
    }


def _launch(aws: FakeAws) -> str:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ec2: Any = boto3.client("ec2", endpoint_url=aws.url, region_name="us-east-1", **keys)  # type: ignore[call-overload]
    instance: str = ec2.run_instances(ImageId=_IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return instance


def _cost(handler: str, count: int, event: dict[str, Any], environment: dict[str, str]) -> dict[str, float]:
    return _run(_HANDLER, [handler, str(count), json.dumps(event)], environment)


def _run(script: Path, arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a script to its end and return the object in its last line."""
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _long_history(aws: FakeAws, environment: dict[str, str], many: int) -> Iterator[Row]:
    """Compare appending a version and reading the latest one among 10 versions and among `many`."""
    costs = {}
    with open_history(dynamodb_settings(aws.url)) as history:
        for number in (10, many):
            origin = history.seed(f"of-{number}", Family.IPV4, ip_address("192.0.2.7"), None)
            _fill(aws.url, f"line#{origin.id}", number)
    for number in (10, 10, many):  # the first one warms the caches of the machine
        aws.calls.clear()
        costs[number] = _run(_VERSIONS, [f"of-{number}", str(_CALLS)], environment), aws.count()
    (few, few_calls), (most, most_calls) = costs[10], costs[many]
    assert few_calls == most_calls, (few_calls, most_calls)
    for what in ("latest", "append"):
        figures = f"{most[what]:.2f} / {few[what]:.2f} ms CPU, and as many calls"
        name = f"{what}, DynamoDB, {many:,} versions / 10 versions"
        yield name, f"{most[what] / few[what]:.2f}", "", "1.20", figures


def _fill(url: str, partition: str, number: int) -> None:
    """Put versions 2 to `number` beside version 1; not through HTTP, where each takes moto milliseconds."""
    key = {"pk": {"S": partition}, "sk": {"S": f"v#{1:08d}"}}
    first = sdk(url).get_item(TableName="ddns", Key=key)["Item"]
    table = dynamodb_backends[ACCOUNT_ID][REGION].get_table("ddns")
    for version in range(2, number + 1):
        table.put_item(first | {"sk": {"S": f"v#{version:08d}"}})


def _storm(aws: FakeAws, environment: dict[str, str], digits: int, seconds: float) -> Iterator[Row]:
    """Let 10**`digits` hosts change through several processes of the function, and sweep until all is verified."""
    names = [name_of(number) for number in range(10**digits)]
    storm = Storm(aws, names, seconds)
    make_table(aws.url)
    settings = dynamodb_settings(aws.url)
    with open_hosts(settings) as hosts, RuntimeApi() as api, ExitStack() as stack:
        for name in names:
            hosts.add(NewHost(name, name, SECRET))
        for _ in range(_PROCESSES):
            stack.enter_context(_process(environment | {"AWS_LAMBDA_RUNTIME_API": api.address}))
        clients = stack.enter_context(ThreadPoolExecutor(_PROCESSES * 4))

        def ask(name: str) -> None:
            answer = api.invoke(request(name))
            assert answer.value["body"].startswith("good"), answer

        aws.calls.clear()
        started = time.monotonic()
        storm.blow(lambda name: clients.submit(ask, name))
        clients.shutdown()
        took = time.monotonic() - started
        while hosts.count_due()[0]:
            api.invoke(_SWEEP)
        calls = {name: number for name, number in aws.count().items() if "Resource" in name or "Hosted" in name}
    what = f"{len(names):,} hosts in {took:.0f} s, {_PROCESSES} processes of the function"
    told = ", ".join(f"{number} {operation}" for operation, number in sorted(calls.items()))
    yield f"{what}, calls of Route 53", f"{sum(calls.values()):,}", "", "", f"{told}; {storm.told()}"


@contextmanager
def _process(environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, str(_HANDLER), "endpoint", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()
