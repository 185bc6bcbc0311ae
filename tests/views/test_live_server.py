"""The server of the live view: where it listens, what it gives, and what it refuses."""

import json

import numpy as np
import pytest

from gatelab.errors import OptionError
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings

pytest.importorskip("dash", reason="the live view needs dash")
from dash import no_update

from gatelab.cli.main import main
from gatelab.views.app import layout, words
from gatelab.views.app.room import Room, Seen
from gatelab.views.app.server import MOST_BYTES, make_app, make_live_server
from gatelab.views.app.wiring import FAILED, Wiring, example_text, mark
from gatelab.views.live.exhibits import open_exhibits
from gatelab.views.live.hands import Typed
from gatelab.views.live.looks import Look

CALLBACK = "/_dash-update-component"


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    fit(make_settings("parity", "lstm", 3, (0,), steps=2), folder / "parity")
    fit(make_settings("digits", "elman", 4, (0,), steps=2), folder / "digits")
    return Room(open_exhibits([folder / "parity", folder / "digits"]))


@pytest.fixture
def client(room):
    return make_app(room).server.test_client()


def test_it_listens_on_this_machine_only(room):
    server = make_live_server(room)
    try:
        assert server.server_address[0] == "127.0.0.1"
        assert server.server_port > 0
        with pytest.raises(OptionError, match="--port"):
            make_live_server(room, server.server_port)
    finally:
        server.server_close()


def test_the_page_and_its_assets_are_there(client):
    for path in ("/", "/_dash-layout", "/assets/style.css", "/assets/hand.js"):
        with client.get(path) as answer:
            assert answer.status_code == 200, path
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert 'src="http' not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../server.py",
        "/assets/%2e%2e/server.py",
        "/assets//etc/passwd",
        "/assets/nothing.css",
        "/_dash-component-suites/dash/nothing.js",
        "/_mcp",
        "/etc/passwd",
        "/model.safetensors",
    ],
)
def test_no_file_can_be_read_by_its_path(client, path):
    with client.get(path) as answer:
        assert answer.status_code == 404


def test_too_much_is_refused(client):
    answer = client.post(CALLBACK, data=b"[" * (MOST_BYTES + 1), content_type="application/json")
    assert answer.status_code == 413


def test_a_page_from_elsewhere_gets_nothing(client):
    assert client.get("/_dash-layout", headers={"Host": "localhost:80"}).status_code == 200
    assert client.get("/_dash-layout", headers={"Host": "elsewhere.example"}).status_code == 400
    assert "Access-Control-Allow-Origin" not in client.get("/").headers


def ask(client, output, inputs, state):
    """What a callback gives, as the page asks for it; `output` as in "scores.children"."""
    outputs = [dict(zip(("id", "property"), one.split("."), strict=True)) for one in output.strip(".").split("...")]
    wish = {"output": output, "outputs": outputs if output.startswith("..") else outputs[0], "inputs": inputs}
    return client.post(CALLBACK, json={**wish, "changedPropIds": [], "state": state})


def value(name, given, part="value"):
    return {"id": name, "property": part, "value": given}


def drawn(client, written, gate="0"):
    gates = [value({"name": name, "type": "gate"}, gate) for name in ("i", "f", "o")]
    wanted = {"shown": ["f"], "side": "held", "focus": "c", "units": [0], "begin": None, "end": None}
    names = [value(gate["id"], gate["id"], "id") for gate in gates]
    inputs = [value("written", written), gates, *(value(name, given) for name, given in wanted.items())]
    return ask(client, DRAWN, inputs, [value("run", 0), names])


DRAWN = "..figure.figure...now.children...notes.children...error.children.."


def test_an_input_is_answered_with_a_figure(client):
    found = drawn(client, "0110").json["response"]
    assert len(found["figure"]["figure"]["data"]) == 4
    assert found["error"]["children"] == ""
    assert "held" in json.dumps(found["now"])


@pytest.mark.parametrize(
    ("written", "gate", "words"),
    [("012", "0", "'2'"), ("", "0", "empty"), ("0" * 20_001, "0", "at most 20,000"), ("01", "7", "holds.")],
)
def test_errors_are_words_on_the_page(client, capsys, written, gate, words):
    answer = drawn(client, written, gate)
    assert answer.status_code == 200
    found = answer.json
    assert words in found["sideUpdate"]["error"]["children"]
    assert "Traceback" not in answer.text + capsys.readouterr().err


