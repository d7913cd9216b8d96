"""What `contrib/` offers: each file has its form, says the same as the others and the pages, and its command runs."""

import json
import plistlib
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable
from getpass import getuser
from grp import getgrgid
from os import getgid
from pathlib import Path, PurePosixPath

import pytest

from ddns_updater.settings.home import user_folder
from ddns_updater.settings.variables import VARIABLES, default_settings
from tests.docs.pages import PAGES, text_of
from tests.support.database import load_settings_with
from tests.support.machine import Machine

_TOP = Path(__file__).parents[2]
_CONTRIB = _TOP / "contrib"
_DEPLOY = text_of("docs/deploy.md")
_PAGES = "".join(map(text_of, PAGES))
_TEXTS = {path.name: path.read_text() for path in sorted(_CONTRIB.iterdir()) if path.is_file()}

PROGRAM, STATE, SETTINGS = "/opt/ddns-updater/bin/ddns", "/var/lib/ddns-updater", "/etc/ddns-updater/env"
LOG = "/var/log/ddns-updater.log"
NOBODY = "65534"
SERVICES = ("ddns.service", "ddns-watch.service", "ddns-serve.service")
UNITS = (*SERVICES, "ddns.timer")
EXPOSURE = 15  # of 100, by `systemd-analyze security`; what is left is that the program may use the network

Unit = dict[str, dict[str, list[str]]]


