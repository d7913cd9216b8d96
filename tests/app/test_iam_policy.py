"""`ddns iam-policy`: AWS's rules for such a policy, and real runs that it alone allows."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.app import iam_policy as iam
from ddns_updater.model import Family
from tests.dns.test_name_servers import delegated_to
from tests.run.test_drift import grow_old
from tests.settings.test_parameters import put
from tests.sources.test_ec2 import client, launch
from tests.support import hosts
from tests.support.aws import Call, Fault, pending, refuse
from tests.support.database import load_settings_with
from tests.support.machine import Machine
from tests.support.policies import KEY, Asked, allows, asked_for, complaints, listed, normalized, upsert
from tests.support.receivers import Receiver
from tests.support.services import AddressService, running

OPERATIONS = (
    "ListHostedZones",
    "GetHostedZone",
    "ListResourceRecordSets",
    "ChangeResourceRecordSets",
    "GetChange",
    "GetParameter",
)
LIST, LOOK_UP = "route53:ListHostedZones", "route53:GetHostedZone"
ALWAYS = {f"route53:{each}" for each in ("ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange")} | {LOOK_UP}


def policy_of(**environment: str) -> Any:
    return iam.policy_of(load_settings_with(environment))


def actions(policy: Any) -> set[str]:
    return {action for statement in policy["Statement"] for action in listed(statement["Action"])}


def changes(policy: Any) -> set[tuple[str, str, str]]:
    """Return zone, name and type of every record set that `policy` lets change."""
    return {
        (resource.rpartition("/")[2], name, kind)
        for statement in policy["Statement"]
        if statement["Action"] == KEY
        for resource in listed(statement["Resource"])
        for name in statement["Condition"]["ForAllValues:StringEquals"][f"{KEY}NormalizedRecordNames"]
        for kind in statement["Condition"]["ForAllValues:StringEquals"][f"{KEY}RecordTypes"]
    }


# The document

SETTINGS: dict[str, dict[str, str]] = {
    "one name": {"DDNS_RECORDS": "home.example.com"},
    "every kind of name": {"DDNS_RECORDS": "EXAMPLE.com.,*.Example.com,_x._y.example.com,bücher.example.com"},
    "both families": {"DDNS_RECORDS": "home.example.com", "DDNS_IP_FAMILIES": "ipv4,ipv6"},
    "types of single names": {
        "DDNS_RECORDS": "a.example.com/A,b.example.com,*.example.com/AAAA,c.example.com/AAAA",
        "DDNS_IP_FAMILIES": "ipv4,ipv6",
    },
    "zones": {"DDNS_RECORDS": "a.example.com,b.example.org", "DDNS_HOSTED_ZONE_ID": "ZONE1,/hostedzone/zone2"},
    "pins": {"DDNS_RECORDS": "a.example.com=ZONE1,*.example.com=ZONE1,b.example.org=ZONE2"},
    "zones and pins": {"DDNS_RECORDS": "a.example.com=ZONE3,b.example.com", "DDNS_HOSTED_ZONE_ID": "ZONE1,ZONE2"},
    "a pin and any zone": {"DDNS_RECORDS": "a.example.com=ZONE3,b.example.com", "DDNS_IP_FAMILIES": "ipv6"},
    "name servers": {"DDNS_RECORDS": "home.example.com", "DDNS_VERIFY_NAME_SERVERS": "1"},
    "a source that is AWS": {"DDNS_RECORDS": "home.example.com", "DDNS_IP_SOURCES": "ec2:i-0123456789abcdef0"},
    "a table": {"DDNS_RECORDS": "home.example.com", "DDNS_DATABASE_URL": "dynamodb://ddns?region=eu-west-1"},
    "a table of any region": {"DDNS_DATABASE_URL": "dynamodb://my_own.table-2"},
    "that source alone": {"DDNS_IP_SOURCES": "https://ifconfig.me/ip,EC2:i-0123456789abcdef0?region=eu-west-1"},
}


@pytest.mark.parametrize("environment", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("partition", iam.PARTITIONS)
def test_the_policy_keeps_aws_rules(environment: dict[str, str], partition: str) -> None:
    settings = load_settings_with(environment)
    assert complaints(iam.policy_of(settings, partition), partition) == []
    names = {"DDNS_WEBHOOK_URLS": "/ddns-updater/webhook-urls", "DDNS_HEARTBEAT_URL": "heartbeat"}
    assert complaints(iam.policy_of(settings._replace(parameters=names), partition), partition) == []


def test_that_test_would_notice_what_aws_refuses() -> None:
    for name in ("Home.example.com", "home.example.com.", "*.example.com", ".example.com"):
        policy = policy_of(DDNS_RECORDS="home.example.com")
        policy["Statement"][0]["Condition"]["ForAllValues:StringEquals"][f"{KEY}NormalizedRecordNames"] = [name]
        assert complaints(policy) == [f"{KEY}NormalizedRecordNames {name}"]
    policy = policy_of(DDNS_RECORDS="home.example.com")
    del policy["Statement"][0]["Condition"]
    assert complaints(policy) == [f"the condition of {KEY}"]
    assert complaints(policy_of(DDNS_RECORDS="home.example.com"), "aws-cn")


def test_names_are_written_as_the_condition_key_has_them() -> None:
    policy = policy_of(**SETTINGS["every kind of name"], DDNS_HOSTED_ZONE_ID="ZONE1")
    names = {name for _, name, _ in changes(policy)}
    assert names == {"example.com", r"\052.example.com", "_x._y.example.com", "xn--bcher-kva.example.com"}
    assert r'"\\052.example.com"' in iam.policy_text(policy)
    for name in names:
        assert normalized(name) == name


@pytest.mark.parametrize(
    ("kind", "allowed"),
    {
        "types of single names": {
            ("*", "a.example.com", "A"),
            ("*", "b.example.com", "A"),
            ("*", "b.example.com", "AAAA"),
            ("*", r"\052.example.com", "AAAA"),
            ("*", "c.example.com", "AAAA"),
        },
        "zones": {(zone, name, "A") for zone in ("ZONE1", "ZONE2") for name in ("a.example.com", "b.example.org")},
        "pins": {
            ("ZONE1", "a.example.com", "A"),
            ("ZONE1", r"\052.example.com", "A"),
            ("ZONE2", "b.example.org", "A"),
        },
        "zones and pins": {
            ("ZONE1", "b.example.com", "A"),
            ("ZONE2", "b.example.com", "A"),
            ("ZONE3", "a.example.com", "A"),
        },
        "a pin and any zone": {
            ("*", "b.example.com", "AAAA"),
            ("ZONE3", "a.example.com", "AAAA"),
            ("ZONE3", "b.example.com", "AAAA"),  # it may be sent together with the other
        },
    }.items(),
)
def test_it_allows_those_record_sets_and_no_other(kind: str, allowed: set[tuple[str, str, str]]) -> None:
    assert changes(policy_of(**SETTINGS[kind])) == allowed


def test_all_names_of_one_type_may_be_sent_together() -> None:
    policy = policy_of(**SETTINGS["types of single names"])
    assert allows(policy, upsert("ZONE1", ["a.example.com", "b.example.com"], ["A"]))
    assert allows(policy, upsert("ZONE1", ["B.example.com.", "*.example.com", "c.example.com"], ["AAAA"]))
    assert not allows(policy, upsert("ZONE1", ["a.example.com"], ["AAAA"]))
    assert not allows(policy, upsert("ZONE1", ["a.example.com", "x.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE1", ["a.example.com"], ["A"], action="DELETE"))


def test_two_families_of_the_same_names_share_a_statement() -> None:
    policy = policy_of(**SETTINGS["both families"])
    assert [listed(each["Action"]) for each in policy["Statement"]].count([KEY]) == 1


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("one name", {LIST}),
        ("every kind of name", {LIST}),
        ("zones", set()),
        ("pins", set()),
        ("zones and pins", set()),
        ("a pin and any zone", {LIST}),
        ("name servers", {LIST}),
        ("a source that is AWS", {LIST, "ec2:DescribeInstances"}),
    ],
)
def test_it_grants_an_action_only_where_it_is_needed(kind: str, more: set[str]) -> None:
    assert actions(policy_of(**SETTINGS[kind])) == ALWAYS | more


def test_a_source_that_is_aws_needs_no_zone() -> None:
    assert actions(policy_of(**SETTINGS["that source alone"])) == {"ec2:DescribeInstances"}


def test_listed_zones_that_no_record_is_looked_for_in_are_left_out() -> None:
    policy = policy_of(DDNS_RECORDS="a.example.com=ZONE3", DDNS_HOSTED_ZONE_ID="ZONE1")
    assert "ZONE1" not in json.dumps(policy)


# Runs that have no other permission


@pytest.fixture
def sixth() -> Iterator[AddressService]:
    """Give an address service that is reached over IPv6 alone."""
    with running("::1") as each:
        each.address = "2620:fe::fe"
        yield each


@pytest.fixture
def line(small_machine: Machine, sixth: AddressService) -> Machine:
    """Give a machine on SQLite with two origins, for two families, that were never published."""
    small_machine.database.seed("9.9.9.9")
    small_machine.database.seed("2620:fe::fe", family=Family.IPV6)
    small_machine.environment["DDNS_IP_SOURCES"] = f"{small_machine.service.url},{sixth.url}"
    return small_machine


def forward(call: Call) -> bytes:
    return call.forward()


class Guard:
    """Lets the stand-in for AWS refuse what `policy` does not allow; `then` is done to what it allows."""

    def __init__(self, machine: Machine, policy: Any, then: Fault = forward) -> None:
        self.refused: list[Asked] = []
        self.then = then
        self._policy = policy
        for operation in OPERATIONS:
            machine.aws.fault(operation, self._guarded)

    def _guarded(self, call: Call) -> bytes:
        asked = asked_for(call.operation, call.asked)
        if allows(self._policy, asked):
            return self.then(call)
        self.refused.append(asked)
        return refuse("AccessDenied", "not authorized", 403)(call)


def printed(machine: Machine) -> Any:
    """Return the policy that the command prints for the machine's settings."""
    done = machine.ddns("iam-policy")
    assert done.status == 0, done.err
    return done.json


