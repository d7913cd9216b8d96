"""Call a handler of the functions for AWS Lambda, often, as its process does: handler.py HANDLER COUNT EVENT.

Prints the CPU time until the first event was done, from the start of Python on, and that of a later one, in ms. With a
COUNT of 0 it takes its events from the Runtime API instead, until it is killed.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from ddns_updater import aws_lambda

_INVOCATION = "/2018-06-01/runtime/invocation"

Handler = Callable[[dict[str, Any], object], dict[str, Any]]


def main() -> None:
    """Do what the arguments say."""
    handler: Handler = getattr(aws_lambda, sys.argv[1])
    count = int(sys.argv[2])
    if not count:
        serve(handler)
    event = json.loads(sys.argv[3])
    answer = handler(event, None)
    assert "error" not in answer, answer
    first = time.process_time()
    for _ in range(count):
        handler(event, None)
    warm = (time.process_time() - first) / count
    print(json.dumps({"first_ms": first * 1000, "warm_ms": warm * 1000}))


def serve(handler: Handler) -> None:
    """Answer the events of AWS_LAMBDA_RUNTIME_API."""
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        connection.request("GET", f"{_INVOCATION}/next")
        response = connection.getresponse()
        event = json.loads(response.read())
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        body = json.dumps(handler(event, None))
        connection.request("POST", f"{_INVOCATION}/{request_id}/response", body)
        connection.getresponse().read()


if __name__ == "__main__":
    main()
