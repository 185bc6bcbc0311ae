"""The Large Movie Review Dataset of Maas et al. (ACL 2011) in each form in which people have it.

The official archive and the folder that it unpacks to hold a file a review, `train/pos/ID_RATING.txt`; the third form
is one CSV file of the same reviews. All give the same reviews in the same order.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatelab.data.reading import BROKEN, broken, rows
from gatelab.errors import DataError

SENTIMENTS = ("negative", "positive")
SPLITS = ("train", "test")
_FILE = re.compile(r"(?:^|/)(train|test)/(neg|pos)/(\d+)_\d+\.txt$")
_WORDS = {"neg": "negative", "pos": "positive"}


@dataclass(frozen=True, order=True)
class Review:
    """One review; they are ordered by split, then sentiment (negative first), then id.

    Attributes:
        split: "train" or "test".
        sentiment: "negative" or "positive".
        number: its id, unique within split and sentiment.
        text: as the author wrote it, with its `<br />` tags.
    """

    split: str
    sentiment: str
    number: int
    text: str


def read_reviews(path: Path) -> list[Review]:
    """All labelled reviews of the archive, folder or CSV file, in their order.

    Raises:
        DataError: a file is broken, or has no negative or positive reviews in one of the splits.
    """
    if path.is_dir():
        found = _of_folder(path)
    elif path.name.endswith((".tar.gz", ".tgz")):
        found = _of_archive(path)
    else:
        found = _of_csv(path)
    reviews = sorted(found)
    there = {(review.split, review.sentiment) for review in reviews}
    missing = [
        f"{sentiment} {split}" for split in SPLITS for sentiment in SENTIMENTS if (split, sentiment) not in there
    ]
    if missing:
        raise DataError(f"{path} has no {' and no '.join(missing)} reviews.\nCopy or download it again.")
    return reviews


def _of_csv(path: Path) -> Iterator[Review]:
    for line, (split, sentiment, number, text) in rows(path, ("split", "sentiment", "id", "review")):
        if split not in SPLITS or sentiment not in SENTIMENTS or not number.isdecimal():
            expected = "split train or test, sentiment negative or positive, id a number"
            raise DataError(f"{path}, line {line}: {split}, {sentiment}, {number}.\nExpected {expected}.")
        yield Review(split, sentiment, int(number), text)


def _of_folder(path: Path) -> Iterator[Review]:
    for file in path.glob("*/*/*.txt"):
        if match := _FILE.search(file.as_posix()):
            yield _review(match, file, file.read_bytes())


def _of_archive(path: Path) -> Iterator[Review]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                match, inside = _FILE.search(member.name), archive.extractfile(member)
                if match and inside:
                    yield _review(match, path / member.name, inside.read())
    except (tarfile.TarError, *BROKEN) as error:
        raise broken(path, error) from error


def _review(match: re.Match[str], file: Path, content: bytes) -> Review:
    split, sentiment, number = match.groups()
    try:
        return Review(split, _WORDS[sentiment], int(number), content.decode())
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 at offset {error.start}.\nCopy or download it again.") from error
