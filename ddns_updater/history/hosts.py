"""The hosts that update themselves, in an SQL database: the port HostStore of the update endpoint."""

from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from typing import Any

from ddns_updater.errors import HistoryError
from ddns_updater.history import host_queries
from ddns_updater.history.host_publications import SqlPublications
from ddns_updater.history.host_refusals import check_login, name_of_line, name_taken
from ddns_updater.history.host_requests import SqlRequests
from ddns_updater.history.host_table import chunks, host_of, last_request
from ddns_updater.history.rows import text_of, time_of, time_or_none, utc_text
from ddns_updater.history.sql_origins import of_host_tables
from ddns_updater.hosts import Held, Host, HostEntry, NewHost, Overview, digest
from ddns_updater.model import Family


class SqlHosts(SqlRequests, SqlPublications):
    """The port HostStore on the connection of a history; every method raises HistoryError when the database fails."""

    def names(self) -> list[str]:
        """Return the names of all hosts, sorted."""
        return [row[0] for row in self.rows(host_queries.NAMES)]

    def count(self) -> int:
        """Return how many hosts there are."""
        return int(self.rows(host_queries.COUNT)[0][0])

    def entries(self, *, after: str = "", limit: int = 1000) -> list[HostEntry]:
        """Return at most `limit` hosts with their state, by name, from the first that sorts after `after`."""
        return self._entries("WHERE o.name > ? ORDER BY o.name LIMIT ?", (after, limit))

    def entry(self, name: str) -> HostEntry | None:
        """Return the host called `name` with its state, None when there is none."""
        return next((each for each in self._entries("WHERE o.name = ?", (name,)) if each.host.name == name), None)

    def due_entries(self, limit: int) -> list[HostEntry]:
        """Return at most `limit` hosts with a record that is due, with their state: those that wait longest first."""
        return self._entries(host_queries.WAITING, (limit,))

    def recent_addresses(
        self, host_ids: Sequence[Hashable], since: datetime, most: int
    ) -> dict[tuple[Hashable, Family], list[Held]]:
        """Return the addresses of hosts since a time, by the key of the host and the family, the newest first.

        The last of them is the one that was current then, where there was one and it is among the last `most` versions
        of the record; earlier ones are left out.
        """
        found: dict[tuple[Hashable, Family], list[Held]] = {}
        start = int(since.timestamp())
        for chunk in chunks(host_ids):
            values = (most, *chunk, start, start)
            for host_id, record_type, version, ip, began in self.rows(
                host_queries.recent(self.dialect, len(chunk)), values
            ):
                held = found.setdefault((host_id, Family.of_record(record_type)), [])
                if not held or held[-1].since > since:
                    held.append(Held(version, text_of(ip), time_of(began)))
        return found

    def slowed(self) -> Iterator[Host]:
        """Yield the hosts that are slowed down because they change too often."""
        yield from map(host_of, self.rows(host_queries.hosts(self.dialect, "WHERE o.slowedAt IS NOT NULL")))

    def overview(self) -> Overview | None:
        """Return how all hosts stand; None when their tables are missing, or the account may not read them."""
        try:
            ((hosts, blocked, slowed, records),) = self.rows(host_queries.OVERVIEW)
            ((due, refused, since),) = self.rows(host_queries.overview_of_due(self.dialect))
        except HistoryError as error:
            if not of_host_tables(error):
                raise
            return None
        return Overview(hosts, blocked, slowed, records, due, refused, time_or_none(since), self.now())

    def check_writing(self) -> None:
        """Raise HistoryError when the database refuses what the server writes; nothing is written."""
        self.history.check_statements(host_queries.writes(self.dialect))

    def _entries(self, where: str, values: Sequence[object]) -> list[HostEntry]:
        rows = self.rows(host_queries.entries(self.dialect, where), values)
        current = self.current([row[0] for row in rows])
        return [
            HostEntry(
                host := host_of(row),
                {family: current[host.id, family].journal for family in Family if (host.id, family) in current},
                last_request(row[host_queries.HOST_COLUMNS :]),
            )
            for row in rows
        ]

    def add(self, new: NewHost) -> Host:
        """Add a host; raises HostError when its name is taken, or its login does not exist or exists already.

        One that was removed continues its history.
        """
        history = self.history
        if any(not each.is_host for each in history.origins(new.name)):
            raise name_of_line(new.name)
        with history.errors(), history.transaction():
            now = utc_text(self.now())
            found = self.rows(host_queries.HOST_OF_NAME, (new.name,))
            if found and found[0][1] is not None:
                raise name_taken(new.name)
            login_id = self._login_for(new, now)
            flags = (int(new.takes_aws), int(new.takes_query), int(new.is_apex), new.suffix and str(new.suffix), now)
            if found:
                history.execute(host_queries.REVIVE_HOST, (login_id, *flags, found[0][0]))
            else:
                history.execute(host_queries.INSERT_HOST, (new.name, login_id, *flags))
        entry = self.entry(new.name)
        assert entry is not None
        return entry.host

    def _login_for(self, new: NewHost, now: str | None) -> Any:
        """Return the key of the login of a new host, which is made when the host brings a secret."""
        found = self.rows(host_queries.LOGIN, (new.login,))
        check_login(new, exists=bool(found), keeps_secret=bool(found and found[0][2] is not None))
        if new.secret is None:
            return found[0][0]
        shared = new.secret if new.takes_aws else None
        self.history.execute(host_queries.INSERT_LOGIN, (new.login, digest(new.secret), shared, now))
        return self.rows(host_queries.LOGIN, (new.login,))[0][0]

    def rotate(self, host: Host, secret: str) -> None:
        """Make `secret` the newest of its login; the one before stays valid, older ones do not."""
        with self.history.errors():
            self.history.execute(host_queries.ROTATE, (digest(secret), secret, host.login))

    def end_rotation(self, host: Host) -> bool:
        """End the secret before the newest of its login; False when there is one alone."""
        with self.history.errors():
            return bool(self.history.execute(host_queries.END_ROTATION, (host.login,)).rowcount)

    def block(self, host: Host, *, blocked: bool) -> None:
        """Block a host, or unblock it."""
        with self.history.errors():
            self.history.execute(host_queries.BLOCK, (utc_text(self.now()) if blocked else None, host.id))

    def remove(self, host: Host) -> None:
        """Remove a host and, with the last of its hosts, its login; the history of its addresses stays."""
        with self.history.errors(), self.history.transaction():
            ((_, login_id),) = self.rows(host_queries.HOST_OF_NAME, (host.name,))
            self.history.execute(host_queries.REMOVE_HOST, (host.id,))
            self.history.execute(host_queries.FORGET_RECORDS, (host.id,))
            self.history.execute(host_queries.DELETE_LOGIN, (login_id, login_id))
