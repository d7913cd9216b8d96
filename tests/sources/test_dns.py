"""An address source that is asked over DNS: a loopback name server that misbehaves on purpose."""

from collections.abc import Iterator

import dns.rrset
import pytest

from ddns_updater.errors import InvalidValue
from ddns_updater.lib.installation import install_advice
from ddns_updater.model import Family
from ddns_updater.sources.dns import DnsSource
from ddns_updater.sources.spec import DnsSpec, parse_source
from tests.support.nameserver import (
    Exchange,
    Fault,
    NameServer,
    from_another_address,
    from_another_port,
    garbage,
    good,
    hang,
    name_server,
    rcode,
    truncated,
    truncated_everywhere,
    wrong_id,
    wrong_question,
)
from tests.support.source_trial import Trial

NEW = "9.9.9.9"
NAME = "myip.example.com"


@pytest.fixture
def server() -> Iterator[NameServer]:
    """Give a name server that knows the asker's address."""
    with name_server() as each:
        each.answers = {(NAME, "A"): [NEW], (NAME, "TXT"): [f'"{NEW}"'], (NAME, "AAAA"): ["2606:4700:4700::1111"]}
        yield each


def source(server: NameServer, options: str = "", name: str = NAME) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"dns:{name}@{host}:{server.port}{options}"


def test_it_asks_that_server_for_that_name(trial: Trial, server: NameServer) -> None:
    assert trial.address(source(server)) == NEW
    assert server.asked == [(NAME, "A", "IN", "udp")]


def test_it_reads_the_text_between_the_quotes_of_a_txt_record(trial: Trial, server: NameServer) -> None:
    assert trial.address(source(server, "?type=TXT")) == NEW
    assert server.asked == [(NAME, "TXT", "IN", "udp")]


def test_it_asks_in_the_class_chaos(trial: Trial, server: NameServer) -> None:
    server.answers = {("whoami.example", "TXT"): [f'"{NEW}"']}
    assert trial.address(source(server, "?type=TXT&class=CH", "whoami.example")) == NEW
    assert server.asked == [("whoami.example", "TXT", "CH", "udp")]


def test_it_asks_over_ipv6_for_an_ipv6_address(trial: Trial) -> None:
    with name_server("::1") as server:
        server.answers = {(NAME, "AAAA"): ["2606:4700:4700::1111"], (NAME, "TXT"): ['"2606:4700:4700::1111"']}
        assert trial.address(source(server), Family.IPV6) == "2606:4700:4700::1111"
        assert str(trial.run(source(server, "?type=TXT"), Family.IPV6).address) == "2606:4700:4700::1111"
        assert [each[1] for each in server.asked] == ["AAAA", "TXT"]


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_it_does_not_ask_over_the_other_address_family(trial: Trial, family: Family) -> None:
    with name_server("::1" if family is Family.IPV4 else "127.0.0.1") as server:
        assert trial.refusal(source(server), family).startswith("cannot be reached: ")
        assert server.asked == []


def test_the_real_command_says_which_server_said_it(trial: Trial, server: NameServer) -> None:
    done = trial.machine.ddns("run", "--json", DDNS_IP_SOURCES=source(server))
    assert (done.status, done.err) == (0, "")
    family = done.json["results"][0]
    assert (family["outcome"], family["address"], family["source"]) == ("updated", NEW, source(server))


