"""Measure the CPU time of whole commands: the interpreter, the floor, ddns, and comparable programs."""

import json
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import certifi

from benchmarks.interleaved import Row, cpu, peak, ratio, take_turns
from tests.support.aws import FakeAws
from tests.support.mysqld import certificates
from tests.support.services import AddressService, answer, running

_DDNS = str(Path(sysconfig.get_path("scripts")) / "ddns")
_NEWFUTURE = f"{sys.prefix}/newfuture/bin/ddns"  # an environment of its own, as its command has the name of ours
_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_FLOOR = str(Path(__file__).with_name("floor.py"))
_CHECKS = str(Path(__file__).with_name("checks.py"))
_PATH = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin"  # finds an `aws` that is not a shim first


def two_hosts(url: str) -> str:
    """Return `url` as two sources on different hosts, so that a second one can confirm a change."""
    return f"{url},{url.replace('127.0.0.1', 'localhost')}"


class Commands:
    """The commands to measure, with one environment, address service and record for each database engine."""

    def __init__(self, folder: Path, aws: FakeAws, mysql_url: str) -> None:
        """Seed both databases and publish their first versions."""
        self._folder = folder
        self._aws = aws
        self._zone = aws.zone()
        self._clean = {
            "HOME": str(folder),
            "PATH": _PATH,
            "TZ": "UTC",
            "AWS_ACCESS_KEY_ID": _KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": _KEYS["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": aws.url,
        }
        self._services = {"SQLite": AddressService(), "MySQL": AddressService()}
        self._ddns = {
            engine: self._clean
            | {"DDNS_DATABASE_URL": url, "DDNS_IP_SOURCES": two_hosts(self._services[engine].url)}
            | {"DDNS_RECORDS": f"{engine.lower()}.example.com"}
            for engine, url in {"SQLite": f"sqlite:///{folder}/ddns.sqlite3", "MySQL": mysql_url}.items()
        }
        for engine in self._ddns:
            self._run(engine, "init", "--name", "line")
            self._run(engine, "run")
        port = mysql_url.rpartition(":")[2].partition("/")[0]
        self._floors = {"SQLite": [f"{folder}/ddns.sqlite3", port], "MySQL": ["", port]}

    def rows(self, rounds: int) -> Iterator[Row]:
        """Measure the commands and yield the rows of the table."""
        bare = partial(cpu, [sys.executable, "-c", "pass"], self._clean, self._folder)
        measures: dict[str, Callable[[], float]] = {"bare interpreter": bare}
        for engine in self._ddns:
            measures[f"floor, {engine}"] = partial(self._floor, engine)
            measures[f"quiet run, {engine}"] = partial(self._run, engine, "run", "--quiet")
        times = take_turns(measures, rounds)
        for engine in self._ddns:
            yield ratio(times, f"floor, {engine}", "bare interpreter")
            yield ratio(times, f"quiet run, {engine}", f"floor, {engine}", "1.10")
        measures = {}
        for engine in self._ddns:
            measures[f"changing run, {engine}"] = partial(self._changing_run, engine)
            measures[f"quiet run, {engine}"] = partial(self._run, engine, "run", "--quiet")
        others, absent = self._others()
        times = take_turns(measures | others, max(2, rounds // 5))
        for engine in self._ddns:
            yield ratio(times, f"changing run, {engine}", f"quiet run, {engine}")
        for name in others:
            yield ratio(times, name, "quiet run, SQLite")
        yield from absent

    def checks(self, count: int) -> Iterator[Row]:
        """Measure `count` checks in one process, as `ddns watch` runs them, over HTTP and over HTTPS."""
        certificates(self._folder)
        trusted = self._folder / "trusted.pem"
        trusted.write_text(Path(certifi.where()).read_text() + (self._folder / "ca.pem").read_text())
        with running(certificates=self._folder) as secure:
            over_tls = {"DDNS_IP_SOURCES": secure.url, "REQUESTS_CA_BUNDLE": str(trusted)}
            for engine in self._ddns:
                for scheme, changes in {"HTTP": {}, "HTTPS": over_tls}.items():
                    secure.address = self._services[engine].address
                    cost = self._cost_of_checks(count, self._ddns[engine] | changes)
                    what = f"watch check, {engine}, {scheme}"
                    yield f"{what}, CPU", f"{cost['cpu_ms']:.2f} ms", "", "5 ms", f"{count:,} checks"
                    flat, memory = cost["late"] / cost["early"], f"{cost['late']:,} / {cost['early']:,} KiB"
                    yield f"{what}, memory at the end / after a tenth", f"{flat:.3f}", "", "1.05", memory

    def warm_ec2(self, count: int) -> Iterator[Row]:
        """Measure `count` checks that ask EC2, whose client is kept, against the first one of the process."""
        sdk: Any = boto3  # the stubs have no EC2
        ec2 = sdk.client("ec2", endpoint_url=self._aws.url, region_name="us-east-1", **_KEYS)
        launched = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]
        environment = self._ddns["SQLite"] | {
            "DDNS_DATABASE_URL": f"sqlite:///{self._folder}/ec2.sqlite3",
            "DDNS_IP_SOURCES": f"ec2:{launched['InstanceId']}",
            "DDNS_IP_AGREEMENT": "off",
            "DDNS_RECORDS": "ec2.example.com",
        }
        for command in ("init", "run"):
            name = ("--name", "instance") if command == "init" else ()
            cpu([_DDNS, command, *name], environment, self._folder)
        cost = self._cost_of_checks(count, environment)
        figures = f"{cost['cpu_ms']:.1f} / {cost['first_ms']:.0f} ms"
        yield "watch check, ec2: / the first one", f"{cost['cpu_ms'] / cost['first_ms']:.3f}", "", "0.10", figures

    def _cost_of_checks(self, count: int, environment: dict[str, str]) -> dict[str, float]:
        command = [sys.executable, _CHECKS, str(count)]
        done = subprocess.run(command, env=environment, cwd=self._folder, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def first_publication(self, records: int) -> Iterator[Row]:
        """Publish `records` new names of one zone in one run, and count the calls to AWS."""
        names = ",".join(f"host{number}.many.example.com" for number in range(records))
        database = f"sqlite:///{self._folder}/many.sqlite3"
        environment = self._ddns["SQLite"] | {"DDNS_DATABASE_URL": database, "DDNS_RECORDS": names}
        zone = self._aws.zone("many.example.com")
        cpu([_DDNS, "init", "--name", "line"], environment, self._folder)
        self._aws.calls.clear()
        start = time.perf_counter()
        seconds = cpu([_DDNS, "run", "--quiet"], environment, self._folder)
        took = f"{time.perf_counter() - start:.2f} s wall, {seconds:.2f} s CPU"
        calls = self._aws.count()
        assert len(self._aws.record_sets(zone)) == records + 2
        changes, pages = -(-records // 500), -(-(records + 2) // 300)
        formula = {
            "ListHostedZones": "1",
            "ListResourceRecordSets": f"1 + {min(records, pages)}",  # one page of the new zone, then the full one
            "ChangeResourceRecordSets": f"{changes}",
            "GetChange": f"{changes}",  # one per change ID, as the fake is in sync at once
        }
        for operation in formula | calls:
            yield f"{records} records, {operation}", str(calls[operation]), "", formula.get(operation, "0"), ""
        yield f"{records} records, the whole run", "", "", "", took

    def long_history(self, database: str, versions: int) -> Iterator[Row]:
        """Compare the memory that `ddns history` needs for few versions and for many, of the only origin there."""
        environment = self._clean | {"DDNS_DATABASE_URL": database}
        for form in ("--json", "--csv"):
            few, many = (
                peak([_DDNS, "history", form, "--limit", str(limit)], environment, self._folder)
                for limit in (1000, versions)
            )
            yield (
                f"history {form}, memory, {versions:,} versions / 1,000",
                f"{many / few:.2f}",
                "",
                "1.20",
                (f"{many / 1024:.0f} / {few / 1024:.0f} MiB"),
            )

    def _floor(self, engine: str) -> float:
        command = [sys.executable, _FLOOR, self._services[engine].url, *self._floors[engine]]
        return cpu(command, self._clean, self._folder)

    def _run(self, engine: str, *arguments: str) -> float:
        return cpu([_DDNS, *arguments], self._ddns[engine], self._folder)

    def _changing_run(self, engine: str) -> float:
        service = self._services[engine]
        service.address = "1.1.1.1" if service.address == "9.9.9.9" else "9.9.9.9"
        return self._run(engine, "run", "--quiet")

    def _others(self) -> tuple[dict[str, Callable[[], float]], list[Row]]:
        """Return the measures of other programs on this machine, and a row for each that is not installed."""
        commands = {
            "ddclient, quiet": ("ddclient", "-daemon=0", "-quiet", *self._ddclient_files()),
            "NewFuture/DDNS, quiet": (_NEWFUTURE, *self._newfuture_files()),
            "aws list-resource-record-sets": (
                *("aws", "route53", "list-resource-record-sets", "--hosted-zone-id"),
                *(self._zone, "--max-items", "1"),
            ),
        }
        measures: dict[str, Callable[[], float]] = {}
        absent: list[Row] = []
        for name, (program, *arguments) in commands.items():
            if found := shutil.which(program, path=_PATH):
                measures[name] = partial(cpu, [found, *arguments], self._clean, self._folder)
            else:
                absent.append((name, "absent", "", "", ""))
        return measures, absent

    def _ddclient_files(self) -> tuple[str, ...]:
        """Return options that keep ddclient on loopback: one server is its address source and its update server."""
        server = AddressService()
        server.play = answer("good 9.9.9.9")
        file = self._folder / "ddclient.conf"
        file.touch(0o600)
        file.write_text(
            f"ssl=no\nuse=web\nweb={server.url}\nprotocol=dyndns2\nserver=127.0.0.1:{server.port}\n"
            "login=line\npassword='secret'\nhome.example.com\n"
        )
        return "-file", str(file), "-cache", str(file.with_suffix(".cache"))

    def _newfuture_files(self) -> tuple[str, ...]:
        """Return options that keep NewFuture/DDNS on loopback: its provider is a URL that it calls after a change."""
        server = AddressService()
        file = self._folder / "newfuture.json"
        settings = {
            "dns": "callback",
            "id": f"{server.url}?name=__DOMAIN__&address=__IP__",
            "index4": [f"url:{server.url}"],
            "ipv4": ["home.example.com"],
            "cache": str(file.with_suffix(".cache")),
            "log_level": "ERROR",
        }
        file.write_text(json.dumps(settings))
        return "--config", str(file)
