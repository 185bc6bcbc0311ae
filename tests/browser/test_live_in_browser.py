"""The live view in a browser: a text is typed, bits are flipped, a digit is drawn, gates are held, spans are found."""

import threading

import pytest

from gatelab.training.fit import fit
from gatelab.training.settings import make_settings

pytest.importorskip("dash", reason="the live view needs dash")
pytest.importorskip("selenium", reason="tests in a browser need selenium")
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from gatelab.views.app.room import Room
from gatelab.views.app.server import make_live_server
from gatelab.views.live.exhibits import open_exhibits

pytestmark = pytest.mark.browser
GOOD, BAD = "a fine film full of joy", "a poor film full of tedium"
PLACES = """
const plot = document.querySelector("#figure .js-plotly-plot"), {xaxis, yaxis} = plot._fullLayout;
const {left, top} = plot.getBoundingClientRect(), x = (step) => Math.round(left + xaxis._offset + xaxis.d2p(step));
return [x(arguments[0]), x(arguments[1]), Math.round(top + yaxis._offset + 20)];
"""
"""Where two steps are in the window, and how high the first panel is."""
FITS = """
const widths = [...document.querySelectorAll("html, .main-svg")].map((one) => one.getBoundingClientRect().width);
return Math.max(document.documentElement.scrollWidth, ...widths) <= arguments[0];
"""
"""Whether the page and its figure are no wider than so many pixels."""
PATIENCE = 30
"""Seconds that a busy machine may take to answer."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the live view of three small runs is served."""
    folder = tmp_path_factory.mktemp("live")
    data = folder / "texts.csv"
    data.write_text("text,label\n" + "".join(f"{GOOD} {n},good\n{BAD} {n},bad\n" for n in range(40)))
    options = {"csv": str(data), "vectors": "learned", "dimensions": 4, "validation": 0}
    chosen = {"epochs": 12, "batch_size": 8, "learning_rate": 0.02, "options": options}
    wanted = [
        make_settings("sentiment", "f", 6, (0,), **chosen),
        make_settings("parity", "lstm", 2, (0,), steps=2),
        make_settings("digits", "gru", 3, (0,), steps=2),
    ]
    for settings in wanted:
        fit(settings, folder / settings.task)
    server = make_live_server(Room(open_exhibits([folder / settings.task for settings in wanted])))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser, address):
    """The browser with the live view; in the end nothing may have been said on the console."""
    browser.get(address)
    until(browser, lambda: text(browser, "#now strong") and browser.find_elements(By.CSS_SELECTOR, "#figure .y2"))
    yield browser
    assert browser.get_log("browser") == []


def until(page, reached):
    return WebDriverWait(page, PATIENCE).until(lambda _: reached())


def text(page, selector):
    """The texts of all elements, one after the other, in one look, since they may be drawn anew meanwhile."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent).join(' ')"
    return page.execute_script(script, selector)


def write(page, words):
    field = page.find_element(By.ID, "written")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(words)


def choose_run(page, place):
    page.find_elements(By.CSS_SELECTOR, "#run input")[place].click()


def hold(page, gate, value):
    page.find_elements(By.CSS_SELECTOR, f'[aria-label="hold {gate}"] input')[("", "0", "1").index(value)].click()


def drag(page, first, last):
    """Drags over the first panel; to be repeated, since a drawing that is under way lets go of the pointer."""
    begin, end, height = page.execute_script(PLACES, first, last)
    actions = ActionChains(page).w3c_actions
    pointer = actions.pointer_action.move_to_location(begin, height).pointer_down()
    pointer.move_to_location((begin + end) // 2, height).move_to_location(end, height).pointer_up()
    actions.perform()
    return True


def marked(page):
    return [page.find_element(By.ID, name).get_property("value") for name in ("begin", "end")]


def test_a_typed_sentence_changes_the_prediction_and_a_held_gate_breaks_it(page, screenshot, looks):
    write(page, GOOD)
    until(page, lambda: text(page, "#now strong") == "good")
    write(page, BAD)
    until(page, lambda: text(page, "#now strong") == "bad")
    until(page, lambda: "tedium" in text(page, "#figure .xaxislayer-above"))
    screenshot("typed")
    hold(page, "f", "1")  # Nothing is ever written into the state.
    until(page, lambda: text(page, "#now .answer > .hint") == "as it is held")
    assert text(page, "#now .as-it-is strong") == "bad"
    until(page, lambda: "held: 50.0 % right" in text(page, "#scores"))
    assert "As it is: 100.0 % right" in text(page, "#scores")
    screenshot("held")
    looks(page, dark=True)
    screenshot("dark")
    looks(page, width=390, height=800)
    until(page, lambda: page.execute_script(FITS, 390))
    screenshot("phone")
    hold(page, "f", "")
    until(page, lambda: not page.find_elements(By.CSS_SELECTOR, "#now .held"))


def test_what_cannot_be_read_is_told_in_words(page, screenshot):
    write(page, "a zebra film")
    until(page, lambda: "'zebra'" in text(page, "#notes"))
    write(page, Keys.DELETE)
    until(page, lambda: "There is no word to read." in text(page, "#error"))
    assert not text(page, "#notes")
    screenshot("error")
    write(page, GOOD)
    until(page, lambda: not text(page, "#error"))


def test_a_span_is_dragged_and_its_like_is_taken(page, screenshot):
    write(page, f"{GOOD} <and")
    until(page, lambda: "<unknown>" in text(page, "#figure .xaxislayer-above"))
    until(page, lambda: drag(page, 1.7, 3.2) and marked(page) == ["2", "3"])
    page.find_element(By.ID, "find").click()
    until(page, lambda: "fine film" in text(page, "#likes mark"))
    screenshot("likes")
    page.find_element(By.CSS_SELECTOR, "#likes button").click()
    until(page, lambda: page.find_element(By.ID, "written").get_property("value") == GOOD)


def test_bits_are_flipped_by_mouse_and_keys(page, screenshot):
    choose_run(page, 1)
    written = page.find_element(By.ID, "written")
    until(page, lambda: text(page, "#surface .bits") == "0110100")
    page.find_element(By.CSS_SELECTOR, "#surface .bits button").click()
    until(page, lambda: written.get_property("value") == "1110100")
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT, Keys.SPACE)
    until(page, lambda: written.get_property("value") == "1010100")
    page.find_element(By.XPATH, "//button[text()='one more']").click()
    until(page, lambda: text(page, "#surface .bits") == "10101000")
    hold(page, "f", "0")
    until(page, lambda: text(page, "#now .held"))
    screenshot("bits")


def test_a_digit_is_drawn(page, screenshot):
    choose_run(page, 2)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "#surface .picture"))
    page.find_element(By.XPATH, "//button[text()='clear']").click()
    written = page.find_element(By.ID, "written")
    until(page, lambda: set(written.get_property("value")) == {"0", "\n"})
    cells = page.find_elements(By.CSS_SELECTOR, "#surface .picture button")
    stroke = ActionChains(page).move_to_element(cells[3]).click_and_hold()
    for row in range(1, 8):
        stroke = stroke.move_to_element(cells[8 * row + 3])
    stroke.release().perform()
    until(page, lambda: [row[3] for row in written.get_property("value").split()] == ["g"] * 8)
    until(page, lambda: "%" in text(page, "#now"))
    screenshot("drawn")
