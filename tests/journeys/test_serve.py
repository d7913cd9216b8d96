"""`ddns serve` as a process: from a request to the record in DNS, its messages, and its end."""

import base64
import json
import signal
import socket
import sys
from contextlib import closing
from typing import Any

import pytest

from tests.journeys.test_watch import wait_until
from tests.support.aws import refuse
from tests.support.command import finish
from tests.support.database import Database
from tests.support.endpoint import LOGIN, NAMES, SECRET, Serving, add_hosts, served
from tests.support.machine import Machine
from tests.support.web import connect, exchange, received, split

LISTENING = "listening on http://127.0.0.1:"
WAITS = "answering the requests in hand and sending what is due; Ctrl-C again stops at once\n"
CALLER = b"X-Forwarded-For: 9.9.9.9\r\n"


def basic(login: str = LOGIN, secret: str = SECRET) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{login}:{secret}".encode()) + b"\r\n"


def update(serving: Serving, query: str, head: bytes = basic() + CALLER) -> tuple[int, str]:
    """Send an update and return status and body."""
    raw = exchange(serving, f"GET /nic/update?{query} HTTP/1.0\r\n".encode() + head + b"\r\n")
    status, _, body = split(raw)
    return status, body.decode()


def get(serving: Serving, path: str, head: bytes = CALLER) -> tuple[int, str]:
    status, _, body = split(exchange(serving, f"GET {path} HTTP/1.0\r\n".encode() + head + b"\r\n"))
    return status, body.decode()


def address(machine: Machine, name: str) -> Any:
    """Return the values of a record, None without one."""
    found = machine.aws.record_sets(machine.zone_id).get((name, "A"))
    return found and [each["Value"] for each in found["ResourceRecords"]]


def test_a_request_becomes_a_version_and_a_record(machine: Machine) -> None:
    add_hosts(machine)
    with served(machine) as serving:
        assert get(serving, "/ip") == (200, "9.9.9.9\n")
        assert get(serving, "/health") == (200, "ok\n")
        both = ",".join(NAMES)
        assert update(serving, f"hostname={both}&myip=8.8.4.4") == (200, "good 8.8.4.4\ngood 8.8.4.4")
        assert update(serving, f"hostname={both}&myip=8.8.4.4") == (200, "nochg 8.8.4.4\nnochg 8.8.4.4")
        for name in NAMES:
            wait_until(lambda name=name: address(machine, name) == ["8.8.4.4"])  # type: ignore[misc]
        assert update(serving, f"hostname={NAMES[0]}") == (200, "good 9.9.9.9")
        done = serving.stop()
    assert (done.status, done.err) == (0, "")
    assert sorted(address for _, address in machine.database.versions()) == ["8.8.4.4", "8.8.4.4", "9.9.9.9"]


def test_what_is_recorded_is_sent_before_it_ends(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine) as serving:
        assert update(serving, f"hostname={NAMES[0]}&myip=8.8.4.4")[1] == "good 8.8.4.4"
        assert serving.stop().status == 0
    assert address(small_machine, NAMES[0]) == ["8.8.4.4"]


