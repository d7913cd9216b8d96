"""Debian's Chromium without a window, driven over a pipe by its own protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any, NamedTuple

_SECONDS = 120  # for an answer; a busy machine lays out 5,000 rows slowly

# It reads commands from descriptor 3 and writes to 4.
_WITH_PIPES = """
import os, sys
from fcntl import F_DUPFD, fcntl
for to, given in enumerate([fcntl(int(each), F_DUPFD, 10) for each in sys.argv[1:3]], 3):
    os.dup2(given, to)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Look(NamedTuple):
    """What a browser made of a page: what it complained about, what it asked for, and the picture as PNG."""

    complaints: tuple[str, ...]
    requested: tuple[str, ...]
    picture: bytes


class Browser:
    """A browser with one tab."""

    def __init__(self, folder: Path) -> None:
        """Start it with a profile of its own in `folder`."""
        program = shutil.which("chromium")
        assert program, "run .ci/need-chromium"
        reads, self._writes = os.pipe()
        self._reads, writes = os.pipe()
        options = [
            "--headless",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={folder}",
        ]
        if os.getuid() == 0:
            options.append("--no-sandbox")  # which refuses to start for root
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WITH_PIPES, str(reads), str(writes), program, *options, "about:blank"],
            pass_fds=(reads, writes),
            env={"HOME": str(folder), "PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._received = b""
        self._events: list[dict[str, Any]] = []
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for each in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{each}.enable")

    def close(self) -> None:
        """End it."""
        self._session = None
        self.call("Browser.close")
        self._process.wait(30)
        os.close(self._reads)
        os.close(self._writes)

    def look(self, url: str, *, width: int, scheme: str) -> Look:
        """Load a page in a window so wide, with a colour scheme, and return what came of it."""
        self.resize(width)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + _SECONDS
        while not any(each["method"] == "Page.loadEventFired" for each in self._events):
            self._events.append(self._message(deadline))
        picture = b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        time.sleep(0.2)  # for what a page may ask for late, such as an icon
        self.evaluate("1")
        return Look(
            complaints=tuple(
                json.dumps(each["params"])
                for each in self._events
                if each["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
            ),
            requested=tuple(
                each["params"]["request"]["url"]
                for each in self._events
                if each["method"] == "Network.requestWillBeSent"
            ),
            picture=picture,
        )

    def resize(self, width: int) -> None:
        """Make the window so wide; up to 600 pixels it is a phone's."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def call(self, method: str, **values: Any) -> Any:
        """Return the result of a command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _SECONDS
        while (answer := self._message(deadline)).get("id") != self._number:
            self._events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _message(self, deadline: float) -> dict[str, Any]:
        """Return the next event or answer."""
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            assert left > 0, "the browser does not answer"
            if select.select([self._reads], [], [], left)[0]:
                received = os.read(self._reads, 1 << 20)
                assert received, "the browser has ended"
                self._received += received
        message, _, self._received = self._received.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found
