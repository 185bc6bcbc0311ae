"""A server on this machine that behaves as badly as a test asks."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gatelab.data.sources import SOURCES, Source


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        server.asked.append((self.path, start))
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = start if server.ranges else 0
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        stop = server.stops.pop(0) if server.stops else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Serves `files` by path.

    Attributes:
        asked: each request's path and the byte that it wants to begin at.
        ranges: whether it can begin there.
        stops: the byte at which each transfer breaks off, in turn; after these, none does.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.stops, self.ranges = {}, [], [], True

    @property
    def home(self):
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and no data folder."""
    monkeypatch.delenv("GATELAB_DATA", raising=False)
    monkeypatch.setenv("GATELAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def add_source(monkeypatch):
    """A function that adds a source named "poem", of one file, for the time of a test."""

    def add(*urls, content=None, digest=None, member=None):
        digest = digest if content is None else f"sha256:{hashlib.sha256(content).hexdigest()}"
        source = Source(
            *("poem", urls, "poems/poem.txt", digest, ("poems/poem.txt", "poems/poem.txt.gz")),
            about="a poem", terms="none", citation="nobody", member=member,
        )  # fmt: skip
        monkeypatch.setitem(SOURCES, "poem", source)
        return source

    return add
