"""How it is written who is told: webhooks, Apprise URLs and a heartbeat; each URL is a secret and never shown."""

import re
from urllib.parse import urlsplit

_SEPARATOR = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a URL may hold commas itself
_FORMS = ("http", "https", "slack+http", "slack+https", "discord+http", "discord+https")
_EXAMPLE = "https://hooks.example.com/…"


def web_url(text: str) -> str:
    """Return `text`, the URL of something on the web; raises ValueError when it is none."""
    if not _is_web_url(text):
        raise ValueError(f"is not a URL; write {_EXAMPLE}")
    return text


def web_urls(text: str) -> tuple[str, ...]:
    """Return the webhooks that `text` lists, by commas or line by line; ValueError tells which is none."""
    urls = _listed(text)
    for number, url in enumerate(urls, 1):
        if not _is_web_url(url, _FORMS):
            raise ValueError(f"has something that is not a URL (number {number}); write {_EXAMPLE}, {_EXAMPLE}")
    return urls


def notify_urls(text: str) -> tuple[str, ...]:
    """Return the Apprise URLs that `text` lists; whether Apprise knows their service is seen when they are used."""
    urls = _listed(text)
    for number, url in enumerate(urls, 1):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url):
            raise ValueError(
                f"has something that is not an Apprise URL (number {number}); write ntfy://TOPIC or the like"
            )
    return urls


def host_of(url: str) -> str:
    """Return `url` as it may be shown: scheme and host, for the rest is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


def service_of(url: str) -> str:
    """Return an Apprise URL as it may be shown: its service alone, for what others have for a host may be a token."""
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
