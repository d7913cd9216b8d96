"""Configurations for the clients: what each one sends, and what it does to a secret, decides how they are written."""

import re
import shutil
import subprocess
from base64 import b64decode
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from ddns_updater.output.client_configs import CLIENTS, PLACEHOLDER, Access, configuration
from tests.support.receivers import Receiver
from tests.support.services import answer

ACCESS = Access("https://ddns.example.com", "nas.example.com", "office", "s" * 32)
BELOW = ACCESS._replace(server="https://example.com:8443/ddns")
ODD = r"""o'ld"\se $c{r}%e,t:#${HOME}?&x"""  # a secret from another server


@pytest.mark.parametrize("client", CLIENTS)
def test_a_configuration_has_all_that_the_client_needs(client: str) -> None:
    for access in (ACCESS, BELOW, ACCESS._replace(server=PLACEHOLDER)):
        text = configuration(client, access)
        host, path = access.server.removeprefix("https://").partition("/")[::2]
        for part in (host, f"/{path}" if path else "", access.name, access.login, access.secret):
            assert part in text, (part, text)
        assert all(line.isprintable() and len(line) <= 200 for line in text.splitlines())


@pytest.mark.parametrize("client", CLIENTS)
def test_no_configuration_has_the_secret_in_a_url(client: str) -> None:
    for line in configuration(client, ACCESS).splitlines():
        assert not re.search(rf"://[^\s'\"]*{ACCESS.secret}", line)


def test_a_fritzbox_gets_a_url_for_each_family_with_its_own_placeholders() -> None:
    text = configuration("fritzbox", ACCESS)
    update = "https://ddns.example.com/nic/update?hostname=<domain>"
    assert f"{update}&myip=<ipaddr> {update}&myip=<ip6addr>\n" in text


def test_a_fritzbox_sends_the_prefix_for_a_machine_behind_it_beside_its_own_address() -> None:
    text = configuration("fritzbox", ACCESS._replace(suffix=IPv6Address("::211:32ff:fe12:3456")))
    urls = re.findall(r"https://\S+", text)
    assert urls == ["https://ddns.example.com/nic/update?hostname=<domain>&myip=<ip6addr>&ip6lanprefix=<ip6lanprefix>"]


def test_unifi_has_no_scheme_and_the_placeholders_of_inadyn() -> None:
    assert "Server:    ddns.example.com/nic/update?hostname=%h&myip=%i" in configuration("unifi", ACCESS)


def test_opnsense_gets_a_url_of_its_own_only_below_a_path() -> None:
    assert "Protocol:         DynDns2\nServer:           ddns.example.com\n" in configuration("opnsense", ACCESS)
    assert "__HOSTNAME__&myip=__MYIP__" in configuration("opnsense", BELOW)


def test_pfsense_knows_both_answers_for_a_success() -> None:
    text = configuration("pfsense", ACCESS)
    assert "nic/update?hostname=nas.example.com&myip=%IP%\n" in text
    assert "good %IP%|nochg %IP%" in text


def test_synology_replaces_its_words() -> None:
    assert "?hostname=__HOSTNAME__&myip=__MYIP__\n" in configuration("synology", ACCESS)


def test_mikrotik_escapes_what_its_terminal_would_take_for_its_own() -> None:
    text = configuration("mikrotik", ACCESS._replace(secret='a"b\\c$d?e'))
    assert r'password="a\"b\\c\$d\3Fe" check-certificate=yes' in text
    assert r"nic/update\3Fhostname=nas.example.com" in text


def test_openwrt_reads_any_secret_as_it_was_made() -> None:
    text = configuration("openwrt", ACCESS._replace(secret=ODD))
    (quoted,) = re.findall(r"^    option password (.*)$", text, re.MULTILINE)
    shell = subprocess.run(["sh", "-c", f"printf %s {quoted}"], capture_output=True, text=True, check=True)
    assert shell.stdout == ODD
    assert "https://[USERNAME]:[PASSWORD]@ddns.example.com/nic/update?hostname=[DOMAIN]&myip=[IP]" in text
    assert "config service 'nas_example_com'" in text


def test_without_tls_the_clients_are_told_so() -> None:
    plain = ACCESS._replace(server="http://127.0.0.1:8245")
    assert "ssl=no" in configuration("ddclient", plain)
    assert "ssl            = false" in configuration("inadyn", plain)
    assert "checkip-ssl    = false" in configuration("inadyn", plain)
    assert "check-certificate=yes output" not in configuration("mikrotik", plain)
    assert "use_https" not in configuration("openwrt", plain)
    assert "Force SSL:        no" in configuration("opnsense", plain)


_COMMANDS = {
    "curl": ["curl", "--config", "FILE"],
    "inadyn": ["inadyn", "-1", "-n", "--no-pidfile", "--force", "--cache-dir=FOLDER", "-f", "FILE"],
    "ddclient": ["ddclient", "-daemon", "0", "-foreground", "-file", "FILE", "-cache", "FOLDER/cache", "-force"],
}


@pytest.mark.parametrize("client", [each for each in _COMMANDS if shutil.which(each)])
@pytest.mark.parametrize("prefix", ["", "/below"])
@pytest.mark.parametrize("secret", [ACCESS.secret, ODD])
def test_a_real_client_sends_name_login_and_secret(
    receiver: Receiver, tmp_path: Path, client: str, prefix: str, secret: str
) -> None:
    receiver.play = answer("good 8.8.4.4")
    access = Access(f"{receiver.base}{prefix}", "nas.example.com", "office", secret)
    file = tmp_path / client
    file.touch(0o600)
    file.write_text(configuration(client, access).replace("daemon=300\n", "") + "\n")
    words = {"FILE": str(file), "FOLDER": str(tmp_path)}
    command = [re.sub("FILE|FOLDER", lambda match: words[match[0]], each) for each in _COMMANDS[client]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    sent = receiver.got[-1]
    assert sent.path.startswith(f"{prefix}/nic/update?")
    assert "hostname=nas.example.com" in sent.path
    assert b64decode(sent.headers["authorization"].removeprefix("Basic ")).decode() == f"office:{secret}"
