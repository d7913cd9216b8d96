"""Requests of real clients byte for byte, and what each gets.

Those of ddclient 3.10 and inadyn 2.10 were captured, the others are written from sources, manuals and logs of servers;
names, secret and addresses are ours. Replay each against fresh HOSTS, as if it came from CALLER.
"""

from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote

from ddns_updater.hosts import NewHost
from ddns_updater.server.request import Request

LOGIN = "home.example.com"
SECRET = "7k3vq9m2x8c4r6t5w0y1z2n3b4d5f6g7"
CALLER = "9.9.9.9"  # where each request comes from
HOSTS = (
    NewHost("home.example.com", LOGIN, SECRET, takes_query=True),
    NewHost("nas.example.com", LOGIN, None),
    NewHost("pi.example.com", LOGIN, None, suffix=IPv6Address("::21e:6ff:fe12:3456")),
    NewHost("*.home.example.com", LOGIN, None),
)
_BASIC = b"Authorization: Basic aG9tZS5leGFtcGxlLmNvbTo3azN2cTltMng4YzRyNnQ1dzB5MXoybjNiNGQ1ZjZnNw==\r\n"
_HOST = b"Host: ddns.example.com\r\n"


class Recorded(NamedTuple):
    """A request, and the status and body of its response."""

    client: str
    raw: bytes
    status: int
    body: str


