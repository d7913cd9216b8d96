"""DDNS_VERIFY_NAME_SERVERS: the authoritative name servers of a zone asked one by one, on loopback."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from ssl import create_default_context

import dns.message
import dns.query
import pytest

from ddns_updater.app import factories
from ddns_updater.app.init import initialise
from ddns_updater.dns.name_servers import NameServers
from ddns_updater.errors import Stopped
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.lib.installation import install_advice
from ddns_updater.model import Family, FamilyResult, Outcome, PublicationState, Record
from ddns_updater.run.ports import Authority
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.steps import Policy
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.sources.http import HttpSource
from ddns_updater.sources.spec import HttpSpec
from tests.run.test_publishing import CHANGE, HOME, failing, journal, names
from tests.support import nameserver
from tests.support.aws import Call, Fault, pending, refuse
from tests.support.command import finish
from tests.support.fakes import FakeNameServers
from tests.support.machine import Machine
from tests.support.nameserver import NameServer, name_server
from tests.support.sdk import open_route53

RECORD = Record(HOME, "A")
LISTED = ("ns-2048.awsdns-64.com", "ns-2049.awsdns-65.net", "ns-2050.awsdns-66.org", "ns-2051.awsdns-67.co.uk")


@pytest.fixture
def servers() -> Iterator[list[NameServer]]:
    """Give four name servers on one port, each with an address of its own, which all hold 9.9.9.9."""
    with ExitStack() as stack:
        first = stack.enter_context(name_server())
        found = [first, *(stack.enter_context(name_server(f"127.0.0.{n}", first.port)) for n in (2, 3, 4))]
        for each in found:
            each.answers[HOME, "A"] = ["9.9.9.9"]
        yield found


def authority(servers: list[NameServer]) -> NameServers:
    """Return the adapter, to which `servers` bear the names of Route 53's in order."""
    known = {name: [server.host] for name, server in zip(LISTED, servers, strict=False)}
    return NameServers(look_up=lambda name: known.get(name, []), port=servers[0].port)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have a silent server be waited for a quarter as long, and return how many seconds each wait was to be."""
    asked: list[float] = []
    ask = dns.query.udp_with_fallback

    def sooner(query: dns.message.Message, where: str, timeout: float, port: int) -> object:
        asked.append(timeout)
        return ask(query, where, timeout / 4, port)

    monkeypatch.setattr(dns.query, "udp_with_fallback", sooner)
    return asked


def mismatch(
    authority: NameServers, servers: Sequence[str], seconds: float, record: Record = RECORD, address: str = "9.9.9.9"
) -> str | None:
    """Return what is wrong with the answers of `servers`, None when nothing is."""
    error = authority.mismatch(record, ip_address(address), servers, Deadline(seconds))
    return None if error is None else str(error)


def said(servers: list[NameServer], record: Record = RECORD, address: str = "9.9.9.9") -> str | None:
    return mismatch(authority(servers), LISTED[: len(servers)], 0.5, record, address)


# The adapter


def test_it_says_nothing_when_each_server_has_the_address(servers: list[NameServer]) -> None:
    assert said(servers) is None
    assert [each.asked for each in servers] == [[(HOME, "A", "IN", "udp")]] * 4
    assert not any(each.recursion_asked for each in servers)


def test_what_each_server_answers_is_a_line_of_the_log(
    servers: list[NameServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ddns_updater")
    servers[1].answers = {(HOME, "A"): ["8.8.8.8"]}
    said(servers[:2])
    assert caplog.messages == [
        f"name server {LISTED[0]}, home.example.com A: answers 9.9.9.9",
        f"name server {LISTED[1]}, home.example.com A: answers 8.8.8.8",
    ]


@pytest.mark.parametrize(
    ("values", "shown"), [(["8.8.8.8"], "8.8.8.8"), (["8.8.8.8", "9.9.9.9"], "8.8.8.8, 9.9.9.9"), ([], "NXDOMAIN")]
)
def test_it_names_the_one_server_that_answers_something_else(
    servers: list[NameServer], values: list[str], shown: str
) -> None:
    servers[2].answers = {(HOME, "A"): values} if values else {}
    assert said(servers) == f"name server {LISTED[2]} answers {shown}"


def test_it_names_a_server_that_has_the_name_without_an_address(servers: list[NameServer]) -> None:
    servers[0].answers = {(HOME, "TXT"): ["9.9.9.9"]}
    assert said(servers) == f"name server {LISTED[0]} answers nothing"


def test_it_names_each_of_several_servers_with_what_it_said(servers: list[NameServer]) -> None:
    servers[1].answers[HOME, "A"] = ["8.8.8.8"]
    servers[3].fault = nameserver.rcode("REFUSED")
    assert said(servers) == f"name server {LISTED[1]} answers 8.8.8.8, name server {LISTED[3]} answers REFUSED"


def test_it_names_a_server_that_is_no_authority(servers: list[NameServer]) -> None:
    servers[1].authoritative = False
    assert said(servers) == f"name server {LISTED[1]} gives a non-authoritative answer"


@pytest.mark.parametrize("fault", [nameserver.hang, nameserver.garbage, nameserver.wrong_id, nameserver.wrong_question])
def test_it_names_a_server_that_gives_no_usable_answer(
    servers: list[NameServer], waits: list[float], fault: Callable[[nameserver.Exchange], object]
) -> None:
    servers[3].fault = fault
    assert said(servers) == f"name server {LISTED[3]} does not answer"
    assert waits[3:] == [1, 1]  # of the one who asks for half a second
    assert len(servers[3].asked) == 2


@pytest.mark.usefixtures("waits")
def test_it_names_a_server_whose_port_is_closed(servers: list[NameServer]) -> None:
    servers[3].stop()
    assert said(servers) == f"name server {LISTED[3]} does not answer"


def test_one_lost_packet_is_no_complaint(servers: list[NameServer], waits: list[float]) -> None:
    servers[1].fault = nameserver.in_turn(nameserver.hang, nameserver.good)
    assert said(servers[:2]) is None
    assert waits[1:] == [1, 1]


def test_it_asks_over_tcp_what_does_not_fit(servers: list[NameServer]) -> None:
    servers[0].fault = nameserver.truncated
    assert said(servers[:1]) is None
    assert [over for *_, over in servers[0].asked] == ["udp", "tcp"]


def test_it_names_a_server_that_cannot_be_looked_up(servers: list[NameServer]) -> None:
    found = mismatch(authority(servers[:1]), LISTED[:2], 1)
    assert found == f"name server {LISTED[1]} cannot be looked up"


@pytest.mark.usefixtures("waits")
def test_it_tries_the_other_address_of_a_server(servers: list[NameServer]) -> None:
    servers[0].fault = nameserver.hang
    same = NameServers(look_up=lambda _name: ["127.0.0.1", "127.0.0.2"], port=servers[0].port)
    assert mismatch(same, LISTED[:1], 1) is None


def test_it_asks_for_a_wildcard_by_its_name(servers: list[NameServer]) -> None:
    servers[0].answers["*.example.com", "A"] = ["9.9.9.9"]
    assert said(servers[:1], Record("*.example.com", "A")) is None
    assert servers[0].asked == [("*.example.com", "A", "IN", "udp")]


@pytest.mark.parametrize("address", ["2606:4700:4700::1111", "2606:4700:4700:0:0::1111"])
def test_it_compares_ipv6_addresses_by_value(servers: list[NameServer], address: str) -> None:
    servers[0].answers[HOME, "AAAA"] = ["2606:4700:4700:0000::1111"]
    assert said(servers[:1], Record(HOME, "AAAA"), address) is None
    assert said(servers[:1], Record(HOME, "AAAA"), "2620:fe::fe") == (
        f"name server {LISTED[0]} answers 2606:4700:4700::1111"
    )


def test_it_says_that_a_zone_without_delegation_cannot_be_asked() -> None:
    assert mismatch(NameServers(), (), 1) == ("its hosted zone has no delegation set; set DDNS_VERIFY_NAME_SERVERS=0")


def test_a_silent_server_is_waited_for_once_however_many_records_there_are(
    servers: list[NameServer], waits: list[float]
) -> None:
    servers[3].fault = nameserver.hang
    same = authority(servers)
    for _ in range(50):
        assert mismatch(same, LISTED, 0.5) == f"name server {LISTED[3]} does not answer"
    assert len(waits) == 50 * 3 + 2
    assert len(servers[3].asked) == 2


def test_it_stops_when_its_time_is_over_and_names_who_was_silent(servers: list[NameServer], waits: list[float]) -> None:
    for each in servers:
        each.fault = nameserver.hang
    assert mismatch(authority(servers), LISTED, 0.3) == f"name server {LISTED[0]} does not answer"
    assert waits == [1, 1]


def test_it_leaves_the_question_open_when_there_was_no_time_to_ask(servers: list[NameServer]) -> None:
    with pytest.raises(TimeoutError):
        mismatch(authority(servers), LISTED, -1)
    assert [each.asked for each in servers] == [[]] * 4


# The run


@pytest.fixture
def line(small_machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine on SQLite whose origin stands at 9.9.9.9 and was never published."""
    initialise(small_machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    monkeypatch.setenv("AWS_ENDPOINT_URL", small_machine.aws.url)
    small_machine.environment["DDNS_VERIFY_NAME_SERVERS"] = "1"
    return small_machine


def run(
    machine: Machine, asked: Authority, *records: str, verify_timeout: float = 20, run_timeout: float = 55
) -> FamilyResult:
    """Do one run in this process, with an authority of the test's own."""
    open_dns = cache(open_route53)
    plan = Plan("line", (Family.IPV4,), tuple(Record(name, "A") for name in records or (HOME,)), run_timeout)
    (result,) = Updater(
        plan,
        sources=[HttpSource(HttpSpec(machine.service.url), timeout=2, retries=0, open_tls=create_default_context)],
        open_history=partial(factories.open_history, machine.database.settings()),
        publisher=Publisher(Policy(), open_dns),
        verifier=Verifier(open_dns, timeout=verify_timeout, authority=asked),
        whole_run=nullcontext,
        limit=time_limit,
    ).run().results  # fmt: skip
    return result


def test_a_record_is_verified_when_every_name_server_answers(line: Machine, servers: list[NameServer]) -> None:
    result = run(line, authority(servers))
    assert (result.outcome, result.error) == (Outcome.UPDATED, None)
    assert journal(line)[HOME]["state"] == "verified"
    assert all(each.asked for each in servers)
    assert line.aws.count()["GetHostedZone"] == 1


def test_it_asks_no_name_server_before_the_change_is_in_sync(line: Machine, servers: list[NameServer]) -> None:
    line.aws.fault("GetChange", pending)
    assert run(line, authority(servers), verify_timeout=0).outcome is Outcome.PENDING
    assert not any(each.asked for each in servers)


def test_a_quiet_run_asks_no_name_server(line: Machine, servers: list[NameServer]) -> None:
    run(line, authority(servers))
    for each in servers:
        each.asked.clear()
    assert run(line, authority(servers)).outcome is Outcome.UNCHANGED
    assert not any(each.asked for each in servers)


def test_one_server_with_the_old_address_keeps_the_record_submitted_until_it_follows(
    line: Machine, servers: list[NameServer]
) -> None:
    servers[1].answers[HOME, "A"] = ["8.8.8.8"]
    text = (
        f"could not confirm that {HOME} A now points to 9.9.9.9: name server {LISTED[1]} answers 8.8.8.8;"
        " the next run checks again"
    )
    for _ in range(2):
        result = run(line, authority(servers))
        assert (result.outcome, result.error) == (Outcome.FAILED, text)
        row = journal(line)[HOME]
        assert (row["state"], row["lastError"], row["attempts"]) == ("submitted", text, 1)
    servers[1].answers[HOME, "A"] = ["9.9.9.9"]
    result = run(line, authority(servers))
    assert (result.outcome, result.error) == (Outcome.UPDATED, None)
    row = journal(line)[HOME]
    assert (row["state"], row["lastError"]) == ("verified", None)
    assert line.aws.count()[CHANGE] == 1


@pytest.mark.usefixtures("waits")
def test_a_silent_server_is_named_by_the_run(line: Machine, servers: list[NameServer]) -> None:
    servers[2].fault = nameserver.hang
    result = run(line, authority(servers), verify_timeout=1)
    assert result.outcome is Outcome.FAILED
    assert f"name server {LISTED[2]} does not answer; the next run checks again" in str(result.error)
    assert result.publications[0].state is PublicationState.SUBMITTED


def test_it_asks_again_when_the_delegation_set_could_not_be_read(line: Machine, servers: list[NameServer]) -> None:
    line.aws.fault("GetHostedZone", refuse("AccessDenied", "not authorized", 403), times=1)
    result = run(line, authority(servers))
    assert result.outcome is Outcome.FAILED
    assert result.error == (
        f"could not confirm that {HOME} A now points to 9.9.9.9: failed to read hosted zone {line.zone_id}: AWS"
        ' answered AccessDenied: not authorized; attach the policy that "ddns iam-policy" prints;'
        " the next run checks again"
    )
    assert journal(line)[HOME]["state"] == "submitted"
    assert run(line, authority(servers)).outcome is Outcome.UPDATED
    assert line.aws.count()[CHANGE] == 1


def test_one_record_does_not_hold_back_another(line: Machine, servers: list[NameServer]) -> None:
    for each in servers:
        each.answers["b.example.com", "A"] = ["9.9.9.9"]
    servers[0].answers[HOME, "A"] = ["8.8.8.8"]
    assert run(line, authority(servers), HOME, "b.example.com").outcome is Outcome.FAILED
    assert {name: row["state"] for name, row in journal(line).items()} == {
        HOME: "submitted",
        "b.example.com": "verified",
    }


@pytest.mark.parametrize("verify_timeout", [0, 0.5])
def test_many_records_and_little_time_are_verified_over_several_runs(
    line: Machine, servers: list[NameServer], verify_timeout: float
) -> None:
    wanted = names(4)
    for each in servers:
        each.answers = {(name, "A"): ["9.9.9.9"] for name in wanted}
        each.fault = slow
    verified = 0
    for _ in range(len(wanted)):
        result = run(line, authority(servers), *wanted, verify_timeout=verify_timeout)
        assert result.error is None
        before, verified = verified, sum(row["state"] == "verified" for row in journal(line).values())
        assert verified > before
        if verified == len(wanted):
            break
        assert result.outcome is Outcome.PENDING
    assert result.outcome is Outcome.UPDATED
    assert line.aws.count()[CHANGE] == 1
    if verify_timeout == 0:
        assert before == len(wanted) - 1  # one record a run at the least


def test_slow_servers_get_all_the_time_there_is(line: Machine, servers: list[NameServer]) -> None:
    for each in servers:
        each.fault = very_slow
    assert run(line, authority(servers)).outcome is Outcome.UPDATED


def test_what_was_seen_before_a_run_was_stopped_is_kept(line: Machine) -> None:
    witness = FakeNameServers(None, "name server ns.example.net answers 8.8.8.8", Stopped("stopped by SIGTERM"))
    assert run(line, witness, *names(4)).error == "stopped by SIGTERM"
    rows = journal(line)
    assert [rows[name]["state"] for name in names(4)] == ["verified", "submitted", "submitted", "submitted"]
    assert "name server ns.example.net answers 8.8.8.8" in rows[names(4)[1]]["lastError"]
    again = FakeNameServers(None, None, None)
    assert run(line, again, *names(4)).outcome is Outcome.UPDATED
    assert again.asked == names(4)[1:]


def very_slow(exchange: nameserver.Exchange) -> None:
    time.sleep(0.3)  # of four servers more than the second that the first record has in any case
    nameserver.good(exchange)


def slow(exchange: nameserver.Exchange) -> None:
    time.sleep(0.05)
    nameserver.good(exchange)


# The command


def test_a_zone_without_a_delegation_set_says_so(line: Machine) -> None:
    private = line.aws.zone(private=True)
    _, text = failing(line, DDNS_HOSTED_ZONE_ID=private)
    assert text == (
        f"could not confirm that {HOME} A now points to 9.9.9.9: its hosted zone has no delegation set;"
        " set DDNS_VERIFY_NAME_SERVERS=0; the next run checks again"
    )
    assert journal(line)[HOME]["state"] == "submitted"
    assert line.run(DDNS_HOSTED_ZONE_ID=private, DDNS_VERIFY_NAME_SERVERS="0")["outcome"] == "updated"
    assert line.aws.count()[CHANGE] == 1


def test_without_the_extra_it_says_which_one_is_missing(line: Machine) -> None:
    without = "import runpy, sys; sys.modules['dns'] = None; runpy.run_module('ddns_updater', run_name='__main__')"
    done = finish(line.start("run", program=("-c", without)))
    assert (done.status, done.out) == (2, "")
    assert done.err == f"error: DDNS_VERIFY_NAME_SERVERS needs the extra dns; {install_advice('dns')}\n"
    assert line.aws.calls == []


def delegated_to(*hosts: str) -> Fault:
    listed = "".join(f"<NameServer>{host}</NameServer>" for host in hosts).encode()

    def fault(call: Call) -> bytes:
        return re.sub(rb"(?s)<NameServers>.*</NameServers>", b"<NameServers>%s</NameServers>" % listed, call.forward())

    return fault


def may_mount() -> bool:
    """Return whether this machine gives us port 53 and a resolv.conf of our own."""
    unshare = shutil.which("unshare")
    if os.geteuid() or not unshare:
        return False
    return not subprocess.run(
        [unshare, "-m", "mount", "--bind", os.devnull, "/etc/resolv.conf"], check=False
    ).returncode


IN_A_NAMESPACE = (
    "import os, sys; os.execvp('unshare', ['unshare', '-m', 'sh', '-c', 'mount --bind \"$0\" /etc/resolv.conf"
    " && exec \"$@\"', os.environ['RESOLV_CONF'], sys.executable, '-m', 'ddns_updater', *sys.argv[1:]])"
)

if may_mount():  # what it shows is shown above without these rights, part by part

    def test_the_command_looks_up_the_servers_and_asks_each_at_port_53(line: Machine, tmp_path: Path) -> None:
        resolv_conf = tmp_path / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.63\n")
        line.environment["RESOLV_CONF"] = str(resolv_conf)
        line.aws.fault("GetHostedZone", delegated_to("ns1.example.net", "ns3.example.net"), times=1)
        line.aws.fault("GetHostedZone", delegated_to("ns1.example.net", "ns2.example.net"))
        with ExitStack() as stack:
            resolver, first, second = (stack.enter_context(name_server(f"127.0.0.{n}", 53)) for n in (63, 64, 65))
            resolver.answers = {("ns1.example.net", "A"): ["127.0.0.64"], ("ns2.example.net", "A"): ["127.0.0.65"]}
            first.answers[HOME, "A"] = ["9.9.9.9"]
            second.answers[HOME, "A"] = ["8.8.8.8"]
            done = finish(line.start("run", program=("-c", IN_A_NAMESPACE)))
            assert done.status == 1
            assert "name server ns3.example.net cannot be looked up; the next run checks again" in done.err
            done = finish(line.start("run", program=("-c", IN_A_NAMESPACE)))
            assert done.status == 1
            assert "name server ns2.example.net answers 8.8.8.8; the next run checks again" in done.err
            assert journal(line)[HOME]["state"] == "submitted"
            second.answers[HOME, "A"] = ["9.9.9.9"]
            done = finish(line.start("run", program=("-c", IN_A_NAMESPACE)))
            assert (done.status, done.err) == (0, "")
            assert f"{HOME} A verified after" in done.out
            assert first.asked == [(HOME, "A", "IN", "udp")] * 3
        assert line.aws.count()[CHANGE] == 1


def test_a_server_that_truncates_and_closes_tcp_is_named() -> None:
    closing_tcp = socket.create_server(("127.0.0.1", 0))
    port = closing_tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))

    def truncate() -> None:
        with suppress(OSError):
            while True:
                question, asker = udp.recvfrom(512)
                if not asker:  # it was shut down
                    return
                udp.sendto(question[:2] + b"\x86\x00" + question[4:], asker)  # an answer, authoritative, cut off

    def close() -> None:
        with suppress(OSError):
            while True:
                closing_tcp.accept()[0].close()

    for each in (truncate, close):
        threading.Thread(target=each, daemon=True).start()
    try:
        servers = NameServers(look_up=lambda _: ["127.0.0.1"], port=port)
        assert mismatch(servers, ["ns"], 5) == "name server ns does not answer"
    finally:
        for listener in (udp, closing_tcp):
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