def test_what_a_killed_server_recorded_is_sent_by_the_next_one(small_machine: Machine) -> None:
    add_hosts(small_machine)
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("Throttling"), times=50)
    with served(small_machine) as serving:
        assert update(serving, f"hostname={NAMES[0]}&myip=8.8.4.4")[1] == "good 8.8.4.4"
        serving.process.kill()
        finish(serving.process)
    small_machine.aws.heal()
    with served(small_machine):
        wait_until(lambda: address(small_machine, NAMES[0]) == ["8.8.4.4"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_request_in_hand(small_machine: Machine, number: int) -> None:
    add_hosts(small_machine)
    with served(small_machine) as serving, connect(serving) as client:
        client.sendall(b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.1\r\nHost: h\r\n" + basic())
        assert get(serving, "/health") == (200, "ok\n")  # so the half request was read
        serving.process.send_signal(number)
        client.sendall(CALLER + b"\r\n")
        assert split(received(client))[2] == b"good 8.8.4.4"
        done = finish(serving.process)
    assert (done.status, done.err) == (0, WAITS if number == signal.SIGINT else "")


def test_a_second_signal_ends_it_at_once(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine) as serving, closing(sqlite_lock(small_machine.database)):
        client = connect(serving)
        client.sendall(
            b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.0\r\n" + basic() + CALLER + b"\r\n"
        )
        serving.process.send_signal(signal.SIGINT)
        assert serving.process.stderr
        assert serving.process.stderr.readline() == WAITS
        assert serving.stop().status == -signal.SIGTERM
        client.close()


def sqlite_lock(database: Database) -> Any:
    """Return a connection that lets nobody else write."""
    connection = database.connect()
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_no_secret_query_or_unknown_login_is_logged(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine, "--verbose") as serving:
        assert update(serving, "hostname=home.example.com&myip=8.8.4.4&x=hunter2")[0] == 200
        assert update(serving, "hostname=home.example.com&x=hunter2", basic("hunter2", SECRET) + CALLER)[0] == 401
        assert update(serving, "hostname=home.example.com&x=hunter2", basic(LOGIN, "hunter2") + CALLER)[0] == 401
        assert update(serving, f"hostname=home.example.com&username={LOGIN}&password=hunter2", CALLER)[0] == 401
        assert get(serving, "/hunter2", CALLER + b"User-Agent: hunter2\r\n")[0] == 404
        done = serving.stop()
    assert done.status == 0
    assert "hunter2" not in done.out + done.err
    assert SECRET not in done.out + done.err
    assert "dyndns2: good in " in done.err
    assert done.err.count("unknown login from 9.9.9.9") == 1
    assert f"wrong secret of {LOGIN} from 9.9.9.9" in done.err


def test_its_lines_can_be_json(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine, "--log-format", "json") as serving:
        update(serving, "hostname=home.example.com", basic("nobody") + CALLER)
        done = serving.stop(signal.SIGINT)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert [(each["level"], each["message"]) for each in lines] == [
        ("warning", "unknown login from 9.9.9.9"),
        ("info", WAITS.strip()),
    ]


def test_a_proxy_that_does_not_say_who_calls_is_warned_of_once(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine) as serving:
        for _ in range(3):
            assert get(serving, "/ip", b"") == (200, "127.0.0.1\n")
        done = serving.stop()
    assert done.err.startswith("warning: trusted proxy 127.0.0.1 sends no X-Forwarded-For, ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_an_address_that_others_reach_is_warned_of(small_machine: Machine, listen: str) -> None:
    add_hosts(small_machine)
    with served(small_machine, DDNS_SERVE_LISTEN=listen) as serving:
        with closing(socket.create_connection(("127.0.0.1", serving.port), timeout=20)) as client:
            client.sendall(b"GET /ip HTTP/1.0\r\n\r\n")
            assert split(received(client))[2] == b"127.0.0.1\n"
        done = serving.stop()
    warning = f"warning: DDNS_SERVE_LISTEN={listen} can be reached from other machines, without TLS; listen on "
    assert done.err.startswith(warning)


def test_it_says_in_one_line_why_it_cannot_start(small_machine: Machine) -> None:
    no_database = small_machine.process("serve", DDNS_SERVE_LISTEN="127.0.0.1:0")
    assert (no_database.status, no_database.out) == (1, "")
    assert no_database.err.startswith("error: there is no database at ")
    add_hosts(small_machine)
    wrong = small_machine.process("serve", DDNS_SERVE_LISTEN="localhost")
    assert wrong.status == 2
    assert wrong.err == (
        "error: DDNS_SERVE_LISTEN='localhost' is not an IP address with a port; write it as 127.0.0.1:8245 or"
        " [::1]:8245\n"
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        taken = small_machine.process("serve", DDNS_SERVE_LISTEN=place)
    assert (taken.status, taken.out) == (1, "")
    assert taken.err == (
        f"error: cannot listen on {place}: Address already in use; stop the program that uses the port, or set"
        " DDNS_SERVE_LISTEN to another\n"
    )
    elsewhere = small_machine.process("serve", DDNS_SERVE_LISTEN="203.0.113.7:8245")
    assert (elsewhere.status, elsewhere.err.count("\n")) == (1, 1)


def test_it_says_how_to_add_what_it_needs(small_machine: Machine) -> None:
    add_hosts(small_machine)
    without = "import sys; sys.modules['waitress'] = None\nfrom ddns_updater.cli.main import main; main()"
    done = finish(small_machine.start("serve", program=("-c", without), DDNS_SERVE_LISTEN="127.0.0.1:0"))
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: ddns serve needs the extra serve; ")
    assert sys.prefix in done.err


def test_a_database_that_is_away_is_no_end(small_machine: Machine, private_mysql: Database) -> None:
    machine = small_machine
    machine.database = private_mysql
    add_hosts(machine)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    away = private_mysql.url.replace(f":{private_mysql.url.rpartition(':')[2].partition('/')[0]}", f":{port}")
    with served(machine, DDNS_DATABASE_URL=away) as serving:
        assert get(serving, "/health")[0] == 503
        for _ in range(20):
            assert update(serving, "hostname=home.example.com&myip=8.8.4.4") == (503, "911")
        done = serving.stop()
    assert done.status == 0
    assert "Traceback" not in done.err
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: failed to look a login up: ")]
    assert len(set(warnings)) == len(warnings)  # each request met it, and each text is told once a minute


def test_the_operator_alone_sees_the_page_and_the_metrics(machine: Machine) -> None:
    add_hosts(machine)
    operator = basic("anybody", "of-the-operator")
    with served(machine, DDNS_SERVE_STATUS_PASSWORD="of-the-operator") as serving:
        assert update(serving, f"hostname={NAMES[0]}&myip=8.8.4.4") == (200, "good 8.8.4.4")
        for path in ("/status", "/metrics"):
            assert get(serving, path)[0] == 401
            assert get(serving, path, basic() + CALLER)[0] == 401  # a host is no operator
        status, page = get(serving, "/status", operator + CALLER)
        assert status == 200
        assert all(name in page for name in NAMES)
        assert "8.8.4.4" in page
        wait_until(lambda: address(machine, NAMES[0]) == ["8.8.4.4"])
        wait_until(lambda: "change_calls_total 1.0" in get(serving, "/metrics", operator + CALLER)[1])
        status, metrics = get(serving, "/metrics", operator + CALLER)
        assert status == 200
        assert 'ddns_endpoint_requests_total{answer="good",protocol="dyndns2"} 1.0' in metrics
        assert 'ddns_endpoint_requests_total{answer="401",protocol="/status"} 2.0' in metrics
        assert "ddns_endpoint_failed_logins_total 2.0" in metrics
        assert "ddns_endpoint_hosts 2.0" in metrics


def test_without_a_password_there_are_no_pages_of_the_operator(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine) as serving:
        assert [get(serving, path)[0] for path in ("/status", "/metrics")] == [404, 404]


def test_a_host_that_the_settings_give_to_the_line_is_named_at_the_start(small_machine: Machine) -> None:
    add_hosts(small_machine)
    with served(small_machine, DDNS_RECORDS="home.example.com,other.example.com") as serving:
        done = serving.stop()
    assert done.status == 0
    assert (
        "warning: host home.example.com is in DDNS_RECORDS, so it is not published; remove it there or here" in done.err
    )
    assert "other.example.com" not in done.err


def test_without_its_tables_it_says_how_to_make_them(small_machine: Machine) -> None:
    for command in (("serve",), ("host", "list"), ("host", "add", "nas.example.com")):
        done = small_machine.ddns(*command, DDNS_SERVE_LISTEN="127.0.0.1:0")
        assert done.status == 1
        assert 'run "ddns init --tables-only"' in done.err
