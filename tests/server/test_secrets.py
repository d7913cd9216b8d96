"""No value of the update endpoint shows a secret when it is printed as a whole, as in a log or a failed assertion."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ddns_updater.app.host import Added, Rotated, Wanted
from ddns_updater.hosts import Host, Login, NewHost
from ddns_updater.output.client_configs import Access
from ddns_updater.server.logins import Credentials
from ddns_updater.server.request import Request
from ddns_updater.server.update_request import UpdateRequest

_SECRET = "7k3vq9m2x8c4r6t5w0y1z2n3b4d5f6g7"
_NAME = "nas.example.com"
_HOST = Host(1, _NAME, _NAME, datetime(2026, 11, 29, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        Login(_NAME, (_SECRET,), (_SECRET,), (_HOST,)),
        NewHost(_NAME, _NAME, _SECRET),
        Wanted(_NAME, secret=_SECRET),
        Added(_HOST, _SECRET),
        Rotated(_HOST, _SECRET, (_NAME,), ended=False),
        Access("https://ddns.example.com", _NAME, _NAME, _SECRET),
        Credentials(_SECRET, _SECRET),
        Request("GET", "/nic/update", f"password={_SECRET}", (("authorization", _SECRET),), _SECRET.encode(), "::1"),
        UpdateRequest([("password", _SECRET)], "curl/8"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_does_not_show_its_secret(value: Any) -> None:
    assert _SECRET not in f"{value} {value!r} {[value]}"
