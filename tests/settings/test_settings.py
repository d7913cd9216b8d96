"""The settings: where they come from, what they may hold, and what is said when they may not."""

import os
import re
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from ddns_updater.errors import SettingsError
from ddns_updater.history.url import MySqlUrl, SqliteUrl
from ddns_updater.lib import files
from ddns_updater.model import Agreement, Family, OnDrift, Record, WantedRecord
from ddns_updater.settings.load import read_settings
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.variables import VARIABLES, default_settings
from ddns_updater.sources.spec import DEFAULT_SOURCES, parse_source
from tests.support.machine import Machine

FORMS = (
    "write mysql://user:password@host:3306/database (percent-encode special characters), sqlite:////folder/file"
    " or dynamodb://TABLE?region=eu-west-1"
)
SECRET = "hunter2"
AFTER_HOST = "has an @, a : or a / after the host; percent-encode those in user and password: @ is %40"
NO_SOURCE = "is not an address source; write"
ANY = "a URL such as https://ifconfig.me/ip, or see .env.example for the other kinds"
URL = "a URL such as https://ifconfig.me/ip, with #/FIELD after one that answers JSON"
DNS = "dns:opendns, dns:google, dns:cloudflare or dns:NAME@SERVER?type=TXT&class=CH"
EC2 = "ec2:i-0123456789abcdef0 or with ?region=eu-west-1"
HOME = WantedRecord("home.example.com")


def load_with(environment: dict[str, Any], env_file: Path | None = None) -> Settings:
    """Load settings from these variables and a file."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, str(value))
        return read_settings(env_file).valid()


def problems(environment: dict[str, Any], env_file: Path | None = None) -> list[str]:
    """Return the lines of the error that these variables lead to."""
    with pytest.raises(SettingsError) as refused:
        load_with(environment, env_file)
    assert refused.value.exit_code == 2
    return str(refused.value).splitlines()


def mysql(url: str) -> MySqlUrl:
    """Return the settings of a MySQL database."""
    database = load_with({"DDNS_DATABASE_URL": url}).database
    assert isinstance(database, MySqlUrl)
    return database


def write(path: Path, text: str) -> Path:
    """Write a file in a folder that need not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def user_env() -> Path:
    return Path.home() / ".config" / "ddns-updater" / ".env"


def test_everything_has_a_default() -> None:
    settings = read_settings().valid()
    assert settings == default_settings()
    assert settings.database == SqliteUrl(Path.home() / ".config" / "ddns-updater" / "ddns.sqlite3")
    assert (settings.name, settings.records, settings.hosted_zone_ids, settings.ttl) == (None, (), (), None)
    assert (settings.ip_sources, settings.ip_families) == (DEFAULT_SOURCES, (Family.IPV4,))
    assert settings.ip_sources[0].text == "https://ifconfig.me/ip"
    assert settings.ip_agreement is Agreement.PREFERRED
    assert (settings.on_drift, settings.verify_name_servers) == (OnDrift.REPAIR, False)
    assert (settings.ip_timeout, settings.ip_retries) == (5, 3)
    assert (settings.run_timeout, settings.verify_timeout, settings.recheck_every) == (55, 45, 3600)


