"""What the errors of MySQL, MariaDB and PyMySQL mean to the operator.

https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

import re
import ssl

import pymysql
from pymysql.constants import CR, ER

from ddns_updater.errors import NEXT_RUN, ConnectionLost, HistoryError, NotInitialised
from ddns_updater.history.url import MySqlUrl
from ddns_updater.lib.masking import masked

CLEAR_TEXT, OWN_KEY, NO_MYSQL = -1, -2, -3  # our own codes
DENIED = (ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR)
_OLD_SCHEMA = (ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR)
_READ_ONLY = (ER.OPTION_PREVENTS_STATEMENT, 1836)  # --read-only, read-only mode
_READ_ONLY_TRANSACTION = 1792
_LOCKED = (ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK)
_TOO_MANY = (ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.USER_LIMIT_REACHED)
_TOO_SLOW = (1969, 3024)  # MariaDB's max_statement_time, MySQL's max_execution_time
_LOST = (
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    ER.SERVER_SHUTDOWN,
    1927,  # MariaDB: the session was killed
    4031,  # MySQL: the session was idle for wait_timeout
)


def translated(error: Exception, url: MySqlUrl) -> HistoryError:
    """Return what `error` of the database at `url` means."""
    code = error.args[0] if error.args else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if url.password not in (url.user, url.database):
        text = masked(text, [url.password])  # a server on this machine may know it, and quote it
    where = f"{url.host}:{url.port}"
    if isinstance(error, UnicodeError):
        return HistoryError(f"failed to reach the database: {where} is not a valid host", "correct DDNS_DATABASE_URL")
    if code in _LOST or isinstance(error, pymysql.err.InterfaceError):  # that of a connection that PyMySQL has closed
        cause = _cause(text) or "it was closed"
        return ConnectionLost(f"lost the connection to the database at {where}: {cause}", then=NEXT_RUN)
    return _of_login(error, code, text, where, url) or _of_statement(code, text, where, url)


def _of_login(error: Exception, code: int, text: str, where: str, url: MySqlUrl) -> HistoryError | None:
    tls = getattr(error, "original_exception", None)  # PyMySQL's
    if code == CR.CR_CONN_HOST_ERROR and isinstance(tls, ssl.SSLError):
        return _of_tls(tls, text, where, url)
    if code == CR.CR_CONN_HOST_ERROR:
        return HistoryError(
            f"failed to reach the database at {where}: {_cause(text)}", "is it running, and is that its address?"
        )
    if code == NO_MYSQL:
        return HistoryError(
            f"{where} does not answer as MySQL or MariaDB does: {text}", "correct the port in DDNS_DATABASE_URL"
        )
    if code == CR.CR_SSL_CONNECTION_ERROR:
        return HistoryError(
            f"the database at {where} offers no TLS, which DDNS_DATABASE_URL demands",
            "turn TLS on there, or check who answers",
        )
    if code in (CLEAR_TEXT, OWN_KEY):
        pinned = ", ssl_ca=FILE or server_public_key=FILE" if code == OWN_KEY else " or ssl_ca=FILE"
        return HistoryError(
            f"refused to send the password to {where}: {text}, and is not verified",
            f"add ssl_mode=verify{pinned} to DDNS_DATABASE_URL",
        )
    if code == CR.CR_AUTH_PLUGIN_CANNOT_LOAD:
        method = re.search(r"'b?'?([^']*)'", text)
        return HistoryError(
            f"the database at {where} asks for a login by {method[1] if method else 'an unknown method'}, which is not"
            " supported",
            "choose mysql_native_password or caching_sha2_password for the account",
        )
    if code == ER.ACCESS_DENIED_ERROR:
        return HistoryError(
            f"the database at {where} refused the login of {url.user}",
            f"check user{', password and server_public_key' if url.server_public_key else ' and password'}"
            " in DDNS_DATABASE_URL",
        )
    if code == ER.BAD_DB_ERROR:
        return HistoryError(
            f"database {url.database} does not exist at {where}", "create it, or correct DDNS_DATABASE_URL"
        )
    if code in _TOO_MANY:
        return HistoryError(
            f"the database at {where} has no connection left: {text}",
            "raise that limit (a run needs one connection, ddns init a few), or end other programs",
        )
    return None


def _of_tls(error: ssl.SSLError, text: str, where: str, url: MySqlUrl) -> HistoryError:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return HistoryError(f"TLS with the database at {where} failed: {_cause(text)}", "check the TLS of the server")
    match error.verify_code:
        case 9:
            advice = "is the clock of this machine right?"
        case 10:
            advice = "renew the certificate of the server"
        case 62 | 64:  # the name, the address
            advice = "write the host in DDNS_DATABASE_URL as its certificate has it"
            advice += ", or add ssl_verify_identity=0" if url.ssl_ca else ""
        case _ if url.ssl_ca:
            advice = "check ssl_ca in DDNS_DATABASE_URL"
        case _:
            advice = "name the authority that signed its certificate: add ssl_ca=FILE to DDNS_DATABASE_URL"
    return HistoryError(f"failed to verify the database at {where}: {error.verify_message.rstrip('.')}", advice)


def _of_statement(code: int, text: str, where: str, url: MySqlUrl) -> HistoryError:
    if code in _OLD_SCHEMA:
        return NotInitialised(f"the schema of {url.database} is missing or old: {text}", 'run "ddns init --name NAME"')
    if code in DENIED:
        return HistoryError(
            f"the database at {where} denied access: {text}", "give the account the grants in docs/mysql.md"
        )
    if code in _READ_ONLY:
        return HistoryError(f"the database at {where} is read-only: {text}", "use the primary server")
    if code == _READ_ONLY_TRANSACTION:
        return HistoryError(
            f"the database at {where} is read-only for this account: {text}",
            "turn transaction_read_only (on MariaDB tx_read_only) off for it",
        )
    if code in _LOCKED:
        return HistoryError(f"the database at {where} is locked: {text}", then=NEXT_RUN)
    if code in _TOO_SLOW:
        return HistoryError(f"the database at {where} stopped a statement: {text}", "raise that limit")
    return HistoryError(f"the database at {where} failed: {text}{f' ({code})' if isinstance(code, int) else ''}")


def _cause(text: str) -> str:
    """Return the operating system's message from the parentheses in which the driver quotes it."""
    inner = re.search(r"\((?:\[[^]]*\] )?(.*?)(?: \(_ssl\.c:\d+\))?\)$", text)
    return inner[1] if inner else text