def used(machine: Machine) -> set[str]:
    asked = zip(machine.aws.calls, machine.aws.asked, strict=True)
    return {asked_for(*each).action for each in asked} | set(machine.aws.elsewhere)


def upserted(machine: Machine) -> set[tuple[str, str, str]]:
    """Return zone, name and type of every record set that was sent."""
    sent = [asked_for(*each) for each in zip(machine.aws.calls, machine.aws.asked, strict=True)]
    return {
        (each.resource.rpartition("/")[2], name, kind)
        for each in sent
        if each.action == KEY
        for name in each.keys[f"{KEY}NormalizedRecordNames"]
        for kind in each.keys[f"{KEY}RecordTypes"]
    }


def a_life(machine: Machine, guard: Guard) -> None:
    """Publish, read back in the next run what was pending, read again, and repair what was deleted."""
    guard.then = pending
    assert machine.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "pending"
    guard.then = forward
    assert machine.run()["outcome"] == "updated"
    grow_old(machine)
    assert machine.run()["outcome"] == "unchanged"
    for zone_id, name, kind in upserted(machine):
        machine.aws.delete(zone_id, name, kind)
    grow_old(machine)
    assert machine.run()["outcome"] == "updated"


MODES: dict[str, dict[str, str]] = {  # {0} is the zone example.com, {1} is example.org
    "any zone, one name": {"DDNS_RECORDS": "home.example.com"},
    "any zone, two zones": {"DDNS_RECORDS": "home.example.com,*.example.org"},
    "any zone, several names": {"DDNS_RECORDS": "example.com,*.example.com,a.example.com,b.example.org"},
    "zone IDs": {"DDNS_RECORDS": "a.example.com,*.example.com,b.example.org", "DDNS_HOSTED_ZONE_ID": "{0},{1}"},
    "one zone ID": {"DDNS_RECORDS": "home.example.com", "DDNS_HOSTED_ZONE_ID": "{0}"},
    "pins": {"DDNS_RECORDS": "a.example.com={0},*.example.com={0},b.example.com={0},b.example.org={1}"},
    "pins and zone IDs": {"DDNS_RECORDS": "a.example.com={0},b.example.org", "DDNS_HOSTED_ZONE_ID": "{1}"},
    "pins and any zone": {"DDNS_RECORDS": "a.example.com={0},b.example.com,b.example.org"},
    "both families": {"DDNS_RECORDS": "a.example.com={0},*.example.com={0}", "DDNS_IP_FAMILIES": "ipv4,ipv6"},
    "AAAA alone": {"DDNS_RECORDS": "home.example.com", "DDNS_IP_FAMILIES": "ipv6"},
    "A only, AAAA only and both": {
        "DDNS_RECORDS": "a.example.com/A,b.example.com/AAAA,*.example.com,c.example.org/AAAA,d.example.org",
        "DDNS_IP_FAMILIES": "ipv4,ipv6",
    },
}


