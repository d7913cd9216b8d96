"""The grammar of the database URL: one kind of value for each engine."""

import os
import re
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ddns_updater.errors import InvalidValue
from ddns_updater.lib.files import named_path
from ddns_updater.lib.trust import Distrusted, check_alone, check_path

SslMode = Literal["required", "verify"]

_EXAMPLES = (
    "write mysql://user:password@host:3306/database (percent-encode special characters), sqlite:////folder/file"
    " or dynamodb://TABLE?region=eu-west-1"
)
_DYNAMODB_EXAMPLE = "write dynamodb://TABLE?region=eu-west-1"
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # as CreateTable has it
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_PERCENT = "percent-encode special characters in UTF-8, as ä by %C3%A4"
_FILES = ("ssl_ca", "ssl_cert", "ssl_key", "server_public_key")
_MODES: tuple[SslMode, ...] = ("required", "verify")


class MySqlUrl(NamedTuple):
    """The location of a MySQL or MariaDB database, and how a connection to it is secured.

    `ssl_mode` enforces TLS: with any server, or with one that is verified, by the authority in the file `ssl_ca` or
    else by the public ones; None uses TLS where it is offered. `server_public_key` is the file of the key with which
    the password is encrypted in place of TLS.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    ssl_mode: SslMode | None = None
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    ssl_verify_identity: bool = True
    server_public_key: str | None = None

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


class DynamoDbUrl(NamedTuple):
    """A table of DynamoDB; `region` is None for that of the AWS settings, which is then not told in messages."""

    table: str
    region: str | None = None

    @property
    def place(self) -> str:
        """Return where the table is."""
        return f"DynamoDB table {self.table}" + (f" in {self.region}" if self.region else "")

    @property
    def identity(self) -> str:
        """Return what tells this table from others."""
        return f"dynamodb:{self.table}" + (f"?region={self.region}" if self.region else "")

    @property
    def file(self) -> None:
        """Return None: the data is at AWS."""

    @property
    def holds_secret(self) -> bool:
        """Return that the text of the URL may be shown."""
        return False


# app/factories.py chooses the engine by the kind.
DatabaseUrl = MySqlUrl | SqliteUrl | DynamoDbUrl


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
        case "dynamodb":
            return _dynamodb(url, port)
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
    if not url.hostname or not url.username or not url.path.removeprefix("/"):
        raise InvalidValue("lacks the host, the user or the database", _EXAMPLES)
    user, password, database = map(_decoded, (url.username, url.password or "", url.path.removeprefix("/")))
    if any(each in database for each in "@:/"):  # not shown, because it may be a part of the password
        raise InvalidValue("has an @, a : or a / after the host", "percent-encode those in user and password: @ is %40")
    return MySqlUrl(url.hostname, port, user, password, database, **_security(url.query))


def _dynamodb(url: SplitResult, port: int | None) -> DynamoDbUrl:
    if "@" in url.netloc or port is not None or url.path.strip("/"):
        raise InvalidValue("has more than a table and its region", _DYNAMODB_EXAMPLE)
    if not _TABLE.fullmatch(url.netloc):
        raise InvalidValue(
            "names no table, which has 3 to 255 letters, digits, hyphens, underscores and dots", _DYNAMODB_EXAMPLE
        )
    region = None
    for parameter, value in parse_qsl(url.query, keep_blank_values=True):
        if parameter != "region":
            raise InvalidValue(f"has the unknown parameter {parameter!r}", _DYNAMODB_EXAMPLE)
        if region is not None:
            raise InvalidValue("has region twice", "keep one of them")
        if not _REGION.fullmatch(value):
            raise InvalidValue(f"has region={value!r}, which is not the name of a region", _DYNAMODB_EXAMPLE)
        region = value
    return DynamoDbUrl(url.netloc, region)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidValue("is percent-encoded in another encoding than UTF-8", _PERCENT) from None


def _security(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for parameter, value in parse_qsl(query, keep_blank_values=True):
        if parameter in options:
            raise InvalidValue(f"has {parameter} twice", "keep one of them")
        if parameter == "ssl_verify_identity":
            if value not in ("0", "1"):
                raise InvalidValue(
                    f"has ssl_verify_identity={value!r}", "write 0 (for a certificate without the host's name) or 1"
                )
            options[parameter] = value == "1"
        elif parameter == "ssl_mode":
            if value not in _MODES:
                raise InvalidValue(
                    f"has ssl_mode={value!r}", "write verify, or required for TLS without verifying the server"
                )
            options[parameter] = value
        elif parameter in _FILES:
            options[parameter] = _readable(parameter, value)
        else:
            raise InvalidValue(  # not shown, because a password that is not percent-encoded may end up here
                "has an unknown parameter", f"use only ssl_mode, {', '.join(_FILES)} and ssl_verify_identity"
            )
    return _combined(options)


def _readable(parameter: str, value: str) -> str:
    path = named_path(value)
    try:
        check_path(path, given=True)
        path.open("rb").close()
    except Distrusted as error:
        raise InvalidValue(f"has {parameter}={value!r}, which cannot be used: {error.problem}", error.advice) from None
    except (OSError, ValueError) as error:  # ValueError: it holds a null character
        cause = error.strerror if isinstance(error, OSError) else error
        raise InvalidValue(
            f"has {parameter}={value!r}, which cannot be read: {cause}", "name a readable file"
        ) from None
    return str(path)


def _combined(options: dict[str, Any]) -> dict[str, Any]:
    """Return `options` with the mode that they imply; raises InvalidValue when they do not fit together."""
    tls = [each for each in options if each.startswith("ssl_")]
    if "server_public_key" in options and tls:
        raise InvalidValue(
            f"has server_public_key, which is for a server without TLS, and {tls[0]}", "keep one of them"
        )
    if "ssl_ca" in options and options.setdefault("ssl_mode", "verify") != "verify":
        raise InvalidValue(
            "has ssl_ca and ssl_mode=required, which does not verify the server", "write ssl_mode=verify"
        )
    if "ssl_verify_identity" in options and "ssl_ca" not in options:
        raise InvalidValue("has ssl_verify_identity without ssl_ca", "add ssl_ca=FILE to verify the server")
    if tls and "ssl_mode" not in options:
        raise InvalidValue(f"has {tls[0]} without ssl_mode", "add ssl_mode=verify, or ssl_ca=FILE")
    if "ssl_key" in options and "ssl_cert" not in options:
        raise InvalidValue("has ssl_key without ssl_cert", "add ssl_cert=FILE")
    return options