def parsed(text: str) -> Unit:
    """Return the values of each directive of a unit, by section."""
    unit: Unit = {}
    for line in text.splitlines():
        if section := re.fullmatch(r"\[(\w+)\]", line):
            inside = unit.setdefault(section[1], {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals
            assert re.fullmatch(r"[A-Z]\w+", key)
            inside.setdefault(key, []).append(value)
    return unit


def service(name: str) -> dict[str, str]:
    """Return the directives of a service; several values of one are joined."""
    return {key: " ".join(values) for key, values in parsed(_TEXTS[name])["Service"].items()}


def uncommented(text: str) -> str:
    """Return a unit with everything in force that it offers in comments."""
    return re.sub(r"^#(?=[A-Z]\w+=)", "", text, flags=re.MULTILINE)


# All together


def test_the_folder_holds_what_the_pages_show_and_no_more() -> None:
    named = set(re.findall(r"contrib/([\w./-]*\w)", _PAGES + _TEXTS["Dockerfile"]))
    there = {str(path.relative_to(_CONTRIB)) for path in _CONTRIB.rglob("*") if path.is_file()}
    assert {each for each in there if not each.startswith("terraform/")} == {
        each for each in named if not each.startswith("terraform")
    } | {"Dockerfile.dockerignore", "lambda/requirements.txt"}  # the build reads it
    assert all((_CONTRIB / each).exists() for each in named)  # the files of a module need no name each


@pytest.mark.parametrize("name", _TEXTS)
def test_every_path_is_one_of_those_that_the_page_makes(name: str) -> None:
    known = (
        PROGRAM,
        STATE,
        SETTINGS,
        LOG,
        "/opt/ddns-updater",
        "/etc/ddns-updater/",
        "/etc/systemd/system",
        "/etc/logrotate.d/ddns-updater",
        "/var/lib/prometheus/node-exporter",
        "/run/secrets",
        "/src",
        "/tmp",
        "/Library/LaunchDaemons",
        "/Users/you",
        "/var/log/nginx",
        "/dev/null",
    )
    text = re.sub(r"<!DOCTYPE.*?>|</\w+>|</|/>|http://", "", _TEXTS[name])
    for path in re.findall(r"(?<![\w.*>/])/[\w./-]+|(?<=>)/[\w./-]+", text):
        assert any(path.rstrip(".") == each or path.startswith(each.rstrip("/") + "/") for each in known), path


@pytest.mark.parametrize("path", [PROGRAM, STATE, SETTINGS, LOG])
def test_the_page_says_how_each_path_gets_there(path: str) -> None:
    assert re.search(rf"(venv|--home-dir|install) .*{re.escape(path.removesuffix('/bin/ddns'))}", _DEPLOY)


def test_every_variable_that_is_named_exists() -> None:
    named = set(re.findall(r"\bDDNS_\w+", "".join(_TEXTS.values())))
    assert named <= set(VARIABLES)
    assert "DDNS_DATABASE_URL_FILE" in named


# systemd


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_right_that_it_does_not_need(name: str) -> None:
    found = service(name)
    for key in (
        "LockPersonality",
        "MemoryDenyWriteExecute",
        "NoNewPrivileges",
        "PrivateDevices",
        "PrivateTmp",
        "PrivateUsers",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "RemoveIPC",
        "RestrictNamespaces",
        "RestrictRealtime",
        "RestrictSUIDSGID",
    ):
        assert found[key] == "yes", key
    assert found["ProtectSystem"] == "strict"
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == ""
    assert found["SystemCallFilter"] == "@system-service ~@privileged @resources"
    assert found["SystemCallArchitectures"] == "native"
    assert set(found["RestrictAddressFamilies"].split()) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}
    assert found["User"] == found["Group"] == "ddns-updater"
    assert f"/var/lib/{found['StateDirectory']}" == STATE
    assert "ReadWritePaths" not in found
    assert "ReadWritePaths" in parsed(uncommented(_TEXTS[name]))["Service"]


def test_all_services_have_the_same_rights() -> None:
    own = (
        *("Type", "ExecStart", "TimeoutStartSec", "TimeoutStopSec", "KillMode"),
        *("Restart", "RestartSec", "RestartPreventExitStatus", "LimitNOFILE"),
    )
    one, *others = ({key: value for key, value in service(name).items() if key not in own} for name in SERVICES)
    assert others == [one, one]


def test_a_service_is_not_ended_before_its_run_ends_by_itself() -> None:
    limit = default_settings().run_timeout
    assert int(service("ddns.service")["TimeoutStartSec"]) > limit
    assert int(service("ddns-watch.service")["TimeoutStopSec"]) > limit
    assert service("ddns-watch.service")["KillMode"] == "mixed"  # SIGTERM is for the program, not for what it started
    assert f"--stop-timeout {service('ddns-watch.service')['TimeoutStopSec']}" in _DEPLOY


@pytest.mark.parametrize("command", ["watch", "serve"])
def test_what_stays_is_restarted_unless_its_settings_are_wrong(command: str, small_machine: Machine) -> None:
    found = service(f"ddns-{command}.service")
    done = small_machine.ddns(command, DDNS_TTL="soon")
    assert (found["Restart"], found["RestartPreventExitStatus"]) == ("always", str(done.status))


def test_the_server_may_take_all_its_connections_and_end_what_is_in_hand() -> None:
    found = service("ddns-serve.service")
    assert shlex.split(found["ExecStart"]) == [PROGRAM, "--env-file", SETTINGS, "serve"]
    connections, answering, sending = 4000, 10, 20  # as docs/endpoint.md says
    assert f"{connections:,} connections" in text_of("docs/endpoint.md")
    assert f"at most {answering} s), sends what is due (at most {sending} s)" in text_of("docs/endpoint.md")
    assert int(found["LimitNOFILE"]) > connections + 100
    assert int(found["TimeoutStopSec"]) > answering + sending
    assert found["KillMode"] == "mixed"


def test_the_service_runs_the_command_quietly(small_machine: Machine) -> None:
    program, option, file, *arguments = shlex.split(service("ddns.service")["ExecStart"])
    assert (program, option, file) == (PROGRAM, "--env-file", SETTINGS)
    settings = small_machine.folder / "env"
    settings.write_text("DDNS_TTL=120\n")
    small_machine.init()
    done = small_machine.ddns(option, str(settings), *arguments)
    assert done.out.startswith("updated: ")
    assert small_machine.aws.record_sets(small_machine.zone_id)["home.example.com", "A"]["TTL"] == 120
    done = small_machine.ddns(option, str(settings), *arguments)
    assert (done.status, done.out, done.err) == (0, "", "")


def test_a_credential_is_a_setting(tmp_path: Path) -> None:
    found = parsed(uncommented(_TEXTS["ddns.service"]))["Service"]
    secret = tmp_path / "database-url"
    secret.write_text("mysql://u:p@db.example.com:3306/app\n")
    credentials = {each.partition(":")[0] for each in found["LoadCredential"]}
    variables = dict(each.split("=") for each in found["Environment"])
    assert set(variables.values()) == {f"%d/{each}" for each in credentials}
    ours = {key: value.replace("%d", str(tmp_path)) for key, value in variables.items() if key.startswith("DDNS_")}
    assert load_settings_with(ours).database == load_settings_with({"DDNS_DATABASE_URL": secret.read_text()}).database


def test_the_timer_fires_each_minute() -> None:
    timer = {key: value for key, (value,) in parsed(_TEXTS["ddns.timer"])["Timer"].items()}
    assert (timer["OnCalendar"], timer["Persistent"], timer["AccuracySec"]) == ("minutely", "yes", "1s")
    assert timer["FixedRandomDelay"] == "yes"  # else two runs may come up to a minute and a half apart
    assert parsed(_TEXTS["ddns.timer"])["Install"] == {"WantedBy": ["timers.target"]}
    assert parsed(_TEXTS["ddns-watch.service"])["Unit"]["Conflicts"] == ["ddns.timer"]


if shutil.which("systemd-analyze"):  # what it looks at is looked at above as well

    @pytest.mark.parametrize("name", SERVICES)
    def test_systemd_finds_little_exposed(name: str) -> None:
        command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", str(_CONTRIB / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("change", [str, uncommented], ids=["as it is", "with all that is offered"])
    def test_systemd_has_nothing_to_say_against_the_units(change: Callable[[str], str], tmp_path: Path) -> None:
        for name in UNITS:
            (tmp_path / name).write_text(change(_TEXTS[name]).replace(PROGRAM, "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


# The container


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with its arguments."""
    text = re.sub(r"^#.*\n", "", _TEXTS["Dockerfile"], flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line]
    return [(name, arguments) for name, arguments in lines]


def last_stage() -> dict[str, str]:
    """Return the instructions of the image itself; the last of a name wins."""
    whole = instructions()
    start = max(place for place, (name, _) in enumerate(whole) if name == "FROM")
    return dict(whole[start:])


def test_the_image_runs_as_nobody_and_keeps_everything_in_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    image = last_stage()
    assert image["USER"] == f"{NOBODY}:{NOBODY}"
    assert image["VOLUME"] == image["WORKDIR"] == STATE
    assert f"chown {NOBODY}:{NOBODY} {STATE}" in image["RUN"]
    environment = dict(each.split("=", 1) for each in shlex.split(image["ENV"]))
    assert environment["PATH"].startswith(str(PurePosixPath(PROGRAM).parent) + ":")
    monkeypatch.setenv("HOME", environment["HOME"])
    default = default_settings()
    for path in (user_folder().path, default.state_folder, getattr(default.database, "path", None)):
        assert path
        assert path.is_relative_to(STATE)
    assert not set(environment) & set(VARIABLES)  # the environment would win over the operator's .env


def test_the_image_starts_the_program_as_it_is_stopped() -> None:
    image = last_stage()
    assert json.loads(image["ENTRYPOINT"]) == [PurePosixPath(PROGRAM).name]
    assert json.loads(image["CMD"]) == ["watch", "--quiet"]
    assert image["STOPSIGNAL"] == "SIGTERM"
    assert image["COPY"] == "--from=build /opt/ddns-updater /opt/ddns-updater"


def test_what_the_image_is_built_from_exists_and_is_let_through() -> None:
    copied = [
        name
        for instruction, arguments in instructions()
        if instruction == "COPY" and not arguments.startswith("--from")
        for name in arguments.split()[:-1]
    ]
    assert all((_TOP / name).exists() for name in copied)
    ignored = [line for line in _TEXTS["Dockerfile.dockerignore"].splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)


def test_the_image_is_built_with_extras_that_exist() -> None:
    (default,) = [arguments for name, arguments in instructions() if name == "ARG" and arguments.startswith("EXTRAS=")]
    extras = (_TOP / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n\n")[0]
    assert set(default.removeprefix("EXTRAS=").split(",")) <= set(re.findall(r"^(\w+) = ", extras, re.MULTILINE))


@pytest.mark.parametrize(("extras", "wanted"), [("dns,notify", ".[dns,notify]"), ("", ".")])
def test_the_image_can_be_built_with_other_extras_or_none(extras: str, wanted: str) -> None:
    (word,) = re.findall(r'install --no-cache-dir (".*")', _TEXTS["Dockerfile"])
    done = subprocess.run(
        ["sh", "-c", f"echo {word}"], env={"EXTRAS": extras}, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{wanted}\n"


# launchd


def test_the_plist_is_a_daemon_that_runs_each_minute(small_machine: Machine) -> None:
    name = "local.ddns-updater.plist"
    job = plistlib.loads(_TEXTS[name].encode())
    assert set(job) == {  # as launchd.plist(5) has them
        "Label",
        "ProgramArguments",
        "UserName",
        "EnvironmentVariables",
        "RunAtLoad",
        "StartInterval",
        "ProcessType",
        "Umask",
        "StandardOutPath",
        "StandardErrorPath",
    }
    assert f"{job['Label']}.plist" == name
    program, *arguments = job["ProgramArguments"]
    assert (program, job["StartInterval"], job["RunAtLoad"]) == (PROGRAM, 60, True)
    assert job["Umask"] == 0o077
    home = job["EnvironmentVariables"]["HOME"]
    assert home == f"/Users/{job['UserName']}"
    assert job["StandardErrorPath"] == job["StandardOutPath"]
    assert job["StandardErrorPath"].startswith(f"{home}/Library/Logs/")
    small_machine.init()
    assert small_machine.ddns(*arguments).out.startswith("updated: ")


# The log


def test_the_log_that_is_rotated_is_the_one_that_cron_writes() -> None:
    text = re.sub(r"^#.*\n", "", _TEXTS["logrotate.conf"], flags=re.MULTILINE)
    form = re.fullmatch(r"(\S+) \{\n((?:    [a-z]+(?: \S+)*\n)+)\}\n", text)
    assert form
    assert form[1] == LOG
    words = {line.split()[0]: line.split()[1:] for line in form[2].splitlines()}
    assert words["create"] == ["0640", "ddns-updater", "ddns-updater"]
    assert {"missingok", "notifempty", "compress", "rotate"} <= set(words)
    assert "copytruncate" not in words  # lines would be lost; each run opens the file anew
    (line,) = re.findall(r"^echo '(.*)' >/etc/cron.d/ddns-updater$", _DEPLOY, re.MULTILINE)
    fields = line.split(maxsplit=6)
    command = service("ddns.service")["ExecStart"]
    assert (fields[:5], fields[5]) == (["*"] * 5, service("ddns.service")["User"])
    assert line.endswith(f" {command} >>{LOG} 2>&1")


if shutil.which("logrotate"):  # its form is looked at above as well

    def test_logrotate_moves_the_log_and_makes_a_new_one(tmp_path: Path) -> None:
        log = tmp_path / "ddns-updater.log"
        log.write_text("updated: \n")
        conf = tmp_path / "logrotate.conf"
        owner = f"{getuser()} {getgrgid(getgid()).gr_name}"
        text = _TEXTS["logrotate.conf"].replace("ddns-updater ddns-updater", owner).replace(LOG, str(log))
        conf.write_text(text)
        conf.chmod(0o644)
        command = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(conf)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "ddns-updater.log.1").read_text() == "updated: \n"
        assert log.read_text() == ""
        assert stat.S_IMODE(log.stat().st_mode) == 0o640
