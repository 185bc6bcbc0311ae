"""What the documents say is so."""

import re
from pathlib import Path

import pytest

import gatelab as gl
from gatelab.errors import EquationError
from gatelab.language.files import read_cell_text
from gatelab.language.ops import BY_CALL

DOCS = Path(__file__).parents[1] / "docs"
README = DOCS.parent / "README.md"


def blocks(path, kind):
    """What stands between fences of one kind, with every fence opened and closed in turn."""
    parts = re.split(r"^```(.*)\n", path.read_text(), flags=re.MULTILINE)
    return [text for opened, text in zip(parts[1::4], parts[2::4], strict=True) if opened == kind]


@pytest.mark.parametrize(
    "path", [DOCS / "language.md", DOCS / "forget-gate.md", DOCS / "probes.md", README], ids=lambda path: path.name
)
def test_the_programs_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(path, "python"):
        exec(block, names)
    assert names["gl"] is gl


def test_the_language_page_lists_every_function():
    listed = re.search(r"Functions: `(.*?)`", (DOCS / "language.md").read_text(), flags=re.DOTALL)
    assert listed.group(1).split() == list(BY_CALL)


def test_the_file_and_the_error_on_the_language_page():
    file, error = blocks(DOCS / "language.md", "")
    assert read_cell_text(file).constants == {"alpha": 0.9}
    with pytest.raises(EquationError) as caught:
        gl.Cell("f = sigmoid(W @ x)\ni = 1 - f\nc = f * c_prev + i * z\nh = c")
    assert str(caught.value).strip() == error.strip()


def test_every_link_leads_somewhere():
    for path in [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_layout_names_files_that_exist():
    text = (DOCS / "layout.md").read_text()
    for row in re.findall(r"^\| `(gatelab/[^`]*)` \|(.*)\|$", text, flags=re.MULTILINE):
        folder = DOCS.parent / row[0]
        assert folder.exists(), folder
        for name in re.findall(r"`([a-z_]+\.py)`", row[1]):
            assert (folder / name).exists(), folder / name
