"""The state file: what is written is read back, and no file, however broken or strange, changes what a run does."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.errors import StateError
from ddns_updater.history.url import SqliteUrl
from ddns_updater.lib.uptime import Uptime, uptime
from ddns_updater.model import Family, Incident, Outcome, Record, Seen
from ddns_updater.state.clock import find_shift
from ddns_updater.state.content import content_text, parse_content
from ddns_updater.state.file import StateFile
from ddns_updater.state.outbox import Outbox, Pause, Undelivered
from ddns_updater.state.run_state import Move, Reported, RunState, Skips
from tests.support.alerting import rewritten
from tests.support.alerting import state_file as state_file_of
from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.receivers import Receiver

TIME = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
COUNT = st.integers(0, 10**12)
FACTS = st.dictionaries(st.sampled_from(["cause", "since", "records"]), st.none() | st.integers() | st.lists(st.text()))
SECOND = TIME.map(lambda time: time.replace(microsecond=0))
EVENT = st.builds(Event, st.sampled_from(Kind), SECOND, st.none() | st.text(), st.text(), st.text(), FACTS)
RECORD = st.builds(Record, st.text(), st.sampled_from(["A", "AAAA"]))
INCIDENT = st.builds(Incident, TIME, COUNT, st.text(), COUNT, st.none() | TIME, st.booleans())
STANDING = st.builds(
    RunState,
    runs=st.dictionaries(st.sampled_from(Outcome), COUNT),
    recent=st.lists(TIME, max_size=6).map(tuple),
    ended=st.none() | TIME,
    outcome=st.none() | st.sampled_from(Outcome),
    error=st.none() | st.text(),
    last_success=st.none() | TIME,
    incident=st.none() | INCIDENT,
    reported=st.dictionaries(
        st.sampled_from(Family), st.builds(Reported, COUNT, st.none() | st.ip_addresses(), st.none() | TIME)
    ),
    seen=st.dictionaries(RECORD, st.builds(Seen, st.ip_addresses(), TIME)),
    behind=st.dictionaries(RECORD, TIME),
    skips=st.dictionaries(st.sampled_from(Family), st.builds(Skips, TIME, COUNT)),
    moves=st.dictionaries(
        st.sampled_from(Family),
        st.lists(st.builds(Move, TIME, st.ip_addresses(), st.ip_addresses()), min_size=1).map(tuple),
    ),
    unprinted=st.none() | EVENT,
    printed=st.dictionaries(st.text(), TIME),
    uptime=st.none() | st.builds(Uptime, st.text(), st.floats(0, 1e9)),
    slowed=st.dictionaries(st.text(), TIME),
)
KEYS = st.lists(st.text(max_size=12), max_size=3).map(tuple)
OUTBOX = st.builds(
    Outbox,
    st.lists(st.builds(Undelivered, st.text(), EVENT, TIME, KEYS), max_size=3),
    st.dictionaries(st.text(), st.builds(Pause, COUNT, TIME, st.booleans())),
)


def state_file(folder: Path) -> StateFile:
    return StateFile(folder / "state", SqliteUrl(folder / "ddns.sqlite3").identity)


@given(st.none() | st.text(), st.dictionaries(st.text(), STANDING, max_size=3), OUTBOX)
def test_what_is_written_is_read_back(
    tmp_path: Path, default: str | None, origins: dict[str, RunState], outbox: Outbox
) -> None:
    book = state_file(tmp_path)
    with rewritten(book) as page:
        page.default, page.origins, page.outbox = default, origins, outbox
    again = book.read()
    assert (again.default, again.origins, again.damage) == (default, origins, None)
    assert (again.outbox.undelivered, again.outbox.pauses) == (outbox.undelivered, outbox.pauses)


def test_a_file_of_format_1_is_read_and_written_as_it_is() -> None:
    text = (Path(__file__).parent / "format_1.json").read_text()
    content = parse_content(json.loads(text))
    assert content_text(content) == text.rstrip()
    assert [each.event.kind for each in content.outbox.undelivered] == [Kind.CHANGED, Kind.FAILING]
    assert content.origins["line"].seen == {
        Record("home.example.com", "A"): Seen(ip_address("9.9.9.9"), datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC))
    }


def test_it_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with rewritten(state_file(tmp_path)):
            pass
    finally:
        os.umask(before)
    modes = {each.name.partition(".")[2]: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "state").iterdir()}
    assert modes == {"json": 0o600, "lock": 0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_each_database_has_its_own_and_looking_makes_none(tmp_path: Path) -> None:
    one, other = (StateFile(tmp_path / "state", SqliteUrl(tmp_path / name).identity) for name in ("a", "b"))
    assert one.path != other.path
    assert one.read().origins == {}
    assert not (tmp_path / "state").exists()


# The name of an origin that cannot be looked up


def test_runs_without_a_name_go_by_the_one_that_was_last_looked_up(tmp_path: Path) -> None:
    page = state_file(tmp_path).read()
    assert page.name_of(None, None) == ""
    assert page.name_of(None, "line") == "line"
    assert page.name_of(None, None) == "line"
    assert page.name_of("other", None) == "other"


def test_an_incident_without_a_name_becomes_that_of_the_origin(tmp_path: Path) -> None:
    incident = Incident(datetime.now(UTC), 5, "the database is down", 1)
    for known in ({}, {"line": RunState(runs={Outcome.UPDATED: 7})}):
        page = state_file(tmp_path).read()
        page.origins = {"": RunState(incident=incident), **known}
        assert page.name_of("line", "line") == "line"
        assert list(page.origins) == ["line"]
        assert page.origins["line"].incident == incident


def test_an_origin_that_was_renamed_keeps_its_state_and_its_alerts(tmp_path: Path) -> None:
    state, now = RunState(runs={Outcome.UPDATED: 7}), datetime.now(UTC)
    page = state_file(tmp_path).read()
    page.default, page.origins["line"] = "line", state
    page.outbox.add("line", [Event(Kind.CHANGED, now, "line", "", "", {})], ["key"], now)
    assert page.name_of(None, "office") == "office"
    assert (page.default, page.origins) == ("office", {"office": state})
    assert [each.origin for each in page.outbox.undelivered] == ["office"]


def test_an_origin_that_has_a_state_of_its_own_does_not_get_that_of_another(tmp_path: Path) -> None:
    states = {"line": RunState(runs={Outcome.UPDATED: 7}), "other": RunState(runs={Outcome.UPDATED: 1})}
    page = state_file(tmp_path).read()
    page.default, page.origins = "line", dict(states)
    assert page.name_of(None, "other") == "other"
    assert (page.default, page.origins) == ("other", states)


# Broken and strange files


def full(book: StateFile) -> bytes:
    """Fill a state file and return its bytes."""
    now = datetime.now(UTC)
    event = Event(Kind.FAILING, now.replace(microsecond=0), "line", "a", "b", {"cause": "broken"})
    run_state = RunState(
        {Outcome.FAILED: 3}, (now,), now, Outcome.FAILED, "it is broken", now, Incident(now, 3, "broken", 1, now),
        {Family.IPV4: Reported(1, ip_address("9.9.9.9"), now)},
        {Record("home.example.com", "A"): Seen(ip_address("9.9.9.9"), now)},
    )  # fmt: skip
    with rewritten(book) as page:
        page.default, page.origins["line"] = "line", run_state
        page.outbox = Outbox([Undelivered("line", event, now, ("key",))], {"key": Pause(1, now, asked=True)})
    return book.path.read_bytes()


def test_one_that_was_cut_off_at_any_byte_is_begun_anew_with_a_warning(tmp_path: Path) -> None:
    book = state_file(tmp_path)
    whole = full(book)
    for length in range(len(whole)):
        book.path.write_bytes(whole[:length])
        assert (
            book.read().damage
            == f"{book.path} is damaged; run counts restart at zero, an open incident and undelivered alerts are lost"
        )
    book.path.write_bytes(b"\0" * 4096)  # what a loss of power may leave
    with rewritten(book) as page:
        assert page.damage
    assert book.read().damage is None


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inside for place in places(each, (*path, key)))]


STRANGE = ("null", "0", "-1", "1e400", "NaN", "-Infinity", "1e18", "-1e13", '"text"', "[]", "[[[]]]", "{}", "true")


@pytest.mark.parametrize("strange", STRANGE)
def test_a_strange_value_in_any_place_is_taken_or_noticed(tmp_path: Path, strange: str) -> None:
    book = state_file(tmp_path)
    content = json.loads(full(book))
    for path in places(content):
        changed = {"": json.loads(json.dumps(content))}
        inside: Any = changed
        steps = ("", *path)
        for step in steps[:-1]:
            inside = inside[step]
        inside[steps[-1]] = json.loads(strange)
        before = json.dumps(changed[""]).encode()
        book.path.write_bytes(before)
        try:
            with rewritten(book) as page:
                now = datetime.now(UTC)
                for each in page.origins.values():
                    if shift := each.recent and find_shift(each.recent[-1], each.uptime, now, uptime()):
                        assert each.shifted(shift)
                assert page.outbox.due(["key"], now) is not None
        except StateError:
            assert len(path) < 2
            assert book.path.read_bytes() == before
        else:
            assert book.read().damage is None


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"failed": 3', '"failed": -3'),
        ('"recent": [', '"recent": [253402300799.0, '),  # the last second of the year 9999
        ('"recent": [', '"recent": [-62135596800.0, '),  # the first of the year 1
        ('"home.example.com A"', '"home.example.com"'),
        ('"title": "a"', '"title": 1'),
        ('"name": "line"', '"name": 1'),
        ('+00:00"', '"'),
    ],
)
def test_a_value_that_cannot_be_is_damage(tmp_path: Path, right: str, wrong: str) -> None:
    book = state_file(tmp_path)
    text = full(book).decode()
    assert right in text
    book.path.write_text(text.replace(right, wrong))
    assert book.read().damage


FOREIGN = {
    "text": b"my shopping list\n",
    "json": b'{"program": "another", "format": 1}',
    "list": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "huge": b" " * 17_000_000,
    "huge and well formed": b'{"program": "ddns-updater", "format": 1, "default": null, "origins": {}, "owed": []'
    b', "waits": {}}' + b" " * 17_000_000,
    "newer": b'{"program": "ddns-updater", "format": 2, "new": true}',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_newer_or_not_ours_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    book = state_file(tmp_path)
    book.path.parent.mkdir()
    book.path.write_bytes(FOREIGN[kind])
    advice = "another version.*upgrade" if kind == "newer" else "not a file of .*move it away"
    with pytest.raises(StateError, match=advice), rewritten(book):
        pass
    assert book.path.read_bytes() == FOREIGN[kind]


def in_its_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        path.unlink()
        make(path)

    return put


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is damaged; run counts restart at zero"),
    "newer": (lambda path: path.write_bytes(FOREIGN["newer"]), "upgrade, or move it away"),
    "foreign": (lambda path: path.write_bytes(FOREIGN["text"]), "move it away, or set DDNS_STATE_FOLDER"),
    "folder": (in_its_place(Path.mkdir), "move it away, or set DDNS_STATE_FOLDER"),
    "pipe": (in_its_place(os.mkfifo), "move it away, or set DDNS_STATE_FOLDER"),
    "link to another's": (in_its_place(lambda path: path.symlink_to("/etc/passwd")), "move it away"),
    "link in a circle": (
        in_its_place(lambda path: path.symlink_to(path)),
        "make it writable, or set DDNS_STATE_FOLDER",
    ),
    "lock that is a link": (
        lambda path: in_its_place(lambda lock: lock.symlink_to("/etc/passwd"))(path.with_suffix(".lock")),
        "make it writable, or set DDNS_STATE_FOLDER",
    ),
    "lock that is held": (lambda path: _held.append(hold(path.with_suffix(".lock"))), "find that program and end it"),
}
_held: list[Any] = []


def hold(path: Path) -> subprocess.Popen[bytes]:
    """Hold a lock as another process."""
    program = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    return process


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_state_file_is_only_a_warning(alerting: Machine, receiver: Receiver, kind: str) -> None:
    assert alerting.ddns("run").err == ""
    path = state_file_of(alerting)
    spoil, advice = BROKEN[kind]
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    good = alerting.ddns("run")
    assert (good.status, good.out.partition(":")[0]) == (0, "unchanged")
    assert good.err.startswith(f"warning: {path}" if "damaged" in advice or "move" in advice else "warning: failed to ")
    assert advice in good.err
    assert good.err.count("\n") == 1
    alerting.service.address = "10.0.0.1"
    bad = alerting.ddns("run")
    assert bad.status == 1
    assert "failed: no trustworthy ipv4 address" in bad.err
    if kind != "truncated":
        assert advice in bad.err
        assert (path.read_bytes() if path.is_file() else None) == before
    if _held:
        held = _held.pop()
        held.kill()
        held.communicate()
    shown = alerting.ddns("status")
    assert "Traceback" not in shown.err
    assert receiver.got == []


def test_a_folder_that_cannot_be_made_is_a_warning(small_machine: Machine, receiver: Receiver) -> None:
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_STATE_FOLDER": "/dev/null/state"}
    small_machine.environment.pop("DDNS_RECORDS")
    small_machine.init()
    done = small_machine.ddns("run")
    assert (done.status, done.out.partition(":")[0]) == (0, "unchanged")
    assert done.err.startswith("warning: failed to write /dev/null/state/runs-")
    assert done.err.endswith("make it writable, or set DDNS_STATE_FOLDER; no alerts are sent until this is fixed\n")


@pytest.mark.parametrize("fails", [False, True])
def test_a_state_file_that_cannot_grow_is_a_warning_and_stays_as_it_was(
    alerting: Machine, receiver: Receiver, fails: bool
) -> None:
    """A limit on the size of files stands for the full disk, which only root may make."""
    alerting.run()
    path = state_file_of(alerting)
    before = path.read_bytes()
    alerting.service.address = "10.0.0.1" if fails else "9.9.9.9"
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "from ddns_updater.cli.main import main; main(sys.argv[1:])"
    )
    done = finish(alerting.start("run", program=("-B", "-c", limited), DDNS_ALERT_AFTER="1"))
    assert done.status == (1 if fails else 0)
    assert done.err.startswith(
        f"warning: failed to write {path}: File too large; make room for it; no alerts are sent until this is fixed\n"
    )
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".runs*"))
    assert receiver.got == []


def may_mount() -> bool:
    """Return whether this user may mount a file system of its own."""
    unshare = shutil.which("unshare")
    if os.geteuid() or not unshare:
        return False
    words = [unshare, "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


if may_mount():  # what it shows is shown above without these rights

    def test_a_full_disk_is_a_warning_and_the_run_ends_as_it_would(small_machine: Machine, tmp_path: Path) -> None:
        machine = small_machine
        machine.environment["DDNS_STATE_FOLDER"] = str(tmp_path / "full")
        machine.environment.pop("DDNS_RECORDS")
        (tmp_path / "full").mkdir()
        machine.init()
        script = (
            'mount -t tmpfs -o size=16k none "$DDNS_STATE_FOLDER" || exit 9;'
            'dd if=/dev/zero of="$DDNS_STATE_FOLDER/filler" bs=4k count=9 2>/dev/null; exec "$@"'
        )
        program = (
            "import os, sys; os.execvp('unshare', ['unshare', '-m', 'sh', '-c', sys.argv[1], 'sh', *sys.argv[2:]])"
        )
        words = (script, sys.executable, "-m", "ddns_updater", "run")
        done = finish(machine.start(*words, program=("-c", program)))
        assert (done.status, done.out.partition(":")[0]) == (0, "unchanged"), done.err
        assert "No space left on device; make room for it" in done.err
        assert done.err.count("\n") == 1
