"""Answer `ok` to everything, with waitress as the update endpoint uses it: what the endpoint is compared with."""

import logging
import sys
from typing import Any

from waitress.server import create_server


def _ok(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


if __name__ == "__main__":
    logging.getLogger("waitress").setLevel(logging.CRITICAL + 1)
    server = create_server(_ok, host="127.0.0.1", port=0, threads=16, asyncore_use_poll=True)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)  # type: ignore[union-attr] # there is one socket
    try:
        server.run()
    except SystemExit:
        sys.exit(0)
