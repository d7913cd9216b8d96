"""Real clients against the built function: HTTP, then payload format 2.0, then AWS's runtime client with the zip."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ddns_updater.app import factories
from ddns_updater.hosts import NewHost
from tests.support.aws import FakeAws
from tests.support.dynamodb import dynamodb_environment, dynamodb_settings, make_table
from tests.support.endpoint import LOGIN, NAMES, SECRET
from tests.support.http_door import Door, door
from tests.support.runtime_api import RuntimeApi, running_function
from tests.systems.test_endpoint import Done, Way, curl, ddclient, inadyn, run, wget

Client = Callable[[Way, str], Done]

_HANDLER = "ddns_updater.aws_lambda.endpoint"
_ADDRESS = "8.8.8.8"


@pytest.fixture
def zone(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the zone of two hosts, which are in a table."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    make_table(aws.url)
    with factories.open_hosts(dynamodb_settings(aws.url)) as hosts:
        for number, name in enumerate(NAMES):
            hosts.add(NewHost(name, LOGIN, None if number else SECRET))
    return aws.zone()


@pytest.fixture(params=[False, True], ids=["as-it-is", "renamed"])
def opened(request: pytest.FixtureRequest, function: Path, aws: FakeAws, zone: str) -> Iterator[Door]:
    """Give a door to the running function, one that lets WWW-Authenticate through and one that renames it."""
    del zone
    environment = dynamodb_environment(aws.url)
    with RuntimeApi(timeout=40) as api, running_function(api, function, _HANDLER, environment) as log:
        with door(lambda event: api.invoke(event).value, renames=request.param) as each:
            yield each
        assert "Traceback" not in log.read_text()


def _eager(way: Way, ip: str) -> Done:
    """Run a client that sends its login at once."""
    url = f"{way.url}/nic/update?hostname={','.join(NAMES)}&myip={ip}"
    return run(way, "curl", "-sS", "--fail", "-u", f"{LOGIN}:{SECRET}", url)


@pytest.mark.parametrize("client", [ddclient, inadyn, _eager], ids=lambda each: each.__name__)
def test_a_client_that_sends_its_login_at_once_is_followed_through_either_door(
    opened: Door, aws: FakeAws, zone: str, tmp_path: Path, client: Client
) -> None:
    way = Way(opened.server_port, tmp_path)
    for _ in range(2):
        done = client(way, _ADDRESS)
        assert done.status == 0, done.text
    assert [aws.address(zone, name) for name in NAMES] == [_ADDRESS] * 2


@pytest.mark.parametrize("client", [wget, curl], ids=lambda each: each.__name__)
def test_a_client_that_waits_to_be_asked_for_its_login_needs_the_header_under_its_name(
    opened: Door, aws: FakeAws, zone: str, tmp_path: Path, client: Client
) -> None:
    done = client(Way(opened.server_port, tmp_path), _ADDRESS)
    assert (done.status == 0) != opened.renames, done.text
    assert (aws.address(zone) == _ADDRESS) != opened.renames


def test_a_wrong_secret_is_refused_through_the_door(opened: Door, tmp_path: Path) -> None:
    way = Way(opened.server_port, tmp_path)
    url = f"{way.url}/nic/update?hostname={NAMES[0]}"
    done = run(way, "curl", "-sS", "-w", "%{http_code}", "-u", f"{LOGIN}:wrong", url)
    assert done.text == "badauth401"
