"""Single values whose grammar lives with the settings."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.settings.values import InvalidItems, trusted_proxies

_ANYTHING = st.text() | st.text(alphabet="0123456789abcdef:./%,[] ") | st.ip_addresses().map(str)


def test_trusted_proxies_are_addresses_and_networks() -> None:
    assert trusted_proxies("127.0.0.1, ::1,192.0.2.0/24,2001:db8::/32") == tuple(
        map(ip_network, ("127.0.0.1/32", "::1/128", "192.0.2.0/24", "2001:db8::/32"))
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("localhost", "is not an address or a network; write them as 192.0.2.7 and 192.0.2.0/24"),
        ("127.0.0.1:80", "is not an address or a network; write them as 192.0.2.7 and 192.0.2.0/24"),
        ("fe80::1%eth0", "is not an address or a network; write them as 192.0.2.7 and 192.0.2.0/24"),
        ("0.0.0.0/0", "includes every address, so any caller could choose its own; list only the proxies"),
        ("::/0", "includes every address, so any caller could choose its own; list only the proxies"),
        ("192.0.2.7/24", "has bits beyond its prefix; write 192.0.2.0/24, or 192.0.2.7 for that address alone"),
        ("::ffff:192.0.2.7", "is an IPv4 address in IPv6 notation; write it as 192.0.2.7 or 192.0.2.0/24"),
    ],
)
def test_a_trusted_proxy_that_would_be_misunderstood_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidItems) as caught:
        trusted_proxies(f"127.0.0.1,{text}")
    ((shown, error),) = caught.value.invalid
    assert shown == repr(text)
    assert str(error) == reason


@given(_ANYTHING)
def test_whatever_a_trusted_proxy_is_given_as_it_is_networks_or_refused(text: str) -> None:
    try:
        networks = trusted_proxies(text)
    except ValueError as error:
        assert type(error).__name__ in ("InvalidItems", "InvalidValue")  # noqa: PT017 - either is right
        return
    assert networks
    assert all(each.prefixlen > 0 for each in networks)
