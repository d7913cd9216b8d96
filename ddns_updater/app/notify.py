"""What `ddns notify --test` does."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from ddns_updater.alerts import event
from ddns_updater.app import factories
from ddns_updater.errors import AlertError, SettingsError
from ddns_updater.run import timetable
from ddns_updater.run.deliveries import Delivery
from ddns_updater.settings.settings import Settings


class Tested(NamedTuple):
    """A channel after a test: the variable that lists it, at which place, its name, and why it did not accept."""

    variable: str
    number: int
    name: str
    error: AlertError | None


def send_tests(settings: Settings, *, starts: Callable[[str], None]) -> Iterator[Tested]:
    """Send a test message to all channels at once and yield each result; raises SettingsError when none is configured.

    They have as long as a run has for its whole report. `starts` is told the name of the channel that is awaited. The
    heartbeat is not pinged: its service would take that for a run.
    """
    if not settings.channels:
        raise SettingsError("no channel is configured", "set DDNS_WEBHOOK_URLS or DDNS_NOTIFY_URLS")
    message = event.test(settings.name, datetime.now(UTC))
    seconds = timetable.report_seconds(settings.run_timeout)
    channels = factories.channels(settings)
    begun = [
        (variable, number, spec.name, Delivery(partial(channels[spec.key].send, message), spec.name, seconds))
        for variable, number, spec in settings.listed_channels
    ]
    for variable, number, name, delivery in begun:
        starts(name)
        yield Tested(variable, number, name, delivery.outcome())
