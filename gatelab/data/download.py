"""A checked download that goes on where it stopped.

pooch hashes and knows the cache, but starts every transfer afresh; here the bytes gather in a file of their own
(`.part`), which a later call goes on with, and which gets its name only when it is whole and right.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from gatelab.data.sources import Source
from gatelab.errors import DataError

ROUNDS = 2
"""How often the urls are gone through: a transfer that breaks in one round goes on in the next."""
TIMEOUT = 30.0
"""Seconds without a byte."""
CHUNK = 2**18
"""Bytes written at a time."""
NOT_SATISFIABLE = 416
"""What a server answers who has no bytes beyond those asked for: the part is whole already."""


class _WrongBytes(Exception):
    """A whole transfer is not what it should be, so there is nothing to go on with."""


def download(source: Source, path: Path) -> None:
    """Brings a source to `path`, from the first of its urls that gives the right bytes.

    Raises:
        DataError: none does; the text says why for each.
        OSError: the file can't be written.
    """
    failures: dict[str, str] = {}
    for url in source.urls * ROUNDS:
        try:
            _from(url, source, path)
            return
        except (requests.RequestException, _WrongBytes) as error:
            failures[url] = str(error)
    reasons = "\n".join(f"    {url}: {reason}" for url, reason in failures.items())
    raise DataError(
        f"'{source.name}' could not be downloaded.\n"
        f"Put it at {path}, or set GATELAB_DATA to a folder that holds {' or '.join(source.places)}.\n{reasons}"
    )


def has_digest(path: Path, digest: str) -> bool:
    """Whether a file's bytes have a digest, "sha256:..." or "md5:..."."""
    algorithm, _, value = digest.partition(":")
    return bool(pooch.file_hash(str(path), alg=algorithm) == value)


def _from(url: str, source: Source, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    _transfer(url, part, source.name)
    try:
        whole = _member(part, source.member) if source.member else part
        if source.digest and not has_digest(whole, source.digest):
            raise _WrongBytes(f"what it serves has another digest than {source.digest}")
    except _WrongBytes:
        part.unlink()
        raise
    whole.replace(path)
    part.unlink(missing_ok=True)


def _transfer(url: str, part: Path, title: str) -> None:
    """Appends to `part` what is missing of it, or writes it anew if the server can't go on."""
    have = part.stat().st_size if part.exists() else 0
    # Bytes as they are stored: a compressed answer would have other lengths and ranges.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if have and response.status_code == NOT_SATISFIABLE:
            return
        response.raise_for_status()
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0
        _write(response, part, have, title)


def _write(response: requests.Response, part: Path, have: int, title: str) -> None:
    rest = response.headers.get("Content-Length")
    with part.open("ab" if have else "wb") as file, _bar() as bar:
        task = bar.add_task(title, completed=have, total=have + int(rest) if rest else None)
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            bar.advance(task, len(chunk))


def _bar() -> Progress:
    """A progress bar on the error stream, shown only on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _member(archive: Path, member: str) -> Path:
    """The member of a zip archive, unpacked beside it."""
    unpacked = archive.with_name(archive.name + ".member")
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as inside, unpacked.open("wb") as outside:
            shutil.copyfileobj(inside, outside)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _WrongBytes(f"what it serves is no zip archive with {member} in it") from error
    return unpacked
