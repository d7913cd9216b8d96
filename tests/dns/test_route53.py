"""The Route 53 adapter against moto: zones, record sets, change batches, and what AWS says when it refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from ddns_updater.dns.route53 import Route53
from ddns_updater.errors import DnsError
from ddns_updater.model import Change, Record, RecordSet, Submission
from tests.support.aws import FakeAws, answering, cut, pending, refuse, replacing
from tests.support.fakes import Clock
from tests.support.sdk import open_route53

pytestmark = pytest.mark.usefixtures("no_pauses")
HOME = Record("home.example.com", "A")
OBSTACLES: dict[str, tuple[dict[str, Any], str]] = {
    "alias": (
        {
            "Type": "A",
            "AliasTarget": {
                "HostedZoneId": "Z2FDTNDATAQYW2",
                "DNSName": "d1.cloudfront.net.",
                "EvaluateTargetHealth": False,
            },
        },
        "an alias to d1.cloudfront.net",
    ),
    "weighted": (
        {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "8.8.8.8"}], "SetIdentifier": "blue", "Weight": 1},
        "a set with a routing policy (SetIdentifier 'blue')",
    ),
    "cname": (
        {"Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "elsewhere.example.org"}]},
        "a CNAME to elsewhere.example.org",
    ),
}


@pytest.fixture(autouse=True)
def endpoint(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the SDK of this process to the test's own Route 53."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the SDK not pause between its tries in this process; it would for up to three seconds."""
    monkeypatch.setattr("botocore.endpoint.time", Clock())


def changes(count: int, address: str = "9.9.9.9", kind: str = "A") -> list[Change]:
    return [Change(Record(f"h{number:04}.example.com", kind), (address,), 60) for number in range(count)]


def sent(answers: list[Submission]) -> list[Change]:
    return [change for answer in answers if answer.change_id for change in answer.changes]


def refused(answers: list[Submission]) -> dict[str, str]:
    return {change.record.name: answer.error for answer in answers for change in answer.changes if answer.error}


def zones_of(route53: Route53, *names: str) -> dict[str, str | DnsError]:
    found = route53.zones_for({Record(name, "A"): None for name in names})
    return {record.name: zone for record, zone in found.items()}


# Zones


def test_it_chooses_the_longest_public_zone_on_whole_labels(aws: FakeAws) -> None:
    top, inner, other = aws.zone("example.com"), aws.zone("b.example.com"), aws.zone("notexample.com")
    expected = {
        "example.com": top,
        "a.example.com": top,
        "ab.example.com": top,
        "b.example.com": inner,
        "x.y.b.example.com": inner,
        "*.b.example.com": inner,
        "a.notexample.com": other,
        "_acme-challenge.b.example.com": inner,
        "b.notexample.com": other,
    }
    assert zones_of(open_route53(), *expected) == expected


def test_it_skips_private_zones(aws: FakeAws) -> None:
    public = aws.zone("example.com")
    aws.zone("b.example.com", private=True)
    aws.zone("example.org", private=True)
    zones = zones_of(open_route53(), "a.b.example.com", "a.example.org")
    assert zones["a.b.example.com"] == public
    assert (
        str(zones["a.example.org"])
        == "no public hosted zone covers a.example.org; this account has example.com; create one, or set"
        " DDNS_HOSTED_ZONE_ID"
    )


def test_it_finds_a_zone_on_a_later_page(aws: FakeAws) -> None:
    zones = {f"a.z{number:03}.example.com": aws.zone(f"z{number:03}.example.com") for number in range(120)}
    assert zones_of(open_route53(), *zones) == zones
    assert aws.count() == {"ListHostedZones": 2}


def test_it_asks_for_the_zones_once(aws: FakeAws) -> None:
    aws.zone()
    route53 = open_route53()
    zones_of(route53, "a.example.com")
    zones_of(route53, "b.example.com")
    assert aws.calls == ["ListHostedZones"]


