"""Deliveries to real servers whose answers never end: neither threads nor descriptors add up."""

import gc
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from ddns_updater.alerts.delivery import send
from ddns_updater.errors import AlertError
from ddns_updater.run.deliveries import Deliveries, Delivery
from tests.support.receivers import Receiver
from tests.support.services import Play, drip, hang

# A delivery that is told to end while it connects leaves its socket to the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

OK = b"HTTP/1.1 200 OK\r\n"
PAUSE = 0.02  # seconds between two pieces of an answer


def endless(begin: bytes, piece: bytes) -> Play:
    """Answer with `begin` and then `piece` again and again, until the client has gone."""

    def play(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(piece)
            time.sleep(PAUSE)

    return play


ANSWERS: dict[str, Play] = {
    "a head a byte at a time": endless(OK + b"X-Long: ", b"x"),
    "no end of short headers": endless(OK, b"X: "),
    "a status line without end": endless(b"HTTP/1.1 200 ", b"O"),
    "100 Continue for ever": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body a byte at a time": endless(OK + b"Content-Length: 9999\r\n\r\n", b"x"),
    "a chunk size without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "a redirect whose body never ends": endless(
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"
    ),
}


def post(url: str) -> Callable[[], None]:
    def work() -> None:
        send("POST", url, name="its service", read=14, json={})

    return work


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only counted


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def flat() -> Iterator[None]:
    """Assert that the test leaves no thread of a delivery and no descriptor of one behind."""
    before = descriptors(), threading.active_count()
    yield
    wait_until(lambda: threading.active_count() <= before[1] and descriptors() <= before[0])


@pytest.mark.usefixtures("flat")
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_never_ends_is_given_up_and_leaves_nothing_behind(receiver: Receiver, kind: str) -> None:
    receiver.play = ANSWERS[kind]
    deliveries = Deliveries()
    for _ in range(5):
        begin = time.monotonic()
        failure = deliveries.deliver("key", post(receiver.url), "its service", 0.1)
        assert failure, kind
        assert time.monotonic() - begin < 5
        wait_until(lambda: not deliveries.hangs("key"))
    assert len(receiver.got) == 5


def test_hundreds_of_deliveries_to_one_that_hangs_begin_once(receiver: Receiver) -> None:
    receiver.play = hang
    deliveries = Deliveries()
    assert deliveries.deliver("key", post(receiver.url), "its service", 0.2)
    before = descriptors(), threading.active_count()
    for _ in range(300):
        failure = deliveries.deliver("key", post(receiver.url), "its service", 0.2)
        assert str(failure) == "its service still has not answered an earlier one"
    assert (descriptors(), threading.active_count(), len(receiver.got)) == (*before, 1)
    assert deliveries.deliver("another", lambda: None, "another", 5) is None
    receiver.stop()


def test_a_delivery_begins_again_when_the_one_before_has_ended(receiver: Receiver) -> None:
    receiver.play = drip(OK + b"\r\n" + b"x" * 600, pause=PAUSE)
    deliveries = Deliveries()
    failure = deliveries.deliver("key", post(receiver.url), "its service", 0.1)
    assert str(failure) == "its service did not answer within 0.1 s"
    receiver.play = None
    wait_until(lambda: not deliveries.hangs("key"))
    assert deliveries.deliver("key", post(receiver.url), "its service", 5) is None


def test_a_library_that_swallows_every_exception_is_told_again_to_end() -> None:
    stopped = threading.Event()

    def library() -> None:
        for _ in range(2):
            with suppress(BaseException):
                while not stopped.is_set():
                    time.sleep(0.01)
        while not stopped.is_set():
            time.sleep(0.01)

    deliveries = Deliveries()
    try:
        assert deliveries.deliver("key", library, "its service", 0.05)
        wait_until(lambda: not deliveries.hangs("key"))
    finally:
        stopped.set()


def test_one_that_was_told_to_end_holds_no_connection_open() -> None:
    class Connection:
        pass

    closed = threading.Event()

    def library() -> None:
        connection = Connection()
        weakref.finalize(connection, closed.set)
        while connection:
            time.sleep(0.01)

    gc.disable()
    try:
        deliveries = Deliveries()
        assert deliveries.deliver("key", library, "its service", 0.05)
        assert closed.wait(10)
    finally:
        gc.enable()


def test_its_errors_come_back_and_a_bug_is_raised() -> None:
    def refuse(error: Exception) -> None:
        raise error

    refused = AlertError("refused")
    assert Delivery(partial(refuse, refused), "its service", 5).outcome() is refused
    assert Delivery(lambda: None, "its service", 5).outcome() is None
    with pytest.raises(KeyError):
        Delivery(partial(refuse, KeyError("a bug")), "its service", 5).outcome()
