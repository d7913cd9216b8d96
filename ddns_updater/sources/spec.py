"""The grammar of an address source in `DDNS_IP_SOURCES`: its kind, a colon, and the rest, which the kind defines."""

import os
import re
import shlex
from urllib.parse import urlsplit

# A URL or a command may contain commas: a comma separates only where the next source follows.
SEPARATOR = re.compile(r",(?=[\s,]*(?:$|(?:https?|dns|interface|ec2|imds|file|command):))", re.IGNORECASE)

DNS_OPERATORS = {  # for each open resolver, the name to ask for and the server to ask
    "opendns": "myip.opendns.com@resolver1.opendns.com",
    "google": "o-o.myaddr.l.google.com@ns1.google.com?type=TXT",
    "cloudflare": "whoami.cloudflare@one.one.one.one?type=TXT&class=CH",
}
_URL = "a URL such as https://ifconfig.me/ip"
_SPECS = {  # by kind: a pattern for the text after the colon, and an example
    "dns": (
        r"opendns|google|cloudflare|[^\s@?]+@[^\s@?]+(\?((type=(A|AAAA|TXT)|class=(IN|CH))(&|$))+)?",
        "dns:opendns, dns:google, dns:cloudflare or dns:NAME@SERVER?type=TXT&class=CH",
    ),
    "interface": (r"[^\s/?]{1,15}(\?temporary)?", "interface:eth0 or interface:eth0?temporary"),
    "ec2": (r"i-[0-9a-f]{8,17}(\?region=[a-z0-9-]+)?", "ec2:i-0123456789abcdef0 or with ?region=eu-west-1"),
    "imds": (r"|https?://[^\s/@]+/*", "imds:"),
    "file": (r"/.*[^/]", "file:/full/path"),
}


def parse_source(text: str) -> str:
    """Return `text` with its kind in lower case; whether the file, host or interface exists is not checked.

    Raises ValueError, which says what to write, when the kind is unknown or the rest does not match it.
    """
    kind, _, rest = text.partition(":")
    kind = kind.lower()
    if kind in ("http", "https"):
        valid, example = _is_url(text), f"{_URL}, with #/FIELD after one that answers JSON"
    elif kind == "command":
        valid, example = _is_command(rest), "command:PROGRAM ARGUMENT, with every quote closed"
    elif kind in _SPECS:
        pattern, example = _SPECS[kind]
        valid = bool(re.fullmatch(pattern, rest))
    else:
        valid, example = False, f"{_URL}, or see .env.example for the other kinds"
    if not valid:
        raise ValueError(f"is not an address source; write {example}")
    return f"{kind}:{rest}"


def host_of(source: str) -> str:
    """Return the host that answers for `source`: two sources on one host count as one, however they are written."""
    kind, _, rest = source.partition(":")
    match kind:
        case "http" | "https":
            return _host(source)
        case "dns":
            return _host("//" + DNS_OPERATORS.get(rest, rest).partition("@")[2])
        case "imds":
            return kind
        case "file":
            return f"file:{os.path.realpath(rest)}"
        case "command":
            return f"command:{shlex.join(shlex.split(rest))}"
        case _:
            return f"{kind}:{rest.partition('?')[0]}"


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:  # it matches the grammar, but its source will refuse it
        return url


def without_secrets(text: str) -> str:
    """Quote `text` without what may be secret: the user and query of a URL, the arguments of a program."""
    shown = re.split(r"[?\s]", text, maxsplit=1)[0]
    hidden = text[len(shown) :]
    kind = shown.partition(":")[0]
    if kind.lower() == "command" or "@" in hidden:
        return repr(f"{kind}:…")
    return repr((shown if kind.lower() == "dns" else shown.rpartition("@")[2]) + ("…" if hidden else ""))


def _is_url(text: str) -> bool:
    if re.search(r"\s|^[^?]*,", text):
        return False
    try:
        url = urlsplit(text)
        return bool(url.hostname) and url.port != 0 and (not url.fragment or url.fragment.startswith("/"))
    except ValueError:
        return False


def _is_command(text: str) -> bool:
    try:
        return bool(shlex.split(text))
    except ValueError:  # a quote is not closed
        return False
