"""Domain names in the form that is compared: lower case, without the final dot (RFC 1035, RFC 4592 for wildcards)."""

import re

from ddns_updater.errors import InvalidValue

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_DOT = re.compile("[.。．｡]")  # noqa: RUF001 - the dots of RFC 3490 §3.1


def normalize_name(text: str) -> str:
    """Return `text` as a record name.

    Underscores are allowed and `*` may be the first label; internationalised labels become A-labels (IDNA 2008,
    RFC 5891, after the mapping of UTS 46). Raises InvalidValue for anything else that is not a host name of at least
    two labels and at most 253 characters (RFC 1035 §2.3.4).
    """
    name = _DOT.sub(".", text.strip()).removesuffix(".")
    labels = [_a_label(label) for label in name.split(".")]
    name = ".".join(labels)
    if len(name) > 253:
        raise InvalidValue("is longer than 253 characters")
    if len(labels) < 2:
        raise InvalidValue("is not a full domain name such as home.example.com")
    for place, label in enumerate(labels):
        if not _LABEL.fullmatch(label) and not (place == 0 and label == "*"):
            raise InvalidValue(f"has the label {label!r}, which is not a valid DNS label")
    return name


def covers(zone_name: str, name: str) -> bool:
    """Return whether `name` is in the zone `zone_name`, compared by whole labels."""
    return name == zone_name or name.endswith("." + zone_name)


def _a_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    import idna  # 2 ms of every run, which few names need

    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise InvalidValue(f"has the label {label!r}, which is not a valid internationalised label") from None
