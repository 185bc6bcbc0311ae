"""Files that are either whole or not there, and tensors with facts in one of them.

Weights are safetensors and all else is JSON, so reading a file can't run code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gatelab.errors import StoreError

FACTS = "facts"
"""The key of safetensors' own metadata that holds the facts, as JSON."""


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and facts that JSON can hold."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a kill at any moment, finds the old content or the new, never a part.

    Raises:
        StoreError: it can't be written; nothing is left behind.
    """
    # In the same folder, since a rename is atomic only within one file system.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        _remove_quietly(draft)
        raise StoreError(
            f"{path} can't be written ({error.strerror}).\nMake room there, or choose another folder with --out."
        ) from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes tensors and facts as one safetensors file, atomically.

    Raises:
        StoreError: it can't be written.
    """
    # Copies, as safetensors refuses tensors that share memory.
    whole = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(whole, {FACTS: json.dumps(facts, allow_nan=False)}))


def read_tensors(path: Path, cure: str = "Give the path of a whole file, or write it anew.") -> Checkpoint:
    """Reads what `write_tensors` wrote.

    Args:
        cure: what to do if that fails, for the error.

    Raises:
        StoreError: the file is missing or broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[FACTS])
            return Checkpoint({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"{path} can't be read ({type(error).__name__}: {error}).\n{cure}") from None


def _remove_quietly(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