@pytest.mark.parametrize(
    ("key", "text", "attribute", "value"),
    [
        ("DDNS_NAME", "office line", "name", "office line"),
        ("DDNS_NAME", "  bücher ", "name", "bücher"),
        ("DDNS_NAME", "n" * 255, "name", "n" * 255),
        ("DDNS_RECORDS", "Home.example.com.", "records", (HOME,)),
        ("DDNS_RECORDS", " home.example.com ,*.example.com,, ", "records", (HOME, WantedRecord("*.example.com"))),
        ("DDNS_RECORDS", "home.example.com,Home.example.com.", "records", (HOME,)),
        ("DDNS_RECORDS", "home.example.com/A", "records", (HOME._replace(family=Family.IPV4),)),
        ("DDNS_RECORDS", "home.example.com. / a", "records", (HOME._replace(family=Family.IPV4),)),
        ("DDNS_RECORDS", "home.example.com=Z1", "records", (HOME._replace(zone_id="Z1"),)),
        ("DDNS_RECORDS", "home.example.com = /hostedzone/z1", "records", (HOME._replace(zone_id="Z1"),)),
        ("DDNS_RECORDS", "home.example.com/A=Z1", "records", (WantedRecord(HOME.name, Family.IPV4, "Z1"),)),
        ("DDNS_RECORDS", "bücher.example.com", "records", (WantedRecord("xn--bcher-kva.example.com"),)),
        ("DDNS_HOSTED_ZONE_ID", "Z0123456789ABCDEFGHIJ", "hosted_zone_ids", ("Z0123456789ABCDEFGHIJ",)),
        ("DDNS_HOSTED_ZONE_ID", "/hostedzone/Z1,z2", "hosted_zone_ids", ("Z1", "Z2")),
        ("DDNS_TTL", "1", "ttl", 1),
        ("DDNS_TTL", "2147483647", "ttl", 2147483647),
        ("DDNS_IP_FAMILIES", "ipv6", "ip_families", (Family.IPV6,)),
        ("DDNS_IP_FAMILIES", "IPv6, IPv4", "ip_families", (Family.IPV6, Family.IPV4)),
        ("DDNS_IP_AGREEMENT", "required", "ip_agreement", Agreement.REQUIRED),
        ("DDNS_IP_AGREEMENT", "preferred", "ip_agreement", Agreement.PREFERRED),
        ("DDNS_IP_AGREEMENT", " OFF ", "ip_agreement", Agreement.OFF),
        ("DDNS_IP_TIMEOUT", "1", "ip_timeout", 1),
        ("DDNS_IP_TIMEOUT", "60", "ip_timeout", 60),
        ("DDNS_IP_RETRIES", "0", "ip_retries", 0),
        ("DDNS_IP_RETRIES", "10", "ip_retries", 10),
        ("DDNS_RUN_TIMEOUT", "2", "run_timeout", 2),
        ("DDNS_RUN_TIMEOUT", "3600", "run_timeout", 3600),
        ("DDNS_VERIFY_TIMEOUT", "0", "verify_timeout", 0),
        ("DDNS_VERIFY_TIMEOUT", "55", "verify_timeout", 55),
        ("DDNS_RECHECK_EVERY", "0", "recheck_every", 0),
        ("DDNS_RECHECK_EVERY", " 31536000 ", "recheck_every", 31536000),
        ("DDNS_ON_DRIFT", "report", "on_drift", OnDrift.REPORT),
        ("DDNS_ON_DRIFT", "Repair", "on_drift", OnDrift.REPAIR),
        ("DDNS_VERIFY_NAME_SERVERS", "1", "verify_name_servers", True),
        ("DDNS_VERIFY_NAME_SERVERS", "0", "verify_name_servers", False),
    ],
)
def test_it_takes_a_good_value(key: str, text: str, attribute: str, value: object) -> None:
    settings = load_with({key: text})
    assert getattr(settings, attribute) == value
    changed: dict[str, Any] = {attribute: value}
    assert settings == default_settings()._replace(**changed)


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("DDNS_NAME", "a\tb", "='a\\tb' is not a name of 1 to 255 printable characters"),
        ("DDNS_NAME", "\udcff", "='\\udcff' is not a name of 1 to 255 printable characters"),
        (
            "DDNS_METRICS_FILE",
            "/var/ddns.txt",
            "='/var/ddns.txt' does not end in .prom, so the node exporter would not read it; rename it",
        ),
        ("DDNS_RECORDS", "home", ": 'home' is not a full domain name such as home.example.com"),
        ("DDNS_RECORDS", " , ", "=',' lists nothing; set a value or remove it"),
        (
            "DDNS_RECORDS",
            "home.example.com/CNAME",
            ": 'home.example.com/CNAME' has the type 'CNAME'; write /A or /AAAA, or leave it out",
        ),
        (
            "DDNS_RECORDS",
            "home.example.com/",
            ": 'home.example.com/' has the type ''; write /A or /AAAA, or leave it out",
        ),
        ("DDNS_RECORDS", "/A", ": '/A' is not a full domain name such as home.example.com"),
        ("DDNS_RECORDS", "=Z1", ": '=Z1' is not a full domain name such as home.example.com"),
        (
            "DDNS_RECORDS",
            "home.example.com=",
            ": 'home.example.com=' is not a hosted zone ID such as Z0123456789ABCDEFGHIJ",
        ),
        (
            "DDNS_RECORDS",
            "home.example.com=Z1/A",
            ": 'home.example.com=Z1/A' is not a hosted zone ID such as Z0123456789ABCDEFGHIJ",
        ),
        (
            "DDNS_RECORDS",
            "💩.example.com",
            ": '💩.example.com' has the label '💩', which is not a valid internationalised label",
        ),
        ("DDNS_HOSTED_ZONE_ID", "Z 1", ": 'Z 1' is not a hosted zone ID such as Z0123456789ABCDEFGHIJ"),
        (
            "DDNS_HOSTED_ZONE_ID",
            "/hostedzone/",
            ": '/hostedzone/' is not a hosted zone ID such as Z0123456789ABCDEFGHIJ",
        ),
        ("DDNS_TTL", "5m", "='5m' is not a whole number of seconds; write DDNS_TTL=300"),
        ("DDNS_TTL", "60.5", "='60.5' is not a whole number of seconds; write DDNS_TTL=300"),
        ("DDNS_TTL", "-1", "='-1' is not a whole number of seconds; write DDNS_TTL=300"),
        ("DDNS_TTL", "٣", "='٣' is not a whole number of seconds; write DDNS_TTL=300"),
        ("DDNS_TTL", "0", "='0' is not between 1 and 2147483647 seconds; write DDNS_TTL=300"),
        ("DDNS_TTL", "2147483648", "='2147483648' is not between 1 and 2147483647 seconds; write DDNS_TTL=300"),
        ("DDNS_IP_SOURCES", ",", "=',' lists nothing; set a value or remove it"),
        ("DDNS_IP_FAMILIES", "ip4", ": 'ip4' is not an address family; write ipv4, ipv6 or ipv4,ipv6"),
        ("DDNS_IP_AGREEMENT", "yes", "='yes' is not required, preferred or off; write DDNS_IP_AGREEMENT=preferred"),
        ("DDNS_ON_DRIFT", "ignore", "='ignore' is not repair or report; write DDNS_ON_DRIFT=repair"),
        ("DDNS_VERIFY_NAME_SERVERS", "yes", "='yes' is not 0 or 1; write DDNS_VERIFY_NAME_SERVERS=1"),
        ("DDNS_IP_TIMEOUT", "0", "='0' is not between 1 and 60 seconds; write DDNS_IP_TIMEOUT=5"),
        ("DDNS_IP_TIMEOUT", "61", "='61' is not between 1 and 60 seconds; write DDNS_IP_TIMEOUT=5"),
        ("DDNS_IP_RETRIES", "11", "='11' is not between 0 and 10 retries; write DDNS_IP_RETRIES=3"),
        ("DDNS_IP_RETRIES", "no", "='no' is not a whole number of retries; write DDNS_IP_RETRIES=3"),
        ("DDNS_RUN_TIMEOUT", "1", "='1' is not between 2 and 3600 seconds; write DDNS_RUN_TIMEOUT=55"),
        ("DDNS_RUN_TIMEOUT", "3601", "='3601' is not between 2 and 3600 seconds; write DDNS_RUN_TIMEOUT=55"),
        ("DDNS_VERIFY_TIMEOUT", "3601", "='3601' is not between 0 and 3600 seconds; write DDNS_VERIFY_TIMEOUT=45"),
        ("DDNS_VERIFY_TIMEOUT", "56", "=56 is longer than DDNS_RUN_TIMEOUT=55; make it shorter"),
        ("DDNS_RECHECK_EVERY", "1e3", "='1e3' is not a whole number of seconds; write DDNS_RECHECK_EVERY=3600"),
        (
            "DDNS_RECHECK_EVERY",
            "31536001",
            "='31536001' is not between 0 and 31536000 seconds; write DDNS_RECHECK_EVERY=3600",
        ),
    ],
)
def test_it_names_the_variable_what_it_holds_and_what_it_should_look_like(key: str, text: str, problem: str) -> None:
    assert problems({key: text}) == [key + problem]


