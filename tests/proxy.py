"""A TCP proxy before the database: it cuts or holds a connection when a statement that contains a text passes."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread


class Proxy:
    """`fault` is asked about what the client sends: "cut" before forwarding it, "lose" its answer, "hang", or None."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.fault: Callable[[bytes], str | None] = lambda _: None
        self.seen: list[bytes] = []
        self._open: list[socket.socket] = []
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def on(self, statement: str, fault: str, *, times: int = 1, after: int = 0) -> None:
        """Do `fault` to the next `times` statements that contain a text, after `after` of them."""
        left, skipped = [times], [after]

        def decide(piece: bytes) -> str | None:
            if statement.encode() not in piece or not left[0]:
                return None
            if skipped[0]:
                skipped[0] -= 1
                return None
            left[0] -= 1
            return fault

        self.fault = decide

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._open += [client, server]
            losing: list[bool] = []
            Thread(target=self._upstream, args=(client, server, losing), daemon=True).start()
            Thread(target=self._downstream, args=(client, server, losing), daemon=True).start()

    def _upstream(self, client: socket.socket, server: socket.socket, losing: list[bool]) -> None:
        with suppress(OSError):
            while piece := client.recv(65536):
                self.seen.append(piece)
                fault = self.fault(piece)
                if fault == "cut":
                    break
                if fault == "hang":
                    continue
                if fault == "lose":
                    losing.append(True)
                server.sendall(piece)
        self._close(client, server)

    def _downstream(self, client: socket.socket, server: socket.socket, losing: list[bool]) -> None:
        with suppress(OSError):
            while piece := server.recv(65536):
                if losing:
                    break
                client.sendall(piece)
        self._close(client, server)

    def _close(self, *connections: socket.socket) -> None:
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
