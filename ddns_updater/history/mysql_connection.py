"""A connection to MySQL or MariaDB: how it is encrypted, and who gets the password.

The server chooses how the password is asked for, and so does whoever answers in its place. By most methods it gets
only proof that we know the password. By the others it gets the password itself; the rules for those are here.
"""

import ssl
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, ClassVar

import pymysql
import pymysql.connections
from pymysql import _auth
from pymysql.constants import CR

from ddns_updater.history.mysql_errors import CLEAR_TEXT, NO_MYSQL, OWN_KEY
from ddns_updater.history.mysql_tls import public_key, required_tls
from ddns_updater.history.url import MySqlUrl

_CONNECT_TIMEOUT = 5  # seconds
# What PyMySQL raises for packets that it does not expect.
_UNREADABLE = (
    pymysql.err.InternalError,
    struct.error,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
)
_FULL = b"\x01\x04"  # caching_sha2_password: the server does not remember the password, and asks for it


class Connection(pymysql.connections.Connection):
    """A connection that uses TLS as the URL of the database says, or else where the server offers it.

    PyMySQL reads all system certificates even for a server that it does not verify: 20 ms of CPU, a seventh of a quiet
    run. Its argument `ssl` takes a context as well, but then refuses a server without TLS. If a later PyMySQL no longer
    calls `_create_ssl_ctx`, only that cost returns.
    """

    _has_greeted = False
    ctx: ssl.SSLContext  # the stubs lack this and the next
    _sock: Any

    def __init__(
        self, url: MySqlUrl, authorities: Callable[[], str], *, answer_timeout: int | None, **options: Any
    ) -> None:
        """Connect and log in; `authorities` gives the file or folder of the public certificate authorities.

        `answer_timeout` is in seconds, for each answer after the login.
        """
        tls: dict[str, Any] = {"ssl": required_tls(url, authorities)} if url.ssl_mode else {}
        if url.server_public_key:  # inside TLS a server wants the password as it is
            tls = {"ssl_disabled": True, "server_public_key": public_key(url.server_public_key)}
        super().__init__(
            host=url.host,
            port=url.port,
            user=url.user,
            password=url.password.encode(),  # PyMySQL would do that in Latin-1
            database=url.database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT,
            auth_plugin_map=_METHODS,
            **tls,
            **options,
        )
        self._read_timeout = answer_timeout

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        if sslp:
            return super()._create_ssl_ctx(sslp)  # type: ignore[misc, no-any-return] # the stubs lack it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _get_server_information(self) -> None:
        try:
            super()._get_server_information()  # type: ignore[misc] # as above
        except pymysql.err.OperationalError as error:
            if error.args[0] != CR.CR_SERVER_LOST:
                raise  # the server's own refusal
            cause = "timed out" if "timed out" in str(error) else "it closed the connection"
            raise pymysql.err.OperationalError(NO_MYSQL, f"no greeting ({cause})") from error
        except _UNREADABLE as error:
            raise pymysql.err.OperationalError(NO_MYSQL, "it greets in another protocol") from error
        self._has_greeted = True

    def connect(self, sock: Any = None) -> None:
        try:
            super().connect(sock)
        except _UNREADABLE as error:
            if not self._has_greeted:
                raise  # the host is not a valid name
            raise pymysql.err.OperationalError(NO_MYSQL, "its answer to the login cannot be read") from error

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        try:
            return super().query(sql, unbuffered)
        except _UNREADABLE as error:
            raise pymysql.err.OperationalError(NO_MYSQL, "its answer cannot be read") from error

    @property
    def is_encrypted(self) -> bool:
        """Return whether TLS is used."""
        return isinstance(self._sock, ssl.SSLSocket)

    @property
    def is_verified(self) -> bool:
        """Return whether the server has proved by its certificate that it is the right one."""
        return self.is_encrypted and self.ctx.verify_mode is ssl.CERT_REQUIRED

    @property
    def is_local(self) -> bool:
        """Return whether the server is on this machine, where nobody can answer in its place from outside."""
        try:
            peer = ip_address(self._sock.getpeername()[0].partition("%")[0])
        except OSError:  # the server has closed the connection
            return False
        return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


class _Method:
    """A method by which a server can ask for the password, in place of PyMySQL's own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def _exchange(self, data: bytes) -> Any:
        self._connection.write_packet(data)
        return self._connection._read_packet()


class _ClearText(_Method):
    """Sends the password as it is, to a verified server alone.

    A server that has passwords checked elsewhere, by PAM or LDAP, needs it.
    """

    def authenticate(self, _packet: object) -> Any:
        if not self._connection.is_verified:
            raise pymysql.err.OperationalError(CLEAR_TEXT, "the server asks for the password in clear text")
        return self._exchange(self._connection.password + b"\0")


class _Sha2(_Method):
    """Sends the password as it is through TLS, or else encrypted with a key of the server's.

    The key is the one in the URL. One that the server names is taken from this machine alone: anybody has a key.
    """

    ask_for_key: ClassVar[bytes]

    def _take_salt(self, packet: Any) -> None:
        self._connection.salt = packet.read_all().removesuffix(b"\0")

    def _hand_over(self, named_key: bytes | None = None) -> Any:
        connection = self._connection
        if connection.is_encrypted:
            return self._exchange(connection.password + b"\0")
        key = connection.server_public_key
        if not key:
            if not connection.is_local:
                raise pymysql.err.OperationalError(OWN_KEY, "the server asks for it with a key of its own choice")
            key = named_key or self._exchange(self.ask_for_key).get_all_data()[1:]
        return self._exchange(_auth.sha2_rsa_encrypt(connection.password, connection.salt, key))


class _Sha256(_Sha2):
    ask_for_key = b"\x01"

    def authenticate(self, packet: Any) -> Any:
        named_key = None
        if packet.is_auth_switch_request():
            self._take_salt(packet)
        else:
            named_key = packet.get_all_data()[1:]
        return self._hand_over(named_key) if self._connection.password else self._exchange(b"\0")


class _CachingSha2(_Sha2):
    ask_for_key = b"\x02"

    def authenticate(self, packet: Any) -> Any:
        if packet.is_auth_switch_request():
            self._take_salt(packet)
            packet = self._exchange(_auth.scramble_caching_sha2(self._connection.password, self._connection.salt))
        if packet.get_all_data() == _FULL:
            return self._hand_over()
        # It knows the password: the answer to the login follows.
        return self._connection._read_packet() if packet.is_extra_auth_data() else packet


_METHODS: dict[str, Callable[[Any], Any]] = {
    "mysql_clear_password": _ClearText,
    "dialog": _ClearText,
    "sha256_password": _Sha256,
    "caching_sha2_password": _CachingSha2,
}
