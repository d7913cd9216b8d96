"""The status page: what it says, that it needs nothing but itself, and that no text of others becomes part of it."""

import re
from base64 import b64encode
from collections.abc import Hashable, Iterator
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from ddns_updater.hosts import Held, Host, HostEntry, LastRequest, Verdict
from ddns_updater.model import Family, Incident, Publication, PublicationState
from ddns_updater.output.status_page import content_security_policy, status_page
from ddns_updater.state.host_status import HostsStatus
from ddns_updater.state.status import Status
from tests.support.statuses import NOW, hosts, journal, line, statuses

_HOSTILE = "\"'><script>alert(1)</script></style>&amp;{{ 7*7 }}<img src=//198.51.100.1>\x1b[31m\u202ebad"
_ONE = ip_address("192.0.2.1")

Addresses = dict[tuple[Hashable, Family], list[Held]]


def parsed(page: str) -> Element:
    """Return the page as a tree; a browser does not mind what XML refuses, such as a tag that is not closed."""
    assert page.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def tables(page: str) -> dict[str, list[list[str]]]:
    """Return the rows of each table as the texts of their cells, by its caption."""
    return {
        text_of(table[0]): [[text_of(cell) for cell in row] for row in table.iterfind("tbody/tr")]
        for table in parsed(page).iter("table")
    }


def names(rows: list[list[str]]) -> list[str]:
    return [row[0] for row in rows]


Facts = tuple[Status, HostsStatus | None, str | None]


def hosts_of(*entries: HostEntry, addresses: Addresses | None = None, most: int = 40, **counts: object) -> Facts:
    """Return these hosts without a line; `counts` are of their overview."""
    overview = hosts(0).overview._replace(hosts=len(entries), records=len(entries), **counts)  # type: ignore[arg-type]
    without_line = Status(None, NOW, {}, {}, None, hosts=overview)
    return without_line, HostsStatus(overview, entries, NOW - timedelta(days=30), addresses or {}, most), None


def entry(name: str, state: PublicationState | None = PublicationState.VERIFIED, **more: object) -> HostEntry:
    """Return a host with one address, which it has had for an hour."""
    known = journal(name, _ONE, NOW - timedelta(hours=1), state, more.pop("error", None))  # type: ignore[arg-type]
    last = LastRequest(NOW - timedelta(minutes=1), "ddclient/3.10.0", str(_ONE), Verdict.NOCHG)
    host = Host(name, name, name, NOW - timedelta(days=9), **more)  # type: ignore[arg-type] # fields of it
    return HostEntry(host, {Family.IPV4: known}, last)


def verdict(page: str) -> list[str]:
    """Return the verdict and the problems below it."""
    (section,) = [each for each in parsed(page).iter("section") if each.get("aria-labelledby") == "verdict"]
    return [text_of(each) for each in section.iter() if each.tag in ("h2", "li")]


@pytest.mark.parametrize("number", [0, 1, 200])
def test_the_page_is_complete_in_itself_and_lets_nothing_run_or_be_fetched(number: int) -> None:
    tree = parsed(status_page(*statuses(number)))
    assert {each.tag for each in tree.iter()} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "h1", "h2", "p"),
        *("ul", "ol", "li", "dl", "div", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("time", "code", "b", "i", "em", "small", "br", "svg", "path", "details", "summary"),
    }
    attributes = {name for each in tree.iter() for name in each.attrib}
    assert not {each for each in attributes if each.startswith("on") or each in ("style", "src", "href")}
    (style,) = tree.iter("style")
    assert not re.search(r"url\(|@import|//", style.text or "")


def test_the_policy_in_the_page_allows_its_style_alone() -> None:
    tree = parsed(status_page(*statuses(1)))
    (style,) = tree.iter("style")
    digest = b64encode(sha256((style.text or "").encode()).digest()).decode()
    policy = content_security_policy()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert policy in [each.get("content") for each in tree.iter("meta")]


def _hostile() -> Iterator[Facts]:
    bad = entry("nas.example.com", PublicationState.FAILED, error=_HOSTILE)
    version = bad.journals[Family.IPV4].version._replace(ip=_HOSTILE, address=None)
    journals = {Family.IPV4: bad.journals[Family.IPV4]._replace(version=version)}
    last = LastRequest(NOW, _HOSTILE, _HOSTILE, Verdict.LATER)
    held = [Held(2, _HOSTILE, NOW - timedelta(days=1)), Held(1, _HOSTILE, NOW - timedelta(days=2))]
    host = bad.host._replace(name=_HOSTILE)
    yield hosts_of(HostEntry(host, journals, last), addresses={(host.id, Family.IPV4): held})
    incident = Incident(NOW, 3, _HOSTILE)
    known = line().journals[Family.IPV4]
    records = [(each.record._replace(name=_HOSTILE), each._replace(error=_HOSTILE)) for each in known.publications]
    journals = {Family.IPV4: known._replace(version=version)}
    bad_line = line(incident, name=_HOSTILE, errors=(_HOSTILE,), journals=journals, records={Family.IPV4: records})
    yield bad_line, None, None
    yield line(), None, _HOSTILE