@pytest.mark.parametrize("key", VARIABLES)
@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_value_is_not_taken_for_the_default(key: str, text: str) -> None:
    assert problems({key: text}) == [f"{key} is empty; set a value or remove it"]


def test_all_bad_values_are_reported_at_once_in_one_line_each(tmp_path: Path) -> None:
    env_file = write(tmp_path / "settings", "DDNS_TTL=5m\nwhat is this\nDDNS_RECORD=home.example.com\n")
    found = problems(
        {
            "DDNS_NAME": "a\nb",
            "DDNS_RECORDS": "home,a..b,good.example.com",
            "DDNS_DATABASE_URL": "postgres://u:p@db/d",
            "DDNS_IP_TIMEOUT": "x",
            "DDNS_IP_RETRIES": "",
            "DDNS_IP_SOURCES": "ifconfig.me,https://icanhazip.com,ec2:i-1",
            "DDNS_IP_AGREEMENT": "required",
            "DDNS_ON_DRIFT": "x",
        },
        env_file,
    )
    assert found == [
        f"{env_file}, line 2 cannot be read; write NAME=value",
        f"DDNS_RECORD is not a setting (in {env_file}); did you mean DDNS_RECORDS?",
        "DDNS_IP_RETRIES is empty; set a value or remove it",
        "DDNS_NAME='a\\nb' is not a name of 1 to 255 printable characters",
        f"DDNS_DATABASE_URL begins with 'postgres'; {FORMS}",
        "DDNS_RECORDS: 'home' is not a full domain name such as home.example.com",
        "DDNS_RECORDS: 'a..b' has the label '', which is not a valid DNS label",
        f"DDNS_TTL='5m' is not a whole number of seconds (set in {env_file}); write DDNS_TTL=300",
        f"DDNS_IP_SOURCES: 'ifconfig.me' {NO_SOURCE} {ANY}",
        f"DDNS_IP_SOURCES: 'ec2:i-1' {NO_SOURCE} {EC2}",
        "DDNS_IP_TIMEOUT='x' is not a whole number of seconds; write DDNS_IP_TIMEOUT=5",
        "DDNS_ON_DRIFT='x' is not repair or report; write DDNS_ON_DRIFT=repair",
    ]


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"DDNS_TTL": "5m"}, ("DDNS_TTL='5m' is not a whole number of seconds", "write DDNS_TTL=300", ["DDNS_TTL"])),
        (
            {"DDNS_RECORDS": "a; b.example.com"},
            (
                "DDNS_RECORDS: 'a; b.example.com' has the label 'a; b', which is not a valid DNS label",
                None,
                ["DDNS_RECORDS"],
            ),
        ),
        (
            {"DDNS_HEARTBEAT_URL_FILE": ""},
            ("DDNS_HEARTBEAT_URL_FILE is empty", "set a value or remove it", ["DDNS_HEARTBEAT_URL"]),
        ),
        (
            {"DDNS_VERIFY_TIMEOUT": "56"},
            (
                "DDNS_VERIFY_TIMEOUT=56 is longer than DDNS_RUN_TIMEOUT=55",
                "make it shorter",
                ["DDNS_VERIFY_TIMEOUT", "DDNS_RUN_TIMEOUT"],
            ),
        ),
        ({"DDNS_RECORD": "x"}, ("DDNS_RECORD is not a setting", "did you mean DDNS_RECORDS?", ["DDNS_RECORDS"])),
    ],
)
def test_a_problem_has_its_parts_and_the_settings_at_fault(
    values: dict[str, str], parts: tuple[str, str | None, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    (problem,) = read_settings().problems
    assert (problem.problem, problem.advice, list(problem.settings)) == parts


def test_the_good_items_of_a_list_are_still_compared() -> None:
    records = "home,a.example.com=Z1,a.example.com=Z2,b.example.com/AAAA,b.example.com/AAAA=Z1"
    assert [re.split("; ", line)[0] for line in problems({"DDNS_RECORDS": records})] == [
        "DDNS_RECORDS: 'home' is not a full domain name such as home.example.com",
        "DDNS_RECORDS pins a.example.com to two hosted zones",
        "DDNS_RECORDS names b.example.com/AAAA, but ipv6 is not in DDNS_IP_FAMILIES",
    ]


@pytest.mark.parametrize("digits", ["9" * 6000, "0" * 6000 + "3601"])
def test_a_number_of_any_length_is_out_of_range(digits: str) -> None:
    (problem,) = problems({"DDNS_RUN_TIMEOUT": digits})
    assert problem.endswith("' is not between 2 and 3600 seconds; write DDNS_RUN_TIMEOUT=55")
    assert load_with({"DDNS_RUN_TIMEOUT": "0" * 6000 + "3600"}).run_timeout == 3600


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({"DDNS_VERIFY_TIMEOUT": "x", "DDNS_RUN_TIMEOUT": "30"}, ["DDNS_VERIFY_TIMEOUT"]),
        ({"DDNS_VERIFY_TIMEOUT": "99", "DDNS_RUN_TIMEOUT": "x"}, ["DDNS_RUN_TIMEOUT"]),
        ({"DDNS_VERIFY_TIMEOUT": "99", "DDNS_RUN_TIMEOUT": "98"}, ["DDNS_VERIFY_TIMEOUT"]),
    ],
)
def test_a_bad_time_is_not_compared_with_another(values: dict[str, str], keys: list[str]) -> None:
    assert [line.split("=")[0] for line in problems(values)] == keys


