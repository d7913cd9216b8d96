"""Passwords beyond ASCII, as the server's accounts have them: in UTF-8."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, urlsplit

import pymysql
import pytest

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError
from tests.support.database import Database

PASSWORD = "pässwörd€✓ñ@/:%"


@pytest.fixture
def account(private_mysql: Database) -> Iterator[str]:
    """Give the address of a database after the login, for the account müller that has PASSWORD."""
    parts = urlsplit(private_mysql.url)
    with closing(
        pymysql.connect(host="127.0.0.1", port=parts.port or 0, user="tester", password="tester", charset="utf8mb4")
    ) as admin:
        cursor = admin.cursor()
        cursor.execute("CREATE USER 'müller'@'%%' IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute("GRANT ALL ON *.* TO 'müller'@'%'")
        yield f"127.0.0.1:{parts.port}{parts.path}"
        cursor.execute("DROP USER 'müller'@'%'")


@pytest.mark.parametrize(
    "login",
    [f"{quote('müller')}:{quote(PASSWORD, safe='')}", f"müller:{PASSWORD.replace('%', '%25').replace('/', '%2F')}"],
    ids=["percent-encoded", "as it is"],
)
def test_a_password_beyond_ascii_works(account: str, login: str) -> None:
    with factories.open_history(Database("mysql", f"mysql://{login}@{account}").settings()) as history:
        assert history.now()


def test_another_one_does_not(account: str) -> None:
    settings = Database("mysql", f"mysql://müller:passwort@{account}").settings()
    with (
        pytest.raises(HistoryError, match="refused the login of müller; check user and password"),
        factories.open_history(settings),
    ):
        pass
