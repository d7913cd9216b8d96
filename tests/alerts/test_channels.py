"""The channels: what each sends over loopback, and what it makes of every answer."""

import gzip
import re
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.alerts.apprise import notify
from ddns_updater.alerts.delivery import send
from ddns_updater.alerts.event import Event, Kind
from ddns_updater.alerts.urls import ChannelSpec, parse_apprise, parse_webhooks
from ddns_updater.alerts.webhooks import post
from ddns_updater.errors import AlertError, SettingsError
from ddns_updater.lib.deadline import time_limit
from tests.support import services
from tests.support.database import load_settings_with
from tests.support.mysqld import MySqlServer, free_port
from tests.support.receivers import SECRET, Receiver, receiving

EVENT = Event(
    Kind.FAILING,
    datetime(2026, 3, 1, 12, 3, tzinfo=UTC),
    "line",
    "line: failing since 2026-03-01 12:00 UTC, 3 failed runs",
    "Cause: <b>&amp; @everyone *.a_b.example.com*. Nothing is lost.",
    {"failed_runs": 3, "reminder": 0},
)


def webhook(url: str) -> ChannelSpec:
    (spec,) = parse_webhooks(url)
    return spec


def service(url: str) -> ChannelSpec:
    (spec,) = parse_apprise(url)
    return spec


def said(url: str, event: Event = EVENT) -> AlertError | None:
    """Tell `event` to a webhook, and return how it refused."""
    try:
        post(webhook(url), event)
    except AlertError as error:
        refused = error
    else:
        return None
    assert SECRET not in str(refused)
    return refused


# Forms


def test_any_webhook_gets_the_event_as_json(receiver: Receiver) -> None:
    assert said(receiver.url) is None
    (request,) = receiver.got
    assert (request.method, request.path) == ("POST", f"/hook/{SECRET}")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "ddns-updater"
    assert request.json == {
        "schema": 1,
        "event": "failing",
        "time": "2026-03-01T12:03:00+00:00",
        "name": "line",
        "title": EVENT.title,
        "text": EVENT.text,
        "failed_runs": 3,
        "reminder": 0,
    }


SHORT = EVENT._replace(title="*.example.com A of _x_ is ~late~", text="ok")
MENTIONS = (
    "@everyone",
    "@channel",
    "@here",
    "@all",
    "@someone",
    "<!channel>",
    "<!subteam^S012|x>",
    "<@U012>",
    "<#C012>",
)


def slack_text(receiver: Receiver, event: Event) -> str:
    """Return what Slack gets of an event."""
    assert said(f"slack+{receiver.url}", event) is None
    ((key, text),) = receiver.got[-1].json.items()
    assert key == "text"
    return str(text)


def test_slack_and_its_like_get_a_block_of_code_in_which_marks_stay_as_they_are(receiver: Receiver) -> None:
    assert slack_text(receiver, SHORT) == "```\n*.example.com A of _x_ is ~late~\nok\n```"
    assert said(f"slack+{receiver.url}?x=1+1") is None
    assert receiver.got[-1].path == f"/hook/{SECRET}?x=1+1"
    assert slack_text(receiver, EVENT).splitlines() == [
        "```",
        "line: failing since 2026-03-01 12:00 UTC, 3 failed runs",
        "Cause: \u2039b\u203a&amp; @\u200beveryone *.a_b.example.com*. Nothing is lost.",
        "```",
    ]


def test_nothing_ends_that_block_early(receiver: Receiver) -> None:
    text = slack_text(receiver, SHORT._replace(title="a ``` b\n```\nc", text="Run `ddns doctor`"))
    assert text == "```\na ''' b ''' c\nRun 'ddns doctor'\n```"


def test_its_lines_are_short_because_not_every_service_wraps_them(receiver: Receiver) -> None:
    lines = slack_text(receiver, SHORT._replace(text="word " * 300 + "x" * 90)).splitlines()
    assert max(map(len, lines[:-2])) <= 76
    assert lines[-2] == "x" * 90


@pytest.mark.parametrize("mention", MENTIONS)
def test_no_chat_service_finds_a_mention(receiver: Receiver, mention: str) -> None:
    hostile = SHORT._replace(title=f"{mention} {mention}", text=f"x {mention}, y{mention}")
    notify(service(receiver.url.replace("http://", "json://")), hostile)
    sent = receiver.got[-1].json
    for text in (slack_text(receiver, hostile), sent["title"], sent["message"]):
        assert mention not in text
        assert not re.search(r"[@#]\w|<[@!#]", text)
    said(f"discord+{receiver.url}", hostile)
    assert receiver.got[-1].json["allowed_mentions"] == {"parse": []}


