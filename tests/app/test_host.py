"""`ddns host`: the hosts of the update endpoint, as the operator adds, sees, changes and removes them."""

import re
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.app.factories import open_hosts
from ddns_updater.hosts import Host
from ddns_updater.model import PublicationState
from tests.support import hosts
from tests.support.aws import refuse
from tests.support.command import Finished
from tests.support.machine import Machine
from tests.support.terminal import screen

NAME = "nas.example.com"
URL = "https://ddns.example.com"


@pytest.fixture
def server(machine: Machine) -> Machine:
    """Give a machine with the tables of `ddns init`."""
    machine.database.create_tables()
    return machine


@pytest.fixture
def small_server(small_machine: Machine) -> Machine:
    small_machine.database.create_tables()
    return small_machine


def digest_of(machine: Machine, login: str = NAME) -> Any:
    ((digest,),) = machine.database.sql("SELECT secretHash FROM admin_ddns_login WHERE login = ?", (login,))
    return digest


def refused(done: Finished, *words: str) -> None:
    assert (done.status, done.out) == (2, "")
    (line,) = [each for each in done.err.splitlines() if each.startswith("error: ")]
    assert all(word in line for word in words), line


def added(machine: Machine, *arguments: str, stdin: bytes = b"") -> Any:
    done = machine.fed(stdin, "host", "add", *arguments, "--json")
    assert done.status == 0, done.err
    return done.json


# add


def test_a_host_is_added_with_a_new_secret_of_which_only_the_digest_is_kept(server: Machine) -> None:
    found = added(server, "NAS.Example.com.", "--url", f"{URL}/")
    assert found == {
        "name": NAME,
        "login": NAME,
        "secret": found["secret"],
        "url": f"{URL}/nic/update?hostname={NAME}",
    }
    assert re.fullmatch("[0-9a-z]{32}", found["secret"])
    assert digest_of(server) == sha256(found["secret"].encode()).hexdigest()
    for table in ("login", "host"):
        assert found["secret"] not in str(server.database.sql(f"SELECT * FROM admin_ddns_{table}"))


def test_the_secret_is_on_stdout_alone_also_with_verbose(small_server: Machine) -> None:
    done = small_server.process("-v", "host", "add", NAME)
    assert done.status == 0
    (secret,) = re.findall("secret:  (.*)", done.out)
    assert secret not in done.err
    assert done.out.count(secret) == 1
    assert "put the name of your reverse proxy for HOST" in done.err
    assert f"URL:     https://HOST/nic/update?hostname={NAME}" in done.out


def test_a_secret_from_stdin_is_kept(small_server: Machine) -> None:
    secret = "old:secret with a blank"
    assert added(small_server, NAME, "--secret", "-", stdin=f"{secret}\r\nmore\n".encode())["secret"] == secret
    assert digest_of(small_server) == sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize(
    ("stdin", "word"),
    [
        (b"", "there is none"),
        (b"\n", "there is none"),
        (b"fifteen-letters\n", "fewer than 16"),
        (b"a-tab-\tin-a-long-secret\n", "control character"),
        (b"not-utf-8-\xff-in-a-long-secret\n", "UTF-8"),
        (b"x" * 256, "more than 255"),
    ],
)
def test_a_secret_that_cannot_be_kept_is_refused(small_server: Machine, stdin: bytes, word: str) -> None:
    refused(small_server.fed(stdin, "host", "add", NAME, "--secret", "-"), word)
    assert small_server.database.sql("SELECT * FROM admin_ddns_host") == []


def test_a_weak_secret_is_taken_only_on_demand(small_server: Machine) -> None:
    assert added(small_server, NAME, "--secret", "-", "--weak", stdin=b"short\n")["secret"] == "short"
    refused(small_server.ddns("host", "add", "b.example.com", "--weak"), "--secret -")


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(small_server: Machine) -> None:
    done = small_server.ddns("host", "add", NAME, "--secret", "SuP3R_5eCR3T-of-mine")
    refused(done, "command line", "--secret -")
    assert "SuP3R" not in done.err


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("nas", "full domain name"),
        ("*.example.com", "wildcard"),
        ("na s.example.com", "label"),
        ("nas..example.com", "label"),
        ("x" * 64 + ".example.com", "label"),
        ("home.example.com", "DDNS_RECORDS"),
        ("example.com", "--apex"),
        ("nas.example.org", "no public hosted zone covers nas.example.org"),
    ],
)
def test_a_name_that_cannot_be_a_host_is_refused_in_one_line(small_server: Machine, name: str, word: str) -> None:
    refused(small_server.ddns("host", "add", name), word)
    assert small_server.database.sql("SELECT * FROM admin_ddns_host") == []


