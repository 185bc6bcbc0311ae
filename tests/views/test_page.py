"""The page as a file: it holds all that it needs, nothing in it can run but its own scripts, and it stays small."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import matplotlib
import numpy as np
import pytest
from scenes import HOSTILE, picture_scene, token_scene, value_scene

from gatelab.errors import StoreError
from gatelab.views.page import SCRIPTS, page_html, write_page
from gatelab.views.page.packing import LARGEST, packed
from gatelab.views.scene import ROOM


class Reader(HTMLParser):
    """The elements of a page with their attributes and texts."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        self.elements.append(("", {}, []))

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def of(self, tag):
        return [(attributes, "".join(texts)) for name, attributes, texts in self.elements if name == tag]


@pytest.fixture(scope="module")
def page():
    return Reader(page_html(token_scene()))


def data_of(page):
    (found,) = [text for attributes, text in page.of("script") if attributes.get("type") == "application/json"]
    return json.loads(found)


def halves(part):
    return np.frombuffer(base64.b64decode(part["data"]), "<f2").reshape(part["shape"])


def test_nothing_is_loaded_from_elsewhere(page):
    outward = [
        (tag, name) for tag, attributes, _ in page.elements for name in attributes if name in {"src", "href", "action"}
    ]
    assert outward == []
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _, _ in page.elements}


def test_the_policy_names_the_two_scripts_by_their_content_and_forbids_the_rest(page):
    (policy,) = [own["content"] for own, _ in page.of("meta") if own.get("http-equiv") == "Content-Security-Policy"]
    scripts = [text for attributes, text in page.of("script") if "type" not in attributes]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert policy.split("; ")[0] == "default-src 'none'"
    assert policy.split("; ")[-1] == "script-src " + " ".join(f"'sha256-{own}'" for own in hashes)
    assert len(scripts) == 2


def test_texts_of_the_data_come_back_as_they_were_and_end_no_element(page):
    scene, found = token_scene(), data_of(page)
    assert len(page.of("script")) == 3
    assert [tuple(own["labels"]) for own in found["examples"]] == [own.labels for own in scene.examples]
    assert set(HOSTILE) <= {label for own in found["examples"] for label in own["labels"]}
    assert [side["title"] for side in found["sides"]] == ["lstm", "<f>"]
    assert [text for _, text in page.of("title")] == ["Two & <three>"]


def test_values_come_back_with_three_digits(page):
    found = data_of(page)
    for side, own in zip(token_scene().sides, found["sides"], strict=True):
        for watched, kept in zip(side.watched, own["watched"], strict=True):
            for values, part in zip(watched.values, kept["values"], strict=True):
                assert halves(part) == pytest.approx(values, rel=1e-3, abs=1e-6)
        assert own["says"][1][0][0] == [side.says[1][0][0][0], pytest.approx(side.says[1][0][0][1], rel=1e-3)]


def test_numbers_that_half_floats_lack():
    part = packed(np.array([1e9, -1e9, np.nan, 1e-9], np.float32))
    assert halves(part)[:2].tolist() == [LARGEST, -LARGEST]
    assert np.isnan(halves(part)[2]) and halves(part)[3] == 0


def test_a_model_that_has_diverged_has_a_page():
    scene = value_scene()
    lost = replace(scene.sides[0], says=(((("next", float("nan")),),) * 20,) * 2)
    found = data_of(Reader(page_html(replace(scene, sides=(lost,)))))
    assert found["sides"][0]["says"][0][0] == [["next", None]]


def test_a_full_page_is_under_8_megabytes():
    scene = picture_scene()
    side = scene.sides[0]
    values = (np.zeros((1000, ROOM // len(side.watched) // 1000), np.float32),)
    said = side.says[0][:1] * 1000
    watched = tuple(replace(one, values=values) for one in side.watched)
    full = replace(scene, sides=(replace(side, watched=watched, says=(said,) * 2),))
    assert 7_000_000 < len(page_html(full).encode()) < 8_000_000


@pytest.mark.parametrize(("name", "theirs"), [("BLUES", "Blues"), ("SIGNED", "cividis_r")])
def test_colours_are_those_of_the_pictures(name, theirs):
    text = files("gatelab.views.page").joinpath("colours.js").read_text()
    colours = re.findall("#[0-9a-f]{6}", re.search(rf"const {name} = (.*);", text)[1])
    shares = np.linspace(0, 1, len(colours))
    assert colours == [matplotlib.colors.to_hex(colour) for colour in matplotlib.colormaps[theirs](shares)]


def test_every_script_is_part_of_the_page_and_the_same_scene_gives_the_same_page():
    there = {path.name for path in files("gatelab.views.page").iterdir() if path.name.endswith(".js")}
    assert there == {f"{name}.js" for name in SCRIPTS}
    assert page_html(picture_scene()) == page_html(picture_scene())


def test_a_page_is_written_or_one_error_says_why_not(tmp_path):
    path = write_page(picture_scene(), tmp_path / "new" / "page.html")
    assert path.read_text(encoding="utf-8") == page_html(picture_scene())
    with pytest.raises(StoreError, match="can't be written"):
        write_page(picture_scene(), path / "page.html")
