"""The demo: the real program on a machine whose surroundings are simulated.

Every command in it runs as a separate process, in a terminal of its own, with its settings in the environment.
"""

import logging
import os
import pty
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ddns_updater.app.demo_stand_ins import CREDENTIALS, AddressService, AlertReceiver, Aws, serving
from ddns_updater.errors import DdnsError
from ddns_updater.output.layout import Paint, wrapped

_NAME, _RECORD, _ZONE = "demo-line", "home.example.com", "example.com"
_FIRST, _SECOND, _THIRD = "9.9.9.9", "149.112.112.112", "1.1.1.1"  # of public resolvers: they must be public
_INDENT = " " * 3
_ROWS = 24


class Screen(NamedTuple):
    """Where the demo is shown: `echo` prints a line of at most `width` columns; commands are shown in the same way."""

    echo: Callable[[str], None]
    paint: Paint
    width: int
    encoding: str
    has_colours: bool


def play(screen: Screen) -> None:
    """Run the demo on `screen`; raises DdnsError when a step does not end as expected."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's request log
    demo = _Demo(screen)
    with (
        tempfile.TemporaryDirectory(prefix="ddns-demo-") as folder,
        serving(AddressService(_FIRST)) as service,
        serving(AlertReceiver(demo.show_alert)) as receiver,
    ):
        aws = Aws(_ZONE)
        try:
            demo.play(service, aws, Path(folder), _environment(folder, service, aws, receiver, screen))
        finally:
            aws.stop()


def _environment(
    folder: str, service: AddressService, aws: Aws, receiver: AlertReceiver, screen: Screen
) -> Mapping[str, str]:
    return CREDENTIALS | {
        "HOME": folder,  # keeps out the settings of the user who runs the demo
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws.url,
        "DDNS_DATABASE_URL": f"sqlite:///{folder}/ddns.sqlite3",
        "DDNS_IP_SOURCES": f"{service.url},{service.url.replace('127.0.0.1', 'localhost')}",
        "DDNS_RECORDS": _RECORD,
        "DDNS_RUN_TIMEOUT": "30",
        "DDNS_WEBHOOK_URLS": receiver.url,
        "PYTHONIOENCODING": screen.encoding,
        "TERM": "xterm",
        "NO_COLOR": "" if screen.has_colours else "1",
    }


class _Demo:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def play(self, service: AddressService, aws: Aws, folder: Path, environment: Mapping[str, str]) -> None:
        def ddns(*arguments: str, expect: int = 0) -> None:
            self._run(arguments, folder, environment, expect)

        def run(published: str) -> None:
            ddns("run")
            self._expect(published, aws)

        self._say(
            "A line whose address changes, a name in Route 53, a webhook for alerts, and a history in an SQLite file."
            " The address service, AWS and the webhook are simulated on this machine; the program is the real one."
        )
        self._step(f"1. The line has {_FIRST}. Create the tables and record the first version, once:")
        ddns("init", "--name", _NAME, "--note", "the demo's line")
        self._step("2. Cron starts the first run. It publishes the address and reads it back:")
        run(published=_FIRST)
        self._step(f"3. The address changes to {_SECOND}. The next run updates the record and sends an alert:")
        service.address = _SECOND
        run(published=_SECOND)
        self._step("4. Nothing changed, as in most runs. AWS is not contacted at all:")
        run(published=_SECOND)
        self._step(f"5. AWS goes down as the address changes to {_THIRD}. The run records the version and fails:")
        aws.stop()
        service.address = _THIRD
        ddns("run", expect=1)
        self._step("6. AWS is back. The address is the same, but its publication is still due:")
        aws.start()
        run(published=_THIRD)
        self._step("7. Every address the line has had, and how DNS followed:")
        ddns("history")
        self._step("8. How it stands now:")
        ddns("status")
        self._step("9. How long each address was held:")
        ddns("history", "--chart")
        self._say("")
        self._say("Done. Nothing is left behind; the README explains the setup for your own line.")

    def show_alert(self, title: str, text: str) -> None:
        """Show an alert; it arrives while a command runs."""
        self._say(f"alert: {title}", "magenta", indent=_INDENT)
        self._say(text, "magenta", indent=_INDENT + "  ")

    def _say(self, text: str, colour: str | None = None, indent: str = "", rest: str | None = None) -> None:
        for line in wrapped(text, self._screen.width, indent, indent if rest is None else rest) or [""]:
            self._screen.echo(self._screen.paint(line, colour) if colour else line)

    def _step(self, text: str) -> None:
        self._say("")
        self._say(text, "cyan", rest=_INDENT)

    def _expect(self, published: str, aws: Aws) -> None:
        holds = aws.holds()
        self._say(f"Route 53 now holds {holds} for {_RECORD}", indent=_INDENT)
        if holds != published:
            raise DdnsError(f"the demo failed: Route 53 does not hold {published}")

    def _run(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], expect: int) -> None:
        """Run one command as an operator would, and show its output and exit status."""
        shown = " ".join(f'"{each}"' if " " in each else each for each in arguments)
        self._say(f"$ ddns {shown}", "yellow", indent=_INDENT)
        room = self._screen.width - len(_INDENT)
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (_ROWS, room))
        with subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "ddns_updater", *arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        ) as command:
            os.close(theirs)
            for line in _lines(ours, self._screen.encoding):
                self._screen.echo((_INDENT + line).rstrip())
        status = command.returncode
        self._say(f"(exit status {status})", "red" if status else "green", indent=_INDENT)
        if status != expect:
            raise DdnsError(f"the demo failed: exit status {status} instead of {expect}")


def _lines(terminal: int, encoding: str) -> Iterator[str]:
    """Yield each line that is written to a terminal, until all that wrote to it have ended."""
    with os.fdopen(terminal, encoding=encoding, errors="replace") as output, suppress(OSError):  # Linux ends so
        for line in output:
            yield line.rstrip("\n")
