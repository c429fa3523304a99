"""The studio in a notebook's frame, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromium import NEEDS_BROWSER, opened

pytest.importorskip("IPython", reason="needs a notebook's packages")

from eyebright.colab import show_studio

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that a server of another port on this machine shows, as Jupyter does."""
    folder = tmp_path / "notebook"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://localhost:{server.server_address[1]}"
        server.shutdown()


def test_the_frame_shows_the_studio_and_forms_work(
    browser: Any, notebook: tuple[Path, str], textile: Path, tmp_path: Path
):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    folder, address = notebook
    (tmp_path / "photos").mkdir()
    studio = show_studio(tmp_path / "photos")
    try:
        (folder / "index.html").write_text(f'<iframe src="{studio.url}" width="900" height="600"></iframe>')
        browser.get(f"{address}/index.html")
        browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
        WebDriverWait(browser, 120).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".drop"))
        # Another page, by the cookie alone.
        browser.get_log("browser")
        browser.execute_script("location.href = '/label'")
        WebDriverWait(browser, 120).until(lambda b: b.execute_script("return location.pathname") == "/label")
        assert browser.find_elements(By.TAG_NAME, "nav") or "Eyebright" in browser.page_source
    finally:
        studio.close()
    assert studio.process.poll() is not None
