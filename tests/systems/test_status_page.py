"""The status page in a real browser: as a file, and from the server, with one host and with thousands."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from ddns_updater.model import Incident
from ddns_updater.output.status_page import content_security_policy, status_page
from ddns_updater.server.operator_login import OperatorLogin
from ddns_updater.server.status_route import StatusRoute
from tests.support.chromium import Browser
from tests.support.operator import PASSWORD, CountingLogins, serving
from tests.support.statuses import NOW, statuses

_PHONE, _LAPTOP = 360, 1440

# Every text whose colour has a lower contrast to what is behind it than WCAG 2.2 asks for (1.4.3).
_FAINT = """
(() => {
  const light = (text) => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? behind(element.parentElement) : colour;
  };
  const faint = [];
  for (const each of document.querySelectorAll("body *")) {
    if (![...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [one, other] = [light(getComputedStyle(each).color), light(behind(each))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${each.tagName} ${contrast.toFixed(2)} ${each.textContent.slice(0, 30)}`);
  }
  return faint;
})()
"""

# Every cell whose content is wider than it.
_OVERFULL = """
[...document.querySelectorAll("td, th")].filter((each) => each.scrollWidth > each.clientWidth + 1
  && getComputedStyle(each.closest("thead") || each).position !== "absolute").map((each) => each.textContent)
"""


class Page(NamedTuple):
    """A page that shows so many hosts."""

    number: int
    url: str


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=[1, 50, 5000])
def text(request: pytest.FixtureRequest) -> tuple[int, str]:
    """Give the page of so many hosts."""
    incident = Incident(NOW, 8, "Route 53 refused home.example.com A: AccessDenied", 1)
    return request.param, status_page(*statuses(request.param, incident=incident if request.param == 50 else None))


@pytest.fixture(scope="module", params=["file", "server"])
def page(
    request: pytest.FixtureRequest, text: tuple[int, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """Give where a browser finds that page: in the file that cron wrote, or on the server."""
    number, html = text
    if request.param == "file":
        file = tmp_path_factory.mktemp("page") / "status.html"
        file.write_text(html)
        yield Page(number, file.as_uri())
        return
    login = OperatorLogin(PASSWORD, CountingLogins())
    with serving(StatusRoute(login, lambda: html, content_security_policy()).answer) as url:
        yield Page(number, url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [_PHONE, _LAPTOP])
def test_it_shows_without_a_complaint_a_request_or_anything_beyond_its_edge(
    browser: Browser, page: Page, width: int, scheme: str, tmp_path: Path
) -> None:
    look = browser.look(page.url, width=width, scheme=scheme)
    (tmp_path / f"{page.number}-{width}-{scheme}.png").write_bytes(look.picture)  # kept if this fails
    assert look.complaints == ()
    assert {urlsplit(each).path for each in look.requested} == {urlsplit(page.url).path}
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.querySelectorAll('table.hosts tbody').length") == page.number
    dark = browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    assert dark == (scheme == "dark")


def test_nothing_overlaps_or_overflows_at_any_width(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "status.html").write_text(status_page(*statuses(50)))
    browser.look((tmp_path / "status.html").as_uri(), width=_LAPTOP, scheme="light")
    for width in range(320, 2000, 40):
        browser.resize(width)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(_OVERFULL) == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(
    browser: Browser, tmp_path: Path, text: tuple[int, str], scheme: str
) -> None:
    (tmp_path / "status.html").write_text(text[1])
    browser.look((tmp_path / "status.html").as_uri(), width=_LAPTOP, scheme=scheme)
    assert browser.evaluate(_FAINT) == []


@pytest.mark.parametrize("width", [_PHONE, _LAPTOP])
def test_a_screen_reader_finds_tables_at_every_width(browser: Browser, tmp_path: Path, width: int) -> None:
    (tmp_path / "status.html").write_text(status_page(*statuses(50)))
    browser.look((tmp_path / "status.html").as_uri(), width=width, scheme="light")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [each["role"]["value"] for each in nodes if not each["ignored"]]
    assert roles.count("table") == 3
    assert roles.count("columnheader") == 3 + 2 * 6
    assert roles.count("rowheader") == 2 + 50
    assert {"banner", "main", "contentinfo", "region", "heading", "caption"} <= set(roles)
    assert "image" not in roles
