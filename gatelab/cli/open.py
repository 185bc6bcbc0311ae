"""`gatelab open`: a trained model in the browser, to be played with."""

from __future__ import annotations

import webbrowser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from gatelab.errors import OptionError
from gatelab.process import set_up_process
from gatelab.views.app.room import Room
from gatelab.views.live.exhibits import open_exhibits


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs, one or several.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Which seed of each; else its best.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where the page is served; 0 for a free port.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    if find_spec("dash") is None:
        raise OptionError("The live view needs dash, which is not installed.\nInstall it: pip install 'gatelab[app]'")
    set_up_process(1)
    room = Room(open_exhibits(runs, seed))

    def opened(address: str) -> None:
        print(f"Open at {address} (end with Ctrl-C)", flush=True)
        if browser:
            webbrowser.open(address)

    # Of all modules it alone needs dash, with what it imports.
    import_module("gatelab.views.app.server").serve(room, port, opened)