@pytest.mark.parametrize("hostile", list(_hostile()), ids=["host", "line", "error"])
def test_a_text_of_others_stays_a_text(hostile: Facts) -> None:
    page = status_page(*hostile)
    tree = parsed(page)
    assert not {"script", "img"} & {each.tag for each in tree.iter()}
    assert len(list(tree.iter("style"))) == 1
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\x1b[31m\\u202ebad" in text_of(tree)
    assert "{{ 7*7 }}" in text_of(tree)


def test_hosts_are_listed_by_name_those_with_a_problem_first() -> None:
    page = status_page(
        *hosts_of(
            entry("b.example.com"),
            entry("c.example.com", PublicationState.FAILED),
            entry("d.example.com"),
            entry("e.example.com", PublicationState.PENDING),
            entry("f.example.com", slowed_at=NOW),
            refused=1,
        )
    )
    found = tables(page)
    assert list(found) == ["3 hosts with a problem", "2 hosts without a problem"]
    failing, others = found.values()
    assert names(failing) == ["c.example.com", "e.example.com", "f.example.com slowed down"]
    assert names(others) == ["b.example.com", "d.example.com"]
    assert failing[0][3] == "failed DNS refuses it"
    assert failing[1][3] == "pending not seen to hold it for 1 h 0 min"
    assert verdict(page) == ["1 problem", "1 record of hosts cannot be published; ddns doctor names them"]


def test_a_row_says_the_address_since_when_and_who_asked_last() -> None:
    host = entry("nas.example.com", blocked_at=NOW)
    assert host.last_request
    elsewhere = host._replace(last_request=host.last_request._replace(caller="198.51.100.7", verdict=Verdict.BLOCKED))
    (rows,) = tables(status_page(*hosts_of(host))).values()
    assert rows[0][:5] == ["nas.example.com blocked", "192.0.2.1", "2026-05-03 13:00", "verified", ""]
    assert rows[0][5] == "2026-05-03 13:59 no changeddclient/3.10.0"
    (rows,) = tables(status_page(*hosts_of(elsewhere))).values()
    assert rows[0][5] == "2026-05-03 13:59 blocked (abuse)ddclient/3.10.0 from 198.51.100.7"
    (rows,) = tables(status_page(*hosts_of(HostEntry(host.host, {})))).values()
    assert rows == [["nas.example.com blocked", "no address yet", "", "", "", "none yet"]]


def test_every_time_is_in_utc_and_can_be_read_by_a_program() -> None:
    times = list(parsed(status_page(*statuses(60))).iter("time"))
    assert len(times) > 100
    for each in times:
        assert each.get("datetime") == (each.text or "").replace(" ", "T") + "Z"


def test_a_host_with_both_families_has_a_row_for_each() -> None:
    host = entry("nas.example.com")
    six = journal("nas.example.com", ip_address("2001:db8::1"), NOW - timedelta(days=2), PublicationState.SUBMITTED)
    tree = parsed(status_page(*hosts_of(host._replace(journals={**host.journals, Family.IPV6: six}))))
    (body,) = tree.iter("tbody")
    assert [text_of(row[1 - number]) for number, row in enumerate(body)] == ["192.0.2.1", "2001:db8::1"]
    assert [(cell.get("scope"), cell.get("rowspan")) for cell in body.iter("th")] == [("rowgroup", "2")]
    assert body[0][5].get("rowspan") == "2"
    assert "submitted not seen to hold it" in text_of(body[1])


def _bar(held: list[Held], most: int = 40) -> Element:
    host = entry("nas.example.com")
    page = status_page(*hosts_of(host, addresses={(host.host.id, Family.IPV4): held}, most=most))
    (row,) = parsed(page).iterfind(".//tbody/tr")
    return row[4]


def _held(*days: float) -> list[Held]:
    return [Held(len(days) - place, f"192.0.2.{place}", NOW - timedelta(days=each)) for place, each in enumerate(days)]


def test_a_timeline_begins_with_the_first_address_and_has_a_gap_at_each_change() -> None:
    cell = _bar(_held(10, 15, 20))
    assert [each.get("d") for each in cell.iter("path")] == ["M48 4H144", "M72 0V8M96 0V8"]
    assert [text_of(each) for each in cell.iter("summary")] == ["2 changes"]
    assert [text_of(each) for each in cell.iter("li")] == [
        "192.0.2.0 since 2026-04-23 14:00",
        "192.0.2.1 since 2026-04-18 14:00",
        "192.0.2.2 since 2026-04-13 14:00",
    ]


def test_a_timeline_of_an_address_that_is_older_than_it_is_full_and_without_a_gap() -> None:
    cell = _bar(_held(400))
    assert [each.get("d") for each in cell.iter("path")] == ["M0 4H144"]
    assert text_of(cell) == "no change"


def test_a_timeline_that_is_cut_says_so() -> None:
    assert text_of(_bar(_held(1, 2, 3), most=3)).startswith("2+ changes")
    assert text_of(_bar(_held(1, 2, 40), most=3)).startswith("2 changes")


def test_a_host_that_has_a_timeline_in_the_page_of_many_has_no_list_of_addresses() -> None:
    few, many = (list(parsed(status_page(*statuses(each))).iter("li")) for each in (20, 1500))
    assert len(few) > 20
    assert len(many) == 2  # the problems


def test_the_page_of_many_hosts_stays_small() -> None:
    page = status_page(*statuses(2000)).encode()
    assert len(page) < 2000 * 600


def test_a_reader_without_eyes_gets_headings_captions_headers_and_no_picture() -> None:
    tree = parsed(status_page(*statuses(60)))
    assert tree.get("lang") == "en"
    assert [len(list(tree.iter(each))) for each in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    known = {each.get("id") for each in tree.iter("h2")}
    assert {each.get("aria-labelledby") for each in tree.iter("section")} == known
    for table in tree.iter("table"):
        assert table[0].tag == "caption"
        assert {each.get("scope") for each in table.iterfind("thead/tr/th")} == {"col"}
        assert {each.get("scope") for each in table.iterfind("tbody/tr/th")} <= {"row", "rowgroup"}
    for parent in tree.iter():
        for child in parent:
            if child.tag == "svg":
                assert child.get("aria-hidden") == "true"
                assert re.fullmatch(r"no change|1 change|\d+\+? changes", (child.tail or "").strip())


def test_the_open_incident_of_the_server_is_shown_with_the_hosts() -> None:
    without_line, found, _ = hosts_of(entry("nas.example.com"))
    assert found
    incident = Incident(NOW - timedelta(minutes=40), 8, _HOSTILE, 1)
    page = text_of(parsed(status_page(without_line, found._replace(incident=incident))))
    assert "Open incident since 2026-05-03 13:20, 8 sweeps failed, 1 alert sent: " in page
    assert "Open incident" not in text_of(parsed(status_page(without_line, found)))


def test_the_line_is_shown_as_the_status_has_it() -> None:
    incident = Incident(NOW - timedelta(minutes=40), 8, "no source answered", 2)
    page = status_page(line(incident), None)
    assert verdict(page) == ["1 problem", "failing since 2026-05-03 13:20 UTC, 8 runs: no source answered"]
    assert "Open incident since 2026-05-03 13:20, 8 runs failed, 2 alerts sent: no source answered" in text_of(
        parsed(page)
    )
    assert tables(page) == {
        "Records that follow the line": [
            ["home.example.com A", "verified", "2026-05-03 13:51"],
            ["vpn.example.com A", "verified", "2026-05-03 13:51"],
        ]
    }


def test_a_record_of_the_line_with_a_problem_comes_first() -> None:
    known = line().journals[Family.IPV4].publications
    records: list[tuple[object, Publication]] = [
        (known[0].record, known[0]),
        (known[1].record, known[1]._replace(error="the record set is an alias")),
    ]
    (rows,) = tables(status_page(line(records={Family.IPV4: records}), None)).values()
    assert names(rows) == ["vpn.example.com A", "home.example.com A"]
    assert rows[0][1] == "failed the record set is an alias"


def test_all_is_well_where_nothing_is_wrong() -> None:
    page = status_page(line(), None)
    assert verdict(page) == ["All is well"]
    assert parsed(page).findtext("head/title") == "All is well - ddns status"


def test_of_many_problems_the_first_are_listed_and_the_rest_counted() -> None:
    page = status_page(line(errors=tuple(f"problem {each}" for each in range(33))), None)
    problems = verdict(page)
    assert problems[0] == "33 problems"
    assert len(problems) == 22
    assert problems[-1].startswith("13 more problems")


def test_what_is_due_is_counted_with_how_long_the_oldest_waits() -> None:
    page = status_page(*hosts_of(entry("nas.example.com"), due=1, waiting_since=NOW - timedelta(minutes=25)))
    assert verdict(page)[1].startswith("1 record of hosts not published yet, the oldest for 25 min")
    assert "records due, the oldest for 25 min1" in text_of(parsed(page))
