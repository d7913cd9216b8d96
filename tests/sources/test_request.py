"""The addresses of a host from its request."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from random import Random

import hypothesis
import pytest
from hypothesis import strategies as st

from ddns_updater.errors import UnusableAnswer
from ddns_updater.model import Address, Family
from ddns_updater.sources.request import Given, addresses_of, parse_given

QUAD9 = IPv4Address("9.9.9.9")
CLOUDFLARE = IPv6Address("2606:4700:4700::1111")
PREFIX = IPv6Network("2606:4700:1:2::/64")
SUFFIX = IPv6Address("::21e:6ff:fe12:3456")


def refusal(*fields: tuple[str, str], suffix: IPv6Address | None = None, caller: Address | None = None) -> str:
    with pytest.raises(UnusableAnswer) as raised:
        addresses_of(parse_given(fields), suffix, caller)
    return raised.value.answer


@pytest.mark.parametrize("field", ["myip", "ip", "myipv4"])
def test_each_name_of_the_field_gives_the_ipv4_address(field: str) -> None:
    assert parse_given([(field, "9.9.9.9")]) == Given(ipv4=QUAD9)


@pytest.mark.parametrize("field", ["myip", "ip", "myipv6", "ipv6"])
def test_each_name_of_the_field_gives_the_ipv6_address_or_a_prefix(field: str) -> None:
    assert parse_given([(field, "2606:4700:4700::1111")]) == Given(ipv6=CLOUDFLARE)
    assert parse_given([(field, "2606:4700:1:2::/64")]) == Given(prefix=PREFIX)


@pytest.mark.parametrize(
    "value",
    [
        "9.9.9.9,2606:4700:4700::1111",
        "2606:4700:4700::1111,9.9.9.9",
        " 9.9.9.9 , 2606:4700:4700::1111 ",
        ",9.9.9.9,,2606:4700:4700:0::1111,",
        "9.9.9.9,2606:4700:4700::1111,9.9.9.9",
    ],
)
def test_a_list_gives_an_address_of_each_family_and_empty_parts_are_passed_over(value: str) -> None:
    assert parse_given([("myip", value)]) == Given(QUAD9, CLOUDFLARE)


def test_fields_add_up_and_others_are_passed_over() -> None:
    fields = [("myip", "9.9.9.9"), ("hostname", "8.8.8.8"), ("ipv6", "2606:4700:4700::1111"), ("myip", "")]
    assert parse_given(fields) == Given(QUAD9, CLOUDFLARE)


@pytest.mark.parametrize("value", ["", " ", ",", " , ,"])
def test_an_empty_field_gives_nothing(value: str) -> None:
    assert parse_given([("myip", value), ("ip6lanprefix", value)]) == Given()


@pytest.mark.parametrize("field", ["myip", "ip", "myipv4", "myipv6", "ipv6", "ip6lanprefix"])
@pytest.mark.parametrize(
    "value",
    [
        "<ipaddr>",
        "<ip6addr>",
        "<ip6lanprefix>",
        "__MYIP__",
        "%i",
        "::ffff:9.9.9.9",
        "2606:4700:4700::1111%eth0",
        "fe80::1%eth0",
        "2606:4700:1:2::%eth0/64",
        "9.9.9.9:80",
        "[2606:4700:4700::1111]",
        "[2606:4700:4700::1111]:443",
        "9.9.9.9/32",
        "9.9.9.9 2606:4700:4700::1111",
        "9.9.9.9;8.8.8.8",
        "9.9.9",
        "10.0.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "127.0.0.1",
        "fd00::1",
        "2606:4700:1:2::1/64",
        "2606:4700:1:2::/129",
        "2606:4700:1:2::/-1",
        "2606:4700:1:2::/",
        "2606:4700:1:2::/64/64",
        "::/0",
        "2000::/3",
        "2600::/31",
        "yes",
        "ä",
        "\x00",
        "-",
    ],
)
def test_a_malformed_or_unusable_part_refuses_all_of_them(field: str, value: str) -> None:
    refusal((field, value), suffix=SUFFIX, caller=QUAD9)
    refusal(("myip", f"8.8.8.8,{value}"), suffix=SUFFIX, caller=QUAD9)
    refusal(("myip", "8.8.8.8"), (field, value), suffix=SUFFIX, caller=QUAD9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("myipv4", "2606:4700:4700::1111"),
        ("myipv6", "9.9.9.9"),
        ("ipv6", "9.9.9.9"),
        ("ip6lanprefix", "9.9.9.9"),
        ("ip6lanprefix", "2606:4700:4700::1111"),
    ],
)
def test_a_field_of_one_kind_refuses_another(field: str, value: str) -> None:
    refusal((field, value))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["9.9.9.9,8.8.8.8"], "9.9.9.9 and 8.8.8.8, which are two addresses of one family"),
        (["9.9.9.9", "8.8.8.8"], "9.9.9.9 and 8.8.8.8, which are two addresses of one family"),
        (
            ["2606:4700:4700::1111,2620:fe::fe"],
            "2606:4700:4700::1111 and 2620:fe::fe, which are two addresses of one family",
        ),
        (["2606:4700:1:2::/64,2606:4700:1::/48"], "2606:4700:1:2::/64 and 2606:4700:1::/48, which are two prefixes"),
    ],
)
def test_two_of_one_family_are_refused(values: list[str], text: str) -> None:
    assert refusal(*(("myip", value) for value in values), suffix=SUFFIX) == text


def test_a_family_that_is_not_given_is_left_out() -> None:
    assert addresses_of(Given(ipv4=QUAD9), None, CLOUDFLARE) == {Family.IPV4: QUAD9}
    assert addresses_of(Given(ipv6=CLOUDFLARE), None, QUAD9) == {Family.IPV6: CLOUDFLARE}


@pytest.mark.parametrize("caller", [QUAD9, CLOUDFLARE])
def test_the_callers_address_counts_when_nothing_is_given(caller: Address) -> None:
    family = Family.IPV4 if caller.version == 4 else Family.IPV6
    assert addresses_of(Given(), None, caller) == {family: caller}


@pytest.mark.parametrize("caller", ["127.0.0.1", "192.168.1.2", "100.64.1.1", "::1", "fe80::1", "::ffff:9.9.9.9"])
def test_a_caller_that_is_not_public_is_refused(caller: str) -> None:
    assert refusal(caller=ip_address(caller)).startswith(str(ip_address(caller)))


def test_an_address_that_is_not_that_of_the_host_behind_the_router_is_refused() -> None:
    said = "2606:4700:4700::1111, which does not end in the suffix ::21e:6ff:fe12:3456 of the host"
    assert refusal(("myip", "9.9.9.9,2606:4700:4700::1111"), suffix=SUFFIX) == said
    assert refusal(suffix=SUFFIX, caller=CLOUDFLARE) == said


@pytest.mark.parametrize("suffix", [SUFFIX, IPv6Address("0:0:0:7:21e:6ff:fe12:3456")])
def test_a_host_with_a_suffix_may_send_its_whole_address_itself(suffix: IPv6Address) -> None:
    own = IPv6Address("2606:4700:1:2:21e:6ff:fe12:3456")
    assert addresses_of(Given(QUAD9, own), suffix, None) == {Family.IPV4: QUAD9, Family.IPV6: own}
    assert addresses_of(Given(), suffix, own) == {Family.IPV6: own}
    assert addresses_of(Given(), suffix, QUAD9) == {Family.IPV4: QUAD9}


def test_a_caller_that_cannot_be_told_is_refused() -> None:
    assert refusal() == "no address, and it cannot be told where the request came from"


@pytest.mark.parametrize(
    ("prefix", "suffix", "address"),
    [
        ("2606:4700:1:2::/64", "::21e:6ff:fe12:3456", "2606:4700:1:2:21e:6ff:fe12:3456"),
        ("2606:4700:1:200::/56", "::1", "2606:4700:1:200::1"),
        ("2606:4700:1:200::/56", "0:0:0:7::1", "2606:4700:1:207::1"),
        ("2606:4700:1:240::/59", "::1", "2606:4700:1:240::1"),
        ("2606:4700:1:2::/120", "::ff", "2606:4700:1:2::ff"),
    ],
)
def test_a_prefix_and_the_suffix_of_the_host_make_its_address(prefix: str, suffix: str, address: str) -> None:
    given = parse_given([("ip6lanprefix", prefix)])
    assert addresses_of(given, IPv6Address(suffix), QUAD9) == {Family.IPV6: IPv6Address(address)}


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("2606:4700:1:2::/120", "::100"),
        ("2606:4700:1:2::/65", "::8000:0:0:0"),
        ("2606:4700:1:2::/64", "0:0:0:1::1"),
        ("2606:4700:1:2::/128", "::1"),
    ],
)
def test_a_suffix_that_does_not_fit_is_refused(prefix: str, suffix: str) -> None:
    said = refusal(("myip", prefix), suffix=IPv6Address(suffix))
    assert said == f"the prefix {prefix}, which is too long for the suffix {IPv6Address(suffix)}"


@pytest.mark.parametrize("prefix", ["fd00:1:2:3::/64", "2001:db8:1:2::/64", "fe80::/64"])
def test_a_prefix_that_is_not_public_is_refused(prefix: str) -> None:
    assert refusal(("myip", prefix), suffix=SUFFIX).endswith(", which is not a public address")


def test_a_field_of_ipv4_addresses_refuses_a_prefix() -> None:
    refusal(("myipv4", "2606:4700:1:2::/64"), suffix=SUFFIX)


def test_a_prefix_alone_is_refused_for_a_host_without_suffix() -> None:
    said = refusal(("ip6lanprefix", "2606:4700:1:2::/64"), ("myip", "9.9.9.9"), caller=CLOUDFLARE)
    assert said == "the prefix 2606:4700:1:2::/64, and the host has no suffix to make an address of it"


def test_a_router_sends_its_own_address_and_the_prefix_of_the_machines_behind_it() -> None:
    given = parse_given([("myip", "9.9.9.9,2606:4700:4700::1111"), ("ip6lanprefix", "2606:4700:1:2::/64")])
    assert addresses_of(given, None, None) == {Family.IPV4: QUAD9, Family.IPV6: CLOUDFLARE}
    assert addresses_of(given, IPv6Address("::5"), None) == {
        Family.IPV4: QUAD9,
        Family.IPV6: IPv6Address("2606:4700:1:2::5"),
    }


@hypothesis.given(st.lists(st.tuples(st.sampled_from(["myip", "myipv4", "ipv6", "ip6lanprefix"]), st.text())))
@hypothesis.example([("myip", "9.9.9.9,<ip6addr>")])
def test_any_text_is_either_understood_or_refused(fields: list[tuple[str, str]]) -> None:
    given = Given()
    with suppress(UnusableAnswer):
        given = parse_given(fields)
        assert (given == Given()) == (not any(part.strip() for _, value in fields for part in value.split(",")))
    assert given.ipv4 is None or given.ipv4.is_global


@hypothesis.given(
    st.ip_addresses(v=4, network="9.0.0.0/8"), st.ip_addresses(v=6, network="2606:4700::/32"), st.randoms()
)
def test_what_is_written_is_read_back(ipv4: IPv4Address, ipv6: IPv6Address, random: Random) -> None:
    texts = [str(ipv4), random.choice([str(ipv6), ipv6.exploded, str(ipv6).upper()])]
    random.shuffle(texts)
    assert parse_given([("myip", ",".join(texts))]) == Given(ipv4, ipv6)


@hypothesis.given(st.integers(32, 128), st.ip_addresses(v=6, network="2606:4700::/32"), st.ip_addresses(v=6))
def test_an_address_of_a_prefix_has_all_bits_of_prefix_and_suffix(
    length: int, inside: IPv6Address, suffix: IPv6Address
) -> None:
    prefix = IPv6Network((inside, length), strict=False)
    host_part = IPv6Address(int(suffix) & int(prefix.hostmask))
    address = addresses_of(Given(prefix=prefix), host_part, None)[Family.IPV6]
    assert address in prefix
    assert int(address) & int(prefix.hostmask) == int(host_part)
