"""A TCP proxy before the database: it cuts or holds a connection when a statement that contains a text passes."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

_DRIP = 0.5  # seconds


class Proxy:
    """`fault` is asked about what the client sends: "cut" before forwarding it, "lose" its answer, "hang", or None.

    From "drip" on, with `drips` from the first, the bytes of the server come one at a time. With `keeps_server` it does
    not learn that a client is gone, as when its line dropped.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.fault: Callable[[bytes], str | None] = lambda _: None
        self.fired = False
        self.keeps_server = False
        self.drips = False
        self._open: list[socket.socket] = []
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Close the port and every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Close every connection there is now."""
        self._close(*self._open)

    def on(self, statement: str, fault: str, *, after: int = 0, for_good: bool = False) -> None:
        """Do `fault` to the next statement that contains a text, after the first `after` of them.

        With `for_good` whatever follows is cut.
        """
        skipped = iter(range(after + 1))

        def decide(piece: bytes) -> str | None:
            if self.fired and for_good:
                return "cut"
            if statement.encode() not in piece or next(skipped, None) != after:
                return None
            self.fired = True
            return fault

        self.fault = decide

    def die_at(self, number: int, fault: str) -> None:
        """Let `number` pieces through, do `fault` to the next, and cut whatever the client still sends."""
        passed = iter(range(number))

        def decide(_piece: bytes) -> str | None:
            if next(passed, None) is not None:
                return None
            first, self.fired = not self.fired, True
            return fault if first else "cut"

        self.fault = decide

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                self._open.append(client)
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._open.append(server)
            faults: set[str] = {"drip"} if self.drips else set()
            Thread(target=self._upstream, args=(client, server, faults), daemon=True).start()
            Thread(target=self._downstream, args=(client, server, faults), daemon=True).start()

    def _upstream(self, client: socket.socket, server: socket.socket, faults: set[str]) -> None:
        with suppress(OSError):
            while piece := client.recv(65536):
                fault = self.fault(piece)
                if fault == "cut":
                    break
                if fault == "hang":
                    continue
                if fault:
                    faults.add(fault)
                server.sendall(piece)
        self._close(client, *([] if self.keeps_server else [server]))

    def _downstream(self, client: socket.socket, server: socket.socket, faults: set[str]) -> None:
        with suppress(OSError):
            piece = _without_tls(server.recv(65536))
            while piece and "lose" not in faults:
                for part in (bytes([each]) for each in piece) if "drip" in faults else [piece]:
                    client.sendall(part)
                    time.sleep(_DRIP if "drip" in faults else 0)
                piece = server.recv(65536)
        self._close(client, server)

    def _close(self, *connections: socket.socket) -> None:
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
            each.close()


def _without_tls(greeting: bytes) -> bytes:
    """Return the server's greeting without the offer of TLS, so that statements can be read here.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
    """
    flags = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1  # after the version, the thread, the scramble and a filler
    return greeting[: flags + 1] + bytes([greeting[flags + 1] & ~0x08]) + greeting[flags + 2 :]