@pytest.mark.parametrize("mode", MODES)
def test_runs_and_doctor_need_nothing_but_what_the_policy_grants_and_use_all_of_it(
    line: Machine, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ddns_updater.dns.lookup", None)  # else doctor asks the resolvers of the world
    zones = (line.zone_id, line.aws.zone("example.org"))
    line.environment |= {key: value.format(*zones) for key, value in MODES[mode].items()}
    policy = printed(line)
    guard = Guard(line, policy)
    a_life(line, guard)
    # Not every run reads the hosted zones themselves, but doctor does.
    assert used(line) - {LOOK_UP} == actions(policy) - {LOOK_UP}
    examined = line.ddns("doctor").out
    assert "  ok    hosted zone " in examined
    assert "AccessDenied" not in examined
    assert guard.refused == []
    assert used(line) - {"sts:GetCallerIdentity"} == actions(policy)  # that one needs no permission
    granted, sent = changes(policy), upserted(line)
    if mode in ("pins", "both families", "one zone ID"):
        assert sent == granted
    else:  # it is not known in which of several zones a name lies
        assert {(name, kind) for _, name, kind in sent} == {(name, kind) for _, name, kind in granted}


@pytest.mark.parametrize("listed_zone", [True, False])
def test_asking_name_servers_needs_the_zone_and_no_more(line: Machine, listed_zone: bool) -> None:
    zone = line.aws.zone("example.net")
    line.environment |= {"DDNS_RECORDS": "home.example.net", "DDNS_VERIFY_NAME_SERVERS": "1"}
    if listed_zone:
        line.environment["DDNS_HOSTED_ZONE_ID"] = zone
    policy = printed(line)
    guard = Guard(line, policy, then=delegated_to())
    done = line.ddns("run")
    assert "its hosted zone has no delegation set" in done.err  # it would be asked now, by itself and not by AWS
    assert guard.refused == []
    assert used(line) == actions(policy)


def test_a_run_that_asks_ec2_needs_no_more(line: Machine) -> None:
    instance, address = launch(client(line.aws.url))
    line.aws.elsewhere.clear()
    line.environment["DDNS_IP_SOURCES"] = f"ec2:{instance}"
    policy = printed(line)
    guard = Guard(line, policy)
    assert line.run()["results"][0]["address"] == address
    assert guard.refused == []
    assert used(line) == actions(policy) - {LOOK_UP}


def test_a_run_whose_webhook_is_in_a_parameter_needs_that_one_and_no_other(line: Machine, receiver: Receiver) -> None:
    put(line, "/ddns-updater/webhook-urls", receiver.url)
    put(line, "/ddns-updater/other", receiver.url)
    line.environment["DDNS_WEBHOOK_URLS_PARAMETER"] = "/ddns-updater/webhook-urls"
    line.aws.calls.clear()
    line.aws.asked.clear()
    policy = printed(line)
    assert line.aws.calls == []  # who prints it need not be allowed to read it
    assert {"ssm:GetParameter"} <= actions(policy)
    guard = Guard(line, policy)
    line.service.address = "1.1.1.1"
    assert line.run()["outcome"] == "updated"
    assert receiver.events == ["changed"]
    assert guard.refused == []
    assert used(line) == actions(policy) - {LOOK_UP}
    done = line.ddns("run", DDNS_WEBHOOK_URLS_PARAMETER="/ddns-updater/other")
    assert (done.status, [each.action for each in guard.refused]) == (2, ["ssm:GetParameter"])


def test_the_policy_names_each_parameter_as_far_as_it_is_known(small_machine: Machine) -> None:
    arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/ddns/heartbeat"
    changes = {"DDNS_WEBHOOK_URLS_PARAMETER": "/ddns/hook", "DDNS_HEARTBEAT_URL_PARAMETER": arn}
    done = small_machine.ddns("iam-policy", DDNS_RECORDS=None, **changes)
    assert done.json["Statement"] == [
        {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": ["arn:aws:ssm:*:*:parameter/ddns/hook", arn]}
    ]
    assert done.err == (
        "note: a parameter encrypted with a key of your own, instead of aws/ssm, needs kms:Decrypt on that key too\n"
    )


def test_a_database_in_a_parameter_leaves_out_what_only_it_knows(small_machine: Machine) -> None:
    done = small_machine.ddns("iam-policy", DDNS_DATABASE_URL=None, DDNS_DATABASE_URL_PARAMETER="/ddns/database")
    assert done.status == 0
    assert "warning: neither hosts of the update endpoint nor a table of DynamoDB are in the policy" in done.err


def test_the_guard_of_these_tests_does_refuse(line: Machine) -> None:
    policy = printed(line)
    guard = Guard(line, policy)
    assert line.run(DDNS_RECORDS="other.example.com")["outcome"] == "failed"
    assert [each.action for each in guard.refused] == [KEY]


# The command


def test_it_prints_only_the_policy_and_asks_nothing_of_aws(small_machine: Machine) -> None:
    done = small_machine.ddns("iam-policy", DDNS_HOSTED_ZONE_ID="ZONE1")
    assert (done.status, done.err) == (0, "")
    assert complaints(done.json) == []
    assert small_machine.aws.calls == []
    assert small_machine.service.requests == 0
    assert not Path(small_machine.database.url.removeprefix("sqlite:///")).exists()


def test_it_says_on_stderr_how_to_name_the_zones(small_machine: Machine) -> None:
    done = small_machine.ddns("iam-policy")
    assert done.json["Statement"][0]["Resource"] == "arn:aws:route53:::hostedzone/*"
    assert done.err == (
        "note: some records have no zone set, so the policy allows these names in every hosted zone of the account;"
        " set DDNS_HOSTED_ZONE_ID, or write NAME=ZONEID in DDNS_RECORDS, and print it again\n"
    )
    assert small_machine.ddns("iam-policy", DDNS_RECORDS="home.example.com=ZONE1").err == ""


def test_it_prints_nothing_when_nothing_of_aws_is_used(small_machine: Machine) -> None:
    done = small_machine.ddns("iam-policy", DDNS_RECORDS=None)
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "error: no AWS permission is needed: DDNS_RECORDS is not set, there is no host, no address source is ec2:,"
        " the database is not DynamoDB, and no parameter holds a setting;"
        " set DDNS_RECORDS to get a policy\n"
    )


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_it_names_the_zones_of_another_partition(small_machine: Machine, partition: str) -> None:
    done = small_machine.ddns("iam-policy", "--partition", partition)
    assert complaints(done.json, partition) == []


@pytest.mark.parametrize(("count", "role"), [(350, True), (600, False)])
def test_it_warns_of_a_policy_that_iam_would_not_take(small_machine: Machine, count: int, role: bool) -> None:
    records = ",".join(f"h{number:04}.example.com" for number in range(count))
    done = small_machine.ddns("iam-policy", DDNS_RECORDS=records, DDNS_HOSTED_ZONE_ID="ZONE1")
    size = sum(not each.isspace() for each in done.out)
    assert (done.status, size > 6144, size <= 10240) == (0, True, role)
    assert done.err.startswith(f"warning: the policy has {size} characters, more than the 6144 of a managed policy;")
    assert ("embed it in a role" in done.err) is role
    assert small_machine.ddns("iam-policy", DDNS_RECORDS=records[:3000], DDNS_HOSTED_ZONE_ID="ZONE1").err == ""


# Hosts of the update endpoint


def test_it_allows_both_types_of_every_host_in_one_batch_and_no_other_name(machine: Machine) -> None:
    machine.database.create_tables()
    for name in ("nas.example.com", "cam.example.com"):
        hosts.add(machine.database, name)
    done = machine.ddns("iam-policy", DDNS_HOSTED_ZONE_ID="ZONE1")
    assert (done.status, done.err) == (0, "")
    policy = done.json
    assert complaints(policy) == []
    assert allows(policy, upsert("ZONE1", ["nas.example.com", "cam.example.com"], ["A", "AAAA"]))
    assert allows(policy, upsert("ZONE1", ["home.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE1", ["home.example.com"], ["AAAA"]))
    assert not allows(policy, upsert("ZONE1", ["tv.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE2", ["nas.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE1", ["nas.example.com"], ["A"], action="DELETE"))


def test_hosts_alone_need_a_policy_too(small_machine: Machine) -> None:
    small_machine.database.create_tables()
    hosts.add(small_machine.database)
    done = small_machine.ddns("iam-policy", DDNS_RECORDS=None)
    assert "hosts have no zone set" in done.err
    assert complaints(done.json) == []
    assert actions(done.json) == ALWAYS | {LIST}
    assert allows(done.json, upsert("ANY", ["nas.example.com"], ["AAAA"]))


def test_without_a_database_that_answers_it_warns_and_prints_the_rest(small_machine: Machine) -> None:
    done = small_machine.ddns("iam-policy", DDNS_HOSTED_ZONE_ID="ZONE1", DDNS_DATABASE_URL="mysql://u:p@127.0.0.1:9/x")
    assert done.status == 0
    assert done.err.startswith("warning: hosts of the update endpoint are not in the policy, for they are unknown: ")
    assert allows(done.json, upsert("ZONE1", ["home.example.com"], ["A"]))


def _policy(names: list[str]) -> tuple[Any, iam.Remarks]:
    settings = load_settings_with({"DDNS_RECORDS": "home.example.com", "DDNS_HOSTED_ZONE_ID": "ZONE1"})
    policy = iam.policy_of(settings, hosts=names)
    return policy, iam.remarks(settings, policy, names)


def test_thousands_of_hosts_fit_a_managed_policy_by_a_pattern_of_their_zone() -> None:
    policy, found = _policy([f"h{number}.dyn.example.com" for number in range(5000)])
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
    assert complaints(policy) == []
    assert allows(policy, upsert("ZONE1", ["h1.dyn.example.com", "h4999.dyn.example.com"], ["A", "AAAA"]))
    assert not allows(policy, upsert("ZONE1", ["www.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE1", ["dyn.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE1", ["xdyn.example.com"], ["A"]))
    assert allows(policy, upsert("ZONE1", ["home.example.com"], ["A"]))
    assert not allows(policy, upsert("ZONE1", ["home.example.com"], ["AAAA"]))
    (note,) = found.notes
    assert "the names of 5000 hosts do not fit a policy" in note
    assert "*.dyn.example.com, which is wider" in note
    assert found.warnings == []


def test_names_stay_exact_while_they_fit() -> None:
    names = [f"h{number}.dyn.example.com" for number in range(400)]
    fits = max(number for number in range(400) if not _policy(names[:number])[1].notes)
    policy, _ = _policy(names[:fits])
    assert 6144 - 30 < len(json.dumps(policy, separators=(",", ":"))) <= 6144
    assert not allows(policy, upsert("ZONE1", [names[fits]], ["A"]))
    assert allows(_policy(names[: fits + 1])[0], upsert("ZONE1", ["other.dyn.example.com"], ["A"]))


def test_patterns_are_as_narrow_as_fit() -> None:
    below_many = [f"nas.site{number}.dyn.example.com" for number in range(1000)]
    policy, _ = _policy([*below_many, "nas.example.org", "example.net", "x.other.example.com"])
    assert complaints(policy) == []
    (names,) = [
        statement["Condition"]["ForAllValues:StringLike"][f"{KEY}NormalizedRecordNames"]
        for statement in policy["Statement"]
        if "ForAllValues:StringLike" in statement.get("Condition", {})
    ]
    assert names == ["example.net", "*.dyn.example.com", "*.example.org", "*.other.example.com"]


def test_a_table_of_dynamodb_is_allowed_alone_and_with_its_index(small_machine: Machine) -> None:
    done = small_machine.ddns("iam-policy", DDNS_DATABASE_URL="dynamodb://ddns?region=eu-west-1", DDNS_RECORDS=None)
    assert done.status == 0, done.err
    allowed = {
        resource: set(listed(statement["Action"]))
        for statement in json.loads(done.out)["Statement"]
        for resource in listed(statement["Resource"])
    }
    table = "arn:aws:dynamodb:eu-west-1:*:table/ddns"
    assert allowed.keys() == {table, f"{table}/index/byLook"}
    assert allowed[f"{table}/index/byLook"] == {"dynamodb:Query"}
    assert {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"} < allowed[table]
    assert not allowed[table] & {"dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:Scan"}
