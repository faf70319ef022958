"""One server and one browser for all browser tests.

They end with the last of these tests: while playwright runs, an event loop runs in this thread, and tests that come
later could not have one of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.lab import ARTIFACTS, Lab, running_lab

QUIET = ("gpu", "quic", "background-networking", "component-update", "sync")


def chromium() -> str:
    """Path of Debian's chromium, installed when it is not there."""
    if shutil.which("chromium") is None:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
        wanted = ["chromium", "fonts-dejavu-core"]
        subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted], check=True)
    found = shutil.which("chromium")
    assert found is not None
    return found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium; it calls nobody."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--no-first-run", *[f"--disable-{name}" for name in QUIET]]
        yield playwright.chromium.launch(executable_path=chromium(), args=arguments)


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page as wide as a laptop's."""
    ARTIFACTS.mkdir(exist_ok=True)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()
