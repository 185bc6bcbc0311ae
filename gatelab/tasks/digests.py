"""What says that a file of one's own is still the file that a run was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path


def digest_of(paths: Sequence[str | PathLike[str]], given: str | None, cure: str) -> str | None:
    """Sixteen letters from the content of files, in their order; None for no files.

    An option class asks for it in a validator, so that the identity of a run follows the data and not only their
    path.

    Args:
        paths: of the files.
        given: the digest that the files must have; None or "" for a new run.
        cure: what to do where a file can't be read, a sentence.

    Raises:
        ValueError: a file can't be read, or the content is another one.
    """
    if not paths:
        return None
    whole = hashlib.sha256()
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            begins = "" if Path(path).is_absolute() else f" This path begins in {Path.cwd()}."
            raise ValueError(f"{path} can't be read ({error.strerror}).\n{cure}{begins}") from None
    found = whole.hexdigest()[:16]
    if given not in (None, "", found):
        raise ValueError(
            f"The content of {' and '.join(map(str, paths))} is not that of the digest {given}: it has changed.\n"
            "Bring back what the run was made with, or leave the digest out for a new run."
        )
    return found
