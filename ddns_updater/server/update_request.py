"""The fields of a request to update hosts, in its query and in a form that was posted."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from ddns_updater.errors import InvalidValue
from ddns_updater.server.request import Request

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 100


class UpdateRequest(NamedTuple):
    """What a request asks for: its fields with lower-case names, and the client that it names.

    `shows_secret` is whether its secret stands in a field where it does not belong.
    """

    fields: Sequence[tuple[str, str]]
    client: str
    shows_secret: bool = False

    def __repr__(self) -> str:
        return f"<update by {self.client!r}>"  # a secret may stand in its fields

    @property
    def names(self) -> list[str]:
        """Return the names of hosts as given, in order, without empty ones."""
        names = [each.strip() for value in self.values("hostname") for each in value.split(",")]
        return [name for name in names if name]

    @property
    def is_offline(self) -> bool:
        """Return whether a host shall be offline."""
        return any(value.strip().upper() not in ("", "NO", "NOCHG") for value in self.values("offline"))

    def without(self, secret: str) -> "UpdateRequest":
        """Return it for the secret with which it came: where a field shows that, no field may be logged."""
        shows = any(secret in value for name, value in self.fields if name != "password")
        return self._replace(shows_secret=shows)

    def shown(self, text: str) -> str:
        """Return `text` of a field as it may be logged."""
        return "its secret" if self.shows_secret else text

    def values(self, field: str) -> list[str]:
        """Return every value of a field."""
        return [value for name, value in self.fields if name == field]


def parse_update(request: Request) -> UpdateRequest:
    """Return what a request asks for; raises InvalidValue when its body is not a form, or has too many fields."""
    texts = [request.query]
    if request.method == "POST" and request.body:
        content_type = (request.header("content-type") or _FORM).partition(";")[0]
        if content_type.strip().lower() != _FORM:
            # Passing over what it says would record the caller's address in its place.
            raise InvalidValue("is not a form")
        texts.append(request.body.decode("utf-8", "replace"))
    try:
        fields = [
            (name.lower(), value) for text in texts for name, value in parse_qsl(text, max_num_fields=_MAX_FIELDS)
        ]
    except ValueError as error:
        raise InvalidValue("has too many fields") from error
    return UpdateRequest(fields, request.client)