def test_discord_gets_an_embed_that_mentions_no_one(receiver: Receiver) -> None:
    assert said(f"DISCORD+{receiver.url}/a+b?thread_id=7") is None
    (request,) = receiver.got
    assert request.path == f"/hook/{SECRET}/a+b?thread_id=7"
    assert request.json["allowed_mentions"] == {"parse": []}
    (embed,) = request.json["embeds"]
    assert embed["title"] == r"line\: failing since 2026-03-01 12\:00 UTC, 3 failed runs"
    assert embed["description"] == r"Cause\: \<b\>&amp; \@everyone \*.a\_b.example.com\*. Nothing is lost."
    assert (embed["color"], embed["timestamp"]) == (0xE74C3C, "2026-03-01T12:03:00+00:00")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("**a** __b__ ~~c~~ ||d|| `e`", r"\*\*a\*\* \_\_b\_\_ \~\~c\~\~ \|\|d\|\| \`e\`"),
        ("> a", r"\> a"),
        ("# a", r"\# a"),
        ("-# a", r"\-\# a"),
        ("- a", r"\- a"),
        ("+ a", r"\+ a"),
        ("12. a", r"12\. a"),
        ("[a](https://b.example.com)", r"\[a\]\(https\://b.example.com\)"),
        ("<https://b.example.com>", r"\<https\://b.example.com\>"),
        ("2001:db8:100::1 :tada:", r"2001\:db8\:100\:\:1 \:tada\:"),
        ("<@1> <@&2> <#3> <:a:4> <t:5:R>", r"\<\@1\> \<\@&2\> \<\#3\> \<\:a\:4\> \<t\:5\:R\>"),
        ("a\\", "a\\\\"),
    ],
)
def test_discord_shows_marks_as_they_are(receiver: Receiver, text: str, escaped: str) -> None:
    said(f"discord+{receiver.url}", EVENT._replace(title=text, text=text))
    (embed,) = receiver.got[0].json["embeds"]
    assert (embed["title"], embed["description"]) == (escaped, escaped)


@pytest.mark.parametrize("text", ["x" * 9000, "*" * 9000, "x" + "*" * 9000])
def test_discord_is_sent_no_more_than_it_takes(receiver: Receiver, text: str) -> None:
    said(f"discord+{receiver.url}", EVENT._replace(title=text, text=text))
    (embed,) = receiver.got[0].json["embeds"]
    for part, most in ((embed["title"], 256), (embed["description"], 4096)):
        assert most - 2 <= len(part) <= most
        assert re.fullmatch(r"x*(\\\*)*…", part)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("hooks.slack.com/services/T/B/x", "text"),
        ("hooks.slack-gov.com/services/T/B/x", "text"),
        ("discord.com/api/webhooks/1/x", "embeds"),
        ("DiscordApp.com/api/webhooks/1/x", "embeds"),
        ("canary.discord.com/api/webhooks/1/x", "embeds"),
        ("discord.com/api/webhooks/1/x/slack", "text"),
        ("notdiscord.com/x", "schema"),
        ("discord.com.example.com/x", "schema"),
    ],
)
def test_the_form_is_known_by_the_host(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, host: str, key: str
) -> None:
    """A proxy stands for the hosts, to which nothing of this machine gets through; proxies are used."""
    monkeypatch.setenv("http_proxy", receiver.base)
    assert said(f"http://{host}") is None
    assert key in receiver.got[0].json


def test_a_login_is_sent_in_utf_8(receiver: Receiver) -> None:
    for login in ("mü€:pässwörd€✓", "m%C3%BC%E2%82%AC:p%C3%A4ssw%C3%B6rd%E2%82%AC%E2%9C%93"):
        assert said(receiver.url.replace("://", f"://{login}@")) is None
        assert b64decode(receiver.got[-1].headers["authorization"].removeprefix("Basic ")).decode() == "mü€:pässwörd€✓"


@pytest.mark.parametrize("login", ["mü:pä€", "m%C3%BC:p%C3%A4%E2%82%AC", "me:p€"])
def test_a_service_of_apprise_says_that_a_login_may_be_the_cause(receiver: Receiver, login: str) -> None:
    url = receiver.base.replace("http://", f"json://{login}@")
    with pytest.raises(AlertError) as caught:
        notify(service(url), EVENT)
    assert str(caught.value) == (
        "json://… did not accept it; its user or password is not ASCII, which Apprise does not send to every service;"
        " choose another"
    )
    assert receiver.got == []


