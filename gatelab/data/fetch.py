"""The file of a data set: from the folder in GATELAB_DATA, or from the cache, downloaded there when first wanted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pooch
from filelock import FileLock

from gatelab.data.download import download, has_digest
from gatelab.data.sources import Source, source_of
from gatelab.errors import DataError


def find(name: str) -> Path:
    """The file (or unpacked folder) of a source; see `SOURCES` for the names.

    With GATELAB_DATA set it lies in that folder, and nothing is ever downloaded. Otherwise it lies in the cache
    (GATELAB_CACHE, or the user's usual one), is downloaded if need be, and its digest is checked each time. Two
    processes may want the same file: one downloads, the other waits.

    Raises:
        DataError: there is no such source or file, no network, no space, or the bytes are not the right ones.
    """
    source = source_of(name)
    folder = os.environ.get("GATELAB_DATA")
    return _in_folder(source, Path(folder)) if folder else _in_cache(source)


def is_at_hand(name: str) -> bool:
    """Whether `find` would need no network.

    Raises:
        DataError: there is no such source.
    """
    source = source_of(name)
    folder = os.environ.get("GATELAB_DATA")
    if folder:
        return any((Path(folder) / place).exists() for place in source.places)
    return cache_path(source).exists()


def cache_path(source: Source) -> Path:
    """Where a source lies in the cache, or would."""
    return Path(os.environ.get("GATELAB_CACHE") or pooch.os_cache("gatelab")) / source.file


def _in_folder(source: Source, folder: Path) -> Path:
    for place in source.places:
        if (folder / place).exists():
            return folder / place
    raise DataError(
        f"'{source.name}' is not in the folder {folder}, which GATELAB_DATA names"
        f"{'' if folder.is_dir() else ' and which does not exist'}.\n"
        f"Put it there as {' or '.join(source.places)}, or unset GATELAB_DATA to download it."
    )


def _in_cache(source: Source) -> Path:
    path = cache_path(source)
    try:
        # A file that is there needs no lock: it appears whole, and the cache may be one that can only be read.
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.exists():
                    download(source, path)
        _check(source, path)
    except OSError as error:
        cause = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        cure = "Make room, or set GATELAB_CACHE to a folder elsewhere"
        raise DataError(f"'{source.name}' can't be kept at {path}: {cause}.\n{cure}.") from error
    return path


def _check(source: Source, path: Path) -> None:
    """Holds a file to its digest; where none is published, to the one that it had when it was first seen."""
    record = path.with_name(path.name + ".sha256")
    if source.digest is None and not record.exists():
        _write(record, f"sha256:{pooch.file_hash(str(path))}")
    digest = source.digest or record.read_text().strip()
    if not has_digest(path, digest):
        raise DataError(f"{path} is broken: its digest is not {digest}.\nDelete it, and it is downloaded again.")


def _write(record: Path, digest: str) -> None:
    part = record.with_name(f"{record.name}.{os.getpid()}")
    part.write_text(digest + "\n")
    part.replace(record)
