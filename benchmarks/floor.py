"""The minimum cost of a quiet run: its libraries, one request, one connection and two short queries."""

import sys

import click  # noqa: F401 - only its import is measured
import dotenv  # noqa: F401 - as above
import pymysql
import urllib3

ORIGINS = "SELECT originId, name, ip FROM admin_ip_history WHERE version = 1 ORDER BY id"
LATEST = "SELECT id, version, ip FROM admin_ip_history ORDER BY originId DESC, version DESC LIMIT 1"


def main(url: str, sqlite_file: str, mysql_port: str) -> None:
    """Fetch `url`, then query the SQLite file, or the MySQL server on loopback if its name is empty."""
    assert urllib3.request("GET", url, timeout=5).data
    if sqlite_file:
        import sqlite3

        file = sqlite3.connect(sqlite_file)
        assert file.execute(ORIGINS).fetchall()
        assert file.execute(LATEST).fetchone()
        return
    server = pymysql.connect(
        host="127.0.0.1", port=int(mysql_port), user="tester", password="tester", database="bench", autocommit=True
    )
    cursor = server.cursor()
    for query in (ORIGINS, LATEST):
        cursor.execute(query)
        assert cursor.fetchone()


main(*sys.argv[1:])
