"""What `ddns doctor` asks AWS, and that it changes nothing there."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest

from ddns_updater.dns.route53_probe import IMPOSSIBLE, Route53Probe
from ddns_updater.doctor.aws import Published, check_aws
from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.doctor.database import Known
from ddns_updater.errors import DdnsError, DnsError
from ddns_updater.lib.aws import Client
from ddns_updater.model import Family, Journal, Record, Version
from tests.app.test_iam_policy import Guard, printed
from tests.support.aws import Call, FakeAws, answering, refuse
from tests.support.command import Finished, finish
from tests.support.machine import Machine
from tests.support.mysqld import certificates
from tests.support.sdk import open_route53

HOME = Record("home.example.com", "A")
CHANGE = "ChangeResourceRecordSets"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def zone_id(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a zone on the stand-in, to which the SDK in this process connects."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return aws.zone()


class RealAwsProbe(Route53Probe):
    """A probe that takes the stand-in for AWS itself; the stand-in refuses what AWS refuses."""

    @property
    def stand_in(self) -> None:
        return None


def open_probe(kind: type[Route53Probe] = Route53Probe) -> Route53Probe:
    return kind(Client("route53", DnsError))


def checks(
    *records: Record,
    latest: str | None = "9.9.9.9",
    kind: type[Route53Probe] = RealAwsProbe,
    ids: Sequence[str] = (),
    sent: Sequence[tuple[Record, str]] = (),
) -> tuple[dict[str, Check], tuple[Published, ...]]:
    """Return each check by its name, and what was found published."""
    check = Checker("AWS", lambda _seconds, _error: nullcontext(), 10)
    journals = {Family.IPV4: Journal(Version(1, "line", 1, latest, ip_address(latest), NOW), (), NOW)} if latest else {}
    found: dict[str, Check] = {}
    steps = check_aws(
        check,
        partial(open_probe, kind),
        lambda: open_route53(ids),
        dict.fromkeys(records),
        Known(journals=journals, sent=frozenset(sent)),
        3600,
    )
    while True:
        try:
            each = next(steps)
        except StopIteration as end:
            return found, end.value
        assert each.name not in found
        found[each.name] = each


# The adapter


def test_it_knows_who_the_credentials_belong_to(zone_id: str) -> None:
    assert zone_id
    assert open_probe().identity().startswith("arn:aws:sts::")


def test_it_reads_a_zone_with_its_delegation_set(aws: FakeAws, zone_id: str) -> None:
    zone = open_probe().zone(zone_id)
    assert (zone.id, zone.name, len(zone.name_servers)) == (zone_id, "example.com", 4)
    private = open_probe().zone(aws.zone("private.example.com", private=True))
    assert (private.name, private.name_servers) == ("private.example.com", ())


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_a_refused_value_proves_the_write_permission_and_nothing_is_written(
    aws: FakeAws, zone_id: str, kind: str
) -> None:
    aws.put_address(zone_id, "home.example.com", "9.9.9.9")
    before = aws.record_sets(zone_id)
    assert open_probe().refused_for_its_value(
        zone_id, [Record("home.example.com", kind), Record("*.example.com", kind)]
    )
    assert aws.record_sets(zone_id) == before
    (body,) = aws.bodies
    assert body.count(f"<Value>{IMPOSSIBLE}</Value>") == 2
    assert body.count("<Action>UPSERT</Action>") == 2


def test_a_missing_permission_is_reported_as_denied(aws: FakeAws, zone_id: str) -> None:
    aws.fault(CHANGE, refuse("AccessDenied", "you may not", 403))
    with pytest.raises(DnsError, match=r"home\.example\.com A: AWS answered AccessDenied: you may not; attach the"):
        open_probe().refused_for_its_value(zone_id, [HOME])


def test_a_refusal_for_another_reason_proves_nothing(aws: FakeAws, zone_id: str) -> None:
    aws.fault(CHANGE, refuse("InvalidChangeBatch", "not permitted in zone"))
    assert not open_probe().refused_for_its_value(zone_id, [HOME])


def test_a_server_that_accepts_the_impossible_value_is_not_route_53(aws: FakeAws, zone_id: str) -> None:
    accepted = (
        "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>"
        "<SubmittedAt>2026-01-02T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"
    )
    aws.fault(CHANGE, answering(accepted))
    with pytest.raises(DnsError, match="this is not Route 53"):
        open_probe().refused_for_its_value(zone_id, [HOME])


@pytest.mark.parametrize(
    ("url", "stand_in"),
    [
        (None, None),
        ("https://route53.amazonaws.com", None),
        ("https://route53.amazonaws.com.cn", None),
        ("https://route53.global.api.aws", None),
        ("https://route53.us-gov.amazonaws.com", None),
        ("http://route53.amazonaws.com", "route53.amazonaws.com"),
        ("http://127.0.0.1:4566", "127.0.0.1"),
        ("https://localhost.localstack.cloud:4566", "localhost.localstack.cloud"),
        ("https://route53.amazonaws.com.example.com", "route53.amazonaws.com.example.com"),
        ("https://evilamazonaws.com", "evilamazonaws.com"),
    ],
)
def test_only_aws_itself_counts_as_aws(url: str | None, stand_in: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert open_probe().stand_in == stand_in


# The checks


def test_a_record_that_holds_the_latest_version_is_ok(aws: FakeAws, zone_id: str) -> None:
    aws.put_address(zone_id, "home.example.com", "9.9.9.9", ttl=120)
    found, published = checks(HOME)
    assert {each.state for each in found.values()} == {State.OK}
    assert found[str(HOME)].found == "holds 9.9.9.9, TTL 120 s, the latest version"
    assert f"write permission in {zone_id}" in found
    assert [(each.record, each.zone.id, each.address) for each in published] == [(HOME, zone_id, ip_address("9.9.9.9"))]


@pytest.mark.parametrize(
    ("latest", "state", "said"),
    [
        ("8.8.8.8", State.WARNING, "holds 9.9.9.9, TTL 60 s, but the latest version is 8.8.8.8"),
        (None, State.NOTE, "holds 9.9.9.9, TTL 60 s; there is no version to compare it with"),
    ],
)
def test_it_compares_the_record_with_the_latest_version(
    aws: FakeAws, zone_id: str, latest: str | None, state: State, said: str
) -> None:
    aws.put_address(zone_id, "home.example.com", "9.9.9.9")
    found, _ = checks(HOME, latest=latest)
    assert found[str(HOME)][2:4] == (state, said)


def test_no_write_is_tested_where_a_cname_exists(aws: FakeAws, zone_id: str) -> None:
    cname = {"Name": HOME.name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "else.example.com"}]}
    aws.put(zone_id, cname)
    found, _ = checks(HOME)
    assert found[str(HOME)].state is State.FAILED
    assert found[str(HOME)].found == "a CNAME to else.example.com exists there and is never overwritten"
    assert found[f"write permission in {zone_id}"].state is State.SKIPPED
    assert CHANGE not in aws.calls


def test_no_write_is_tested_on_a_stand_in(aws: FakeAws, zone_id: str) -> None:
    found, _ = checks(HOME, kind=Route53Probe)
    assert found[f"write permission in {zone_id}"][2:4] == (
        State.SKIPPED,
        "tested only on AWS itself, not on 127.0.0.1",
    )
    assert CHANGE not in aws.calls


def test_a_denied_change_fails_the_check_with_advice(aws: FakeAws, zone_id: str) -> None:
    aws.fault(CHANGE, refuse("AccessDenied", "you may not", 403))
    found, _ = checks(HOME)
    permission = found[f"write permission in {zone_id}"]
    assert (permission.state, permission.advice) == (State.FAILED, 'attach the policy that "ddns iam-policy" prints')


def test_records_of_one_zone_are_tested_together(aws: FakeAws, zone_id: str) -> None:
    other = Record("other.example.com", "A")
    found, published = checks(HOME, other)
    assert aws.count()[CHANGE] == 1
    assert found[str(other)].found == "does not exist yet"
    assert {each.zone.id for each in published} == {zone_id}


@pytest.mark.parametrize(
    ("is_ours", "state", "advice"),
    [
        (False, State.FAILED, "leave one of them, or remove the name from DDNS_RECORDS"),
        (True, State.WARNING, "ddns run --recheck"),
    ],
)
def test_several_values_are_a_fault_unless_the_next_run_repairs_them(
    aws: FakeAws, zone_id: str, is_ours: bool, state: State, advice: str
) -> None:
    values = [{"Value": "9.9.9.9"}, {"Value": "8.8.8.8"}]
    aws.put(zone_id, {"Name": HOME.name, "Type": "A", "TTL": 60, "ResourceRecords": values})
    found, _ = checks(HOME, sent=[(HOME, zone_id)] if is_ours else [(HOME, "ZOTHER")])
    assert (found[str(HOME)].state, found[str(HOME)].advice) == (state, advice)


def test_a_record_that_was_deleted_is_told_from_a_new_one(zone_id: str) -> None:
    found, _ = checks(HOME, sent=[(HOME, zone_id)])
    assert (found[str(HOME)].found, found[str(HOME)].advice) == ("does not exist any more", "ddns run --recheck")


def test_many_records_with_the_same_result_share_one_check(aws: FakeAws, zone_id: str) -> None:
    many = [Record(f"h{n:03}.example.com", "A") for n in range(40)]
    for record in many[:30]:
        aws.put_address(zone_id, record.name, "9.9.9.9")
    aws.put_address(zone_id, many[3].name, "8.8.8.8")
    found, _ = checks(*many)
    assert found[f"hosted zone {zone_id}"].found == (
        "example.com covers h000.example.com A, h001.example.com A, h002.example.com A and 37 more"
    )
    same = found["h000.example.com A, h001.example.com A, h002.example.com A and 26 more"]
    assert (same.state, same.found) == (State.OK, "holds 9.9.9.9, TTL 60 s, the latest version")
    assert found[str(many[3])].state is State.WARNING
    absent = found["h030.example.com A, h031.example.com A, h032.example.com A and 7 more"]
    assert (absent.state, absent.found) == (State.NOTE, "does not exist yet")
    assert len(found) == 6


def test_a_name_without_a_zone_does_not_hide_the_others(aws: FakeAws, zone_id: str) -> None:
    aws.put_address(zone_id, "home.example.com", "9.9.9.9")
    stray = Record("home.example.net", "A")
    found, published = checks(stray, HOME)
    assert found[f"hosted zone of {stray}"].state is State.FAILED
    assert found[str(HOME)].state is State.OK
    assert [each.record for each in published] == [HOME]


def test_without_an_identity_the_rest_is_skipped(aws: FakeAws, zone_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert zone_id
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    found, published = checks(HOME)
    assert [each.state for each in found.values()] == [State.FAILED, State.SKIPPED]
    assert "there are no AWS credentials" in found["identity"].found
    assert (published, aws.calls) == ((), [])


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("ListHostedZones", "hosted zones"),
        ("GetHostedZone", "hosted zone {}"),
        ("ListResourceRecordSets", "records of {}"),
    ],
)
def test_each_permission_that_is_missing_is_named(aws: FakeAws, zone_id: str, operation: str, name: str) -> None:
    aws.fault(operation, refuse("AccessDenied", "you may not", 403))
    found, _ = checks(HOME)
    assert found[name.format(zone_id)].state is State.FAILED
    assert "AccessDenied" in found[name.format(zone_id)].found


def test_a_zone_that_may_not_be_read_does_not_hide_the_record_and_the_write_permission(
    aws: FakeAws, zone_id: str
) -> None:
    aws.put_address(zone_id, "home.example.com", "9.9.9.9")
    aws.fault("GetHostedZone", refuse("AccessDenied", "you may not", 403))
    found, _ = checks(HOME)
    assert found[f"hosted zone {zone_id}"].state is State.FAILED
    assert found[str(HOME)].state is State.OK
    assert found[f"write permission in {zone_id}"].state is State.OK


def test_without_records_aws_is_not_asked(aws: FakeAws, zone_id: str) -> None:
    assert zone_id
    found, _ = checks()
    assert [each.state for each in found.values()] == [State.NOTE]
    assert aws.calls == []


def test_a_peer_that_hangs_costs_a_bounded_time(aws: FakeAws, zone_id: str) -> None:
    assert zone_id

    class Over:
        def __enter__(self) -> None:
            raise DdnsError("did not end within 30 s; see what stands between")

        def __exit__(self, *_: object) -> None: ...

    found = list(
        check_aws(Checker("AWS", lambda *_: Over(), 10), open_probe, open_route53, {HOME: None}, Known(), 3600)
    )
    assert [(each.name, each.state) for each in found] == [
        ("identity", State.FAILED),
        ("hosted zones", State.SKIPPED),
    ]
    assert aws.calls == []


# The command, for which every AWS host name leads to the stand-in behind TLS


AS_AWS = """
import os, runpy, socket, sys
sys.modules["dns"] = None
look_up = socket.getaddrinfo
def on_loopback(host, port, *rest, **options):
    if str(host).endswith(".amazonaws.com") and port == 443:
        return look_up("127.0.0.1", int(os.environ["TLS_PORT"]), *rest, **options)
    return look_up(host, port, *rest, **options)