def test_a_short_run_alone_is_no_contradiction_to_the_default_wait() -> None:
    assert load_with({"DDNS_RUN_TIMEOUT": "10"}).run_timeout == 10


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("DDNS_RECORD", "DDNS_RECORDS"),
        ("DDNS_DATABSE_URL", "DDNS_DATABASE_URL"),
        ("DDNS_HOSTED_ZONE_IDS", "DDNS_HOSTED_ZONE_ID"),
        ("DDNS_IP_SOURCE", "DDNS_IP_SOURCES"),
        ("DDNS_IP_FAMILY", "DDNS_IP_FAMILIES"),
        ("DDNS_IP_AGREEMENTS", "DDNS_IP_AGREEMENT"),
        ("DDNS_VERIFY_NAMESERVERS", "DDNS_VERIFY_NAME_SERVERS"),
    ],
)
def test_it_asks_whether_a_misspelt_name_was_meant(key: str, meant: str) -> None:
    assert problems({key: "1"}) == [f"{key} is not a setting; did you mean {meant}?"]


@pytest.mark.parametrize(
    "source",
    [
        "https://a.example.com/ip",
        "http://a.example.com",
        "http://[::1]:80/",
        "https://api.example.com/ip.json#/ip",
        "https://api.example.com/ip.json?key=a,b&c=d#/data/0/a~1b",
        "https://me:password@ip.example.com/",
        "dns:opendns",
        "dns:google",
        "dns:cloudflare",
        "dns:myip.opendns.com@resolver1.opendns.com",
        "dns:o-o.myaddr.l.google.com@ns1.google.com:53?type=TXT",
        "dns:whoami.cloudflare@[2606:4700:4700::1111]?type=TXT&class=CH",
        "dns:whoami.cloudflare@1.1.1.1?class=CH&type=TXT",
        "interface:eth0",
        "interface:br-0123456789ab?temporary",
        "ec2:i-0123456789abcdef0",
        "ec2:i-01234567?region=eu-west-1",
        "imds:",
        "imds:http://[fd00:ec2::254]",
        "imds:http://127.0.0.1:8080/",
        "file:/var/lib/my router/address,v4",
        "command:router-ip",
        "command:/usr/bin/ssh router 'show ip | match a,b', 1",
    ],
)
def test_it_takes_every_kind_of_address_source_alone_and_among_others(source: str) -> None:
    assert load_with({"DDNS_IP_SOURCES": source}).ip_sources == (parse_source(source),)
    among = f" imds: ,{source} , ,{source},dns:google,"
    assert load_with({"DDNS_IP_SOURCES": among}).ip_sources == tuple(
        dict.fromkeys(map(parse_source, ("imds:", source, "dns:google")))
    )


def test_the_kind_of_an_address_source_may_be_written_in_capitals() -> None:
    text = "HTTPS://ip.example.com/IP,Dns:opendns,COMMAND:Tell A,Imds:"
    expected = ("https://ip.example.com/IP", "dns:opendns", "command:Tell A", "imds:")
    assert tuple(source.text for source in load_with({"DDNS_IP_SOURCES": text}).ip_sources) == expected


@pytest.mark.parametrize(
    ("source", "shown", "advice"),
    [
        ("ifconfig.me", "ifconfig.me", ANY),
        ("ftp://ip.example.com/", "ftp://ip.example.com/", ANY),
        ("smtp:eth0", "smtp:eth0", ANY),
        ("http://a:99999/", "http://a:99999/", URL),
        ("http://a:0/", "http://a:0/", URL),
        ("http://[::1/", "http://[::1/", URL),
        ("https:///ip", "https:///ip", URL),
        ("https://a/ip https://b/ip", "https://a/ip…", URL),
        ("https://a.example.com,b.example.com", "https://a.example.com,b.example.com", URL),
        ("https://a.example.com/ip.json#ip", "https://a.example.com/ip.json#ip", URL),
        ("dns:", "dns:", DNS),
        ("dns:quad9", "dns:quad9", DNS),
        ("dns:@1.1.1.1", "dns:@1.1.1.1", DNS),
        ("dns:whoami.cloudflare@", "dns:whoami.cloudflare@", DNS),
        ("dns:whoami.cloudflare@1.1.1.1?type=MX", "dns:whoami.cloudflare@1.1.1.1…", DNS),
        ("dns:whoami.cloudflare@1.1.1.1?port=53", "dns:whoami.cloudflare@1.1.1.1…", DNS),
        ("interface:", "interface:", "interface:eth0 or interface:eth0?temporary"),
        ("interface:../eth0", "interface:../eth0", "interface:eth0 or interface:eth0?temporary"),
        ("interface:of-too-long-name", "interface:of-too-long-name", "interface:eth0 or interface:eth0?temporary"),
        ("interface:eth0?stable", "interface:eth0…", "interface:eth0 or interface:eth0?temporary"),
        ("ec2:", "ec2:", EC2),
        ("ec2:web", "ec2:web", EC2),
        ("ec2:i-0123456789abcdef0?zone=a", "ec2:i-0123456789abcdef0…", EC2),
        ("imds:eth0", "imds:eth0", "imds:"),
        ("imds:http://", "imds:http://", "imds:"),
        ("file:", "file:", "file:/full/path"),
        ("file:address", "file:address", "file:/full/path"),
        ("file:/var/lib/", "file:/var/lib/", "file:/full/path"),
        ("command:", "command:…", "command:PROGRAM ARGUMENT, with every quote closed"),
        ("command:sh -c 'ip", "command:…", "command:PROGRAM ARGUMENT, with every quote closed"),
    ],
)  # fmt: skip
def test_a_bad_address_source_is_answered_with_the_form_of_its_kind(source: str, shown: str, advice: str) -> None:
    line = f"DDNS_IP_SOURCES: {shown!r} {NO_SOURCE} {advice}"
    assert problems({"DDNS_IP_SOURCES": source}) == [line]
    assert problems({"DDNS_IP_SOURCES": f"{source},imds:"}) == [line]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"DDNS_RECORDS": "home.example.com=Z1,vpn.example.com=Z2,Home.example.com=Z2"},
            "DDNS_RECORDS pins home.example.com to two hosted zones; keep one of them",
        ),
        (
            {"DDNS_RECORDS": "home.example.com/A=Z1,home.example.com=Z2"},
            "DDNS_RECORDS pins home.example.com to two hosted zones; keep one of them",
        ),
        (
            {"DDNS_RECORDS": "home.example.com,home.example.com/AAAA"},
            (
                "DDNS_RECORDS names home.example.com/AAAA, but ipv6 is not in DDNS_IP_FAMILIES;"
                " write DDNS_IP_FAMILIES=ipv4,ipv6"
            ),
        ),
        (
            {"DDNS_RECORDS": "home.example.com/A", "DDNS_IP_FAMILIES": "ipv6"},
            (
                "DDNS_RECORDS names home.example.com/A, but ipv4 is not in DDNS_IP_FAMILIES;"
                " write DDNS_IP_FAMILIES=ipv6,ipv4"
            ),
        ),
        *(
            (
                {"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": sources},
                "DDNS_IP_AGREEMENT=required needs a second source in DDNS_IP_SOURCES; add one on another host",
            )
            for sources in (
                "https://ip.example.com/",
                "https://ip.example.com/,http://IP.example.com:8080/ip.json#/ip",
                "dns:myip.opendns.com@resolver1.opendns.com,dns:other@Resolver1.opendns.com?type=TXT",
                "file:/address,file:/address",
            )
        ),
    ],
)
def test_settings_that_contradict_one_another_are_named(values: dict[str, str], problem: str) -> None:
    assert problems(values) == [problem]


