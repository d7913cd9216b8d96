"""The grammar of the database URL: one kind of value for each engine."""

import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ddns_updater.errors import InvalidValue
from ddns_updater.lib.files import named_path
from ddns_updater.lib.trust import Distrusted, check_alone, check_path

_EXAMPLES = (
    "write mysql://user:password@host:3306/database (percent-encode special characters) or sqlite:////folder/file"
)
_TLS_FILES = ("ssl_ca", "ssl_cert", "ssl_key")


class MySqlUrl(NamedTuple):
    """The location of a MySQL or MariaDB database; the file `ssl_ca` enforces TLS with a verified server."""

    host: str
    port: int
    user: str
    password: str
    database: str
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    ssl_verify_identity: bool = True

    def __repr__(self) -> str:
        return f"MySqlUrl({self.identity})"  # without the password

    @property
    def place(self) -> str:
        """Return where the database is, without the login."""
        return f"{self.host}:{self.port}/{self.database}"

    @property
    def identity(self) -> str:
        """Return what tells this database from others, without the login."""
        return f"mysql:{self.place}"

    @property
    def file(self) -> None:
        """Return None: the data is on a server."""

    @property
    def holds_secret(self) -> bool:
        """Return that the text of the URL must be kept private."""
        return True


class SqliteUrl(NamedTuple):
    """The file that holds an SQLite database."""

    path: Path

    @property
    def file(self) -> Path:
        """Return the full path of the file, with symbolic links resolved."""
        return Path(os.path.realpath(self.path))

    @property
    def full_url(self) -> str:
        """Return the URL that names the same file wherever the program is started."""
        return f"sqlite:///{quote(str(self.path.absolute()))}"

    @property
    def place(self) -> str:
        """Return where the database is."""
        return str(self.file)

    @property
    def identity(self) -> str:
        """Return what tells this database from others, however its path is written."""
        return f"sqlite:{self.place}"

    @property
    def holds_secret(self) -> bool:
        """Return that the text of the URL may be shown."""
        return False

    def check(self) -> None:
        """Raise Distrusted when another user could write the file, or put beside it a journal that SQLite replays.

        What does not exist or cannot be looked at is left to whoever opens it.
        """
        for check, path in ((check_path, self.path), (check_alone, self.file.parent)):
            try:
                check(path)
            except Distrusted:
                raise
            except OSError:
                continue


# app/factories.py chooses the engine by the kind.
DatabaseUrl = MySqlUrl | SqliteUrl


def parse_database_url(text: str) -> DatabaseUrl:
    """Parse a database URL; raises InvalidValue, which never shows the URL, because it may hold a password."""
    try:
        url = urlsplit(text)
        port = url.port
        text.encode()
    except ValueError:
        raise InvalidValue("is not a URL", _EXAMPLES) from None
    if url.fragment:
        raise InvalidValue("contains a '#', which ends the URL", "write %23 instead")
    match url.scheme:
        case "sqlite":
            return _sqlite(url)
        case "mysql":
            return _mysql(url, 3306 if port is None else port)
        case "":
            raise InvalidValue("is not a URL", _EXAMPLES)
        case _:
            raise InvalidValue(f"begins with {url.scheme!r}", _EXAMPLES)


def _sqlite(url: SplitResult) -> SqliteUrl:
    if url.netloc or not url.path.removeprefix("/") or url.query or "\0" in unquote(url.path):
        raise InvalidValue("names no file", "write sqlite:////folder/ddns.sqlite3 (four slashes before a full path)")
    path = named_path(unquote(url.path.removeprefix("/")))
    if "~" in path.parts:
        raise InvalidValue("names a folder called ~", "write sqlite:///~/ddns.sqlite3 (three slashes before ~)")
    return SqliteUrl(path)


def _mysql(url: SplitResult, port: int) -> MySqlUrl:
    database = unquote(url.path.removeprefix("/"))
    if not url.hostname or not url.username or not database:
        raise InvalidValue("lacks the host, the user or the database", _EXAMPLES)
    login = unquote(url.username), unquote(url.password or "")
    return MySqlUrl(url.hostname, port, *login, database, **_tls(url.query))


def _tls(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for parameter, value in parse_qsl(query, keep_blank_values=True):
        if parameter == "ssl_verify_identity":
            if value not in ("0", "1"):
                raise InvalidValue(
                    f"has ssl_verify_identity={value!r}", "write 0 (for a certificate without the host's name) or 1"
                )
            options[parameter] = value == "1"
        elif parameter not in _TLS_FILES:
            raise InvalidValue(  # not shown, because a password that is not percent-encoded may end up here
                "has an unknown parameter", f"use only {', '.join(_TLS_FILES)} and ssl_verify_identity"
            )
        else:
            path = named_path(value)
            try:
                check_path(path, given=True)
                path.open("rb").close()
            except Distrusted as error:
                raise InvalidValue(
                    f"has {parameter}={value!r}, which cannot be used: {error.problem}", error.advice
                ) from None
            except (OSError, ValueError) as error:  # ValueError: it holds a null character
                cause = error.strerror if isinstance(error, OSError) else error
                raise InvalidValue(
                    f"has {parameter}={value!r}, which cannot be read: {cause}", "name a readable file"
                ) from None
            options[parameter] = str(path)
    if options and "ssl_ca" not in options:
        raise InvalidValue(f"has {next(iter(options))} without ssl_ca", "add ssl_ca=FILE to verify the server")
    return options