def parsed(raw: bytes, peer: str = "127.0.0.1") -> Request:
    """Return a request as a web server hands it over."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Request(method, unquote(path), query, headers, body, peer)


RECORDED = (
    Recorded(
        "ddclient 3.10",
        b"GET /nic/update?system=dyndns&hostname=home.example.com,nas.example.com&myip=8.8.4.4 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: ddclient/3.10.0\r\nConnection: close\r\n\r\n",
        200,
        "good 8.8.4.4\ngood 8.8.4.4",
    ),
    Recorded(
        "ddclient 3.10 that found no address",
        b"GET /nic/update?system=dyndns&hostname=home.example.com&myip= HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: ddclient/3.10.0\r\nConnection: close\r\n\r\n",
        200,
        "good 9.9.9.9",
    ),
    Recorded(
        "ddclient 4.0",
        b"GET /nic/update?hostname=home.example.com,nas.example.com&myip=8.8.4.4,2001:4860:4860::8844 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: ddclient/4.0.0\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        200,
        "good 8.8.4.4,2001:4860:4860::8844\ngood 8.8.4.4,2001:4860:4860::8844",
    ),
    Recorded(
        "inadyn 2.10",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: inadyn/2.10.0 https://github.com/troglobit/inadyn/issues\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "inadyn 2.10 with IPv6",
        b"GET /nic/update?hostname=home.example.com&myip=2001%3a4860%3a4860%3a%3a8844 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: inadyn/2.10.0 https://github.com/troglobit/inadyn/issues\r\n\r\n",
        200,
        "good 2001:4860:4860::8844",
    ),
    Recorded(
        "inadyn 2.10 with a wildcard",
        b"GET /nic/update?hostname=%2a.home.example.com&myip=8.8.4.4 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: inadyn/2.10.0 https://github.com/troglobit/inadyn/issues\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "inadyn 2.10, named plugin",
        b"GET /nic/update?hostname=home.example.com&myipv6=2001%3a4860%3a4860%3a%3a8844 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: inadyn/2.10.0 https://github.com/troglobit/inadyn/issues\r\n\r\n",
        200,
        "good 2001:4860:4860::8844",
    ),
    Recorded(
        "curl --anyauth, as pfSense, at first",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.1\r\n"
        + _HOST
        + b"User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        401,
        "badauth",
    ),
    Recorded(
        "curl --anyauth, as pfSense, after the challenge",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "curl --data",
        b"POST /v3/update HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: curl/7.88.1\r\nAccept: */*\r\nContent-Length: 58\r\n"
        + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        + b"hostname=nas.example.com&myip=8.8.4.4,2001:4860:4860::8844",
        200,
        "good 8.8.4.4,2001:4860:4860::8844",
    ),
    Recorded(
        "FRITZ!Box",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4&myipv6=2001:4860:4860::8844 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        200,
        "good 8.8.4.4,2001:4860:4860::8844",
    ),
    Recorded(
        "FRITZ!Box with a machine behind it",
        b"GET /nic/update?hostname=home.example.com,pi.example.com&myip=8.8.4.4&myipv6=2001:4860:4860::8844"
        b"&ip6lanprefix=2001:4860:4860:100::/56 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        200,
        "good 8.8.4.4,2001:4860:4860::8844\ngood 8.8.4.4,2001:4860:4860:100:21e:6ff:fe12:3456",
    ),
    Recorded(
        "FRITZ!Box without IPv6",
        b"GET /nic/update?hostname=home.example.com,pi.example.com&myip=8.8.4.4&myipv6=&ip6lanprefix= HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        200,
        "good 8.8.4.4\ngood 8.8.4.4",
    ),
    Recorded(
        "FRITZ!Box without a prefix for the machine behind it",
        b"GET /nic/update?hostname=home.example.com,pi.example.com&myip=8.8.4.4&myipv6=2001:4860:4860::8844"
        b"&ip6lanprefix= HTTP/1.1\r\n" + _HOST + _BASIC + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        503,
        "good 8.8.4.4,2001:4860:4860::8844\n911",
    ),
    Recorded(
        "FRITZ!Box with DS-Lite",
        b"GET /nic/update?hostname=home.example.com&myip=&myipv6=2001:4860:4860::8844 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        200,
        "good 2001:4860:4860::8844",
    ),
    Recorded(
        "FRITZ!Box that does not know the placeholder",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4&myipv6=<ip6addr> HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        503,
        "911",
    ),
    Recorded(
        "FRITZ!Box behind a carrier-grade NAT",
        b"GET /nic/update?hostname=home.example.com&myip=100.64.7.7&myipv6=2001:4860:4860::8844 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Fritz!Box DDNS/1.0.1\r\n\r\n",
        503,
        "911",
    ),
    Recorded(
        "Synology DSM, module of Dyn",
        b"GET /nic/update?system=dyndns&hostname=home.example.com&myip=8.8.4.4&wildcard=NOCHG&mx=NOCHG&backmx=NOCHG"
        b" HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Synology DDNS Updater/42962 support@synology.com\r\nAccept: */*\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "Synology DSM, provider of one's own",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4&username=home.example.com"
        b"&password=7k3vq9m2x8c4r6t5w0y1z2n3b4d5f6g7 HTTP/1.1\r\n"
        + _HOST
        + b"User-Agent: Synology DDNS Updater/42962 support@synology.com\r\nAccept: */*\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "UniFi",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: inadyn/2.9.1 https://github.com/troglobit/inadyn/issues\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "OPNsense",
        b"GET /nic/update?hostname=home.example.com&myip=2001%3A4860%3A4860%3A%3A8844&wildcard=NOCHG HTTP/1.1\r\n"
        + _HOST
        + b"User-Agent: OPNsense-dyndns\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        + _BASIC
        + b"\r\n",
        200,
        "good 2001:4860:4860::8844",
    ),
    Recorded(
        "Speedport",
        b"GET /nic/update?hostname=home.example.com&myip=2001:4860:4860::8844,8.8.4.4 HTTP/1.1\r\n"
        + _HOST
        + _BASIC
        + b"\r\n",
        200,
        "good 8.8.4.4,2001:4860:4860::8844",
    ),
    Recorded(
        "Hikvision",
        b"GET /nic/update?system=dyndns&hostname=home.example.com&myip=&wildcard=OFF&mx=NO&backmx=NO&offline=NO"
        b" HTTP/1.0\r\n" + _HOST + _BASIC + b"\r\n",
        200,
        "good 9.9.9.9",
    ),
    Recorded(
        "MikroTik",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: Mikrotik/6.x Fetch\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "OpenWrt",
        b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.1\r\n"
        + _HOST
        + b"User-Agent: uclient-fetch\r\n"
        + _BASIC
        + b"\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "DD-WRT",
        b"GET /nic/update?system=dyndns&hostname=home.example.com&wildcard=OFF&myip=8.8.4.4 HTTP/1.0\r\n"
        + _HOST
        + _BASIC
        + b"User-Agent: inadyn/1.99.8\r\n\r\n",
        200,
        "good 8.8.4.4",
    ),
    Recorded(
        "dyndnsc",
        b"GET /nic/update?myip=8.8.4.4&hostname=home.example.com HTTP/1.1\r\n"
        + _HOST
        + b"User-Agent: python-dyndnsc/0.6.1\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
        + b"Connection: keep-alive\r\n"
        + _BASIC
        + b"\r\n",
        200,
        "good 8.8.4.4",
    ),
)