def test_the_real_command_says_in_one_line_why_it_changed_nothing(trial: Trial, server: NameServer) -> None:
    server.answers[(NAME, "A")].append("8.8.8.8")
    done = trial.machine.ddns("run", DDNS_IP_SOURCES=source(server))
    assert done.err == (
        "failed: no trustworthy ipv4 address, so nothing was changed:"
        f" {source(server)} answered 2 A records instead of one\n"
    )
    assert (done.status, done.out) == (1, "")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (truncated, "sent an incomplete answer"),
        (truncated_everywhere, "sent an incomplete answer"),
        (rcode("NXDOMAIN"), "answered NXDOMAIN"),
        (rcode("REFUSED"), "answered REFUSED"),
        (rcode("SERVFAIL"), "answered SERVFAIL"),
        (from_another_address, "got an answer from another server"),
        (from_another_port, "got an answer from another server"),
        (wrong_id, "sent no valid DNS answer: BadResponse"),
        (wrong_question, "sent no valid DNS answer: BadResponse"),
        (garbage, "sent no valid DNS answer: BadLabelType"),
        (hang, "timed out after 1 s"),
    ],
)
def test_it_refuses_an_answer_that_is_none_or_from_another_server(
    trial: Trial, server: NameServer, fault: Fault, reason: str
) -> None:
    server.fault = fault
    assert trial.refusal(source(server)) == reason


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("A", [NEW, "8.8.8.8"], "answered 2 A records instead of one"),
        ("A", ["192.168.1.1"], "answered 192.168.1.1, which is not a public address"),
        ("A", ["0.0.0.0"], "answered 0.0.0.0, which is not a public address"),
        ("TXT", [f'"{NEW}"', '"edns0-client-subnet 9.9.9.0/24"'], "answered 2 TXT records instead of one"),
        ("TXT", ['"9.9." "9.9"'], "answered '9.9.\" \"9.9', which is not one IP address"),
        ("TXT", [f'"you are {NEW}"'], f"answered 'you are {NEW}', which is not one IP address"),
        ("TXT", ['""'], "answered nothing, which is not one IP address"),
        ("TXT", ['"\\027[2J"'], "answered '\\\\027[2J', which is not one IP address"),
        (
            "TXT",
            ['"2606:4700:4700::1111"'],
            "answered 2606:4700:4700::1111, which is not an IPv4 address",
        ),
    ],
)
def test_it_refuses_records_that_are_not_one_public_address(
    trial: Trial, server: NameServer, kind: str, values: list[str], reason: str
) -> None:
    server.answers = {(NAME, kind): values}
    assert trial.refusal(source(server, f"?type={kind}")) == reason


def test_it_refuses_an_answer_without_a_record_of_the_type(trial: Trial, server: NameServer) -> None:
    del server.answers[(NAME, "A")]
    assert trial.refusal(source(server)) == "answered 0 A records instead of one"
    assert trial.refusal(source(server, name="none.example.com")) == "answered NXDOMAIN"


def test_it_refuses_an_alias_that_leads_nowhere(trial: Trial, server: NameServer) -> None:
    server.answers = {(NAME, "A"): []}

    def alias(exchange: Exchange) -> None:
        exchange.answer.answer = [dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "other.example.com.")]
        good(exchange)

    server.fault = alias
    assert trial.refusal(source(server)) == "answered 0 A records instead of one"


def test_a_server_that_does_not_exist_is_a_reason(trial: Trial, server: NameServer) -> None:
    reason = trial.refusal("dns:myip.example.com@server.invalid")
    assert reason.startswith("cannot be reached: ")
    server.stop()
    assert trial.refusal(source(server)) in ("timed out after 1 s", "cannot be reached: Connection refused")


@pytest.mark.parametrize(
    ("spec", "host"),
    [
        ("opendns", "resolver1.opendns.com"),
        ("google", "ns1.google.com"),
        ("cloudflare", "one.one.one.one"),
        ("myip.example.com@NS.example.com:5353?type=TXT", "ns.example.com"),
        ("myip.example.com@[2001:db8::1]:53", "2001:db8::1"),
    ],
)
def test_the_server_is_the_host_of_the_source(spec: str, host: str) -> None:
    source = DnsSource(DnsSpec(f"dns:{spec}"), timeout=1)
    assert (source.host, source.name) == (host, f"dns:{spec}")


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "quad9",
        "@",
        "myip.example.com",
        "myip.example.com@",
        "@192.0.2.1",
        "a..b@192.0.2.1",
        f"{'a' * 64}.example.com@192.0.2.1",
        "myip.example.com@192.0.2.1:99999",
        "myip.example.com@192.0.2.1:port",
        "myip.example.com@[2001:db8::1",
        "myip.example.com@192.0.2.1/path",
        "myip.example.com@192.0.2.1?type=MX",
        "myip.example.com@192.0.2.1?type=nonsense",
        "myip.example.com@192.0.2.1?class=nonsense",
        "myip.example.com@192.0.2.1?kind=TXT",
    ],
)
def test_it_refuses_a_form_that_it_cannot_ask(spec: str) -> None:
    with pytest.raises(InvalidValue, match=r"^is not an address source; write dns:opendns, "):
        parse_source(f"dns:{spec}")


def test_without_its_extra_it_says_which_is_needed(trial: Trial) -> None:
    prelude = "import runpy, sys; sys.modules['dns'] = None; runpy.run_module('ddns_updater', run_name='__main__')"
    process = trial.machine.start("run", program=("-c", prelude), DDNS_IP_SOURCES="dns:opendns")
    out, err = process.communicate(timeout=30)
    message = f"error: the address source dns: needs the extra dns; {install_advice('dns')}\n"
    assert (process.returncode, out, err) == (2, "", message)
