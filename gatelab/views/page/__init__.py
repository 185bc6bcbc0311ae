"""The page: a scene as one HTML file to explore, which needs nothing but itself and a browser.

Scripts, style and values are all inside. A policy in its head lets the browser load nothing else and run no script but
the two that are there, whatever the texts of a data set may hold.
"""

from __future__ import annotations

import html
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from gatelab.files import write_atomically
from gatelab.views.page.packing import as_json, scene_data
from gatelab.views.scene import Scene

SCRIPTS = (
    *("data", "state", "style", "colours", "similar", "heat", "lines", "spread", "reading", "equations", "answers"),
    *("search", "controls", "main"),
)
"""The page's own scripts, in the order in which they build on each other."""
POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src"
"""What a browser may take: pictures that plotly makes, styles, and the scripts that are named behind it."""


def page_html(scene: Scene) -> str:
    """The page of a scene, about 5 MB and two bytes a value."""
    own = "\n".join(_part(f"{name}.js") for name in SCRIPTS)
    plotly: str = get_plotlyjs()
    return Template(_part("page.html")).substitute(
        policy=f"{POLICY} {_hash(plotly)} {_hash(own)}",
        title=html.escape(scene.title),
        style=_part("page.css"),
        data=as_json(scene_data(scene)),
        plotly=plotly,
        script=own,
    )


def write_page(scene: Scene, path: Path) -> Path:
    """Writes the page of a scene; its path.

    Raises:
        StoreError: the file can't be written.
    """
    write_atomically(path, page_html(scene).encode())
    return path


def _hash(script: str) -> str:
    """How a policy names a script by its content."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


@cache
def _part(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