@pytest.mark.parametrize(
    "values",
    [
        {"DDNS_RECORDS": "home.example.com=Z1,home.example.com=Z1,home.example.com"},
        {"DDNS_RECORDS": "home.example.com/A=Z1,home.example.com/AAAA=Z2", "DDNS_IP_FAMILIES": "ipv4,ipv6"},
        {"DDNS_IP_AGREEMENT": "required"},
        {"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": "https://a.example.com,https://b.example.com"},
        {"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": "https://ip.example.com,dns:opendns"},
        {"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": "interface:eth0,file:/address"},
        {"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": "ec2:i-0123456789abcdef0"},
        {"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": "imds:"},
        {"DDNS_IP_SOURCES": "https://ip.example.com"},
    ],
)
def test_settings_that_only_look_contradictory_are_taken(values: dict[str, str]) -> None:
    load_with(values)


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({"DDNS_RECORDS": "home.example.com/AAAA", "DDNS_IP_FAMILIES": "ipv4,ip6"}, ["DDNS_IP_FAMILIES"]),
        ({"DDNS_RECORDS": "home.example.com/AAAA", "DDNS_IP_FAMILIES": ""}, ["DDNS_IP_FAMILIES"]),
        ({"DDNS_IP_AGREEMENT": "required", "DDNS_IP_SOURCES": "imds:,opendns"}, ["DDNS_IP_SOURCES"]),
    ],
)
def test_a_bad_value_is_not_held_against_another(values: dict[str, str], keys: list[str]) -> None:
    assert [re.split("[:= ]", line)[0] for line in problems(values)] == keys


def taken_or_refused(values: dict[str, str], key: str) -> Settings | None:
    """Return the settings, or None when they are refused in lines that begin with `key`."""
    try:
        return load_with(values)
    except SettingsError as refused:
        strange = [line for line in str(refused).splitlines() if not line.startswith(key)]
    assert not strange
    return None


WORDS = st.text(st.sampled_from("AaZ09.,:;/?#@=&~*%-_ '\"\\üß中💩。\n\t"), max_size=40)
KINDS = ("", "https://", "http://a", "dns:", "dns:a@b", "interface:", "ec2:i-", "imds:", "file:/", "command:")


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.lists(st.builds(str.__add__, st.sampled_from(KINDS), WORDS), max_size=4).map(",".join))
def test_whatever_is_written_for_address_sources_is_taken_as_it_reads_back_or_refused_in_lines(text: str) -> None:
    taken = taken_or_refused({"DDNS_IP_SOURCES": text}, "DDNS_IP_SOURCES")
    if taken:
        assert load_with({"DDNS_IP_SOURCES": ",".join(source.text for source in taken.ip_sources)}) == taken


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.text(st.sampled_from("AaZ09.,/=-_* üß中💩。\n"), max_size=60))
def test_whatever_is_written_for_records_is_taken_as_it_reads_back_or_refused_in_lines(text: str) -> None:
    families = {"DDNS_IP_FAMILIES": "ipv4,ipv6"}
    taken = taken_or_refused(families | {"DDNS_RECORDS": text}, "DDNS_RECORDS")
    if taken:
        again = (
            f"{each.name}{f'/{each.family.record_type}' if each.family else ''}"
            f"{f'={each.zone_id}' if each.zone_id else ''}"
            for each in taken.records
        )
        assert load_with(families | {"DDNS_RECORDS": ",".join(again)}) == taken


def test_it_leaves_other_programs_variables_alone() -> None:
    assert load_with({"DDNS_PROVIDER": "x", "DDNS_TEST_MYSQL_URL": "x", "TTL": "x"}) == default_settings()


def test_the_environment_wins_over_the_working_directory_and_that_over_the_user_folder() -> None:
    write(user_env(), "DDNS_NAME=user\nDDNS_TTL=1\nDDNS_IP_RETRIES=1\nAWS_PROFILE=user\nAWS_REGION=user\n")
    write(Path(".env"), "DDNS_NAME=directory\nDDNS_TTL=2\nAWS_PROFILE=directory\n")
    settings = load_with({"DDNS_NAME": "environment"})
    assert (settings.name, settings.ttl, settings.ip_retries) == ("environment", 2, 1)
    assert settings.aws == {"AWS_PROFILE": "directory", "AWS_REGION": "user"}


def test_an_env_file_replaces_the_others(tmp_path: Path) -> None:
    write(user_env(), "DDNS_NAME=user\n")
    write(Path(".env"), "DDNS_TTL=2\n")
    other = write(tmp_path / "other", "DDNS_IP_RETRIES=1\n")
    settings = read_settings(other).valid()
    assert (settings.name, settings.ttl, settings.ip_retries) == (None, None, 1)


@pytest.mark.parametrize("name", ["missing", ".", "n" * 300], ids=["missing", "folder", "too long"])
def test_an_env_file_that_is_named_has_to_be_there(name: str) -> None:
    (problem,) = problems({}, Path(name))
    assert str(Path(name).absolute()) in problem
    assert problem.endswith(("is not a file; name an existing one", ": File name too long; fix or remove it"))


