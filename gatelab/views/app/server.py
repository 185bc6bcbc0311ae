"""The server of the live view: on this machine only, with nothing to read but the page itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dash import Dash
from dash.exceptions import DependencyException
from flask import Response, abort, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from gatelab.errors import OptionError
from gatelab.views.app.layout import page
from gatelab.views.app.room import Room
from gatelab.views.app.wiring import connect, explain

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]
"""What a browser may call this server. By another name, a page from elsewhere could have itself served from here."""
ASSETS = Path(__file__).with_name("assets")
PAGES = ("/", "/_favicon.ico", *(f"/assets/{asset.name}" for asset in sorted(ASSETS.iterdir())))
DASH = "/_dash-"
"""All that there is by its path, and what the paths of dash's own parts begin with."""
MOST_BYTES = 2**18
"""Of what a browser may send at a time."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; frame-ancestors 'none'"
)
"""What the page may load: nothing from elsewhere. Dash begins by a script inside of the page, and plotly makes some."""


def make_app(room: Room) -> Dash:
    """The application of a room."""
    app = Dash(
        __name__,
        title="gatelab",
        update_title="",
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        assets_folder=str(ASSETS),
        include_assets_files=True,
        serve_locally=True,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        on_error=explain,
        enable_mcp=False,
    )
    app.server.config.update(MAX_CONTENT_LENGTH=MOST_BYTES, TRUSTED_HOSTS=NAMES)
    app.server.before_request(_refuse)
    app.server.register_error_handler(DependencyException, _unknown)
    app.server.after_request(_guarded)
    app.layout = page(room)
    connect(app, room)
    return app


def make_live_server(room: Room, port: int = 0) -> BaseWSGIServer:
    """A server that listens, on a free port if it is 0, and answers once `serve_forever` is called.

    Raises:
        OptionError: the port can't be had.
    """
    try:
        return make_server(HOST, port, make_app(room).server, threaded=True, request_handler=_Quiet)
    except (OSError, SystemExit):  # The server's library ends the program where a port is in use.
        raise OptionError(f"Port {port} can't be had.\nChoose another one with --port, or 0 for a free one.") from None


def serve(room: Room, port: int, opened: Callable[[str], None]) -> None:
    """Serves the page until it is interrupted.

    Args:
        room: what is shown.
        port: where; 0 for a free one.
        opened: is called with the address when the server listens.

    Raises:
        OptionError: the port can't be had.
    """
    server = make_live_server(room, port)
    opened(f"http://{HOST}:{server.server_port}/")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests that are answered."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _refuse() -> None:
    """Ends a request for something that there is not, for which dash would give the page itself."""
    if request.path not in PAGES and not request.path.startswith(DASH):
        abort(404)


def _unknown(error: Exception) -> tuple[str, int]:
    """The answer where dash has no such part of its own."""
    return "There is no such file.", 404


def _guarded(response: Response) -> Response:
    """An answer with what it allows a browser."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