def test_it_reports_a_name_outside_of_every_zone_and_goes_on(aws: FakeAws) -> None:
    zone = aws.zone("b.example.com")
    zones = zones_of(open_route53(), "example.com", "b.example.com", "ab.example.com")
    assert zones["b.example.com"] == zone
    assert str(zones["example.com"]).startswith("no public hosted zone covers example.com; ")
    assert str(zones["ab.example.com"]).startswith("no public hosted zone covers ab.example.com; ")


def test_it_names_the_zones_that_are_spelt_most_like_a_name_without_one(aws: FakeAws) -> None:
    (none,) = zones_of(open_route53(), "home.exmaple.com").values()
    assert str(none).startswith("no public hosted zone covers home.exmaple.com; this account has none; ")
    for name in ("aaa.net", "bbb.org", "example.com", "example.com", *(f"zone{number}.net" for number in range(9))):
        aws.zone(name)
    (misspelt,) = zones_of(open_route53(), "home.exmaple.com").values()
    seen = str(misspelt).partition("this account has ")[2].partition(";")[0]
    assert seen.startswith("example.com, ")
    assert seen.count(", ") == 2
    assert seen.endswith(" and 9 more")


def test_it_names_a_few_of_the_given_zones(aws: FakeAws) -> None:
    given = [aws.zone(f"{letter}.example.com") for letter in "bcdef"]
    (error,) = zones_of(open_route53(given), "a.example.com").values()
    assert f"{given[2]} (d.example.com) and 2 more; " in str(error)


def test_it_does_not_guess_between_two_zones_of_one_name(aws: FakeAws) -> None:
    first, second, other = aws.zone(), aws.zone(), aws.zone("b.example.com")
    zones = zones_of(open_route53(), "a.example.com", "b.example.com")
    assert zones["b.example.com"] == other
    message = str(zones["a.example.com"])
    assert message.startswith("a.example.com is in 2 hosted zones called example.com (")
    assert first in message
    assert second in message
    assert zones_of(open_route53([second]), "a.example.com") == {"a.example.com": second}


def test_it_uses_only_the_given_zones(aws: FakeAws) -> None:
    top, inner = aws.zone("example.com"), aws.zone("b.example.com")
    private = aws.zone("c.example.com", private=True)
    names = ["a.b.example.com", "c.example.com"]
    assert zones_of(open_route53([top]), *names) == dict.fromkeys(names, top)
    assert zones_of(open_route53([top, inner, private]), *names) == {"a.b.example.com": inner, "c.example.com": private}
    assert aws.count() == {"GetHostedZone": 4, "ListResourceRecordSets": 1}  # of b.example.com in the upper zone


def test_it_reports_a_name_outside_of_the_given_zones_and_goes_on(aws: FakeAws) -> None:
    aws.zone("example.com")
    inner, other = aws.zone("b.example.com"), aws.zone("c.example.com")
    zones = zones_of(open_route53([inner, other]), "a.example.com", "b.example.com")
    assert zones["b.example.com"] == inner
    assert (
        str(zones["a.example.com"])
        == f"a.example.com is not in hosted zone {inner} (b.example.com), {other} (c.example.com);"
        " correct DDNS_HOSTED_ZONE_ID"
    )


def test_a_given_zone_that_does_not_exist_holds_back_only_the_names_that_no_other_covers(aws: FakeAws) -> None:
    zone = aws.zone()
    found = zones_of(open_route53([zone, "ZNOPE"]), "a.example.com", "a.example.org")
    assert found["a.example.com"] == zone
    assert str(found["a.example.org"]).startswith(
        "failed to read hosted zone ZNOPE: AWS answered NoSuchHostedZone: "
    ), found
    assert str(found["a.example.org"]).endswith("; correct DDNS_HOSTED_ZONE_ID or DDNS_RECORDS")
    assert aws.count()["GetHostedZone"] == 2


