"""An address source that is a network interface of Linux: netlink's messages, this machine's, and a namespace's."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from ddns_updater.errors import SourceError
from ddns_updater.lib.installation import install_advice
from ddns_updater.model import Family
from ddns_updater.sources.interface import pick, usable
from tests.support.command import Finished
from tests.support.source_trial import Trial

TEMPORARY, DAD_FAILED, DEPRECATED, TENTATIVE, PERMANENT = 0x01, 0x08, 0x20, 0x40, 0x80
STABLE_PRIVACY = 0x800
V4, V6, OTHER_V6 = "9.9.9.9", "2606:4700:4700::1111", "2620:fe::fe"


def message(address: str, flags: int = PERMANENT, *, local: str | None = None, wide: bool = True) -> dict[str, Any]:
    """Return an RTM_NEWADDR as pyroute2 gives it; flags beyond the first eight bits are in an attribute only."""
    attributes: list[tuple[str, Any]] = [("IFA_ADDRESS", address)]
    attributes += [("IFA_LOCAL", local)] if local else []
    attributes += [("IFA_LABEL", "eth0")] + ([("IFA_FLAGS", flags)] if wide else [])
    return {
        "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
        "prefixlen": 64 if ":" in address else 24,
        "flags": flags & 0xFF,
        "scope": 0,
        "index": 2,
        "attrs": attributes,
        "event": "RTM_NEWADDR",
    }


def test_it_takes_the_stable_address_among_temporary_ones() -> None:
    messages = [
        message("2606:4700:4700::dead", TEMPORARY),
        message(V6, STABLE_PRIVACY),
        message("fe80::1", PERMANENT),
    ]
    assert usable(messages, temporary=False) == [V6, "fe80::1"]
    assert usable(messages, temporary=True) == ["2606:4700:4700::dead"]


@pytest.mark.parametrize("flag", [DEPRECATED, TENTATIVE, DAD_FAILED, DEPRECATED | TEMPORARY, TENTATIVE | TEMPORARY])
@pytest.mark.parametrize("temporary", [True, False])
@pytest.mark.parametrize("wide", [True, False])
def test_it_passes_by_addresses_that_are_not_or_no_longer_in_good_use(flag: int, temporary: bool, wide: bool) -> None:
    assert usable([message(V6, flag, wide=wide)], temporary=temporary) == []


def test_a_second_ipv4_address_is_no_temporary_one() -> None:
    assert usable([message(V4), message("192.168.1.2", TEMPORARY)], temporary=False) == [V4, "192.168.1.2"]


def test_the_address_of_a_tunnel_is_the_local_end() -> None:
    assert usable([message("8.8.8.8", local=V4)], temporary=False) == [V4]
    assert usable([message(OTHER_V6, local=V6)], temporary=False) == [V6]


@pytest.mark.parametrize(
    ("addresses", "family", "address"),
    [
        ([V4], Family.IPV4, V4),
        (["192.168.1.2", V4, "10.0.0.1"], Family.IPV4, V4),
        ([V4, V4], Family.IPV4, V4),
        (["fe80::1", V6, "fd00::1"], Family.IPV6, V6),
    ],
)
def test_it_picks_the_only_public_address(addresses: Sequence[str], family: Family, address: str) -> None:
    assert str(pick(addresses, family)) == address


@pytest.mark.parametrize(
    ("addresses", "family", "reason"),
    [
        ([], Family.IPV4, "has no public address of ipv4"),
        ([], Family.IPV6, "has no public address of ipv6"),
        (["192.168.1.2"], Family.IPV4, "has no public address: 192.168.1.2, which is not a public address"),
        (
            ["fe80::1", "fd00::1"],
            Family.IPV6,
            "has no public address: fe80::1, which is not a public address; fd00::1, which is not a public address",
        ),
        ([V4, "8.8.8.8"], Family.IPV4, "has more than one public address: 9.9.9.9, 8.8.8.8"),
        ([V6, "fe80::1", OTHER_V6], Family.IPV6, f"has more than one public address: {V6}, {OTHER_V6}"),
    ],
)
def test_it_picks_nothing_where_there_is_none_or_a_choice(
    addresses: Sequence[str], family: Family, reason: str
) -> None:
    with pytest.raises(SourceError) as raised:
        pick(addresses, family)
    assert str(raised.value) == reason


def test_carrier_grade_nat_on_the_interface_is_called_so() -> None:
    with pytest.raises(SourceError, match=r"100\.64\.0\.1, a carrier-grade NAT address: "):
        pick(["100.64.0.1"], Family.IPV4)


def test_the_loopback_of_this_machine_has_no_public_address(trial: Trial) -> None:
    reason = trial.refusal("interface:lo")
    assert reason.startswith("has no public address: 127.0.0.1, which is not a public address")
    assert trial.refusal("interface:lo", Family.IPV6).startswith("has no public address")


def test_an_interface_that_does_not_exist_is_a_reason(trial: Trial) -> None:
    done = trial.machine.ddns("run", DDNS_IP_SOURCES="interface:none0")
    assert done.err == (
        "failed: no trustworthy ipv4 address, so nothing was changed: interface:none0 does not exist on this machine\n"
    )
    assert (done.status, done.out) == (1, "")
    assert trial.refusal("interface:none0?temporary", Family.IPV6) == "does not exist on this machine"


def test_a_sandbox_that_allows_no_netlink_is_a_reason(trial: Trial) -> None:
    prelude = """
