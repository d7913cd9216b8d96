"""docs/endpoint.md and its neighbours name all that the update endpoint offers."""

import re
from datetime import UTC, datetime

import pytest

from ddns_updater.alerts.event import Kind
from ddns_updater.output.client_configs import CLIENTS
from ddns_updater.output.endpoint_metrics import EndpointMetrics
from ddns_updater.state.host_status import HostNumbers
from tests.docs.pages import blocks, text_of

_PAGE = text_of("docs/endpoint.md")


@pytest.mark.parametrize("client", CLIENTS)
def test_the_configuration_of_every_client_is_shown(client: str) -> None:
    assert any(f" --for {client}" in block.text for block in blocks(_PAGE))


def test_every_metric_of_the_endpoint_is_in_the_table_and_no_other() -> None:
    metrics = EndpointMetrics(lambda: HostNumbers(1, 0, None, datetime.now(UTC)))
    metrics.observe("dyndns2", "good", 0.001)
    types = dict(re.findall(r"^# TYPE (\S+) (\w+)$", metrics.text(), re.MULTILINE))
    given = {name for name in types if not name.endswith("_created")}
    assert given == set(re.findall(r"^\| `(ddns_endpoint_\w+)`", text_of("docs/metrics.md"), re.MULTILINE))


@pytest.mark.parametrize("kind", [each for each in Kind if each != "test"])
def test_every_event_of_an_alert_is_explained(kind: Kind) -> None:
    rows = re.findall(r"^\| `.+$", text_of("docs/alerts.md"), re.MULTILINE)
    assert any(re.search(rf"`{kind}`", row) for row in rows)
    assert any(re.search(rf"\b{kind}\b(?!`)", row) for row in rows)
