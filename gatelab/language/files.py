"""A cell as a text file: its equations, below a few settings in TOML where it needs them.

    name = "leaky"
    constants = { alpha = 0.9 }
    ---
    h = alpha * h + (1 - alpha) * tanh(W @ x + R @ h + b)

The line `---` divides the two; a file without it holds equations only.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from gatelab.errors import EquationError, OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.language.parse import LONGEST_TEXT

DIVIDER = "---"
SETTINGS: dict[str, type] = {
    "name": str,
    "cite": str,
    "output": str,
    "constants": dict,
    "parameters": dict,
    "widths": dict,
    "init": dict,
}
"""What may stand above the divider, and its type: the arguments of Cell."""


def read_cell(path: str | Path) -> Cell:
    """The cell in a text file.

    Raises:
        OptionError: there is no such file.
        EquationError: the file is not text, or does not hold a cell.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(4 * LONGEST_TEXT + 1)  # More than that is refused by its length.
    except OSError as error:
        raise OptionError(f"{path} can't be read ({error.strerror}).\nGive the path of a text file.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EquationError(f"{path} is not UTF-8 text.\nIs this the right file?") from None
    try:
        return read_cell_text(text, path.stem)
    except EquationError as error:
        raise EquationError(f"{path}: {error}") from None


def read_cell_text(text: str, name: str = "cell") -> Cell:
    """The cell in the text of a file; `name` is used where the text gives none."""
    lines = text.replace("\r\n", "\n").split("\n")
    divider = next((index for index, line in enumerate(lines) if line.strip() == DIVIDER), -1)
    settings = {"name": name, **_settings("\n".join(lines[: max(divider, 0)]))}
    below = lines[divider + 1 :]
    # Empty lines above the equations are dropped here and counted, so that errors name the lines of the file.
    empty = next((index for index, line in enumerate(below) if line.strip()), 0)
    return Cell("\n".join(below[empty:]), first_line=divider + 2 + empty, **settings)  # type: ignore[arg-type]


def write_cell(cell: Cell) -> str:
    """The text of a file that reads back as an equal cell."""
    given = {
        "name": cell.name,
        "cite": cell.cite,
        "output": cell.output,
        "constants": cell.constants,
        "parameters": cell.declared,
        "widths": cell.widths,
        "init": cell.init,
    }
    rows = [f"{key} = {_toml(value)}" for key, value in given.items() if value and (key, value) != ("output", "h")]
    return "\n".join([*rows, DIVIDER, cell.equations, ""])


def _settings(text: str) -> dict[str, object]:
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EquationError(f"The settings above {DIVIDER} are not TOML: {error}.") from None
    for key, value in settings.items():
        if key not in SETTINGS:
            raise EquationError(f"There is no setting '{key}' of a cell.\n{nearest(key, SETTINGS)}")
        if not isinstance(value, SETTINGS[key]):
            wanted = "text" if SETTINGS[key] is str else "a table, as in { P = 32 }"
            raise EquationError(f"The setting '{key}' is {value!r}.\nWrite {wanted}.")
    return settings


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    # JSON's strings and finite numbers are also TOML's.
    return json.dumps(value, ensure_ascii=False)