def test_the_name_of_a_zone_is_added_with_apex_alone(small_server: Machine) -> None:
    assert added(small_server, "example.com", "--apex")["name"] == "example.com"
    refused(small_server.ddns("host", "add", NAME, "--apex"), "leave out --apex")


def test_an_internationalised_name_is_kept_in_ascii(small_server: Machine) -> None:
    assert added(small_server, "Bücher.example.com")["name"] == "xn--bcher-kva.example.com"


def test_a_name_below_a_delegation_is_refused(small_server: Machine) -> None:
    servers = [{"Value": "ns1.elsewhere.example."}]
    small_server.aws.put(
        small_server.zone_id, {"Name": "sub.example.com", "Type": "NS", "TTL": 60, "ResourceRecords": servers}
    )
    refused(small_server.ddns("host", "add", "nas.sub.example.com"), "delegates", "DDNS_HOSTED_ZONE_ID")


def test_without_an_answer_of_aws_a_host_is_added_with_a_warning(small_server: Machine) -> None:
    small_server.aws.fault("ListHostedZones", refuse("AccessDenied", "no"))
    done = small_server.ddns("host", "add", NAME, "--json")
    assert done.status == 0
    assert "warning: the hosted zone of nas.example.com was not checked: " in done.err
    assert done.json["name"] == NAME


def test_a_login_has_several_hosts_and_one_secret(server: Machine) -> None:
    first = added(server, NAME, "--login", "Office")
    assert first["login"] == "office"
    second = server.ddns("host", "add", "cam.example.com", "--login", "office", "--json")
    assert second.json["secret"] is None
    assert "the secret of login office" in second.err
    third = added(server, "tv.example.com", "--login", "office", "--secret", "-", stdin=first["secret"].encode())
    assert third["secret"] == first["secret"]
    refused(
        server.fed(b"n" * 32, "host", "add", "b.example.com", "--login", "office", "--secret", "-"),
        "another secret",
    )
    refused(server.ddns("host", "add", "b.example.com", "--login", "office", "--aws"), "AWS's protocol")
    refused(server.ddns("host", "add", NAME), "already")
    with open_hosts(server.database.settings()) as opened:
        login = opened.login("office")
    assert login
    assert [each.name for each in login.hosts] == ["cam.example.com", NAME, "tv.example.com"]


@pytest.mark.parametrize("login", ["", "a:b", "a b", "ä", "a/b", "x" * 256, "._-"])
def test_a_login_that_clients_cannot_send_is_refused(small_server: Machine, login: str) -> None:
    refused(small_server.ddns("host", "add", NAME, "--login", login), "--login")


def test_awss_protocol_keeps_the_secret_itself_and_says_so(server: Machine) -> None:
    done = server.ddns("host", "add", NAME, "--aws", "--json")
    assert "the secret itself is kept in the database" in done.err
    assert server.database.sql("SELECT sharedSecret FROM admin_ddns_login") == [(done.json["secret"],)]


def test_a_host_with_a_secret_in_the_query_gets_one_url_to_call(small_server: Machine) -> None:
    done = small_server.ddns("host", "add", NAME, "--query-secret", "--url", URL)
    (secret,) = re.findall("secret:  (.*)", done.out)
    assert f"{URL}/nic/update?hostname={NAME}&username={NAME}&password={secret}" in done.out


def test_a_suffix_is_the_last_64_bits_of_an_address(server: Machine) -> None:
    added(server, NAME, "--suffix", "::211:32FF:fe12:3456")
    with open_hosts(server.database.settings()) as opened:
        entry = opened.entry(NAME)
    assert entry
    assert entry.host.suffix == ip_address("::211:32ff:fe12:3456")
    for text in ("2001:db8::1", "::", "::1%eth0", "fe12:3456", "1.2.3.4", "::1:0:0:0:0"):
        refused(server.ddns("host", "add", "b.example.com", "--suffix", text), "--suffix", "::211:32ff:fe12:3456")


