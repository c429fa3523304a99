"""The offline page in a real browser with the network off: it answers as Python does, and can be used."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from chromium import NEEDS_BROWSER, opened
from PIL import Image

from eyebright.exporting.base import ExportSource
from eyebright.exporting.formats.offline_page import OfflinePage
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel, sealed_with

pytestmark = NEEDS_BROWSER

CLOSE = 1e-3
CAMERA = "use-fake-ui-for-media-stream use-fake-device-for-media-stream"
IMAGES = 10


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    for driver in opened(tmp_path_factory.mktemp("profile"), f"{CAMERA} lang=en-US"):
        driver.execute_cdp_cmd("Network.enable", {})
        off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", off)
        yield driver


@pytest.fixture(scope="module")
def model(run: Path) -> SealedModel:
    return SealedModel(run, threads=1)


@pytest.fixture(scope="module")
def page(model: SealedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(model, tmp_path_factory.mktemp("page"))


def written(model: SealedModel, folder: Path) -> Path:
    OfflinePage().export(ExportSource(model, onnx.load(model.path)), folder)
    return folder / "index.html"


def resize(browser: Any, width: int) -> None:
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def show(browser: Any, page: Path, width: int = 1280) -> None:
    resize(browser, width)
    browser.get(page.as_uri())
    until(browser, "document.body.classList.contains('ready')")


def until(browser: Any, condition: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 120, 0.1).until(lambda b: b.execute_script(f"return {condition}"))


def choose(browser: Any, *paths: Path) -> list[dict[str, Any]]:
    """What the page found of the images, in their order."""
    browser.find_element("id", "files").send_keys("\n".join(map(str, paths)))
    return answered(browser, len(paths))


def answered(browser: Any, count: int) -> list[dict[str, Any]]:
    until(browser, f"items.length === {count} && items.every((item) => item.answer || item.error)")
    found: list[dict[str, Any]] = browser.execute_script(
        "return items.map(({name, answer, error, size}) => ({name, answer, error, size}))"
    )
    return found


def probabilities(model: SealedModel, path: Path) -> list[float]:
    prediction = model.predict(path)
    found = dict(zip(prediction.labels, prediction.probabilities, strict=True))
    return [found[label] for label in model.labels]


def complaints(browser: Any) -> list[Any]:
    return [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_ten_images_get_the_probabilities_that_python_gives(
    browser: Any, page: Path, model: SealedModel, val_images: list[Path]
) -> None:
    show(browser, page)
    paths = val_images[:: len(val_images) // IMAGES][:IMAGES]
    found = choose(browser, *paths)
    assert [item["name"] for item in found] == [path.name for path in paths]
    for item, path in zip(found, paths, strict=True):
        assert item["answer"]["probabilities"] == pytest.approx(probabilities(model, path), abs=CLOSE)
    assert complaints(browser) == []
    sent = [e["message"] for e in browser.get_log("performance") if "requestWillBeSent" in e["message"]]
    addresses = [json.loads(message)["message"]["params"]["request"]["url"] for message in sent]
    own = {"chrome", "chrome-untrusted"}  # the browser's own pages, before it shows this one
    assert {address.partition(":")[0] for address in addresses} <= {"file", "blob", "data"} | own


def test_images_of_other_kinds(
    browser: Any, page: Path, model: SealedModel, photographs: dict[str, Image.Image], tmp_path: Path
) -> None:
    """Turned by EXIF, transparent, grey, large, and of another coding."""
    astronaut = photographs["astronaut"]
    exif = Image.Exif()
    exif[0x0112] = 6
    photographs["cat"].save(tmp_path / "turned.jpg", exif=exif, quality=95)
    clear = astronaut.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(tmp_path / "clear.png")
    photographs["coffee"].convert("L").save(tmp_path / "grey.png")
    photographs["rocket"].save(tmp_path / "rocket.webp", lossless=True)
    astronaut.resize((3000, 2000), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=92)
    paths = sorted(path for path in tmp_path.iterdir() if path.is_file())
    show(browser, page)
    for item, path in zip(choose(browser, *paths), paths, strict=True):
        # Python's JPEG decoder makes large images smaller by itself; the page takes means of pixels.
        close = 0.02 if path.name == "large.jpg" else 2e-3
        assert item["answer"]["probabilities"] == pytest.approx(probabilities(model, path), abs=close), (
            path.name
        )
    assert browser.execute_script("return items.map((item) => item.size)")[-1] == [300, 451]


def test_pngs_of_16_bits_are_refused(browser: Any, page: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 4000, np.uint16)).save(tmp_path / "deep.png")
    show(browser, page)
    assert choose(browser, tmp_path / "deep.png")[0]["error"] == "deep"
    assert "This PNG has 16" in browser.find_element("css selector", ".card .alarm").text


def test_a_file_that_is_no_image_is_told(browser: Any, page: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("not an image")
    show(browser, page)
    assert choose(browser, tmp_path / "notes.jpg")[0]["error"] == "unreadable"
    assert "cannot read this file" in browser.find_element("css selector", ".card .alarm").text


@pytest.mark.parametrize(
    ("kind", "carrier", "target"),
    [("DragEvent", "dataTransfer", "inlet"), ("ClipboardEvent", "clipboardData", "choose")],
)
def test_images_are_dropped_and_pasted(
    browser: Any, page: Path, val_images: list[Path], kind: str, carrier: str, target: str
) -> None:
    show(browser, page)
    script = f"""
    const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "given.jpg", {{type: "image/jpeg"}}));
    const name = "{kind}" === "DragEvent" ? "drop" : "paste";
    const event = new {kind}(name, {{{carrier}: data, bubbles: true, cancelable: true}});
    document.getElementById("{target}").dispatchEvent(event);
    return event.defaultPrevented;
    """
    encoded = base64.b64encode(val_images[0].read_bytes()).decode("ascii")
    assert browser.execute_script(script, encoded)
    assert answered(browser, 1)[0]["name"] == "given.jpg"


def test_the_heat_map_is_switched_with_the_keyboard(browser: Any, page: Path, val_images: list[Path]) -> None:
    show(browser, page)
    choose(browser, val_images[0])
    canvas = browser.find_element("css selector", ".heat")
    assert not canvas.is_displayed()
    browser.find_element("id", "heat").send_keys(" ")
    assert canvas.is_displayed()
    image = browser.find_element("css selector", ".picture img")
    assert canvas.rect == pytest.approx(image.rect, abs=1)
    painted = "const c = document.querySelector('.heat'); return [...c.getContext('2d')"
    opacities = browser.execute_script(f"{painted}.getImageData(0, 0, c.width, c.height).data]")[3::4]
    assert max(opacities) == 200
    assert np.std(opacities) > 10


def test_it_speaks_chinese(browser: Any, page: Path, val_images: list[Path]) -> None:
    show(browser, page)
    assert browser.find_element("id", "choose").text == "Choose images"
    choose(browser, val_images[0])
    browser.find_element("css selector", "[data-lang=zh]").click()
    assert browser.find_element("id", "choose").text == "选择图像"
    assert browser.execute_script("return document.documentElement.lang") == "zh-Hans"
    left = browser.execute_script("return document.querySelector('main').innerText")
    assert "Remove" not in left
    assert "classes" not in left


def test_the_camera_answers_and_takes_a_picture(browser: Any, page: Path) -> None:
    show(browser, page)
    browser.find_element("id", "camera").click()
    # A probability, or that the pattern which the browser shows for a camera is unknown.
    until(browser, "document.getElementById('live').textContent !== ''")
    browser.find_element("id", "take").click()
    assert answered(browser, 1)[0]["name"] == "Photo"
    assert browser.execute_script("return stream === null && !document.getElementById('booth').open")


def test_an_image_is_removed(browser: Any, page: Path, val_images: list[Path]) -> None:
    show(browser, page)
    choose(browser, *val_images[:2])
    browser.find_element("css selector", ".remove").click()
    assert browser.execute_script("return document.activeElement.className") == "remove"
    browser.find_element("id", "clear").click()
    assert browser.find_elements("class name", "card") == []
    assert not browser.find_element("id", "tools").is_displayed()


@pytest.mark.parametrize(("threshold", "unknown"), [(-1e6, True), (1e6, False)])
def test_what_is_unknown(
    browser: Any, model: SealedModel, val_images: list[Path], tmp_path: Path, threshold: float, unknown: bool
) -> None:
    rule = json.loads(model.metadata["unknown"]) | {"threshold": threshold}
    decided = model.metadata | {"unknown": json.dumps(rule)}
    onnx.save(sealed_with(onnx.load(model.path), model.labels, decided), tmp_path / "model.onnx")
    show(browser, written(SealedModel(tmp_path), tmp_path))
    answer = choose(browser, val_images[0])[0]["answer"]
    assert answer["unknown"] is unknown
    assert (browser.find_element("css selector", ".card h2").text == "Unknown") is unknown


def test_operating_points_decide_on_the_page_too(
    browser: Any, decided_run: Run, textile: Path, tmp_path: Path
) -> None:
    model = SealedModel(decided_run.model, threads=1)
    paths = sorted((textile / "val").rglob("*.jpg"))
    wanted = [model.predict(path) for path in paths]
    show(browser, written(model, tmp_path))
    choose(browser, *paths)
    told = [heading.text for heading in browser.find_elements("css selector", ".card h2")]
    assert told == ["Unknown" if p.unknown else p.label for p in wanted]
    assert any(p.confidence < max(p.probabilities) for p in wanted)


def test_a_phone_never_scrolls_sideways(browser: Any, page: Path, val_images: list[Path]) -> None:
    show(browser, page, width=390)
    choose(browser, *val_images[:2])
    browser.find_element("id", "heat").send_keys(" ")
    for lang in ("en", "zh"):
        browser.find_element("css selector", f"[data-lang={lang}]").click()
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    assert complaints(browser) == []