socket.getaddrinfo = on_loopback
runpy.run_module("ddns_updater", run_name="__main__")
"""


class TlsFront:
    """A TLS terminator in front of a loopback port."""

    def __init__(self, target: int, folder: Path) -> None:
        self._target = target
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                Thread(target=self._forward, args=(self._listener.accept()[0],), daemon=True).start()

    def _forward(self, plain: socket.socket) -> None:
        with (
            suppress(OSError),
            self._tls.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            back = Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def real(small_machine: Machine, tmp_path: Path) -> Iterator[Machine]:
    """Give a machine for which the stand-in is AWS: in its process, AWS host names lead to loopback."""
    certificates(tmp_path, "*.amazonaws.com", "*.us-east-1.amazonaws.com")
    front = TlsFront(int(small_machine.aws.url.rpartition(":")[2]), tmp_path)
    small_machine.init()
    small_machine.run()
    small_machine.environment |= {"TLS_PORT": str(front.port), "AWS_CA_BUNDLE": str(tmp_path / "ca.pem")}
    yield small_machine
    front.stop()


def doctor(machine: Machine, **changes: str | None) -> Finished:
    return finish(machine.start("doctor", program=("-c", AS_AWS), AWS_ENDPOINT_URL=None, **changes))


def test_the_command_tests_the_write_permission_on_aws_and_changes_nothing(real: Machine) -> None:
    before = real.aws.record_sets(real.zone_id)
    real.aws.calls.clear()
    done = doctor(real)
    assert (done.status, done.err) == (0, "")
    assert f"  ok    write permission in {real.zone_id}: AWS refused a test change for its invalid value" in done.out
    assert real.aws.count()[CHANGE] == 1
    assert real.aws.record_sets(real.zone_id) == before


def test_the_command_needs_no_permission_beyond_the_printed_policy(real: Machine) -> None:
    def by_value(call: Call) -> bytes:
        refused = refuse("InvalidChangeBatch", f"{IMPOSSIBLE} is not valid")
        return refused(call) if IMPOSSIBLE in call.body else call.forward()

    guard = Guard(real, printed(real), then=by_value)
    done = doctor(real)
    assert (done.status, done.err) == (0, "")
    assert "  FAIL" not in done.out
    assert guard.refused == []
    assert real.aws.count()[CHANGE] >= 1


def test_the_command_fails_when_the_write_permission_is_missing(real: Machine) -> None:
    real.aws.fault(CHANGE, refuse("AccessDenied", "you may not", 403))
    done = doctor(real)
    assert (done.status, done.err) == (1, "")
    assert f"  FAIL  write permission in {real.zone_id}: failed to change home.example.com A" in done.out
    assert '        -> attach the policy that "ddns iam-policy" prints\n' in done.out