@pytest.mark.parametrize(
    "url",
    [
        "ddns.example.com",
        "ftp://ddns.example.com",
        "https://",
        "https://a b",
        "https://u:p@h",
        "https://h/?a",
        "https://h:x",
    ],
)
def test_a_url_that_is_none_of_a_server_is_refused(small_server: Machine, url: str) -> None:
    refused(small_server.ddns("host", "add", NAME, "--url", url), "--url", "https://ddns.example.com")


def test_a_url_without_tls_is_warned_of(small_server: Machine) -> None:
    done = small_server.ddns("host", "add", NAME, "--url", "http://[2001:db8::1]:8245/below/")
    assert "URL:     http://[2001:db8::1]:8245/below/nic/update?hostname=nas.example.com" in done.out
    assert "in the clear" in done.err


def test_only_the_configuration_is_on_stdout_with_for(small_server: Machine) -> None:
    done = small_server.ddns("host", "add", NAME, "--for", "curl", "--url", URL)
    assert [line.partition(" ")[0] for line in done.out.splitlines()][:3] == ["#", "url", "user"]
    refused(small_server.ddns("host", "add", "b.example.com", "--for", "curl", "--json"), "cannot be combined")
    refused(small_server.ddns("host", "add", "b.example.com", "--for", "curll"), "'curll' is not one of", "'curl'")


def test_without_tables_it_says_to_run_init(small_machine: Machine) -> None:
    done = small_machine.ddns("host", "list")
    assert done.status == 1
    assert "ddns init" in done.err


# list and show


@pytest.fixture
def busy(server: Machine) -> Machine:
    """Give a server with a host of two families, one that is refused, one that is blocked, and one without requests."""
    nas = hosts.add(server.database, NAME)
    hosts.update(server.database, nas, "9.9.9.9", "2620:fe::fe", client="\x1b[31mEvil\u202e/1.0 " + "x" * 100)
    hosts.publish(server.database)
    cam = hosts.add(server.database, "cam.example.com", login=NAME, secret=None)
    hosts.update(server.database, cam, "1.1.1.1")
    hosts.publish(server.database, PublicationState.FAILED, error="a CNAME to x exists")
    server.ddns("host", "block", "cam.example.com")
    hosts.add(server.database, "tv.example.com")
    return server


def test_the_list_shows_each_host_in_a_line_and_no_hostile_text(busy: Machine) -> None:
    done = busy.ddns("host", "list")
    header, cam, nas, tv = done.out.splitlines()
    assert header.split() == ["NAME", "ADDRESS", "SINCE", "DNS", "LAST", "REQUEST", "CLIENT", "STATE"]
    assert re.split("  +", cam)[::3] == ["cam.example.com", "failed", "blocked"]
    assert re.split("  +", nas)[1::2][:1] == ["9.9.9.9, 2620:fe::fe"]
    assert " verified " in nas
    assert r"\x1b[31mEvil\u202e/1.0" in nas
    assert "…" in nas
    assert tv.split() == ["tv.example.com", "-", "-", "-", "-", "-"]
    assert not {"\x1b", "\u202e"} & set(done.out)


def test_the_json_of_the_list_is_one_array_with_the_same(busy: Machine) -> None:
    cam, nas, tv = busy.ddns("host", "list", "--json").json
    assert (cam["name"], cam["login"], cam["dns"], bool(cam["blocked_at"])) == ("cam.example.com", NAME, "failed", True)
    assert cam["families"][0]["error"] == "a CNAME to x exists"
    assert [each["address"] for each in nas["families"]] == ["9.9.9.9", "2620:fe::fe"]
    assert nas["last_request"]["client"].startswith("\x1b[31mEvil")
    assert (tv["families"], tv["last_request"], tv["dns"]) == ([], None, None)


def test_without_a_host_the_list_is_empty(small_server: Machine) -> None:
    assert small_server.ddns("host", "list").out == "there is no host\n"
    assert small_server.ddns("host", "list", "--json").json == []


