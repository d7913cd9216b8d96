"""What `ddns serve` tells its operator of hosts whose records AWS refuses."""

from tests.journeys.test_serve import address, update
from tests.support.aws import refuse
from tests.support.endpoint import NAMES, add_hosts, served
from tests.support.machine import Machine
from tests.support.receivers import SECRET, Receiver


def test_hosts_that_cannot_be_published_are_one_alert_that_a_restart_does_not_repeat(
    small_machine: Machine, receiver: Receiver
) -> None:
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_ALERT_AFTER": "1"}
    add_hosts(small_machine)
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied"), times=50)
    with served(small_machine) as serving:
        assert update(serving, f"hostname={','.join(NAMES)}&myip=8.8.4.4")[0] == 200
        done = serving.stop()
    (alert,) = receiver.take()
    assert (alert["event"], alert["hosts"], alert["failing_records"]) == ("hosts_failing", len(NAMES), len(NAMES))
    assert "AccessDenied" in alert["cause"]
    assert alert["cause"].count("AccessDenied") == 1
    assert f"hosts: {alert['failing_records']} records of {alert['hosts']} hosts failing since" in done.err
    assert SECRET not in done.err
    with served(small_machine) as serving:
        serving.stop()
    assert receiver.got == []
    assert address(small_machine, NAMES[0]) is None