def test_a_folder_called_env_is_no_settings_file() -> None:
    Path(".env").mkdir()
    assert read_settings().valid() == default_settings()


def test_it_reads_what_people_write_into_env_files() -> None:
    text = (
        "\ufeff# comment\r\n\r\nexport DDNS_NAME='office line' # mine\r\n"
        'DDNS_RECORDS="a.example.com,\nb.example.com"\nDDNS_TTL = 60\n'
    )
    Path(".env").write_bytes(text.encode())
    settings = read_settings().valid()
    records = (WantedRecord("a.example.com"), WantedRecord("b.example.com"))
    assert (settings.name, settings.records, settings.ttl) == ("office line", records, 60)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"DDNS_DATABASE_URL mysql://u:{SECRET}@db/d\n", 1),
        (f"\n# c\n\n\nDDNS_DATABASE_URL='mysql://u:{SECRET}@db/d\nDDNS_TTL=60\n", 5),
        (f"DDNS_TTL=60\nDDNS_RECORDS='a.example.com,\nb.example.com'\n{SECRET} {SECRET}", 4),
    ],
)
def test_a_broken_line_is_named_by_its_number_and_not_shown(text: str, line: int) -> None:
    write(Path(".env"), text)
    assert problems({}) == [f"{Path.cwd()}/.env, line {line} cannot be read; write NAME=value"]


def test_a_line_without_a_value_is_empty() -> None:
    write(Path(".env"), "DDNS_TTL\n")
    assert problems({}) == [f"DDNS_TTL is empty (set in {Path.cwd()}/.env); set a value or remove it"]


def test_an_env_file_that_is_not_text_is_named() -> None:
    Path(".env").write_bytes("DDNS_NAME=bücher\n".encode("latin-1"))
    user_env().parent.parent.write_text("a file where a folder should be")
    assert problems({}) == [f"cannot read {Path.cwd()}/.env: it is not UTF-8 text; save it as UTF-8"]


def test_aws_lines_reach_the_sdk(small_machine: Machine) -> None:
    small_machine.init()
    lines = [f"{key}={small_machine.environment[key]}" for key in small_machine.environment if key.startswith("AWS_")]
    write(small_machine.folder / ".env", "\n".join(["DDNS_TTL=60", *lines]))
    bare = {key: None for key in small_machine.environment if key.startswith("AWS_")}
    done = small_machine.ddns("run", **bare)
    assert (done.status, done.err) == (0, "")
    assert small_machine.aws.address(small_machine.zone_id) == "9.9.9.9"


def test_aws_lines_lose_against_the_environment(small_machine: Machine) -> None:
    small_machine.init()
    write(small_machine.folder / ".env", "DDNS_TTL=60\nAWS_ENDPOINT_URL=http://127.0.0.1:1\n")
    assert small_machine.ddns("run").status == 0
    assert small_machine.aws.address(small_machine.zone_id) == "9.9.9.9"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_may_stand_in_a_file(tmp_path: Path, end: str) -> None:
    file = write(tmp_path / "secret", f"mysql://u:{SECRET}@db/d{end}")
    database = load_with({"DDNS_DATABASE_URL_FILE": file}).database
    assert database == MySqlUrl("db", 3306, "u", SECRET, "d")


def test_the_file_of_a_secret_has_to_hold_one(tmp_path: Path) -> None:
    def said(file: Path) -> str:
        (problem,) = problems({"DDNS_DATABASE_URL_FILE": str(file)})
        assert problem.startswith(f"DDNS_DATABASE_URL_FILE={str(file)!r} ")
        return problem.removeprefix(f"DDNS_DATABASE_URL_FILE={str(file)!r} ")

    (tmp_path / "binary").write_bytes(b"\xff")
    advice = "name a file that holds the value"
    assert said(tmp_path / "missing") == f"cannot be read: No such file or directory; {advice}"
    assert said(tmp_path) == f"cannot be read: Is a directory; {advice}"
    assert said(tmp_path / "binary") == f"cannot be read: it is not UTF-8 text; {advice}"
    assert said(Path("/dev/zero")) == f"cannot be read: it is too long for a setting; {advice}"
    assert said(write(tmp_path / "empty", "\n")) == "is an empty file; put the value in it"
    assert said(write(tmp_path / "bad", f"{SECRET}\n")) == f"is not a URL; {FORMS}"


@pytest.mark.parametrize("variable", ["DDNS_DATABASE_URL", "DDNS_WEBHOOK_URLS", "DDNS_HEARTBEAT_URL"])
def test_a_url_in_place_of_the_file_that_holds_it_is_not_shown(variable: str) -> None:
    (problem,) = problems({f"{variable}_FILE": f"https://u:{SECRET}@a.example.com/{SECRET}"})
    assert problem == f"{variable}_FILE is a URL, not the path of a file; set {variable} to it instead"


def test_a_pipe_gives_a_secret_and_one_that_nobody_writes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write_end = os.pipe()
    os.write(write_end, f"mysql://u:{SECRET}@db/d\n".encode())
    os.close(write_end)
    database = load_with({"DDNS_DATABASE_URL_FILE": f"/dev/fd/{read}"}).database
    os.close(read)
    assert database == MySqlUrl("db", 3306, "u", SECRET, "d")
    monkeypatch.setattr(files, "_PIPE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (problem,) = problems({"DDNS_DATABASE_URL_FILE": str(tmp_path / "pipe")})
    assert "cannot be read: nobody writes to that pipe; " in problem


def test_a_secret_is_set_in_one_place_only(tmp_path: Path) -> None:
    file = write(tmp_path / "secret", f"mysql://u:{SECRET}@db/d")
    both = {"DDNS_DATABASE_URL": f"mysql://u:{SECRET}@db/d", "DDNS_DATABASE_URL_FILE": str(file)}
    assert problems(both) == ["DDNS_DATABASE_URL and DDNS_DATABASE_URL_FILE are both set; keep one of them"]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("mysql://u:p@db/d", ("db", 3306, "u", "p", "d")),
        ("MYSQL://u@DB.example.com:3307/d", ("db.example.com", 3307, "u", "", "d")),
        ("mysql://u:p%40s%2Fs%3Aw%23%3F%25%20@db/d", ("db", 3306, "u", "p@s/s:w#?% ", "d")),
        ("mysql://m%C3%BCller:p@[::1]:3306/d%20b", ("::1", 3306, "müller", "p", "d b")),
        ("mysql://müller:pässwörd€✓@db/d", ("db", 3306, "müller", "pässwörd€✓", "d")),
        ("mysql://u:p%C3%A4ss%E2%82%AC%E2%9C%93@db/d", ("db", 3306, "u", "päss€✓", "d")),
    ],
)
def test_a_mysql_url_is_taken_apart_and_decoded(url: str, parts: tuple[object, ...]) -> None:
    database = mysql(url)
    assert (database.host, database.port, database.user, database.password, database.database) == parts
    assert database.ssl_ca is None


