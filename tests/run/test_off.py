"""A line that is an EC2 instance which is not running: the runs are off, and go on when it runs again."""

import json
from typing import Any

import pytest

from tests.sources.test_ec2 import RUNNING, UNKNOWN, client, described, launch
from tests.support.alerting import HOUR, later, state_file
from tests.support.aws import refuse
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.receivers import Receiver
from tests.support.services import AddressService, answer, running


class Instance:
    """An instance of moto's EC2 that a machine follows; its address was published when it first ran."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.ec2 = client(machine.aws.url)
        self.id, address = launch(self.ec2)
        assert address
        machine.environment["DDNS_IP_SOURCES"] = f"ec2:{self.id}"
        machine.init(address)
        machine.run()

    def stop(self) -> None:
        self.ec2.stop_instances(InstanceIds=[self.id])

    def start(self) -> str:
        """Start it and return its new address."""
        self.ec2.start_instances(InstanceIds=[self.id])
        described = self.ec2.describe_instances(InstanceIds=[self.id])
        return str(described["Reservations"][0]["Instances"][0]["PublicIpAddress"])


@pytest.fixture
def instance(small_machine: Machine) -> Instance:
    return Instance(small_machine)


@pytest.fixture
def ec2(small_machine: Machine) -> AddressService:
    """Give what stands in place of EC2 for the small machine, which follows one instance and has a version."""
    small_machine.environment |= {
        "DDNS_IP_SOURCES": f"ec2:{UNKNOWN}",
        "AWS_ENDPOINT_URL_EC2": small_machine.service.url.removesuffix("/ip"),
    }
    small_machine.init("1.1.1.1")
    return small_machine.service


def in_state(name: str, rest: str = "") -> Any:
    return described(f"<instanceState><code>0</code><name>{name}</name></instanceState>{rest}")


def trace(machine: Machine) -> Any:
    """Return all that a run could write or send."""
    return machine.database.versions(), machine.database.states(), len(machine.aws.calls)


def test_a_run_whose_instance_is_stopped_is_off_and_writes_and_sends_nothing(instance: Instance) -> None:
    machine = instance.machine
    instance.stop()
    before = trace(machine)
    done = machine.ddns("run", "--json", "--recheck")
    assert (done.status, done.err) == (0, "")
    (family,) = done.json["results"]
    assert (done.json["outcome"], family["outcome"], family["error"], family["address"]) == ("off", "off", None, None)
    assert machine.ddns("run").out == f"off: ec2:{instance.id} is stopped, so nothing was changed\n"
    assert trace(machine) == before


def test_the_record_follows_when_the_instance_runs_again(instance: Instance) -> None:
    machine = instance.machine
    instance.stop()
    machine.run()
    address = instance.start()
    assert machine.run()["outcome"] == "updated"
    assert machine.aws.address(machine.zone_id) == address
    assert len(machine.database.versions()) == 2


@pytest.mark.parametrize("state", ["stopped", "stopping", "pending"])
def test_a_quiet_run_prints_nothing_while_it_is_off(small_machine: Machine, ec2: AddressService, state: str) -> None:
    ec2.play = in_state(state, "<ipAddress>8.8.8.8</ipAddress>")
    for log in ("text", "json"):
        done = small_machine.ddns("run", "--quiet", DDNS_LOG_FORMAT=log)
        assert (done.status, done.out, done.err) == (0, "", "")
    assert small_machine.run()["outcome"] == "off"
    assert small_machine.database.versions() == [(1, "1.1.1.1")]


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_an_instance_that_is_gone_for_good_is_a_failure(
    small_machine: Machine, ec2: AddressService, state: str
) -> None:
    ec2.play = in_state(state)
    done = small_machine.ddns("run")
    assert done.status == 1
    assert f"ec2:{UNKNOWN} is {state}; its address is used only while it is running" in done.err


def test_an_instance_that_is_off_opens_no_incident_and_pings_the_heartbeat(
    small_machine: Machine, ec2: AddressService, receiver: Receiver
) -> None:
    ec2.play = in_state("stopped")
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_ALERT_AFTER": "1"}
    for _ in range(3):
        small_machine.run()
        later(small_machine, HOUR)
    assert receiver.got == []
    small_machine.run(DDNS_WEBHOOK_URLS=None, DDNS_HEARTBEAT_URL=receiver.url)
    (ping,) = receiver.got
    assert not ping.path.endswith("/fail")


def test_an_open_incident_is_neither_ended_nor_repeated_while_it_is_off(instance: Instance, receiver: Receiver) -> None:
    machine = instance.machine
    machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_ALERT_AFTER": "1"}
    machine.run(AWS_ENDPOINT_URL_EC2=f"http://127.0.0.1:{free_port()}", AWS_MAX_ATTEMPTS="1")
    assert receiver.events == ["failing"]
    later(machine, 60)
    instance.stop()
    for _ in range(2):
        machine.run()
        later(machine, 2 * HOUR)
    assert receiver.events == ["failing"]
    (told,) = json.loads(state_file(machine).read_text())["origins"].values()
    assert told["incident"]["failed_runs"] == 1
    instance.start()
    machine.run()
    assert sorted(receiver.events) == ["changed", "failing", "recovered"]


def test_a_due_version_waits_while_it_is_off_because_the_address_may_be_somebody_elses(instance: Instance) -> None:
    machine = instance.machine
    instance.stop()
    before, missed = machine.aws.address(machine.zone_id), instance.start()
    machine.aws.fault("ChangeResourceRecordSets", refuse("Throttling", "Rate exceeded"))
    machine.run()
    assert machine.database.versions()[-1] == (2, missed)
    machine.aws.heal()
    instance.stop()
    due = trace(machine)
    assert machine.run()["outcome"] == "off"
    assert trace(machine) == due
    assert machine.aws.address(machine.zone_id) == before
    address = instance.start()
    machine.run()
    assert machine.aws.address(machine.zone_id) == address


def test_a_due_version_is_published_when_it_runs_again_with_that_address(
    small_machine: Machine, ec2: AddressService
) -> None:
    ec2.play = in_state("stopped", "<ipAddress>1.1.1.1</ipAddress>")  # an Elastic IP stays
    assert small_machine.run()["outcome"] == "off"
    assert small_machine.aws.address(small_machine.zone_id) is None
    ec2.play = described(f"{RUNNING}<ipAddress>1.1.1.1</ipAddress>")
    assert small_machine.run()["outcome"] == "updated"
    assert small_machine.aws.address(small_machine.zone_id) == "1.1.1.1"


def test_a_record_that_waits_for_its_instance_is_no_problem(small_machine: Machine, ec2: AddressService) -> None:
    small_machine.database.sql("UPDATE admin_ip_history SET createdAt = datetime(createdAt, '-11 minutes')")
    ec2.play = in_state("stopped")
    small_machine.run()
    done = small_machine.ddns("status", "--json")
    assert (done.status, done.json["problems"], done.json["last_run"]["outcome"]) == (0, [], "off")
    ec2.play = described(RUNNING)
    small_machine.ddns("run", DDNS_RUN_TIMEOUT="10")
    assert "is not verified" in small_machine.ddns("status").out


def test_another_source_is_asked_when_the_instance_is_not_running(small_machine: Machine, ec2: AddressService) -> None:
    ec2.play = in_state("stopped")
    with running() as other:
        other.address = "8.8.8.8"
        sources = f"ec2:{UNKNOWN},{other.url}"
        assert small_machine.run(DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="off")["outcome"] == "updated"
        assert small_machine.database.versions()[-1] == (2, "8.8.8.8")
        other.play = answer("", "503 Down")
        done = small_machine.ddns("run", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="off")
    assert done.status == 1
    assert f"ec2:{UNKNOWN} is stopped; " in done.err
    assert "answered with status 503" in done.err


def test_the_metrics_and_the_doctor_know_it(instance: Instance) -> None:
    machine = instance.machine
    instance.stop()
    metrics = machine.folder / "ddns.prom"
    machine.run(DDNS_METRICS_FILE=str(metrics))
    assert 'ddns_last_run_outcome{name="line",outcome="off"} 1.0' in metrics.read_text()
    checks = {each["name"]: each for each in machine.ddns("doctor", "--json").json["checks"]}
    off = checks["ipv4 address"]
    assert (off["state"], off["found"]) == ("note", f"runs are off until ec2:{instance.id} runs")
    assert checks[f"ec2:{instance.id}, ipv4"]["found"] == "is stopped"
