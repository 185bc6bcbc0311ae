"""The page in a browser, from disk and without a network: every control, without a word on the console."""

import re

import pytest
import torch
from scenes import HOSTILE, picture_scene, token_scene, value_scene

from gatelab.nn.models import SequenceModel
from gatelab.probes.patterns import Span, find_similar
from gatelab.views.examples import Examples
from gatelab.views.page import write_page
from gatelab.views.scene import make_scene

pytest.importorskip("selenium", reason="tests in a browser need selenium")
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

pytestmark = pytest.mark.browser
FITS = "return document.documentElement.scrollWidth <= window.innerWidth"
SCENES = {"tokens": token_scene, "rows": picture_scene, "values": value_scene}
LOOKS = {"wide": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 800}}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The addresses of the pages, by the kind of input."""
    folder = tmp_path_factory.mktemp("pages")
    return {kind: write_page(scene(), folder / f"{kind}.html").as_uri() for kind, scene in SCENES.items()}


@pytest.fixture
def page(browser, pages):
    """The browser with the page of texts; in the end nothing may have been said or asked for."""
    browser.get(pages["tokens"])
    yield browser
    check_silence(browser)


def check_silence(browser):
    """Nothing was said on the console, and nothing was asked of a network."""
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)") == []


def state(page, name):
    return page.execute_script(f"return state.{name}")


def by_id(page, name):
    return page.find_element(By.ID, name)


def texts(page, selector):
    """The texts of elements, as they stand in the document."""
    return [one.get_property("textContent") for one in page.find_elements(By.CSS_SELECTOR, selector)]


def write(field, text):
    field.clear()
    field.send_keys(text)


def wait(page, condition):
    WebDriverWait(page, 20).until(lambda _: condition())


def use_every_control(browser):
    """Takes every choice that there is, then clicks on every button that can be seen."""
    for select in browser.find_elements(By.TAG_NAME, "select"):
        for option in Select(select).options if select.is_displayed() else ():
            option.click()
    for button in browser.find_elements(By.CSS_SELECTOR, "form button, summary, .equations button"):
        if button.is_displayed() and button.is_enabled():
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
            button.click()


@pytest.mark.parametrize("kind", SCENES)
def test_it_fits_any_screen_and_every_control_can_be_used(kind, browser, pages, looks, screenshot):
    browser.get(pages[kind])
    for name, options in LOOKS.items():
        looks(browser, **options)
        wait(
            browser, lambda: browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        )
        screenshot(name)
    figures = browser.find_elements(By.CLASS_NAME, "figure")
    assert len(figures) > 2 and all(one.find_elements(By.TAG_NAME, "svg") for one in figures)
    looks(browser)
    use_every_control(browser)
    screenshot("used")
    check_silence(browser)


def test_steps_by_buttons_slider_and_keys(page):
    for control, step in (("next", 1), ("next", 2), ("previous", 1), ("first", 0), ("previous", 0)):
        by_id(page, control).click()
        assert state(page, "step") == step
    page.execute_script("document.activeElement.blur()")
    right, left = Keys.ARROW_RIGHT, Keys.ARROW_LEFT
    for key, step in ((right, 1), (Keys.END, 11), (right, 11), (left, 10), (Keys.HOME, 0)):
        page.find_element(By.TAG_NAME, "body").send_keys(key)
        assert state(page, "step") == step
    by_id(page, "step").send_keys(right)
    assert by_id(page, "place").text.startswith("step 2 of 12: ")
    page.find_elements(By.CSS_SELECTOR, "#reading button")[9].click()
    assert state(page, "step") == 9
    by_id(page, "play").click()
    wait(page, lambda: state(page, "step") == 11 and by_id(page, "play").text == "Play")


def test_values_and_answers_are_those_of_the_scene(page):
    scene = token_scene()
    for side, own in enumerate(scene.sides):
        for watched in own.watched:
            found = page.execute_script(f"return [...watchedOf({side}, '{watched.key}').values[1].values]")
            assert found == pytest.approx(watched.values[1].flatten().tolist(), rel=1e-3, abs=1e-6)
    Select(by_id(page, "example")).select_by_value("1")
    by_id(page, "next").click()
    write(page.find_element(By.CSS_SELECTOR, ".side input"), "3, 77" + Keys.ENTER)
    assert state(page, "chosen")[0] == [3]
    written = texts(page, ".side:first-child .equations .number")
    expected = [watched.values[1][1, 3] for watched in scene.sides[0].watched]
    assert [float(text) for text in written] == pytest.approx(expected, rel=6e-3)
    assert texts(page, ".side:first-child .said > span:nth-child(3n + 1)") == ["bad", "<good> ✓"]


def shades(page):
    """Of each token its lightness from 0 to 1, and that of its text."""
    found = page.execute_script(
        "return [...document.querySelectorAll('#reading button')].map((one) => getComputedStyle(one))"
        ".map((style) => [style.backgroundColor, style.color])"
    )
    return [[sum(map(int, re.findall(r"\d+", colour)[:3])) / 765 for colour in own] for own in found]


@pytest.mark.parametrize("key", ["f", "c"])
def test_tokens_have_the_colours_of_the_heat_map_and_a_key_to_them(page, key):
    Select(by_id(page, "key")).select_by_value(key)
    write(page.find_element(By.CSS_SELECTOR, ".side input"), "2" + Keys.ENTER)
    (watched,) = [one for one in token_scene().sides[0].watched if one.key == key]
    most = max(abs(own).max() for own in watched.values)
    low, high = (0, 1) if key == "f" else (-most, most)
    heat = page.execute_script("return document.querySelector('.heat').data[0]")
    assert [heat["zmin"], heat["zmax"]] == pytest.approx([low, high], rel=1e-3)
    shading = by_id(page, "shading").text
    assert shading.startswith(f"Shaded by {key} of unit 2 in lstm, from ")
    ends = [float(end) for end in re.search(r"from (\S+) +to (\S+)\.$", shading).groups()]
    assert ends == pytest.approx([low, high], rel=5e-3)
    found = shades(page)
    order = sorted(range(12), key=lambda step: watched.values[0][step, 2])
    assert [found[step][0] for step in order] == sorted((shade for shade, _ in found), reverse=True)
    assert all(abs(shade - ink) > 0.4 for shade, ink in found)


def test_colours_over_the_values_here(page):
    Select(by_id(page, "colours")).select_by_value("here")
    own = next(one for one in token_scene().sides[0].watched if one.key == state(page, "key")).values[0]
    shading = by_id(page, "shading").text
    ends = [float(end) for end in re.search(r"from (\S+) +to (\S+)\.$", shading).groups()]
    assert ends == pytest.approx([own.min(), own.max()], rel=1e-2)


def test_a_click_on_the_heat_map_chooses_and_dragging_marks_a_span(page, screenshot):
    heat = page.find_element(By.CSS_SELECTOR, ".heat .nsewdrag")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", heat)
    before, step_wide = state(page, "chosen")[0], heat.size["width"] / 12
    at = {step: round(step_wide * (step - 6)) for step in (2.5, 3.6)}
    ActionChains(page).move_to_element_with_offset(heat, at[2.5], round(heat.size["height"] * 0.4)).click().perform()
    wait(page, lambda: state(page, "step") == 2)
    assert len(set(state(page, "chosen")[0]) ^ set(before)) == 1
    drag = ActionChains(page).move_to_element_with_offset(heat, at[3.6], 0).click_and_hold()
    drag.move_by_offset(round(1.3 * step_wide), 0).move_by_offset(round(1.3 * step_wide), 0).release().perform()
    wait(page, lambda: state(page, "span") is not None)
    assert state(page, "span") == {"begin": 3, "end": 7}
    assert [by_id(page, name).get_property("value") for name in ("begin", "end")] == ["4", "7"]
    screenshot("marked")


def test_the_search_finds_what_the_library_finds_and_a_click_goes_there(page, screenshot):
    for name, value in (("begin", "3"), ("end", "5")):
        write(by_id(page, name), value)
    by_id(page, "find").click()
    (watched,) = [one for one in token_scene().sides[0].watched if one.key == state(page, "key")]
    lengths = torch.tensor([len(own) for own in watched.values])
    values = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(own) for own in watched.values])
    theirs = find_similar(values, Span(0, 2, 5), range(6), lengths, measure="distance")
    found = page.execute_script("return findSimilar(watchedOf(0, state.key), 0, state.span, [0, 1, 2, 3, 4, 5])")
    firsts = {}
    for hit in found:
        firsts.setdefault(hit["example"], (hit["begin"], hit["end"], pytest.approx(hit["score"], abs=2e-3)))
    assert {one.sequence: (one.begin, one.end, one.score) for one in theirs} == firsts
    hits = page.find_elements(By.CSS_SELECTOR, "#hits button")
    assert len(hits) == len(found) > 3
    screenshot("found")
    hits[0].click()
    place = {"example": state(page, "example"), **state(page, "span")}
    assert place == {name: found[0][name] for name in ("example", "begin", "end")}


def test_what_cannot_be_searched_or_shown_is_said_in_words(page):
    page.execute_script("document.getElementById('search').noValidate = true")
    for begin, end in (("0", "2"), ("5", "3"), ("3", "99")):
        for name, value in (("begin", begin), ("end", end)):
            write(by_id(page, name), value)
        by_id(page, "find").click()
        assert by_id(page, "about-hits").text.startswith("A span lies within the steps 1 to 12")
    Select(by_id(page, "key")).select_by_value("o")
    notes = texts(page, ".side")
    assert "This model has no o." in notes[1] and "This model has no o." not in notes[0]


def test_negative_answers_go_the_other_way_and_those_left_out_are_said(browser, tmp_path):
    torch.manual_seed(0)
    names = tuple(f"{step} ahead" for step in range(1, 13))
    target = torch.zeros(1, 12)
    examples = Examples(torch.rand(5, 1, 1), "values", (("1",) * 5,), target, names, False, unit="in deviations")
    scene = make_scene(SequenceModel("f", 1, 3, 12).eval(), examples)
    browser.get(write_page(scene, tmp_path / "page.html").as_uri())
    answers = [number for _, number in scene.sides[0].says[0][0]]
    bars = browser.execute_script(
        "return [...document.querySelectorAll('.bar i')].map((one) => [one.style.left, one.style.width])"
    )
    assert min(answers) < 0 < max(answers)
    for answer, (left, width) in zip(answers, bars, strict=True):
        begin, length = float(left[:-1]), float(width[:-1])
        assert (begin + length if answer < 0 else begin) == pytest.approx(50, abs=1e-3)
    assert texts(browser, "h3 + .hint") == ["The first 10 of 12, in deviations."]
    headings = texts(browser, ".heat .annotation-text")
    assert headings[1:] == ["what is read, in deviations", "answer, 1 ahead, in deviations; dashed: asked"]
    assert by_id(browser, "asked").text.endswith("Asked for: 0 (1 ahead, in deviations).")
    check_silence(browser)


def test_units_that_are_not_there_are_said(page):
    field, missing = (page.find_element(By.CSS_SELECTOR, f".side {one}") for one in ("input", "label + .hint"))
    Select(by_id(page, "whose")).select_by_value("chosen")
    assert missing.text == ""
    write(field, "3, 99" + Keys.ENTER)
    assert missing.text == "There is no unit 99 here. Units to choose: 0 to 5."
    assert state(page, "chosen")[0] == [3] and "no unit" not in by_id(page, "saturation").text
    for text, said in (("99", "There is no unit 99 here. "), ("abc", "")):
        write(field, text + Keys.ENTER)
        assert missing.text == f"{said}No unit is chosen. Units to choose: 0 to 5."
        assert by_id(page, "saturation").text.startswith("lstm: no unit is chosen.")
    write(field, "2" + Keys.ENTER)
    assert missing.text == ""


@pytest.mark.parametrize(("channels", "words"), [(1, ""), (2, ", channels 1 to 2"), (9, ", channels 1 to 6 of 9")])
def test_channels_have_names_and_those_left_out_are_said(channels, words, browser, tmp_path):
    x = torch.rand(5, 1, channels)
    examples = Examples(x, "values", (("1",) * 5,), None, ("next",), are_classes=False)
    scene = make_scene(SequenceModel("f", channels, 3, 1).eval(), examples)
    browser.get(write_page(scene, tmp_path / "page.html").as_uri())
    assert texts(browser, ".heat .annotation-text")[1] == f"what is read{words}"
    names = [str(channel) for channel in range(1, channels + 1)][:6]
    assert texts(browser, ".heat .legendtext") == (names if channels > 1 else [])
    check_silence(browser)


def test_texts_are_only_texts(page):
    assert texts(page, "#reading button") == list(token_scene().examples[0].labels)
    assert page.title == "Two & <three>"
    assert page.find_elements(By.CSS_SELECTOR, "#reading script, #reading b, #tables i, #foot b, #finds b") == []
    assert texts(page, ".heat .xtick text")[0] == HOSTILE[0][:9] + "…"
    assert texts(page, "#tables td") == ["f", "0.5", "<i>", "0.25"]