def test_tls_is_asked_for_by_the_file_of_the_authority(tmp_path: Path) -> None:
    ca, cert, key = (write(tmp_path / name, "x") for name in ("ca.pem", "cert.pem", "key.pem"))
    strict = mysql(f"mysql://u:p@db/d?ssl_ca={ca}")
    assert (strict.ssl_ca, strict.ssl_cert, strict.ssl_key, strict.ssl_verify_identity) == (str(ca), None, None, True)
    full = mysql(f"mysql://u:p@db/d?ssl_ca={ca}&ssl_cert={cert}&ssl_key={key}&ssl_verify_identity=0")
    assert (full.ssl_ca, full.ssl_cert, full.ssl_key) == (str(ca), str(cert), str(key))
    assert full.ssl_verify_identity is False
    assert mysql(f"mysql://u:p@db/d?ssl_ca={ca}&ssl_verify_identity=1").ssl_verify_identity is True
    modes = [f"ssl_ca={ca}", f"ssl_mode=verify&ssl_ca={ca}", "ssl_mode=verify", "ssl_mode=required"]
    assert [mysql(f"mysql://u:p@db/d?{each}").ssl_mode for each in modes] == ["verify", "verify", "verify", "required"]
    assert mysql("mysql://u:p@db/d").ssl_mode is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/ddns.sqlite3", "/var/lib/ddns.sqlite3"),
        ("sqlite:///ddns.sqlite3", "ddns.sqlite3"),
        ("sqlite:////var/my%20folder/%231", "/var/my folder/#1"),
        ("sqlite:///~/ddns.sqlite3", "{home}/ddns.sqlite3"),
    ],
)
def test_an_sqlite_url_names_a_file(url: str, path: str) -> None:
    expected = SqliteUrl(Path(path.format(home=Path.home())))
    assert load_with({"DDNS_DATABASE_URL": url}).database == expected


NO_FILE = "names no file; write sqlite:////folder/ddns.sqlite3 (four slashes before a full path)"
PERCENT = "percent-encode special characters in UTF-8, as ä by %C3%A4"
PARAMETERS = "ssl_mode, ssl_ca, ssl_cert, ssl_key, server_public_key and ssl_verify_identity"
OTHER_ENCODING = f"is percent-encoded in another encoding than UTF-8; {PERCENT}"
LACKS = f"lacks the host, the user or the database; {FORMS}"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (SECRET, f"is not a URL; {FORMS}"),
        (f"mysql+pymysql://u:{SECRET}@db/d", f"begins with 'mysql+pymysql'; {FORMS}"),
        (f"mysql://u:{SECRET}@db", LACKS),
        (f"mysql://u:{SECRET}@db/", LACKS),
        (f"mysql://:{SECRET}@db/d", LACKS),
        (f"mysql://u:{SECRET}@/d", LACKS),
        (f"mysql://u@azure:12/{SECRET}@db/d", AFTER_HOST),
        (f"mysql://u:a/{SECRET}@db/d", f"is not a URL; {FORMS}"),
        (f"mysql://u:{SECRET}@db:port/d", f"is not a URL; {FORMS}"),
        (f"mysql://u:{SECRET}@db:65536/d", f"is not a URL; {FORMS}"),
        (f"mysql://u:{SECRET}[@db/d", f"is not a URL; {FORMS}"),
        (f"mysql://u:{SECRET}/x@db/d", f"is not a URL; {FORMS}"),
        (f"mysql://u:{SECRET}#x@db/d", f"is not a URL; {FORMS}"),
        (f"mysql://u:{SECRET}@db/d#x", "contains a '#', which ends the URL; write %23 instead"),
        (
            f"mysql://u:{SECRET}@db/d?charset=utf8",
            f"has an unknown parameter; use only {PARAMETERS}",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_ca=/missing",
            "has ssl_ca='/missing', which cannot be read: No such file or directory; name a readable file",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_ca=/{'n' * 300}",
            f"has ssl_ca='/{'n' * 300}', which cannot be read: File name too long; name a readable file",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_key={__file__}",
            "has ssl_key without ssl_mode; add ssl_mode=verify, or ssl_ca=FILE",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_verify_identity=1",
            "has ssl_verify_identity without ssl_ca; add ssl_ca=FILE to verify the server",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_ca={__file__}&ssl_verify_identity=no",
            "has ssl_verify_identity='no'; write 0 (for a certificate without the host's name) or 1",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_mode=VERIFY_CA",
            "has ssl_mode='VERIFY_CA'; write verify, or required for TLS without verifying the server",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_mode=required&ssl_ca={__file__}",
            "has ssl_ca and ssl_mode=required, which does not verify the server; write ssl_mode=verify",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_mode=verify&ssl_verify_identity=0",
            "has ssl_verify_identity without ssl_ca; add ssl_ca=FILE to verify the server",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_mode=required&ssl_key={__file__}",
            "has ssl_key without ssl_cert; add ssl_cert=FILE",
        ),
        (
            f"mysql://u:{SECRET}@db/d?ssl_mode=required&ssl_mode=verify",
            "has ssl_mode twice; keep one of them",
        ),
        *(
            (
                f"mysql://u:{SECRET}@db/d?server_public_key={__file__}&{tls}",
                f"has server_public_key, which is for a server without TLS, and {tls[:8]}; keep one of them",
            )
            for tls in ("ssl_mode=required", "ssl_mode=verify", f"ssl_cert={__file__}")
        ),
        (f"mysql://u:{SECRET}%E4@db/d", OTHER_ENCODING),
        (f"mysql://u%E4:{SECRET}@db/d", OTHER_ENCODING),
        (f"mysql://u:{SECRET}@db/d%E4", OTHER_ENCODING),
        (f"mysql://u:{SECRET}\udce4@db/d", f"is not UTF-8 text; {PERCENT}"),
        ("sqlite://", NO_FILE),
        ("sqlite:///", NO_FILE),
        ("sqlite://folder/file", NO_FILE),
        ("sqlite:///file?mode=ro", NO_FILE),
        ("sqlite:///file%00", NO_FILE),
        ("sqlite:////folder/a#b", "contains a '#', which ends the URL; write %23 instead"),
        ("sqlite:///~nobody-of-that-name/file", "begins with the home folder of an unknown user; write the full path"),
    ],
)
def test_a_bad_database_url_is_described_without_its_secret(url: str, problem: str) -> None:
    (found,) = problems({"DDNS_DATABASE_URL": url})
    assert found == f"DDNS_DATABASE_URL {problem}"
    assert SECRET not in found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"ftp://me:{SECRET}@ip.example.com/ip?key={SECRET}", "ip.example.com/ip…"),
        (f"https://me:{SECRET}@ip.example.com/ip#ip", "ip.example.com/ip#ip"),
        (f"https://ip.example.com:99999/?key={SECRET}", "https://ip.example.com:99999/…"),
        (f"https://ip.example.com:99999/?key=a@{SECRET}", "https:…"),
        (f"https://me:a?{SECRET}@ip.example.com/", "https:…"),
        (f"https://me:{SECRET}#b@ip.example.com/", "ip.example.com/"),
        (f"me:{SECRET}@ip.example.com", "ip.example.com"),
        (f"command:router --password '{SECRET}", "command:…"),
        (f"comand:router --password a,{SECRET}", "comand:router…"),
        (f"comand: {SECRET}", "comand:…"),
        (f"dns:myip.opendns.com@resolver1.opendns.com?key={SECRET}", "dns:myip.opendns.com@resolver1.opendns.com…"),
    ],
)
def test_the_secrets_of_a_bad_address_source_are_not_shown(text: str, shown: str) -> None:
    (found,) = problems({"DDNS_IP_SOURCES": text})
    assert found.startswith(f"DDNS_IP_SOURCES: {shown!r} {NO_SOURCE} ")
    assert SECRET not in found