def test_the_user_and_password_of_a_url_are_sent_and_none_of_the_home_folder(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert said(receiver.url) is None
    assert said(receiver.url.replace("://", "://me:p%40ss@")) is None
    assert [each.headers.get("authorization") for each in receiver.got] == [None, "Basic bWU6cEBzcw=="]


# Answers


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
def test_every_good_status_is_an_alert_taken(receiver: Receiver, status: str) -> None:
    receiver.play = services.answer("", status)
    assert said(receiver.url) is None


@pytest.mark.parametrize("status", ["500 No", "501 No", "502 No", "503 No", "504 No"])
def test_a_server_in_trouble_is_asked_again_by_a_later_run(receiver: Receiver, status: str) -> None:
    receiver.play = services.answer("", status)
    error = said(receiver.url)
    assert error
    assert (str(error), error.again, error.seconds) == (
        f"http://127.0.0.1/… answered with status {status[:3]}", True, 0,
    )  # fmt: skip
    assert len(receiver.got) == 1  # it may have been taken all the same


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("120", 120), (" 7 ", 7), ("99999999999", 21_600), ("soon", 0), ("-5", 0), ("1.5", 0), ("١٢", 0), ("", 0)],
)
def test_one_that_is_asked_too_often_is_left_alone_as_long_as_it_says(
    receiver: Receiver, asked: str, seconds: int
) -> None:
    receiver.play = services.send(
        f"HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\nRetry-After: {asked}\r\n\r\n".encode()
    )
    error = said(receiver.url)
    assert error
    assert (error.again, error.seconds, len(receiver.got)) == (True, seconds, 1)


def test_a_date_to_come_back_at_is_understood(receiver: Receiver) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    receiver.play = services.answer("", "503 Slow down", [f"Retry-After: {date}"])
    error = said(receiver.url)
    assert error
    assert 590 <= error.seconds <= 600


@pytest.mark.parametrize("status", ["400 No", "401 No", "403 No", "404 No", "410 Gone"])
def test_a_refusal_is_not_repeated(receiver: Receiver, status: str) -> None:
    receiver.play = services.answer("", status)
    error = said(receiver.url)
    assert error
    assert str(error) == f"http://127.0.0.1/… refused with status {status[:3]}; check its URL"
    assert (error.again, len(receiver.got)) == (False, 1)


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 No", "500 No"])
def test_the_huge_body_of_no_answer_is_read(receiver: Receiver, status: str) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: 10000000\r\nLocation: /\r\n\r\n"
    receiver.play = flood = services.Flood(head.encode(), 10_000_000)
    assert (said(receiver.url) is None) == (status == "200 OK")
    assert flood.was_refused()


def test_an_answer_is_not_unpacked(receiver: Receiver) -> None:
    answered = gzip.compress(b"OK (not found)")
    receiver.play = services.answer(answered, headers=["Content-Encoding: gzip"])
    assert send("POST", receiver.url, name="it", read=14) == answered[:14]
    assert receiver.got[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent", "304 Not Modified"])
def test_a_redirect_is_not_followed(receiver: Receiver, status: str) -> None:
    with receiving() as elsewhere:
        receiver.play = services.redirect(elsewhere.url, status)
        error = said(receiver.url)
        assert error
        assert f"redirect ({status[:3]}); use the URL it leads to" in str(error)
        assert not error.again
        assert elsewhere.got == []


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (services.send(b""), "closed the connection without an answer"),
        (services.send(b"SSH-2.0-OpenSSH_9.2\r\n"), "did not answer in HTTP"),
    ],
)
def test_what_was_sent_and_not_answered_is_not_repeated_at_once(
    receiver: Receiver, play: services.Play, reason: str
) -> None:
    receiver.play = play
    error = said(receiver.url)
    assert error
    assert str(error) == f"http://127.0.0.1/… {reason}"
    assert (error.again, len(receiver.got)) == (True, 1)


def test_a_closed_port_is_named_by_its_host_alone() -> None:
    error = said(f"http://127.0.0.1:{free_port()}/{SECRET}")
    assert error
    assert str(error) == "http://127.0.0.1/… cannot be reached: Connection refused"
    assert error.again


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


