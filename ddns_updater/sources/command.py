"""An address source that runs a program, which prints the address: `command:PROGRAM ARGUMENT…`, without a shell."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer

from ddns_updater.errors import SourceError
from ddns_updater.lib.trust import Distrusted, check_path
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import CommandSpec

_MAX_BYTES = 128


class CommandSource:
    """One program with its arguments."""

    def __init__(self, spec: CommandSpec, *, timeout: float, environment: Callable[[], Mapping[str, str]]) -> None:
        """Take the program, the timeout in seconds, and what gives the program's environment."""
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._words = spec.words
        self._timeout = timeout
        self._environment = environment

    def fetch(self, family: Family) -> Address:
        """Return the address that the program prints; raises SourceError when it fails or prints anything else."""
        environment = self._environment()
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell
                self._words,
                executable=_trusted(self._words[0], environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        except Distrusted as error:
            raise SourceError(f"is not run: {error.problem}", error.advice) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot be run: {getattr(error, 'strerror', None) or error}") from error
        timed_out = Event()
        timer = Timer(self._timeout, _kill, [process, timed_out])
        try:
            timer.start()
            assert process.stdout is not None
            printed = process.stdout.read(_MAX_BYTES + 1)
            if len(printed) > _MAX_BYTES:
                raise SourceError("printed more than an address")
            status = process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if timed_out.is_set():
            raise SourceError(f"did not end within {self._timeout:g} s")
        if status:
            raise SourceError(f"failed with exit status {status}")
        return public_address(printed.decode("ascii", "replace"), family)


def _trusted(program: str, environment: Mapping[str, str]) -> str | None:
    """Return where the program is, None when it cannot be found; raises Distrusted when others may have changed it."""
    found = shutil.which(program, path=os.pathsep.join(os.get_exec_path(environment)))
    if found:
        check_path(Path(found))
    return found


def _kill(process: "subprocess.Popen[bytes]", timed_out: Event | None = None) -> None:
    """Kill the program and its children, after setting `timed_out` if it is given."""
    if timed_out:
        timed_out.set()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
