"""Models in one file each: the equations, the sizes and the numbers, so that nothing else is needed to load them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatelab.errors import OptionError, StoreError
from gatelab.files import read_tensors, write_tensors
from gatelab.nn.models import SequenceModel

MODEL = "model.safetensors"
"""What the file of a model is called in the folder of a run."""


def save(model: SequenceModel, path: str | Path, facts: Mapping[str, Any] | None = None) -> None:
    """Writes a model as one safetensors file, atomically.

    Args:
        model: of this library.
        path: of the file.
        facts: what else to keep, as JSON can hold it.

    Raises:
        StoreError: the file can't be written.
    """
    # Tied weights are one parameter under two names, and are written once.
    numbers = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    write_tensors(Path(path), numbers, {**(facts or {}), "model": model.description()})


def load(path: str | Path, seed: int | None = None) -> SequenceModel:
    """A trained model, ready to answer; what `save` wrote, or what is in the folder of a run.

    Args:
        path: of a file, or of a run's folder.
        seed: which of a run's seeds; None for the only one, or for the first.

    Raises:
        StoreError: the file is missing, broken or not of a model.
        OptionError: the run has no such seed.
    """
    file = _file_of(path)
    found = read_tensors(file)
    facts = found.facts
    if "model" not in facts:
        raise StoreError(f"{file} holds no model.\nGive a file that gatelab.save wrote, or the folder of a run.")
    replicas = facts["model"]["replicas"]
    if replicas is None:
        return _filled(SequenceModel.described(facts["model"]), found.tensors, None, file)
    seeds = facts.get("seeds", list(range(replicas)))
    if seed is not None and seed not in seeds:
        raise OptionError(f"{path} has no seed {seed}.\nIt has: {', '.join(map(str, seeds))}.")
    replica = 0 if seed is None else seeds.index(seed)
    return _filled(SequenceModel.described(facts["model"], replicas=None), found.tensors, replica, file)


def read_facts(path: str | Path) -> Mapping[str, Any]:
    """What is kept beside the numbers of a model.

    Args:
        path: of a file, or of a run's folder.

    Raises:
        StoreError: the file is missing or broken.
    """
    return read_tensors(_file_of(path)).facts


def _file_of(path: str | Path) -> Path:
    """The file of a model, or that in a run's folder."""
    found = Path(path)
    if not found.exists():
        raise StoreError(f"There is no {found}.\nGive the folder of a run, or a file that gatelab.save wrote.")
    return found / MODEL if found.is_dir() else found


def _filled(model: SequenceModel, numbers: Mapping[str, Tensor], replica: int | None, file: Path) -> SequenceModel:
    """The model with numbers from a file, those of one replica if they are of several."""
    buffers = dict(model.named_buffers())
    try:
        with torch.no_grad():
            for name, own in {**dict(model.named_parameters()), **buffers}.items():
                given = numbers[name]
                own.copy_(given if replica is None or name in buffers else given[replica])
    except (KeyError, RuntimeError) as error:
        raise StoreError(f"{file} is broken: its numbers are not of its model ({error}).") from None
    return model.eval()
