"""The Runtime API of AWS Lambda on loopback, for one function: events go in, results come out.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, NamedTuple

_PREFIX = "/2018-06-01/runtime/"
_PYTHON = Path(sys.prefix) / "runtime" / "bin" / "python"  # `make .venv/lambda` makes it
_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:ddns"


class Returned(NamedTuple):
    """What came back from an invocation; `kind` is response or error."""

    kind: str
    value: Any


class RuntimeApi(ThreadingHTTPServer):
    """Serves one runtime; `init_error` is what it said when it could not load the handler."""

    daemon_threads = True

    def __init__(self, timeout: float = 60) -> None:
        """Give each invocation so many seconds."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.timeout_seconds = timeout
        self.events: Queue[tuple[str, Any]] = Queue()
        self.returned: dict[str, Queue[Returned]] = {}
        self.init_error: Any = None
        Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()

    @property
    def address(self) -> str:
        """Return the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_port}"

    def invoke(self, event: Any) -> Returned:
        """Hand an event to the runtime and return what comes back; raises queue.Empty, which is Lambda's time-out."""
        request_id = str(uuid.uuid4())
        returned = self.returned[request_id] = Queue()
        self.events.put((request_id, event))
        return returned.get(timeout=self.timeout_seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment an answer: Nagle's algorithm and delayed ACK would add 40 ms to each
    disable_nagle_algorithm = True
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}invocation/next":
            self._answer(404, {}, {})
            return
        request_id, event = self.server.events.get()
        deadline = int((time.time() + self.server.timeout_seconds) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": _ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
        }
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        first, second, *rest = self.path.removeprefix(_PREFIX).split("/")
        if (first, second) == ("init", "error"):
            self.server.init_error = body
        else:
            self.server.returned[second].put(Returned(rest[0], body))
        self._answer(202, {"status": "OK"}, {})

    def handle(self) -> None:
        with suppress(ConnectionError):  # the runtime was ended while it waited for an event
            super().handle()

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""

    def _answer(self, status: int, content: Any, headers: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@contextmanager
def running_function(api: RuntimeApi, folder: Path, handler: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Run AWS's client with a handler as Lambda does: in the folder of the function, with that first on the path.

    Gives the file of what it prints.
    """
    of_lambda = {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": str(folder),
        "PYTHONPATH": str(folder),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    path = folder.parent / f"{handler}.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [_PYTHON, "-m", "awslambdaric", handler],
            cwd=folder,
            env={**of_lambda, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        yield path
    finally:
        process.kill()
        process.wait()
