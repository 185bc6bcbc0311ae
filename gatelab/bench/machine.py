"""The machine that is measured, and how much of it may be used."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from gatelab.backends.cpu.host import this_host
from gatelab.bench.keras_steps import keras_backend

PACKAGES = ("gatelab", "torch", "llvmlite", "numpy", "jax", "jaxlib", "keras", "torchrecurrent")
VECTOR_FEATURES = ("sse4", "avx", "fma", "amx", "neon", "sve", "asimd", "fullfp16")
"""How those features begin that say what vectors there are."""


@dataclass(frozen=True)
class Machine:
    """Where numbers come from.

    Attributes:
        system: the operating system and its architecture.
        processor: as the system calls it.
        llvm_name: as LLVM calls it.
        vector_bits: of the vectors that kernels are made for.
        features: those that bring vectors.
        cores: that this process may run on.
        load: how many processes wanted to run in the last minute, on average, before anything was measured; None
            where the system does not say.
        threads: that were used.
        keras_backend: what Keras runs on, if it is installed.
        versions: of Python and of the packages that take part; None for one that is not installed.
    """

    system: str
    processor: str
    llvm_name: str
    vector_bits: int
    features: tuple[str, ...]
    cores: int
    load: float | None
    threads: int
    keras_backend: str
    versions: dict[str, str | None]


def this_machine(threads: int) -> Machine:
    """What is known before the first measurement."""
    host = this_host()
    versions: dict[str, str | None] = {name: _version(name) for name in PACKAGES}
    present = (feature[1:] for feature in host.features.split(",") if feature.startswith("+"))
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        llvm_name=host.cpu,
        vector_bits=host.bits,
        features=tuple(sorted(feature for feature in present if feature.startswith(VECTOR_FEATURES))),
        cores=cores(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        threads=threads,
        keras_backend=keras_backend(),
        versions={"python": platform.python_version(), **versions},
    )


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def use_cores(count: int) -> Iterator[None]:
    """Has torch use so many threads and, where the system can say so, everyone so many cores.

    A peer that asks for as many threads as there are cores, as jax does, then has as many as torch.
    """
    before = torch.get_num_threads()
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    torch.set_num_threads(count)
    if allowed is not None:
        os.sched_setaffinity(0, one_of_each(allowed)[:count])
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if allowed is not None:
            os.sched_setaffinity(0, allowed)


def one_of_each(numbers: Collection[int], system: Path = Path("/sys/devices/system/cpu")) -> list[int]:
    """The system's numbers of cores, those first that share no units with an earlier one, as two threads of one do."""
    seen: Counter[str] = Counter()
    ranks = {}
    for number in sorted(numbers):
        place = system / f"cpu{number}" / "topology" / "thread_siblings_list"
        siblings = place.read_text() if place.is_file() else str(number)
        ranks[number] = seen[siblings]
        seen[siblings] += 1
    return sorted(ranks, key=lambda number: (ranks[number], number))


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    if known.is_file():
        for line in known.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