import runpy, socket
make = socket.socket.__init__
def refuse(self, family=-1, *arguments, **options):
    if family == socket.AF_NETLINK:
        raise PermissionError(1, "Operation not permitted")
    make(self, family, *arguments, **options)
socket.socket.__init__ = refuse
runpy.run_module("ddns_updater", run_name="__main__")
"""
    process = trial.machine.start("run", program=("-c", prelude), DDNS_IP_SOURCES="interface:lo")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err == (
        "failed: no trustworthy ipv4 address, so nothing was changed:"
        " interface:lo cannot be read: Operation not permitted\n"
    )


def test_without_its_extra_it_says_which_is_needed(trial: Trial) -> None:
    prelude = "import runpy, sys; sys.modules['pyroute2'] = None; runpy.run_module('ddns_updater', run_name='__main__')"
    process = trial.machine.start("run", program=("-c", prelude), DDNS_IP_SOURCES="interface:eth0")
    out, err = process.communicate(timeout=30)
    message = f"error: the address source interface: needs the extra interface; {install_advice('interface')}\n"
    assert (process.returncode, out, err) == (2, "", message)


def namespace() -> list[str] | None:
    """Return the words before a command that give it a network of its own; None where this machine forbids that."""
    for words in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if shutil.which("unshare") and shutil.which("ip"):
            tried = subprocess.run([*words, "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
            if tried.returncode == 0:
                return words
    return None


NAMESPACE = namespace()


def run_in_namespace(trial: Trial, source: str, family: Family, *addresses: str) -> Finished:
    """Do a dry run on a machine whose interface `lo` has these addresses, or as it is where none can be given."""
    environment = trial.machine.environment | {"DDNS_IP_SOURCES": source, "DDNS_IP_FAMILIES": family}
    command = [sys.executable, "-m", "ddns_updater", "run", "--dry-run", "--json"]
    del environment["DDNS_RECORDS"]  # there is no way to AWS from there
    if NAMESPACE:
        adding = "".join(f"ip addr add {each} dev lo && " for each in addresses)
        command = [*NAMESPACE, "sh", "-c", f'ip link set lo up && {adding}exec "$@"', "sh", *command]
    done = subprocess.run(
        command, env=environment, cwd=trial.machine.folder, capture_output=True, text=True, timeout=30, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("source", "family", "addresses", "address"),
    [
        ("interface:lo", Family.IPV4, ["9.9.9.9/32"], V4),
        ("interface:lo", Family.IPV4, ["192.168.1.2/24", "9.9.9.9/32"], V4),
        ("interface:lo", Family.IPV6, [f"{V6}/128", "9.9.9.9/32"], V6),
        ("interface:lo", Family.IPV6, [f"{V6}/128", "fd00::1/128", f"{OTHER_V6}/128 preferred_lft 0"], V6),
        ("interface:lo?temporary", Family.IPV4, ["9.9.9.9/32"], V4),
    ],
)
def test_it_reads_the_address_from_the_kernel(
    trial: Trial, source: str, family: Family, addresses: list[str], address: str
) -> None:
    done = run_in_namespace(trial, source, family, *addresses)
    result = done.json["results"][0]
    if NAMESPACE:
        assert (done.status, result["address"], result["source"], done.err) == (0, address, source, "")
    else:
        assert (done.status, result["address"]) == (1, None)  # loopback as it is everywhere
        assert f"{source} has no public address" in result["error"]


@pytest.mark.parametrize(
    ("source", "family", "addresses", "reason"),
    [
        ("interface:lo", Family.IPV4, [], "127.0.0.1, which is not a public address"),
        ("interface:lo", Family.IPV4, ["9.9.9.9/32", "8.8.8.8/32"], "more than one public address: 9.9.9.9, 8.8.8.8"),
        ("interface:lo", Family.IPV6, [f"{V6}/128 preferred_lft 0"], "no public address"),
        ("interface:lo?temporary", Family.IPV6, [f"{V6}/128"], "has no public address of ipv6"),
    ],
    ids=["none", "two", "deprecated", "not temporary"],
)
def test_it_refuses_what_the_kernel_says_is_no_address_to_publish(
    trial: Trial, source: str, family: Family, addresses: list[str], reason: str
) -> None:
    done = run_in_namespace(trial, source, family, *addresses)
    error = done.json["results"][0]["error"]
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert f"{source} has " in error
    assert reason in error or not NAMESPACE
    assert trial.machine.database.states() == {}
