"""What counts as a public address."""

import ipaddress

import pytest

from ddns_updater.errors import SourceError
from ddns_updater.model import Family
from ddns_updater.sources.address import public_address

IPV4, IPV6 = Family.IPV4, Family.IPV6


def refusal(text: str, family: Family) -> str:
    with pytest.raises(SourceError) as raised:
        public_address(text, family)
    return str(raised.value)


@pytest.mark.parametrize("text", ["9.9.9.9", "1.1.1.1", "8.8.8.8", "149.112.112.112"])
def test_it_takes_a_public_ipv4_address(text: str) -> None:
    assert public_address(text, IPV4) == ipaddress.IPv4Address(text)


@pytest.mark.parametrize("text", ["2606:4700:4700::1111", "2606:4700:4700:0:0:0:0:1111", "2606:4700:4700::0.0.17.17"])
def test_it_takes_a_public_ipv6_address_in_every_spelling(text: str) -> None:
    assert str(public_address(text, IPV6)) == "2606:4700:4700::1111"


@pytest.mark.parametrize("text", ["9.9.9.9\n", "9.9.9.9\r\n", " \t9.9.9.9 ", "\n\n9.9.9.9\n\n"])
def test_it_takes_white_space_around_the_address(text: str) -> None:
    assert str(public_address(text, IPV4)) == "9.9.9.9"


@pytest.mark.parametrize(
    "text",
    [
        "10.1.2.3",  # private
        "172.16.0.1",
        "192.168.1.10",
        "127.0.0.1",  # loopback
        "169.254.10.20",  # link-local
        "224.0.0.1",  # multicast
        "239.1.2.3",
        "192.0.2.7",  # documentation
        "198.51.100.7",
        "203.0.113.7",
        "198.18.0.1",  # benchmarks
        "240.0.0.1",  # reserved
        "255.255.255.255",
        "0.0.0.0",
        "0.1.2.3",
    ],
)
def test_it_refuses_ipv4_addresses_that_are_not_public(text: str) -> None:
    assert refusal(text, IPV4) == f"answered {text}, which is not a public address"


@pytest.mark.parametrize(
    "text",
    [
        "::",
        "::1",  # loopback
        "::2",  # unassigned
        "fe80::1",  # link-local
        "fec0::1",  # site-local
        "fd00::1",  # private
        "ff02::1",  # multicast
        "ff0e::1",
        "2001:db8::1",  # documentation
        "3fff::1",
        "4000::1",  # unassigned
        "64:ff9b::909:909",  # an IPv4 address behind NAT64
    ],
)
def test_it_refuses_ipv6_addresses_that_are_not_public(text: str) -> None:
    assert refusal(text, IPV6) == f"answered {text}, which is not a public address"


@pytest.mark.parametrize("text", ["::ffff:9.9.9.9", "::9.9.9.9"])
def test_it_refuses_an_ipv4_address_in_an_ipv6_one(text: str) -> None:
    assert refusal(text, IPV6).endswith(", which is not a public address")
    assert refusal(text, IPV4).endswith(", which is not an IPv4 address")


@pytest.mark.parametrize("text", ["100.64.0.0", "100.100.1.2", "100.127.255.255"])
def test_it_says_carrier_grade_nat_where_the_line_is_behind_one(text: str) -> None:
    assert refusal(text, IPV4) == (
        f"answered {text}, a carrier-grade NAT address: this line has no public IPv4 address; ask the provider for one"
    )


@pytest.mark.parametrize("text", ["100.63.255.255", "100.128.0.0"])
def test_it_takes_the_neighbours_of_carrier_grade_nat(text: str) -> None:
    assert str(public_address(text, IPV4)) == text


def test_it_refuses_an_address_of_the_other_family() -> None:
    assert refusal("2606:4700:4700::1111", IPV4) == "answered 2606:4700:4700::1111, which is not an IPv4 address"
    assert refusal("9.9.9.9", IPV6) == "answered 9.9.9.9, which is not an IPv6 address"


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize(
    "text",
    [
        "9.9.9",
        "9.9.9.9.9",
        "9.9.9.256",
        "9.9.9.9:80",
        "9.9.9.9/32",
        "9.9.9.9 8.8.8.8",
        "9.9.9.9,8.8.8.8",
        "9.9.9.9\n8.8.8.8\n",
        "9.9.9.9 is your address",
        "9.9.9.9<br>",
        "9.9.9.9\x00",
        "9. 9.9.9",
        "09.9.9.9",
        "9.9.9.009",
        "9.9.9.-9",
        "0x9.9.9.9",
        "151587081",
        "٩.٩.٩.٩",
        "\N{FULLWIDTH DIGIT NINE}.9.9.9",
        "nginx/1.18.0.1",
        "[2606:4700:4700::1111]",
        "2606:4700:4700::1111::",
        "2606:4700:4700::1111/128",
        "2606:4700:4700::1111%",
        "2606:4700:4700::1111%eth0",  # of one interface of one machine
        "fe80::1%eth0",
        "2606:4700:4700::1111%\x1b[31mred",
        "home.example.com",
        "None",
    ],
)
def test_it_refuses_what_is_not_one_address_and_quotes_it(text: str, family: Family) -> None:
    assert refusal(text, family) == f"answered {text!r}, which is not one IP address"


@pytest.mark.parametrize("text", ["", " ", "\n", "\r\n\t"])
def test_it_refuses_an_empty_answer(text: str) -> None:
    assert refusal(text, IPV4) == "answered nothing, which is not one IP address"


@pytest.mark.parametrize("text", ["9" * 1_000_000, "9.9.9.9" + " 9" * 1_000_000, ":" * 1_000_000, "9.9.9.9\n" * 9999])
def test_it_refuses_a_huge_answer_in_one_short_line(text: str) -> None:
    reason = refusal(text, IPV4)
    assert reason.endswith("…', which is not one IP address")
    assert len(reason) < 160
    assert reason.isprintable()
