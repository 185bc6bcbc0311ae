"""What vectors the processor has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from llvmlite import binding

WIDTHS = (("avx512f", 512), ("avx2", 256), ("", 128))
"""Bits in a vector by the feature that brings them, the widest first; every processor that runs torch has 128."""


@dataclass(frozen=True)
class Host:
    """A processor as the code generator sees it.

    Attributes:
        cpu: its name for LLVM.
        features: what it can and can't do, as LLVM writes it.
        bits: in a vector.
        fused: whether a product and a sum are one operation; else that would be a call of the C library for each
            number.
        is_arm: whether it is of that family, and not of Intel's.
    """

    cpu: str
    features: str
    bits: int
    fused: bool = True
    is_arm: bool = False

    @property
    def flushes(self) -> bool:
        """Whether we know how to tell it to take numbers that are too small as 0."""
        return not self.is_arm


@cache
def this_host() -> Host:
    """The processor that we run on."""
    found = binding.get_host_cpu_features()
    bits = next(bits for feature, bits in WIDTHS if not feature or found.get(feature))
    is_arm = binding.get_default_triple().startswith(("aarch64", "arm64"))
    return Host(binding.get_host_cpu_name(), found.flatten(), bits, bool(found.get("fma")) or is_arm, is_arm)
