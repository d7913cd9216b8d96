"""Configurations of dyndns2 clients for a host, ready to be pasted.

What each client sends, and what it takes for a success, is measured or from its sources: docs/endpoint.md. None of them
puts the secret into a URL, where proxies would log it, but OpenWrt, which sends it as a header all the same.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

PLACEHOLDER = "https://HOST"
_ADDRESS = "/ip"  # where the server tells the caller's address


class Access(NamedTuple):
    """What a client needs to keep a host: where the server is reached, such as https://ddns.example.com, and a login.

    `suffix` is the interface identifier that makes an address of a delegated prefix, None without one.
    """

    server: str
    name: str
    login: str
    secret: str
    suffix: IPv6Address | None = None

    def __repr__(self) -> str:
        return f"<access to {self.name} at {self.server}>"  # without its secret

    @property
    def update_url(self) -> str:
        """Return the URL that updates the host, for the address that a request comes from."""
        return f"{self.update}?{urlencode({'hostname': self.name})}"

    @property
    def secret_url(self) -> str:
        """Return that URL with login and secret in its query."""
        return f"{self.update_url}&{urlencode({'username': self.login, 'password': self.secret})}"

    @property
    def update(self) -> str:
        """Return the URL of updates, without a query."""
        return f"{self.server}{self.path}"

    @property
    def path(self) -> str:
        """Return the path of updates below the server."""
        return "/nic/update"

    @property
    def place(self) -> str:
        """Return the host of the server, with the port if that is given."""
        return urlsplit(self.server).netloc

    @property
    def prefix(self) -> str:
        """Return the path below which the server is reached; empty for the whole host."""
        return urlsplit(self.server).path

    @property
    def has_tls(self) -> bool:
        """Return whether the server is reached by HTTPS."""
        return self.server.startswith("https:")


def configuration(client: str, access: Access) -> str:
    """Return the configuration of one of CLIENTS."""
    return CLIENTS[client](access)


def _ddclient(access: Access) -> str:
    script = [f"script={access.prefix}{access.path}"] if access.prefix else []
    return _lines(
        "# /etc/ddclient.conf, chmod 600. ddclient 3.10 sends one family; for IPv6 use version 4.",
        "daemon=300",
        f"ssl={_yes(access.has_tls)}",
        f"use=web, web={access.server}{_ADDRESS}",
        "protocol=dyndns2",
        f"server={access.place}",
        *script,
        f"login={access.login}",
        f"password='{access.secret}'",  # as it is, up to the last quote of the line
        access.name,
    )


def _inadyn(access: Access) -> str:
    plain = [] if access.has_tls else ["    ssl            = false", "    checkip-ssl    = false"]
    return _lines(
        "# /etc/inadyn.conf, chmod 600",
        "period = 300",
        "custom ddns {",
        *plain,
        f"    username       = {_backslashed(access.login)}",
        f"    password       = {_backslashed(access.secret)}",
        f"    ddns-server    = '{access.place}'",
        f"    ddns-path      = '{access.prefix}{access.path}?hostname=%h&myip=%i'",
        f"    hostname       = {{ '{access.name}' }}",
        f"    checkip-server = '{access.place}'",
        f"    checkip-path   = '{access.prefix}{_ADDRESS}'",
        "}",
    )


def _fritzbox(access: Access) -> str:
    of_prefix = "&ip6lanprefix=<ip6lanprefix>" if access.suffix else ""  # filled only beside <ip6addr>
    urls = (
        f"{access.update}?hostname=<domain>&myip=<ipaddr>",
        f"{access.update}?hostname=<domain>&myip=<ip6addr>{of_prefix}",
    )
    chosen = urls[1:] if access.suffix else urls  # the box's own IPv4 address is not that of a machine behind it
    return _lines(
        "# FRITZ!Box: Internet > Permit Access > DynDNS. Leave the words in <> as they are.",
        "DynDNS Provider:  User-defined",
        f"Update URL:       {' '.join(chosen)}",
        f"Domain Name:      {access.name}",
        f"User Name:        {access.login}",
        f"Password:         {access.secret}",
    )


def _synology(access: Access) -> str:
    return _lines(
        "# DSM: Control Panel > External Access > DDNS > Customize Provider. Leave the words in __ as they are.",
        "Service Provider:  ddns",
        f"Query URL:         {access.update}?hostname=__HOSTNAME__&myip=__MYIP__",
        "# Then: Add",
        "Service Provider:  *ddns",
        f"Hostname:          {access.name}",
        f"Username/Email:    {access.login}",
        f"Password/Key:      {access.secret}",
    )


def _unifi(access: Access) -> str:
    return _lines(
        "# UniFi: Settings > Internet > the WAN > Dynamic DNS > Create New. Server has no https://; leave %h and %i.",
        "Service:   custom",
        f"Hostname:  {access.name}",
        f"Username:  {access.login}",
        f"Password:  {access.secret}",
        f"Server:    {access.place}{access.prefix}{access.path}?hostname=%h&myip=%i",
    )


def _opnsense(access: Access) -> str:
    # Its own protocol dyndns2 knows no path before /nic/update.
    chosen = (
        ("Protocol:         Custom GET", f"URL:              {access.update}?hostname=__HOSTNAME__&myip=__MYIP__")
        if access.prefix
        else ("Protocol:         DynDns2", f"Server:           {access.place}")
    )
    return _lines(
        "# OPNsense with os-ddclient: Services > Dynamic DNS > Settings > Add. Backend (General settings): native",
        "Service:          Custom",
        *chosen,
        f"Username:         {access.login}",
        f"Password:         {access.secret}",
        f"Hostname(s):      {access.name}",
        "Check ip method:  Interface [IPv4], or Interface [IPv6] in an entry of its own",
        f"Force SSL:        {_yes(access.has_tls)}",
    )


def _pfsense(access: Access) -> str:
    return _lines(
        "# pfSense: Services > Dynamic DNS > Add. Leave %IP% as it is.",
        "Service Type:           Custom, or Custom (v6) in an entry of its own",
        "Verify SSL Certificate: yes",
        f"Username:               {access.login}",
        f"Password:               {access.secret}",
        f"Update URL:             {access.update_url}&myip=%IP%",
        "Result Match:           good %IP%|nochg %IP%",
    )


def _mikrotik(access: Access) -> str:
    escaped = {'"': '\\"', "\\": "\\\\", "$": "\\$", "?": "\\3F"}  # in a terminal of version 6, ? asks for help

    def quoted(text: str) -> str:
        return '"' + "".join(escaped.get(each, each) for each in text) + '"'

    verified = "check-certificate=yes " if access.has_tls else ""
    return _lines(
        "# RouterOS: paste into a terminal. check-certificate=yes needs the authorities of the server in /certificate;",
        "# without it, whoever answers in the server's place gets the secret.",
        f"/system script add name=ddns-{access.name} source={{",
        f"  /tool fetch url={quoted(access.update_url)} user={quoted(access.login)}"
        f" password={quoted(access.secret)} {verified}output=none",
        "}",
        f"/system scheduler add name=ddns-{access.name} interval=5m on-event=ddns-{access.name}",
    )


def _openwrt(access: Access) -> str:
    scheme = access.server.partition("://")[0]
    below = f"{access.place}{access.prefix}{access.path}"

    def option(name: str, value: str) -> str:
        quoted = value.replace("'", r"'\''")  # as in a shell
        return f"    option {name} '{quoted}'"

    return _lines(
        "# /etc/config/ddns, chmod 600; needs ddns-scripts, wget-ssl or curl, and ca-bundle. Leave the words in [].",
        f"config service '{''.join(each if each.isalnum() else '_' for each in access.name)}'",
        option("enabled", "1"),
        option("update_url", f"{scheme}://[USERNAME]:[PASSWORD]@{below}?hostname=[DOMAIN]&myip=[IP]"),
        option("lookup_host", access.name),
        option("domain", access.name),
        option("username", access.login),
        option("password", access.secret),
        *([option("use_https", "1"), option("cacert", "/etc/ssl/certs")] if access.has_tls else []),
        option("interface", "wan"),
        option("ip_source", "network"),
        option("ip_network", "wan"),
    )


def _curl(access: Access) -> str:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    login = f"{access.login}:{access.secret}"
    return _lines(
        f"# Save as {access.name}.curl, chmod 600, and run: curl --config {access.name}.curl",
        f"url = {quoted(access.update_url)}",
        f"user = {quoted(login)}",
        "fail-with-body",
        "silent",
        "show-error",
    )


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _backslashed(text: str) -> str:
    r"""Return a text in single quotes, where a backslash stands before a quote and before a backslash."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _lines(*lines: str) -> str:
    return "\n".join(lines)


CLIENTS: Mapping[str, Callable[[Access], str]] = {
    "ddclient": _ddclient,
    "inadyn": _inadyn,
    "fritzbox": _fritzbox,
    "synology": _synology,
    "unifi": _unifi,
    "opnsense": _opnsense,
    "pfsense": _pfsense,
    "mikrotik": _mikrotik,
    "openwrt": _openwrt,
    "curl": _curl,
}
