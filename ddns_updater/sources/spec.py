"""How an address source is written in `DDNS_IP_SOURCES`: its kind, a colon, and what the kind asks for."""

import os
import re
import shlex
from urllib.parse import urlsplit

# A URL or a command may hold commas: only one before the next source parts two of them.
SEPARATOR = re.compile(r",(?=[\s,]*(?:$|(?:https?|dns|interface|ec2|imds|file|command):))", re.IGNORECASE)

DNS_OPERATORS = {  # what each of these open resolvers has to be asked, and the server that it has to be asked at
    "opendns": "myip.opendns.com@resolver1.opendns.com",
    "google": "o-o.myaddr.l.google.com@ns1.google.com?type=TXT",
    "cloudflare": "whoami.cloudflare@one.one.one.one?type=TXT&class=CH",
}
_URL = "a URL such as https://ifconfig.me/ip"
_FORMS = {  # by kind: what stands after the colon, and an example
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
    """Return `text`, its kind in lower case; what it names may still not exist.

    Raises ValueError, which says what to write, when its kind is unknown or it lacks the form of its kind.
    """
    kind, _, rest = text.partition(":")
    kind = kind.lower()
    if kind in ("http", "https"):
        good, example = _is_url(text), f"{_URL}, with #/FIELD after one that answers JSON"
    elif kind == "command":
        good, example = _is_command(rest), "command:PROGRAM ARGUMENT, with every quote closed"
    elif kind in _FORMS:
        form, example = _FORMS[kind]
        good = bool(re.fullmatch(form, rest))
    else:
        good, example = False, f"{_URL}, or see .env.example for the other kinds"
    if not good:
        raise ValueError(f"is not an address source; write {example}")
    return f"{kind}:{rest}"


def host_of(source: str) -> str:
    """Return who answers: two sources of one host are one witness, however they are written."""
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
    except ValueError:  # it has the form of a source, but will be refused when it is made
        return url


def without_secrets(text: str) -> str:
    """Quote `text` less what may be secret: the user of a URL, its query, the arguments of a program."""
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
    except ValueError:  # an open quote
        return False
