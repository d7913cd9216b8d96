"""The URLs of webhooks, Apprise services and the heartbeat; each is a secret and never shown in full."""

import re
from urllib.parse import urlsplit

_SEPARATOR = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a URL may contain commas
_SCHEMES = ("http", "https", "slack+http", "slack+https", "discord+http", "discord+https")
_EXAMPLE = "https://hooks.example.com/…"


def web_url(text: str) -> str:
    """Return `text` if it is an HTTP or HTTPS URL; raises ValueError otherwise."""
    if not _is_web_url(text):
        raise ValueError(f"is not a URL; write {_EXAMPLE}")
    return text


def web_urls(text: str) -> tuple[str, ...]:
    """Return the webhooks that `text` lists, separated by commas or line breaks; raises ValueError for a bad one."""
    urls = _listed(text)
    for number, url in enumerate(urls, 1):
        if not _is_web_url(url, _SCHEMES):
            raise ValueError(f"contains an invalid URL (number {number}); write {_EXAMPLE}, {_EXAMPLE}")
    return urls


def notify_urls(text: str) -> tuple[str, ...]:
    """Return the Apprise URLs that `text` lists; whether Apprise supports their service shows only when one is used."""
    urls = _listed(text)
    for number, url in enumerate(urls, 1):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url):
            raise ValueError(f"contains an invalid Apprise URL (number {number}); write for example ntfy://TOPIC")
    return urls


def host_of(url: str) -> str:
    """Return the part of `url` that may be shown: scheme and host, as the rest is secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


def service_of(url: str) -> str:
    """Return the part of an Apprise URL that may be shown: its scheme, as the host of some services is a token."""
    return f"{url.partition(':')[0]}://…"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_SEPARATOR.split(text.strip(" ,\n"))))


def _is_web_url(text: str, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    try:
        url = urlsplit(text)
        good = url.scheme.lower() in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return good and not re.search(r"\s", text)
