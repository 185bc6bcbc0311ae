"""Text files, plain or compressed, and CSV rows, with errors that say where a file is broken."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from gatelab.errors import DataError, nearest

DELIMITERS = (",", ";", "\t")
BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)
"""What reading a damaged compressed file raises."""

# A text may be longer than the 131,072 characters that csv allows a field by default.
csv.field_size_limit(2**31 - 1)


@contextmanager
def opened(path: Path, member: str = "") -> Iterator[TextIO]:
    """The text of a UTF-8 file, of one that is gzipped (.gz), or of a member of an archive (.zip).

    Line ends stay as they are; a byte order mark is left out.

    Raises:
        DataError: there is no such file or member, it ends too early, or it is not UTF-8 (with the byte's offset).
            Raised where the text is read, inside of the `with`.
    """
    try:
        with _bytes(path, member) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(path, member)) from error
    except BROKEN as error:
        raise broken(path, error) from error


def broken(path: Path, error: Exception) -> DataError:
    """The error for a compressed file that can't be read to its end."""
    return DataError(f"{path} is broken or ends too early: {error}.\nCopy or download it again.")


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The chosen columns of a CSV file with a header, and the line where each row ends.

    Separators and names are read as in `delimiter_of` and without white space around them.

    Raises:
        DataError: a column is missing or there twice, a row has another number of fields than the header, the quoting
            is broken, a line has a NUL byte; and what `opened` raises.
    """
    with opened(path) as text:
        reader = csv.reader(_without_nul(path, text), delimiter=delimiter_of(text), strict=True)
        try:
            header = [name.strip() for name in next(filter(None, reader), [])]
            # Commas at the end of each line make columns without a name, which nobody chooses.
            refuse_twice(path, list(filter(None, header)))
            chosen = [_position(path, header, column) for column in columns]
            for row in reader:
                if row:
                    _check_width(path, reader.line_num, row, header)
                    yield reader.line_num, tuple(row[position] for position in chosen)
        except csv.Error as error:
            where = f"{path}, line {reader.line_num}"
            raise DataError(f"{where}: {error}.\nA quote inside of a quoted field is written twice.") from error


def delimiter_of(text: TextIO) -> str:
    """The separator that gives the first row of a CSV file the most cells: a comma, a semicolon or a tab.

    The text is at its beginning afterwards.
    """

    def cells(delimiter: str) -> int:
        text.seek(0)
        try:
            return len(next(filter(None, csv.reader(text, delimiter=delimiter, strict=True)), ()))
        except csv.Error:
            return 0

    found = max(DELIMITERS, key=cells)
    text.seek(0)
    return found


def refuse_twice(file: str | Path, names: Sequence[str]) -> None:
    """Refuses columns of a file that have the same name.

    Raises:
        DataError: there are some.
    """
    twice = [name for position, name in enumerate(names) if name in names[:position]]
    if twice:
        raise DataError(f"{file} has more than one column '{twice[0]}'.\nGive each column a name of its own.")


def _bytes(path: Path, member: str) -> BinaryIO:
    try:
        if path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(path))
        if path.suffix == ".zip":
            return cast(BinaryIO, zipfile.ZipFile(path).open(member))
        return path.open("rb")
    except KeyError as error:
        raise DataError(f"{path} has no {member} in it.\nCopy or download it again.") from error
    except OSError as error:
        raise DataError(f"{path} can't be opened: {error.strerror}.\nCheck its name and its permissions.") from error


def _not_utf8(path: Path, member: str) -> str:
    # The decoder sees the file in pieces, so the offset in its error is not the file's.
    with _bytes(path, member) as stream:
        try:
            stream.read().decode()
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            return f"{path} is not UTF-8: byte {byte:#04x} at offset {error.start:,}.\nSave it as UTF-8."
    raise AssertionError("the file has changed while it was read")


def _without_nul(path: Path, lines: TextIO) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise DataError(f"{path}, line {number}: a NUL byte.\nThe file is damaged, or not text; save it as UTF-8.")
        yield line


def _position(path: Path, header: list[str], column: str) -> int:
    if not header:
        raise DataError(f"{path} is empty.\nIt needs a header that names its columns, and rows.")
    if column not in header:
        there = ", ".join(header)
        raise DataError(f"{path} has no column '{column}', but {there}.\n{nearest(column, header)}")
    return header.index(column)


def _check_width(path: Path, line: int, row: list[str], header: list[str]) -> None:
    if len(row) != len(header):
        counts = f"{len(row)} fields, and the header has {len(header)}"
        raise DataError(f"{path}, line {line}: {counts}.\nQuote fields that have the separator in them.")
