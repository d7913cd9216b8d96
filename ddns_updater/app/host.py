"""What `ddns host` does: the operator's side of the hosts of the update endpoint."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from functools import partial
from ipaddress import IPv6Address
from typing import NamedTuple

from ddns_updater.app.database import answer_limit, read_page
from ddns_updater.app.host_zone import check_zone
from ddns_updater.app.server_factories import open_server_hosts
from ddns_updater.errors import HostError
from ddns_updater.hosts import Host, HostEntry, Login, NewHost, digest
from ddns_updater.output.hosts import HostView
from ddns_updater.server.logins import new_secret
from ddns_updater.server.ports import HostStore
from ddns_updater.settings.settings import Settings

_PAGE = 1000  # hosts that are read at a time
_MAX_MEANT = 3  # names that an unknown one may have meant


class Wanted(NamedTuple):
    """A host to add; `login` is None for one of its own, `secret` None for a new one, or that of a login that exists.

    The rest is as in Host.
    """

    name: str
    login: str | None = None
    secret: str | None = None
    takes_aws: bool = False
    takes_query: bool = False
    is_apex: bool = False
    suffix: IPv6Address | None = None

    def __repr__(self) -> str:
        return f"<wanted host {self.name}>"  # without its secret


class Added(NamedTuple):
    """A host that was added; `secret` is None when that of its login, which existed, is not known any more."""

    host: Host
    secret: str | None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<added {self.host.name}>"  # without its secret


class Rotated(NamedTuple):
    """A login whose secret was replaced: `names` are its hosts; `ended` is whether a third secret ended with that."""

    host: Host
    secret: str
    names: tuple[str, ...]
    ended: bool

    def __repr__(self) -> str:
        return f"<rotated {self.host.login}>"  # without its secret


class Removed(NamedTuple):
    """A host that was removed; `login_ended` is whether its login went with it."""

    entry: HostEntry
    login_ended: bool


def add_host(settings: Settings, wanted: Wanted, make_secret: Callable[[], str] = new_secret) -> Added:
    """Add a host; raises HostError when it cannot be one. AWS is asked for its hosted zone, but need not answer."""
    if any(record.name == wanted.name for record in settings.records):
        raise HostError(
            f"DDNS_RECORDS names {wanted.name}, which ddns run publishes", "choose another name, or remove it there"
        )
    login = wanted.login or wanted.name
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        existing = hosts.login(login)
    joins = existing is not None and (wanted.login is not None or wanted.secret is not None)
    if existing and joins and wanted.secret is not None and digest(wanted.secret) not in existing.digests:
        raise HostError(f"there is a login {login} already, with another secret", "leave out --secret to join it")
    secret = wanted.secret or (None if joins else make_secret())
    warning = check_zone(settings, wanted.name, is_apex=wanted.is_apex)
    new = NewHost(
        name=wanted.name,
        login=login,
        secret=None if joins else secret,
        takes_aws=wanted.takes_aws,
        takes_query=wanted.takes_query,
        is_apex=wanted.is_apex,
        suffix=wanted.suffix,
    )
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        host = hosts.add(new)
    return Added(host, secret, (warning,) if warning else ())


def stream_hosts(settings: Settings) -> Generator[HostEntry, None, None]:
    """Yield all hosts by name; they are read as they are asked for, so that any number of them takes little memory."""
    with ExitStack() as stack:
        with answer_limit(settings):
            hosts = stack.enter_context(open_server_hosts(settings))
        after = ""
        while True:
            read = partial(hosts.entries, after=after, limit=_PAGE)
            page = read_page(settings, hosts.history, read)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].host.name


def show_host(settings: Settings, name: str) -> HostView:
    """Return all that is known of a host; raises HostError when there is none called `name`."""
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        entry = _entry(hosts, name)
        login = _login(hosts, entry.host)
    others = tuple(host.name for host in login.hosts if host.name != name)
    return HostView(entry, others, len(login.digests) > 1)


def rotate_host(settings: Settings, name: str, make_secret: Callable[[], str] = new_secret) -> Rotated:
    """Give the login of a host a new secret, beside which the one before stays valid; raises HostError."""
    secret = make_secret()
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        host = _entry(hosts, name).host
        login = _login(hosts, host)
        hosts.rotate(host, secret)
    return Rotated(host, secret, tuple(each.name for each in login.hosts), len(login.digests) > 1)


def finish_rotation(settings: Settings, name: str) -> tuple[str, ...]:
    """End the older secret of the login of a host, and return the names of its hosts; raises HostError."""
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        host = _entry(hosts, name).host
        names = tuple(each.name for each in _login(hosts, host).hosts)
        if not hosts.end_rotation(host):
            raise HostError(
                f"login {host.login} has only one secret", f"make a new one with: ddns host rotate {host.name}"
            )
    return names


def block_host(settings: Settings, name: str, *, blocked: bool) -> bool:
    """Block a host or unblock it, and return whether it was not so before; raises HostError."""
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        host = _entry(hosts, name).host
        if bool(host.blocked_at) == blocked:
            return False
        hosts.block(host, blocked=blocked)
    return True


def remove_host(settings: Settings, name: str) -> Removed:
    """Remove a host and keep the history of its addresses; raises HostError."""
    with answer_limit(settings), open_server_hosts(settings) as hosts:
        entry = _entry(hosts, name)
        login_ended = len(_login(hosts, entry.host).hosts) == 1
        hosts.remove(entry.host)
    return Removed(entry, login_ended)


def _entry(hosts: HostStore, name: str) -> HostEntry:
    entry = hosts.entry(name)
    if entry is None:
        raise HostError(f"there is no host {name}", _meant(name, hosts.names()))
    return entry


def _meant(name: str, names: Sequence[str]) -> str:
    """Return what to do about a name that no host has."""
    begin = [each for each in names if each.startswith(f"{name}.")]
    close = begin[:_MAX_MEANT] or get_close_matches(name, names, _MAX_MEANT, 0.7)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "see them with: ddns host list" if names else f"add it with: ddns host add {name}"


def _login(hosts: HostStore, host: Host) -> Login:
    login = hosts.login(host.login)
    if login is None:  # it was removed just now
        raise HostError(f"there is no host {host.name}", "it was removed meanwhile")
    return login
