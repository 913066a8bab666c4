"""A real browser in which reports are opened as by a user."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)

type Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Where CI has none, that is a failure and no reason to skip."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        reason = f"none of {', '.join(BROWSERS)} is installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


class Watched:
    """What a page tried that a report has no business with."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.on("popup", lambda popup: self.complaints.append(f"popup {popup.url}"))


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Give what opens a page; in the end none may have asked for anything, or complained."""
    contexts: list[BrowserContext] = []
    watched: list[tuple[Watched, str]] = []

    def open_page(
        html: Iterable[str], *, scheme: str = "light", scripts: bool = True, width: int = 1200
    ) -> Page:
        file = tmp_path / f"report-{len(contexts)}.html"
        with file.open("w", encoding="utf-8") as out:
            out.writelines(html)
        context = browser.new_context(
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
        )
        contexts.append(context)
        page = context.new_page()
        watch = Watched(page)
        page.goto(file.as_uri())
        watched.append((watch, file.as_uri()))
        return page

    yield open_page
    for context in contexts:
        context.close()
    for watch, address in watched:
        assert watch.requests == [address]
        assert watch.complaints == []