def test_more_hosts_than_a_page_are_all_listed(server: Machine) -> None:
    server.database.sql("INSERT INTO admin_ddns_login (login, secretHash, createdAt) VALUES ('l', 'h', '2026-01-01')")
    rows = ", ".join(f"('h{number:04}.example.com', 1, '2026-01-01')" for number in range(2001))
    server.database.sql(f"INSERT INTO admin_ddns_host (name, loginId, createdAt) VALUES {rows}")
    names = [line.split()[0] for line in server.ddns("host", "list").out.splitlines()[1:]]
    assert names == [f"h{number:04}.example.com" for number in range(2001)]
    assert len(server.ddns("host", "list", "--json").json) == 2001


def test_on_a_narrow_terminal_each_host_has_lines_of_its_own(busy: Machine) -> None:
    lines = screen(busy, 60, "host", "list")
    assert all(len(line) <= 60 for line in lines)
    assert lines[0] == "cam.example.com, blocked"
    assert "  no address yet" in lines


def test_a_host_is_shown_with_all_that_is_known(busy: Machine) -> None:
    shown = busy.ddns("host", "show", "NAS.example.com", "--url", URL).out
    assert "ipv4: 9.9.9.9, version 1, since " in shown
    assert "DNS: verified, last seen at " in shown
    assert r"by \x1b[31mEvil\u202e/1.0" in shown
    assert "answered good" in shown
    assert "other hosts of its login: cam.example.com" in shown
    assert f"URL: {URL}/nic/update?hostname={NAME}" in shown
    found = busy.ddns("host", "show", "cam.example.com", "--json").json
    assert found["other_hosts"] == [NAME]
    assert found["url"] is None
    assert "its requests are answered abuse" in busy.ddns("host", "show", "cam.example.com").out


@pytest.mark.parametrize(
    ("name", "meant"),
    [("nsa.example.com", NAME), ("cam", "cam.example.com"), ("zzz.example.net", "ddns host list")],
)
@pytest.mark.parametrize("command", ["show", "rotate", "block", "unblock", "remove"])
def test_an_unknown_name_is_one_line_with_what_was_meant(
    small_server: Machine, command: str, name: str, meant: str
) -> None:
    for each in (NAME, "cam.example.com"):
        hosts.add(small_server.database, each)
    refused(small_server.ddns("host", command, name), f"there is no host {name}", meant)


# rotate, block and remove


def test_two_secrets_are_valid_until_the_rotation_is_finished(server: Machine) -> None:
    first = added(server, NAME, "--login", "office")["secret"]
    added(server, "cam.example.com", "--login", "office")
    done = server.ddns("host", "rotate", "cam.example.com", "--json")
    second = done.json["secret"]
    assert done.json["names"] == ["cam.example.com", NAME]
    assert "2 hosts" in done.err
    assert second != first
    assert _digests(server) == [sha256(each.encode()).hexdigest() for each in (second, first)]
    assert "two secrets are valid" in server.ddns("host", "show", NAME).out
    assert server.ddns("host", "rotate", NAME, "--finish").status == 0
    assert _digests(server) == [sha256(second.encode()).hexdigest()]
    refused(server.ddns("host", "rotate", NAME, "--finish"), "only one secret")


def test_a_second_rotation_says_that_the_oldest_secret_ended(small_server: Machine) -> None:
    hosts.add(small_server.database)
    assert "no longer valid" not in small_server.ddns("host", "rotate", NAME).err
    assert "the older of them is no longer valid" in small_server.ddns("host", "rotate", NAME).err


def test_a_new_secret_comes_in_the_configuration_of_a_client(small_server: Machine) -> None:
    added(small_server, NAME)
    done = small_server.ddns("host", "rotate", NAME, "--for", "opnsense", "--url", URL)
    assert (done.status, done.out.count("Server:           ddns.example.com\n")) == (0, 1)
    (secret,) = re.findall(r"^Password: +(\S+)$", done.out, re.MULTILINE)
    assert digest_of(small_server) == sha256(secret.encode()).hexdigest()
    refused(small_server.ddns("host", "rotate", NAME, "--for", "curl", "--json"), "--for and --json")
    refused(small_server.ddns("host", "rotate", NAME, "--for", "curl", "--finish"), "--finish prints no secret")
    assert digest_of(small_server) == sha256(secret.encode()).hexdigest()