def test_the_records_become_record_sets_of_the_families_that_are_kept() -> None:
    records = "a.example.com,b.example.com/A=Z1"
    settings = load_with({"DDNS_RECORDS": records, "DDNS_IP_FAMILIES": "ipv6,ipv4"})
    assert list(settings.record_sets.items()) == [
        (Record("a.example.com", "AAAA"), None),
        (Record("a.example.com", "A"), None),
        (Record("b.example.com", "A"), "Z1"),
    ]
    assert list(load_with({"DDNS_RECORDS": "a.example.com"}).record_sets) == [Record("a.example.com", "A")]


@pytest.mark.parametrize("file", [False, True])
def test_a_null_character_in_a_path_is_a_problem_and_no_crash(file: bool) -> None:
    lines = "DDNS_STATE_FOLDER='~a\0b'\nDDNS_DATABASE_URL='sqlite:///~a\0b'\n"
    tls = f"DDNS_DATABASE_URL='mysql://u:{SECRET}@db/d?ssl_ca=%00'\n"
    write(Path(".env"), tls if file else lines)
    assert len(found := problems({})) == (1 if file else 2)
    assert all(line.startswith(("DDNS_STATE_FOLDER=", "DDNS_DATABASE_URL ")) for line in found)


def test_settings_can_be_shown_without_their_secrets() -> None:
    write(user_env(), f"AWS_SECRET_ACCESS_KEY={SECRET}\n")
    url = {"DDNS_DATABASE_URL": f"mysql://u:{SECRET}@db/d", "DDNS_IP_SOURCES": f"https://ip.example.com/?key={SECRET}"}
    settings = load_with(url)
    assert settings.aws == {"AWS_SECRET_ACCESS_KEY": SECRET}
    assert SECRET not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("127.0.0.1:8245", "127.0.0.1", 8245),
        ("[::1]:8245", "::1", 8245),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[2001:DB8:0::7]:080", "2001:db8::7", 80),
    ],
)
def test_a_server_listens_on_an_address_and_a_port(text: str, address: str, port: int) -> None:
    listen = load_with({"DDNS_SERVE_LISTEN": text}).serve_listen
    assert (str(listen.address), listen.port) == (address, port)


@pytest.mark.parametrize(
    "text",
    ["8245", ":8245", "localhost:8245", "127.0.0.1", "::1:8245", "[127.0.0.1]:8245", "[fe80::1%eth0]:1", "[::1]"],
)
def test_a_server_listens_on_nothing_else(text: str) -> None:
    assert problems({"DDNS_SERVE_LISTEN": text}) == [
        f"DDNS_SERVE_LISTEN={text!r} is not an IP address with a port; write it as 127.0.0.1:8245 or [::1]:8245"
    ]


@pytest.mark.parametrize("port", ["", "http", "65536", "-1", "80x"])
def test_a_server_listens_on_a_port_that_exists(port: str) -> None:
    assert problems({"DDNS_SERVE_LISTEN": f"[::1]:{port}"}) == [
        f"DDNS_SERVE_LISTEN='[::1]:{port}' has no port between 0 and 65535; write [::1]:8245"
    ]


def test_the_password_of_the_status_page_is_shown_nowhere() -> None:
    settings = load_with({"DDNS_SERVE_STATUS_PASSWORD": SECRET})
    assert settings.serve_status_password == SECRET
    assert SECRET not in repr(settings)
    assert problems({"DDNS_SERVE_STATUS_PASSWORD": f"{SECRET}\x1b"}) == [
        "DDNS_SERVE_STATUS_PASSWORD holds a control character; use only printable characters"
    ]
