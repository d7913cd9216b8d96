"""Where a request came from, behind proxies that are trusted and others."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.server.caller import ProxyWarnings, caller_of
from ddns_updater.server.request import Caller, Request

_TRUSTED = tuple(map(ip_network, ("127.0.0.1/32", "::1/128", "10.0.0.0/8", "fe80::/64", "2001:db8:ffff::/48")))
_NOT_TOLD = Caller(None)


def _request(*forwarded: str, peer: str = "127.0.0.1", path: str = "/nic/update") -> Request:
    headers = [("host", "ddns.example.com"), *(("x-forwarded-for", each) for each in forwarded)]
    return Request("GET", path, "", tuple(headers), b"", peer)


def _caller(*forwarded: str, peer: str = "127.0.0.1") -> Caller:
    return caller_of(_request(*forwarded, peer=peer), _TRUSTED)


def _address(text: str) -> Caller:
    return Caller(ip_address(text))


@pytest.mark.parametrize(
    ("forwarded", "caller"),
    [
        ("8.8.4.4", "8.8.4.4"),
        ("2001:4860:4860::8888", "2001:4860:4860::8888"),
        ("2001:4860:4860:0::8888", "2001:4860:4860::8888"),
        ("::ffff:8.8.4.4", "8.8.4.4"),
        ("[::ffff:808:404]:80", "8.8.4.4"),
        ("8.8.4.4:50000", "8.8.4.4"),
        ("[2001:4860:4860::8888]", "2001:4860:4860::8888"),
        ("[2001:4860:4860::8888]:443", "2001:4860:4860::8888"),
        ("fe80:0:0:1::1%eth0", "fe80:0:0:1::1"),
        ("[fe80:0:0:1::1%eth0]:443", "fe80:0:0:1::1"),
        ("  8.8.4.4\t", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4", "8.8.4.4"),
        ("1.1.1.1,8.8.4.4, 10.1.2.3", "8.8.4.4"),
        ("1.1.1.1, 8.8.4.4, ::ffff:10.1.2.3, [::1]:80, fe80::2%1, 127.0.0.1:9", "8.8.4.4"),
        ("garbage, <script>, , 8.8.4.4", "8.8.4.4"),
        (", 8.8.4.4", "8.8.4.4"),
    ],
)
def test_the_first_untrusted_address_from_the_right_counts(forwarded: str, caller: str) -> None:
    assert _caller(forwarded) == _address(caller)


def test_several_headers_are_one_list_in_their_order() -> None:
    assert _caller("1.1.1.1", "8.8.4.4, 10.0.0.1", "10.0.0.2") == _address("8.8.4.4")


@pytest.mark.parametrize(
    "forwarded",
    [
        "8.8.4.4, garbage",
        "8.8.4.4, unknown",
        "8.8.4.4,",
        "8.8.4.4, , 10.0.0.1",
        "8.8.4.4 1.1.1.1",
        "8.8.4.4:",
        "8.8.4.4:http",
        "8.8.4.4:123456",
        "8.8.4.4%eth0",
        "[8.8.4.4]:80",
        "[]:80",
        "[2001:4860:4860::8888]443",
        "2001:4860:4860::8888]:443",
        "08.8.4.4",
        "8.8.4.4/32",
        "\u0668.8.4.4",
        "1.1.1.1, 2001:4860:4860::8888%" + "x" * 200,
        "garbage, 10.0.0.1",
    ],
)
def test_a_header_that_cannot_be_read_where_it_counts_tells_nothing(forwarded: str) -> None:
    assert _caller(forwarded) == _NOT_TOLD


@pytest.mark.parametrize(
    ("peer", "caller"),
    [("9.9.9.9", "9.9.9.9"), ("::ffff:9.9.9.9", "9.9.9.9"), ("2620:fe::fe", "2620:fe::fe"), ("11.0.0.1", "11.0.0.1")],
)
def test_a_peer_that_is_not_trusted_is_the_caller_whatever_it_sends(peer: str, caller: str) -> None:
    assert _caller("8.8.4.4", peer=peer) == _address(caller)
    assert _caller(peer=peer) == _address(caller)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.200.0.1", "fe80::7%eth0"])
def test_a_trusted_peer_is_believed_in_any_notation(peer: str) -> None:
    assert _caller("8.8.4.4", peer=peer) == _address("8.8.4.4")


@pytest.mark.parametrize("forwarded", [(), ("",), (" , ,",), ("", "")])
def test_a_trusted_proxy_without_the_header_is_told_as_a_proxy(forwarded: tuple[str, ...]) -> None:
    assert _caller(*forwarded, peer="10.0.0.1") == Caller(ip_address("10.0.0.1"), is_proxy=True)


def test_when_all_are_proxies_it_is_the_one_that_the_others_forwarded() -> None:
    assert _caller("10.0.0.3, 127.0.0.1") == Caller(ip_address("10.0.0.3"), is_proxy=True)


@pytest.mark.parametrize("peer", ["", "unix:", "localhost", "garbage"])
def test_a_peer_without_an_address_is_not_told(peer: str) -> None:
    assert _caller("8.8.4.4", peer=peer) == _NOT_TOLD


def test_nobody_is_believed_when_nobody_is_trusted() -> None:
    assert caller_of(_request("8.8.4.4"), ()) == _address("127.0.0.1")


def test_the_public_address_of_a_proxy_is_not_the_callers_own() -> None:
    public, private = ip_address("9.9.9.9"), ip_address("127.0.0.1")
    assert Caller(public, is_proxy=True).own_address is None
    assert Caller(private, is_proxy=True).own_address == private
    assert Caller(public).own_address == public
    assert _NOT_TOLD.own_address is None


@given(st.binary(max_size=200) | st.text(alphabet="0123456789abcdef.:%[], \t").map(str.encode), st.ip_addresses())
def test_nothing_left_of_an_untrusted_address_matters(spoofed: bytes, address: object) -> None:
    text = str(address)
    alone = _caller(text)
    if not alone.is_proxy:
        assert _caller(f"{spoofed.decode('latin-1')},{text}") == alone
        assert _caller(spoofed.decode("latin-1"), f"{text}, 10.0.0.1") == alone


@given(st.lists(st.text() | st.text(alphabet="0123456789abcdef.:%[], \t")), st.sampled_from(["127.0.0.1", "8.8.8.8"]))
def test_whatever_stands_in_the_header_nothing_is_raised(forwarded: list[str], peer: str) -> None:
    caller = _caller(*forwarded, peer=peer)
    if peer == "8.8.8.8":
        assert caller == _address(peer)
    else:
        assert not caller.is_proxy or any(caller.address in each for each in _TRUSTED if caller.address)


class _Operator:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._warnings = ProxyWarnings(self.lines.append)

    def sees(self, request: Request) -> list[str]:
        """Return what the operator is warned of because of a request."""
        before = len(self.lines)
        self._warnings.check(request, caller_of(request, _TRUSTED))
        return self.lines[before:]


def test_a_proxy_without_the_header_is_warned_of_once() -> None:
    operator = _Operator()
    assert operator.sees(_request(peer="10.0.0.1")) == [
        (
            "trusted proxy 10.0.0.1 sends no X-Forwarded-For, so all its callers have its address; in nginx set"
            " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for, or remove it from DDNS_SERVE_TRUSTED_PROXIES"
            " if it is no proxy"
        )
    ]
    assert operator.sees(_request(peer="10.0.0.1")) == []
    (other,) = operator.sees(_request(peer="10.0.0.2"))
    assert other.startswith("trusted proxy 10.0.0.2 ")


def test_a_proxy_with_a_header_that_cannot_be_read_is_warned_of_once_without_its_text() -> None:
    operator = _Operator()
    assert operator.sees(_request("1.1.1.1, s3cret")) == [
        (
            "trusted proxy 127.0.0.1 sends an X-Forwarded-For that does not end in an address, so its callers cannot be"
            " told apart and are refused; let it append the address of its caller"
        )
    ]
    assert operator.sees(_request("1.1.1.1, other")) == []


@pytest.mark.parametrize(
    "request_",
    [
        _request("8.8.4.4"),
        _request("10.0.0.3"),
        _request(peer="8.8.4.4"),
        _request("8.8.4.4", peer="unix:"),
        _request(path="/health"),
        _request(path="/metrics"),
    ],
)
def test_what_is_in_order_is_not_warned_of(request_: Request) -> None:
    assert _Operator().sees(request_) == []


def test_a_large_trusted_network_does_not_fill_the_memory() -> None:
    operator = _Operator()
    for number in range(1100):
        operator.sees(_request(peer=str(ip_address("10.0.0.0") + number)))
    assert len(operator.lines) == 1000