def test_it_needs_no_permission_to_list_when_zones_are_given(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("ListHostedZones", refuse("AccessDenied"))
    assert zones_of(open_route53([zone]), "a.example.com") == {"a.example.com": zone}
    with pytest.raises(
        DnsError, match=r"^failed to list the hosted zones: AWS answered AccessDenied: no; attach the policy that"
    ):
        zones_of(open_route53(), "a.example.com")


# Pins


def test_it_uses_the_zone_that_a_record_is_pinned_to(aws: FakeAws) -> None:
    first, second, inner = aws.zone(), aws.zone(), aws.zone("b.example.com")
    records: dict[Record, str | None] = {
        Record("a.example.com", "A"): second,
        Record("a.example.com", "AAAA"): first,
        Record("example.com", "A"): first,
        Record("a.b.example.com", "A"): second,
        Record("c.b.example.com", "A"): None,
    }
    assert open_route53().zones_for(records) == records | {Record("c.b.example.com", "A"): inner}
    assert aws.count() == {"GetHostedZone": 2, "ListHostedZones": 1, "ListResourceRecordSets": 1}  # b.example.com


def test_a_pin_wins_over_the_given_zones(aws: FakeAws) -> None:
    first, second = aws.zone(), aws.zone()
    other = Record("b.example.com", "A")
    assert open_route53([first]).zones_for({HOME: second, other: None}) == {HOME: second, other: first}


def test_it_needs_no_permission_to_list_when_every_record_is_pinned(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("ListHostedZones", refuse("AccessDenied"))
    assert open_route53().zones_for({HOME: zone}) == {HOME: zone}


def test_it_reports_a_pin_that_cannot_be_and_goes_on(aws: FakeAws) -> None:
    zone, other = aws.zone(), aws.zone("b.example.com")
    aside, nowhere, again = (Record(f"{name}.example.com", "A") for name in ("aside", "nowhere", "again"))
    zones = open_route53().zones_for({aside: other, nowhere: "ZNOPE", again: "ZNOPE", HOME: zone})
    assert zones[HOME] == zone
    assert str(zones[aside]) == (
        f"aside.example.com is not in hosted zone {other} (b.example.com); correct DDNS_RECORDS"
    )
    assert str(zones[nowhere]).startswith("failed to read hosted zone ZNOPE: AWS answered NoSuchHostedZone: ")
    assert str(zones[again]) == str(zones[nowhere])
    assert aws.count() == {"GetHostedZone": 3}


def test_it_reads_a_pinned_zone_by_its_pages_without_listing_the_zones(aws: FakeAws) -> None:
    zone = aws.zone()
    wanted = changes(310)
    records: dict[Record, str | None] = {each.record: zone for each in wanted}
    route53 = open_route53()
    route53.zones_for(records)
    list(route53.upsert(zone, wanted))
    aws.calls.clear()
    assert set(open_route53([zone]).read(zone, list(records)).values()) == {RecordSet(("9.9.9.9",), 60)}
    assert aws.count() == {"GetHostedZone": 1, "ListResourceRecordSets": 2}


# The delegation set


def test_it_knows_the_name_servers_of_a_zone(aws: FakeAws) -> None:
    zone, private = aws.zone(), aws.zone("b.example.com", private=True)
    aws.fault("GetHostedZone", replacing("ns-2048.awsdns-64.com", "NS-2048.awsdns-64.COM."), times=1)
    servers = open_route53().name_servers(zone)
    assert "ns-2048.awsdns-64.com" in servers
    assert len(servers) == 4
    assert open_route53().name_servers(private) == ()
    with pytest.raises(DnsError, match=r"^failed to read hosted zone ZNOPE: AWS answered NoSuchHostedZone"):
        open_route53().name_servers("ZNOPE")


def delegate(aws: FakeAws, zone: str, name: str) -> None:
    servers = [{"Value": "ns1.example.net."}, {"Value": "ns2.example.net."}, {"Value": "ns3.example.net."}]
    aws.put(zone, {"Name": name, "Type": "NS", "TTL": 60, "ResourceRecords": servers})


def test_a_name_below_a_delegation_is_in_no_zone(aws: FakeAws) -> None:
    zone = aws.zone()
    delegate(aws, zone, "b.example.com")
    found = zones_of(open_route53(), "a.b.example.com", "c.d.b.example.com", "b.a.example.com", "bb.example.com")
    for name in ("a.b.example.com", "c.d.b.example.com"):
        assert str(found.pop(name)) == (
            f"{name} is below b.example.com, which hosted zone {zone} delegates to ns1.example.net, ns2.example.net and"
            f" 1 more; write {name}=ID in DDNS_RECORDS, with the ID of the zone that is there"
        )
    assert found == {"b.a.example.com": zone, "bb.example.com": zone}
    assert aws.count()["ListResourceRecordSets"] == 3  # b, d.b and a


@pytest.mark.parametrize("several", [False, True])
def test_a_delegation_at_the_name_itself_must_not_be_overwritten(aws: FakeAws, several: bool) -> None:
    zone = aws.zone()
    delegate(aws, zone, HOME.name)
    aws.put_address(zone, HOME.name, "9.9.9.9")
    records = [HOME, Record("example.com", "A")] if several else [HOME]
    found = open_route53().read(zone, records)
    obstacle = "a delegation to ns1.example.net, ns2.example.net and 1 more"
    assert (
        found == {HOME: RecordSet((), None, obstacle), Record("example.com", "A"): None}
        if several
        else {HOME: RecordSet((), None, obstacle)}
    )


def test_the_zone_itself_is_not_delegated(aws: FakeAws) -> None:
    zone, apex = aws.zone(), Record("example.com", "A")
    assert open_route53().read(zone, [apex]) == {apex: None}
    aws.put_address(zone, "example.com", "9.9.9.9")
    assert open_route53().read(zone, [apex]) == {apex: RecordSet(("9.9.9.9",), 60)}


# Reading


def test_it_reads_the_record_sets_that_exist_and_those_that_do_not(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.put_address(zone, "home.example.com", "9.9.9.9", 300)
    aws.put_address(zone, "home.example.com", "2620:fe::fe", 120, "AAAA")
    aws.put(
        zone,
        {"Name": "mail.example.com", "Type": "MX", "TTL": 60, "ResourceRecords": [{"Value": "10 home.example.com"}]},
        {
            "Name": "two.example.com",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [{"Value": "9.9.9.9"}, {"Value": "8.8.8.8"}],
        },
    )
    expected = {
        HOME: RecordSet(("9.9.9.9",), 300),
        Record("home.example.com", "AAAA"): RecordSet(("2620:fe::fe",), 120),
        Record("mail.example.com", "A"): None,
        Record("gone.example.com", "A"): None,
        Record("zz.example.com", "A"): None,
        Record("two.example.com", "A"): RecordSet(("9.9.9.9", "8.8.8.8"), 60),
    }
    route53 = open_route53()
    assert route53.read(zone, list(expected)) == expected
    for record, found in expected.items():
        assert route53.read(zone, [record]) == {record: found}


@pytest.mark.parametrize(
    ("written", "name"),
    [("home.example.com.", "home.example.com"), (r"\052.example.com", "*.example.com"), ("_x.example.com",) * 2],
)
def test_it_knows_a_name_however_aws_writes_it(aws: FakeAws, written: str, name: str) -> None:
    zone = aws.zone()
    aws.put_address(zone, written, "9.9.9.9")
    record, neighbour = Record(name, "A"), Record("zz.example.com", "A")
    found = RecordSet(("9.9.9.9",), 60)
    assert open_route53().read(zone, [record]) == {record: found}
    assert open_route53().read(zone, [record, neighbour]) == {record: found, neighbour: None}


def test_it_knows_a_name_in_upper_case(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.put_address(zone, HOME.name, "9.9.9.9")
    aws.fault("ListResourceRecordSets", replacing("home.example.com", "HOME.Example.COM"))
    assert open_route53().read(zone, [HOME]) == {HOME: RecordSet(("9.9.9.9",), 60)}


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("kind", OBSTACLES)
def test_it_says_what_must_not_be_overwritten(aws: FakeAws, kind: str, several: bool) -> None:
    zone = aws.zone()
    record_set, obstacle = OBSTACLES[kind]
    aws.put(zone, {"Name": HOME.name} | record_set)
    records = [HOME, Record("zz.example.com", "A")] if several else [HOME]
    assert open_route53().read(zone, records)[HOME] == RecordSet((), None, obstacle)


@pytest.mark.parametrize(
    ("old", "new", "obstacle"),
    [
        (
            "<TTL>60</TTL>",
            "<TTL>60</TTL><TrafficPolicyInstanceId>7c2b</TrafficPolicyInstanceId>",
            "a set of traffic policy instance 7c2b",
        ),
        ("<TTL>60</TTL>", "", "a set without values and TTL of its own"),
    ],
)
def test_it_leaves_alone_what_others_manage_and_what_it_does_not_know(
    aws: FakeAws, old: str, new: str, obstacle: str
) -> None:
    zone = aws.zone()
    aws.put(zone, {"Name": HOME.name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "9.9.9.9"}]})
    aws.fault("ListResourceRecordSets", replacing(old, new))
    assert open_route53().read(zone, [HOME]) == {HOME: RecordSet((), None, obstacle)}


def test_it_sees_a_cname_in_the_way_of_an_ipv6_address(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.put(zone, {"Name": HOME.name} | OBSTACLES["cname"][0])
    record = Record(HOME.name, "AAAA")
    assert open_route53().read(zone, [record]) == {record: RecordSet((), None, OBSTACLES["cname"][1])}


@pytest.mark.parametrize(
    ("stored", "asked", "calls"), [(0, 2, 1), (350, 1, 1), (350, 2, 2), (650, 2, 2), (650, 50, 3), (250, 3, 1)]
)
def test_it_reads_by_record_or_by_page_whichever_takes_fewer_calls(
    aws: FakeAws, stored: int, asked: int, calls: int
) -> None:
    zone = aws.zone()
    aws.put(
        zone,
        *(
            {"Name": each.record.name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": each.values[0]}]}
            for each in changes(stored)
        ),
    )
    records = [each.record for each in changes(asked)]
    found = open_route53().read(zone, records)
    assert set(found.values()) == {RecordSet(("9.9.9.9",), 60) if stored else None}
    assert aws.count()["ListResourceRecordSets"] == calls


def test_it_reads_without_the_permission_that_only_given_zones_need(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("GetHostedZone", refuse("AccessDenied"))
    records = [each.record for each in changes(3)]
    assert open_route53().read(zone, records) == dict.fromkeys(records)


# Changing


def test_it_replaces_a_record_set_and_returns_the_change_id(aws: FakeAws) -> None:
    zone = aws.zone()
    names = ("home.example.com", "*.example.com", "_x.example.com")
    for stored in ("home.example.com", r"\052.example.com", "_x.example.com"):
        aws.put_address(zone, stored, "8.8.8.8", 300)
    before = len(aws.record_sets(zone))
    wanted = [Change(Record(name, "A"), ("9.9.9.9",), 120) for name in names]
    (answer,) = open_route53().upsert(zone, wanted)
    assert answer == Submission(tuple(wanted), answer.change_id)
    assert answer.change_id
    assert "/" not in answer.change_id
    found = open_route53().read(zone, [each.record for each in wanted])
    assert set(found.values()) == {RecordSet(("9.9.9.9",), 120)}
    assert len(aws.record_sets(zone)) == before


@pytest.mark.parametrize(
    ("count", "address", "kind", "calls"),
    [
        (1, "9.9.9.9", "A", 1),
        (500, "149.112.112.112", "A", 1),
        (501, "9.9.9.9", "A", 2),
        (1000, "9.9.9.9", "A", 2),
        (500, "2620:00fe:0000:0000:0000:0000:0000:00fe", "AAAA", 2),  # 32,000 characters of values, each counted twice
    ],
)
def test_it_fills_the_batches_that_aws_allows(aws: FakeAws, count: int, address: str, kind: str, calls: int) -> None:
    zone = aws.zone()
    wanted = changes(count, address, kind)
    answers = list(open_route53().upsert(zone, wanted))
    assert sent(answers) == wanted
    assert aws.calls == ["ChangeResourceRecordSets"] * calls
    assert len({answer.change_id for answer in answers}) == calls
    assert all(2 * body.count("<Value>") <= 1000 for body in aws.bodies)
    assert all(2 * count_value_characters(body) <= 32_000 for body in aws.bodies)
    assert sum(type_ == kind for _, type_ in aws.record_sets(zone)) == count


@pytest.mark.parametrize(("count", "calls"), [(8, 7), (500, 19)])
@pytest.mark.parametrize("code", ["InvalidChangeBatch", "AccessDenied", "InvalidInput"])
def test_it_narrows_a_refusal_down_to_the_record_that_causes_it(
    aws: FakeAws, code: str, count: int, calls: int
) -> None:
    zone = aws.zone()
    wanted = changes(count)
    bad = wanted[count // 3]
    aws.fault("ChangeResourceRecordSets", refuse(code, "not that one"), containing=bad.record.name)
    answers = list(open_route53().upsert(zone, wanted))
    (error,) = refused(answers).values()
    assert error.startswith(f"failed to change {bad.record}: AWS answered {code}: not that one; ")
    assert sorted(each.record for each in sent(answers)) == [each.record for each in wanted if each != bad]
    assert len(aws.calls) <= calls
    assert (bad.record.name, "A") not in aws.record_sets(zone)


def test_it_stops_at_40_calls_a_zone_when_everything_is_refused(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("ChangeResourceRecordSets", refuse("AccessDenied"))
    wanted = changes(1000)
    answers = list(open_route53().upsert(zone, wanted))
    assert len(aws.calls) == 40
    assert sent(answers) == []
    answered = [change for answer in answers for change in answer.changes]
    assert 0 < len(answered) < 40
    assert all(len(answer.changes) == 1 for answer in answers)
    assert answered == wanted[: len(answered)]


def test_it_does_not_narrow_what_is_not_the_fault_of_one_record(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("ChangeResourceRecordSets", refuse("NoSuchHostedZone"))
    (answer,) = open_route53().upsert(zone, changes(8))
    assert len(aws.calls) == 1
    assert answer.changes == tuple(changes(8))
    assert str(answer.error).startswith("failed to change h0000.example.com A and 7 more: AWS answered NoSuch")


def test_it_sends_the_second_batch_when_the_first_fails(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("ChangeResourceRecordSets", refuse("NotAuthorizedException"), times=1)
    first, second = open_route53().upsert(zone, changes(600))
    assert first.error
    assert second.change_id
    assert len(second.changes) == 100


# Following a change


def test_it_follows_a_change(aws: FakeAws) -> None:
    route53 = open_route53()
    assert route53.in_sync("C1") is True
    aws.fault("GetChange", pending, times=1)
    assert route53.in_sync("C1") is False
    aws.fault("GetChange", refuse("NoSuchChange", status=404), times=1)
    assert route53.in_sync("C1") is None
    aws.fault("GetChange", refuse("AccessDenied", status=403), times=1)
    with pytest.raises(
        DnsError, match=r"^failed to check change C1: AWS answered AccessDenied: no; attach the policy that"
    ):
        route53.in_sync("C1")
    assert all("/change/C1" in asked for asked in aws.asked)


# What AWS says


def test_it_gets_over_a_few_refusals_that_pass(aws: FakeAws) -> None:
    zone = aws.zone()
    aws.fault("ChangeResourceRecordSets", refuse("PriorRequestNotComplete"), times=1)
    aws.fault("ChangeResourceRecordSets", refuse("Throttling"), times=1)
    aws.fault("ListHostedZones", cut, times=1)
    aws.fault("ListResourceRecordSets", refuse("ServiceUnavailable", status=503), times=1)
    route53 = open_route53()
    assert route53.zones_for({HOME: None}) == {HOME: zone}
    assert route53.read(zone, [HOME]) == {HOME: None}
    (answer,) = route53.upsert(zone, [Change(HOME, ("9.9.9.9",), 60)])
    assert answer.change_id
    assert aws.address(zone) == "9.9.9.9"


def no_credentials(_aws: FakeAws, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("AWS_ACCESS_KEY_ID")
    patch.delenv("AWS_SECRET_ACCESS_KEY")


def half_a_key(_aws: FakeAws, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("AWS_SECRET_ACCESS_KEY")


def unknown_profile(_aws: FakeAws, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_PROFILE", "nope")


def no_url(_aws: FakeAws, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_ENDPOINT_URL", "localhost:5000")


def no_such_port(_aws: FakeAws, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:99999")


def nobody_there(_aws: FakeAws, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")


def not_xml(aws: FakeAws, _patch: pytest.MonkeyPatch) -> None:
    aws.fault("ListHostedZones", answering("<!DOCTYPE html>\n<p>Please log in<br>to the hotel's network"))


def other_xml(aws: FakeAws, _patch: pytest.MonkeyPatch) -> None:
    aws.fault("ListHostedZones", answering("<html><body><p>Please log in</p></body></html>"))


def broken_gateway(aws: FakeAws, _patch: pytest.MonkeyPatch) -> None:
    aws.fault("ListHostedZones", answering("<html><p>502 Bad Gateway<br>", "502 Bad Gateway"))


def closed(aws: FakeAws, _patch: pytest.MonkeyPatch) -> None:
    aws.fault("ListHostedZones", cut)


def wrong_key(aws: FakeAws, _patch: pytest.MonkeyPatch) -> None:
    aws.fault(
        "ListHostedZones",
        refuse("InvalidClientTokenId", "The security token included in\nthe request is invalid.", 403),
    )


@pytest.mark.parametrize(
    ("fault", "start", "end"),
    [
        (
            no_credentials,
            "there are no AWS credentials",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (half_a_key, "Partial credentials found in env", "check the AWS settings of this machine"),
        (unknown_profile, "The config profile (nope) could not be found", "check the AWS settings of this machine"),
        (no_url, "Invalid endpoint: localhost:5000", "check the AWS settings of this machine"),
        (no_such_port, "Port out of range 0-65535", "check the AWS settings of this machine"),
        (nobody_there, "AWS did not answer: Could not connect to", "the next run tries again"),
        (not_xml, "the answer is not from AWS", "check AWS_ENDPOINT_URL and the proxy settings"),
        (other_xml, "the answer is not from AWS", "check AWS_ENDPOINT_URL and the proxy settings"),
        (broken_gateway, "AWS answered 502: ", "the next run tries again"),
        (closed, "AWS did not answer: Connection was closed before we received a valid", "the next run tries again"),
        (wrong_key, "AWS answered InvalidClientTokenId: The security token", "check the AWS credentials"),
    ],
)
def test_it_says_in_one_line_what_is_wrong_and_what_to_do(
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[FakeAws, pytest.MonkeyPatch], None],
    start: str,
    end: str,
) -> None:
    fault(aws, monkeypatch)
    with pytest.raises(DnsError) as caught:
        open_route53().zones_for({HOME: None})
    what, _, rest = str(caught.value).partition(": ")
    cause, _, advice = rest.rpartition("; ")
    assert what in ("failed to list the hosted zones", "failed to prepare the AWS client")
    assert cause.startswith(start)
    assert not cause.endswith(".")
    assert advice == end
    assert "\n" not in rest
    assert "secret-of-aws" not in rest


def count_value_characters(body: str) -> int:
    return sum(len(part.partition("<")[0]) for part in body.split("<Value>")[1:])
