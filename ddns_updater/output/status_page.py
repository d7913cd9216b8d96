"""The status of the line and of every host as one self-contained page: no script, and nothing is fetched for it.

Every text in it may be hostile, such as a User-Agent: Jinja escapes them all, and `printable` shows what would be
obeyed. Times are UTC.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ddns_updater import __version__
from ddns_updater.hosts import Held, HostEntry, Verdict
from ddns_updater.lib.humanize import counted, duration
from ddns_updater.lib.printable import printable
from ddns_updater.model import Family, Journal, Publication, PublicationState
from ddns_updater.state.host_status import (
    HostsStatus,
    host_problems,
    publication_of,
    record_problem,
)
from ddns_updater.state.status import Status

_MAX_PROBLEMS = 20
_MAX_TEXT = 300  # characters of a problem
_MAX_CAUSE = 200  # of one in the table
_MAX_CLIENT = 80
_MAX_DETAILED = 2000  # addresses in all; of more, the page has only bars, so that it stays small
_COLUMNS = 144  # of a bar, as the style has it

_ANSWERS = {
    Verdict.GOOD: "new address",
    Verdict.NOCHG: "no change",
    Verdict.LATER: "try again later (911)",
    Verdict.BLOCKED: "blocked (abuse)",
}

_templates = Environment(
    loader=PackageLoader("ddns_updater.output"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _Dns(NamedTuple):
    """The state of a record: its word, which is also its class, the problem, and when it was last seen correct."""

    state: str
    problem: str | None
    checked_at: datetime | None


class _Bar(NamedTuple):
    """The bar of a timeline: the paths of all of it and of the changes in it, its text, and its addresses."""

    held: str
    changes: str
    text: str
    listed: Sequence[Held]


class _Row(NamedTuple):
    """An address of a host or of the line with its record."""

    ip: str | None
    since: datetime | None
    dns: _Dns | None
    bar: _Bar | None


class _Listed(NamedTuple):
    """A host as it stands in the table."""

    name: str
    flags: Sequence[str]
    rows: Sequence[_Row]
    requested_at: datetime | None
    answer: str
    client: str
    caller: str | None


def status_page(line: Status, hosts: HostsStatus | None, error: str | None = None) -> str:
    """Return the page; `hosts` is None where there are no tables of hosts, `error` why they cannot be read."""
    failing, others = _listed(hosts) if hosts else ([], [])
    problems = [_shown(each) for each in dict.fromkeys([*line.problems, *([error] if error else [])])]
    return _templates.get_template("status.html").render(
        policy=content_security_policy(),
        style=_style(),
        program=__version__,
        problems=problems[:_MAX_PROBLEMS],
        number=len(problems),
        line=line if line.journals or line.run_state or not (hosts and hosts.entries) else None,
        line_name=printable(line.name or ""),
        line_rows=list(_line_rows(line)),
        notes=[_shown(each) for each in line.notes],
        now=line.now,
        hosts=hosts,
        failing=failing,
        others=others,
    )


def content_security_policy() -> str:
    """Return the policy of the page: its own style, and nothing else.

    https://www.w3.org/TR/CSP3/
    """
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _style() -> str:
    assert _templates.loader
    return _templates.loader.get_source(_templates, "status.css")[0]


def _listed(hosts: HostsStatus) -> tuple[list[_Listed], list[_Listed]]:
    """Return the hosts with a problem and the others, both by name."""
    is_detailed = sum(map(len, hosts.addresses.values())) <= _MAX_DETAILED
    failing: list[_Listed] = []
    others: list[_Listed] = []
    for entry in hosts.entries:
        (failing if host_problems(entry) else others).append(_host(entry, hosts, is_detailed=is_detailed))
    return failing, others


def _host(entry: HostEntry, hosts: HostsStatus, *, is_detailed: bool) -> _Listed:
    host, last = entry.host, entry.last_request
    rows = [
        _Row(
            ip=printable(journal.version.ip),
            since=journal.version.created_at,
            dns=_dns(publication_of(host, family, journal), record_problem(host, family, journal)),
            bar=_bar(hosts.addresses.get((host.id, family), ()), hosts, is_detailed=is_detailed),
        )
        for family, journal in sorted(entry.journals.items())
    ]
    own = {row.ip for row in rows}
    return _Listed(
        name=printable(host.name),
        flags=[*(["blocked"] if host.blocked_at else []), *(["slowed down"] if host.slowed_at else [])],
        rows=rows or [_Row(None, None, None, None)],
        requested_at=last.at if last else None,
        answer=_ANSWERS[last.verdict] if last else "",
        client=_shown(last.client, _MAX_CLIENT) if last else "",
        caller=printable(last.caller) if last and last.caller not in own else None,
    )


def _dns(known: Publication | None, problem: str | None) -> _Dns:
    if known is None:
        return _Dns("unpublished", problem and _shown(problem, _MAX_CAUSE), None)
    state = "failed" if problem and known.state is PublicationState.VERIFIED else known.state.value
    return _Dns(state, problem and _shown(problem, _MAX_CAUSE), known.checked_at)


def _bar(held: Sequence[Held], hosts: HostsStatus, *, is_detailed: bool) -> _Bar | None:
    """Return the bar of a record's addresses since `hosts.since`, which are there newest first."""
    if not held:
        return None
    length = (hosts.overview.read_at - hosts.since).total_seconds()

    def column(time: datetime) -> int:
        passed = (min(max(time, hosts.since), hosts.overview.read_at) - hosts.since).total_seconds()
        return min(int(passed * _COLUMNS / length), _COLUMNS - 1)

    is_cut = len(held) >= hosts.most and held[-1].since > hosts.since
    changes = [each for each in held[:-1] if each.since > hosts.since]
    return _Bar(
        held=f"M{column(held[-1].since)} 4H{_COLUMNS}",
        changes="".join(f"M{each} 0V8" for each in sorted({column(each.since) for each in changes})),
        text=f"{len(changes)}+ changes" if is_cut else counted(len(changes), "change") if changes else "no change",
        listed=held if changes and is_detailed else (),
    )


def _line_rows(line: Status) -> Iterator[tuple[Family, Journal, Sequence[tuple[str, _Dns]]]]:
    """Yield the address of each family with its records, those with a problem first."""
    for family, journal in line.journals.items():
        records = [
            (printable(str(record)), _dns(known, line.record_problem(journal, record, known)))
            for record, known in line.records.get(family, ())
        ]
        yield family, journal, sorted(records, key=lambda each: (each[1].problem is None, each[0]))


def _shown(text: str, most: int = _MAX_TEXT) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def _at(time: datetime) -> Markup:
    text = time.astimezone(UTC).isoformat(timespec="minutes")[:16]
    return Markup(f'<time datetime="{text}Z">{text.replace("T", " ")}</time>')  # noqa: S704 - digits alone


_templates.filters.update(at=_at, duration=duration, printable=printable, counted=counted)