def _digests(machine: Machine) -> list[str]:
    with open_hosts(machine.database.settings()) as opened:
        login = opened.login("office")
    return list(login.digests) if login else []


def test_a_host_is_blocked_and_unblocked(server: Machine) -> None:
    hosts.add(server.database)
    said = [server.ddns("host", command, NAME).out for command in ("block", "block", "unblock", "unblock")]
    assert said == [
        f"{NAME} is blocked\n",
        f"{NAME} is blocked already\n",
        f"{NAME} is no longer blocked\n",
        f"{NAME} was not blocked\n",
    ]


def test_a_removed_host_keeps_its_history_and_says_how_to_delete_its_record(server: Machine) -> None:
    host = hosts.add(server.database, login="office")
    hosts.update(server.database, host, "9.9.9.9")
    hosts.publish(server.database)
    done = server.ddns("host", "remove", NAME)
    assert (done.status, done.err) == (0, "")
    assert "and with it its login office" in done.out
    assert f"{NAME} A stays in DNS as it is, with 9.9.9.9" in done.out
    assert done.out.splitlines()[-1] == (
        f"  aws route53 change-resource-record-sets --hosted-zone-id {hosts.ZONE} --change-batch"
        """ '{"Changes":[{"Action":"DELETE","ResourceRecordSet":{"Name":"nas.example.com","Type":"A","TTL":60,"""
        """"ResourceRecords":[{"Value":"9.9.9.9"}]}}]}'"""
    )
    assert server.ddns("host", "list").out == "there is no host\n"
    assert "9.9.9.9" in server.ddns("history", "--name", NAME).out
    again = added(server, NAME)
    assert again["login"] == NAME


def test_a_host_that_was_never_published_leaves_no_record(small_server: Machine) -> None:
    hosts.add(small_server.database)
    assert small_server.ddns("host", "remove", NAME).out == f"removed {NAME}\n"


# The other commands


def _two_families(machine: Machine) -> Host:
    host = hosts.add(machine.database)
    hosts.update(machine.database, host, "9.9.9.9", "2620:fe::fe")
    return host


@pytest.mark.parametrize("command", [("run",), ("watch",), ("init", "--ip", "9.9.9.9")])
@pytest.mark.parametrize("has_address", [True, False])
def test_a_command_for_this_machine_refuses_a_host(
    server: Machine, command: tuple[str, ...], has_address: bool
) -> None:
    _two_families(server) if has_address else hosts.add(server.database)
    before = server.database.versions()
    refused(server.ddns(*command, "--name", NAME), "host of the update endpoint", "--name")
    refused(server.ddns(*command, DDNS_NAME=NAME), "host of the update endpoint")
    assert server.database.versions() == before


def test_the_history_of_a_host_has_the_families_of_its_requests(server: Machine) -> None:
    _two_families(server)
    server.database.seed("192.0.2.9", name="line")
    assert server.ddns("history").out.count("9.9.9.9") == 0
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="seconds")
    time.sleep(1)  # the history knows no future
    for options in ((), ("--at", soon), ("--chart",), ("--csv",), ("--summary",)):
        done = server.ddns("history", "--name", NAME, *options, DDNS_IP_FAMILIES="ipv4")
        assert done.status == 0, done.err
        assert "ipv6" in done.out or "2620:fe::fe" in done.out
    found = server.ddns("history", "--name", NAME, "--json").json
    assert {each["address"] for each in found} == {"9.9.9.9", "2620:fe::fe"}


def test_a_host_without_an_address_has_no_history_yet(server: Machine) -> None:
    hosts.add(server.database)
    for command in ("history", "status"):
        refused(server.ddns(command, "--name", NAME), f"host {NAME} has no address yet")


def test_a_host_of_one_family_keeps_it_whatever_this_machine_publishes(server: Machine) -> None:
    hosts.update(server.database, hosts.add(server.database), "2620:fe::fe")
    (version,) = server.ddns("history", "--name", NAME, "--json", DDNS_IP_FAMILIES="ipv4").json
    assert (version["family"], version["address"]) == ("ipv6", "2620:fe::fe")