@pytest.mark.parametrize("play", [services.hang, services.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60, 0.2)])
def test_one_that_hangs_or_drips_is_left_when_its_time_is_over(receiver: Receiver, play: services.Play) -> None:
    receiver.play = play
    with (
        no_longer_than(2),
        pytest.raises(AlertError, match="not taken within 1 s"),
        time_limit(1, AlertError("not taken within 1 s")),
    ):
        post(webhook(receiver.url), EVENT)
    assert len(receiver.got) == 1


def test_one_that_hangs_in_the_middle_of_its_answer_has_taken_the_alert(receiver: Receiver) -> None:
    def play(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        services.hang(connection)

    receiver.play = play
    with no_longer_than(2):
        assert said(receiver.url) is None


def test_an_untrusted_certificate_is_refused(private_server: MySqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(certificates=private_server.folder) as receiver:
        error = said(receiver.url)
        assert error
        assert "has a certificate that could not be verified: " in str(error)
        assert receiver.got == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(private_server.folder / "ca.pem"))
        assert said(receiver.url) is None


def test_the_answer_is_read_only_as_far_as_it_is_asked_for(receiver: Receiver) -> None:
    receiver.play = services.answer("abcdef")
    assert send("POST", receiver.url, name="x") == b""
    assert send("POST", receiver.url, name="x", read=3) == b"abc"


# Apprise


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_event_can_be_sent_in_every_form(receiver: Receiver, kind: Kind) -> None:
    event = EVENT._replace(kind=kind)
    for url in (receiver.url, f"slack+{receiver.url}", f"discord+{receiver.url}"):
        assert said(url, event) is None
    notify(service(receiver.url.replace("http://", "json://")), event)
    assert len(receiver.got) == 4


pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise looks for it


def test_apprise_notifies_a_service_that_it_knows(receiver: Receiver) -> None:
    notify(service(receiver.url.replace("http://", "json://")), EVENT)
    (request,) = receiver.got
    assert request.path == f"/hook/{SECRET}"
    message = EVENT.text.replace("@", "@\u200b")
    assert (request.json["title"], request.json["message"]) == (EVENT.title, message)
    assert request.json["type"] == "failure"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("html", "&lt;b&gt;&nbsp;&amp;&nbsp;*x*&nbsp;[y](http://z)"),
        ("markdown", r"<b\> & \*x\* \[y\]\(http://z\)"),
    ],
)
def test_apprise_escapes_the_markup_of_a_service_that_has_one(receiver: Receiver, form: str, shown: str) -> None:
    event = EVENT._replace(text="<b> & *x* [y](http://z)")
    notify(service(receiver.url.replace("http://", "json://") + f"?format={form}"), event)
    assert receiver.got[-1].json["message"] == shown


@pytest.mark.parametrize(
    ("scheme", "status"), [("json", "302 Found"), ("json", "308 Permanent"), ("gotify", "307 Temporary")]
)
def test_apprise_follows_no_redirect(receiver: Receiver, scheme: str, status: str) -> None:
    with receiving() as elsewhere:
        receiver.play = services.redirect(elsewhere.url, status)
        with pytest.raises(AlertError, match="did not accept it"):
            notify(service(receiver.url.replace("http://", f"{scheme}://")), EVENT)
        assert receiver.got
        assert elsewhere.got == []


@pytest.mark.parametrize("play", [services.answer("", "500 No"), services.answer("", "404 No"), services.send(b"")])
def test_an_alert_that_an_apprise_service_refuses_is_retried_later(receiver: Receiver, play: services.Play) -> None:
    receiver.play = play
    with pytest.raises(AlertError) as caught:
        notify(service(receiver.url.replace("http://", "json://")), EVENT)
    assert (str(caught.value), caught.value.again) == ("json://… did not accept it", True)


@pytest.mark.parametrize("url", [f"nothing-known://{SECRET}", "json:///", f"tgram://{SECRET}"])
def test_a_url_that_apprise_does_not_know_is_a_mistake_to_correct(url: str) -> None:
    with pytest.raises(AlertError, match="is not a valid Apprise URL; correct DDNS_NOTIFY_URLS") as caught:
        notify(service(url), EVENT)
    assert SECRET not in str(caught.value)
    assert not caught.value.again


def test_an_apprise_service_that_hangs_is_left_when_its_time_is_over(receiver: Receiver) -> None:
    receiver.play = services.hang
    with no_longer_than(2), pytest.raises(AlertError, match="over"), time_limit(1, AlertError("over")):
        notify(service(receiver.url.replace("http://", "json://")), EVENT)


