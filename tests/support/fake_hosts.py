"""Hosts in memory, for what does not need a database."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Host, Login, NewHost, Result, Verdict, digest
from ddns_updater.model import Address, Family

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class FakeRequests:
    """The hosts of each login; `updates` has what each call recorded, `asked` the logins asked for."""

    def __init__(self, *hosts: NewHost) -> None:
        self.logins: dict[str, Login] = {}
        self.updates: list[dict[str, Mapping[Family, Address]]] = []
        self.asked: list[str] = []
        self.failing: HistoryError | None = None
        self.failing_login: HistoryError | None = None
        self.answered: dict[str, Result] = {}  # instead of what follows from the latest addresses
        self._latest: dict[str, dict[Family, Address]] = {}
        for new in hosts:
            joined = self.logins.get(new.login) or Login(new.login, (digest(new.secret or ""),), (), ())
            host = Host(new.name, new.name, new.login, NOW, new.takes_aws, new.takes_query, new.is_apex, new.suffix)
            self.logins[new.login] = joined._replace(hosts=(*joined.hosts, host))

    def login(self, login: str) -> Login | None:
        self.asked.append(login)
        if self.failing_login:
            raise self.failing_login
        return self.logins.get(login)

    def update(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> Sequence[Result]:
        if self.failing:
            raise self.failing
        self.updates.append({host.name: addresses for host, addresses in updates})
        return [self.answered.get(host.name) or self._update(host.name, addresses) for host, addresses in updates]

    def _update(self, name: str, addresses: Mapping[Family, Address]) -> Result:
        latest = self._latest.setdefault(name, {})
        verdict = Verdict.NOCHG if latest.items() >= addresses.items() else Verdict.GOOD
        latest |= addresses
        return Result(verdict, tuple(addresses.values()))

    def login_of(self, name: str) -> Login | None:
        owners = ((login, host) for login in self.logins.values() for host in login.hosts if host.name == name)
        return next((login._replace(hosts=(host,)) for login, host in owners), None)
