"""A headless Chromium without a network, for pages and for what is served at this machine alone."""

import base64
import os
import re
import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="tests in a browser need selenium")

HERE = "127.0.0.1"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"),
    *("--force-device-scale-factor=1", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HERE}"),
)


@pytest.fixture(scope="session")
def chromium():
    """The one browser of all tests, as starting it takes longer than most of them."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("no chromium and chromedriver; install Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def look(browser, width=1280, height=900, dark=False):
    """Gives the window a size, that of a phone if it is narrow, and says whether the system is dark."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


@pytest.fixture
def browser(chromium):
    """The browser as it is at first: wide, light, with an empty page and nothing said on the console."""
    look(chromium)
    chromium.get("about:blank")
    chromium.get_log("browser")
    return chromium


@pytest.fixture
def looks():
    """The function `look`, for a test to change how its page is shown."""
    return look


@pytest.fixture
def screenshot(browser, tmp_path, request):
    """A function that keeps a picture of the whole page, in the folder GATELAB_SCREENSHOTS if that is set."""
    folder = Path(os.environ.get("GATELAB_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def keep(name):
        found = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        test = re.sub(r"\W+", "-", request.node.name).strip("-")
        path = folder / f"{test}-{name}.png"
        path.write_bytes(base64.b64decode(found["data"]))
        return path

    return keep