# Settings


def test_urls_are_listed_by_commas_or_line_by_line_and_may_hold_commas(tmp_path: Path) -> None:
    web = ("https://a.example.com/x,y?z=1,2", "slack+https://b.example.com/", "https://c.example.com")
    written = f"{web[0]},{web[1]} , {web[2]},{web[0]},"
    assert load_settings_with({"DDNS_WEBHOOK_URLS": written}).webhooks == tuple(map(webhook, web))
    file = tmp_path / "urls"
    file.write_text("\n".join(web) + "\n\n")
    webhooks = load_settings_with({"DDNS_WEBHOOK_URLS_FILE": file}).webhooks
    assert webhooks == tuple(map(webhook, web))
    assert [(spec.form, spec.url) for spec in webhooks] == [
        ("json", web[0]),
        ("slack", "https://b.example.com/"),
        ("json", web[2]),
    ]
    others = ("mailto://me:secret@example.com?to=a@example.com,b@example.com", "ntfy://topic")
    file.write_text("\r\n".join(others))
    services = load_settings_with({"DDNS_NOTIFY_URLS_FILE": file}).apprise
    assert services == tuple(map(service, others))
    assert tuple(spec.url for spec in services) == others
    file.write_text("https://hc-ping.com/x?create=1\n")
    heartbeat = load_settings_with({"DDNS_HEARTBEAT_URL_FILE": file}).heartbeat
    assert heartbeat
    assert heartbeat.url == "https://hc-ping.com/x?create=1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DDNS_WEBHOOK_URLS", f"https://good.example.com,ftp://{SECRET}"),
        ("DDNS_WEBHOOK_URLS", f"https://[{SECRET}"),
        ("DDNS_WEBHOOK_URLS", f"https://h.example.com:99999/{SECRET}"),
        ("DDNS_WEBHOOK_URLS", f"https:///{SECRET}"),
        ("DDNS_WEBHOOK_URLS", f"https://h.example.com/{SECRET} {SECRET}"),
        ("DDNS_WEBHOOK_URLS", f"teams+https://h.example.com/{SECRET}"),
        ("DDNS_WEBHOOK_URLS", SECRET),
        ("DDNS_NOTIFY_URLS", f"ntfy://a,{SECRET}://"),
        ("DDNS_NOTIFY_URLS", SECRET),
        ("DDNS_HEARTBEAT_URL", f"hc-ping.com/{SECRET}"),
        ("DDNS_HEARTBEAT_URL", f"slack+https://h.example.com/{SECRET}"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_url_that_is_none_is_refused_and_never_shown(tmp_path: Path, name: str, value: str, in_file: bool) -> None:
    file = tmp_path / "secret"
    file.write_text(value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings_with({f"{name}_FILE": file} if in_file else {name: value})
    assert SECRET not in str(caught.value)
    assert "write " in str(caught.value)


@pytest.mark.parametrize("name", ["DDNS_WEBHOOK_URLS", "DDNS_NOTIFY_URLS", "DDNS_HEARTBEAT_URL"])
def test_a_url_of_bytes_that_are_not_utf_8_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not UTF-8 text; percent-encode .* as ä by %C3%A4$"):
        load_settings_with({name: f"https://x.example.com/{SECRET}\udcff"})


@pytest.mark.parametrize("name", ["DDNS_WEBHOOK_URLS", "DDNS_NOTIFY_URLS", "DDNS_HEARTBEAT_URL"])
def test_a_url_is_given_in_one_way(tmp_path: Path, name: str) -> None:
    file = tmp_path / "empty"
    file.write_text("\n")
    with pytest.raises(SettingsError, match="are both set; keep one of them"):
        load_settings_with({name: f"https://x.example.com/{SECRET}", f"{name}_FILE": file})
    with pytest.raises(SettingsError, match="is an empty file; put the value in it"):
        load_settings_with({f"{name}_FILE": file})


def test_settings_show_no_url() -> None:
    urls = dict.fromkeys(("DDNS_WEBHOOK_URLS", "DDNS_NOTIFY_URLS"), f"https://x.example.com/{SECRET}")
    settings = load_settings_with({**urls, "DDNS_HEARTBEAT_URL": f"https://x.example.com/{SECRET}"})
    assert SECRET not in repr(settings)
    assert all(re.fullmatch("[0-9a-f]{12}", spec.key) for spec in settings.channels)