def test_errors_that_nobody_meant_are_told_where_the_server_is(monkeypatch, client, room, capsys):
    monkeypatch.setattr(Wiring, "draw", lambda *given: 1 / 0)
    app = make_app(room).server.test_client()
    answer = drawn(app, "01")
    assert answer.json["sideUpdate"]["error"]["children"] == FAILED
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert "ZeroDivisionError" not in answer.text


def test_a_run_is_entered_with_its_names_and_examples(room):
    wiring = Wiring(room)
    hand, _, _, written, examples, taken, names, shown, _, focus = wiring.enter(0, None, "")
    assert hand == {"rows": 1, "columns": 1, "target": 0, "surface": "bits", "decimals": 4, "task": "parity"}
    assert (written, taken, focus) == ("0110100", None, "c")
    assert (names, shown) == (list("ifzcoh"), ["i", "f", "c", "o", "h"])
    assert len(examples) == layout.CHOICES
    assert examples[1]["label"].startswith("2: ")
    assert wiring.enter(0, hand, "1")[3] is no_update
    assert wiring.enter(1, hand, "1")[3] == room.exhibits[1].start
    assert "No line of this cell is a gate." in str(wiring.enter(1, None, "")[2])
    assert wiring.units("c", 0) == ([0, 1, 2], [0, 1, 2])
    assert wiring.units("h", 1) == ([0, 1, 2, 3], [])


def test_scores_and_spans_in_words(room):
    wiring, gates = Wiring(room), [{"type": "gate", "name": "f"}]
    assert "held: " in str(wiring.score(["0"], 0, gates))
    assert "There is no run 6" in str(wiring.score([""], 5, gates))
    assert "take it" in str(wiring.find(1, "0110", "c", [0], 2, 3, 0, [""], gates))
    assert "Nothing is marked." in str(wiring.find(1, "0110", "c", [0], 2, None, 0, [""], gates))


def test_numbers_are_told_with_the_decimals_of_their_deviation():
    answers = np.array([[101325.04]])
    found = Look(("a",), None, {}, ("in 1",), are_classes=False, answers=answers, begin=2, line=answers[0], decimals=1)
    assert "Strong('101325.0')" in str(words.now(Seen(Typed(None), found, None, None)))


def test_examples_are_taken_by_their_places(room):
    own = room.exhibits[0]
    assert example_text(own, 1) == own.hand.write(own.sample, 1)
    for place in (None, -1, 256, "1"):
        assert example_text(own, place) is no_update


def test_what_is_dragged_over_is_marked():
    assert mark({"selections": [{"x0": 3.2, "x1": 1.7}]}) == (2, 3)
    assert mark({"selections": [{"x0": -1, "x1": 0.2}]}) == (1, 1)
    for moved in (None, {}, {"autosize": True}, {"selections": []}, {"selections": [{"path": "M0"}]}):
        assert mark(moved) == (no_update, no_update)


def exit_code(words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_without_dash_the_command_says_how_to_get_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("gatelab.cli.open.find_spec", lambda name: None)
    assert exit_code(["open", str(tmp_path / "nothing")]) == 2
    assert "pip install 'gatelab[app]'" in capsys.readouterr().err


def test_a_folder_without_a_run(capsys, tmp_path):
    assert exit_code(["open", str(tmp_path)]) == 1
    assert "no finished run" in capsys.readouterr().err


def test_the_command_tells_where_the_page_is(monkeypatch, capsys, tmp_path):
    fit(make_settings("parity", "fo", 1, (0,), steps=2), tmp_path / "run")
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("werkzeug.serving.BaseWSGIServer.serve_forever", interrupt)
    assert exit_code(["open", str(tmp_path / "run"), "--no-browser"]) == 0
    assert opened == []
    assert exit_code(["open", str(tmp_path / "run")]) == 0
    assert opened[0].startswith("http://127.0.0.1:")
    assert f"Open at {opened[0]}" in capsys.readouterr().out


def interrupt(server):
    raise KeyboardInterrupt
