"""Text becomes machine code, in process: no compiler to be installed, no file written."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import RLock
from typing import Any

from llvmlite import binding

from gatelab.backends.cpu.backward import backward_kernel
from gatelab.backends.cpu.borders import border_functions
from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.forward import forward_kernel
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.outers import outer_functions
from gatelab.backends.cpu.plan import Plan, backward_plan, forward_plan
from gatelab.backends.cpu.products import product_functions
from gatelab.backends.cpu.step import Tables
from gatelab.backends.cpu.task import Task

_LOCK = RLock()

ARGUMENT_TYPES: dict[str, Any] = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64}

CALLED = ("pack.straight", "pack.turned", "collect", "collect.lanes", "scatter")
"""Functions of a library that are called from outside; the others are called by kernels alone."""


@dataclass(frozen=True, eq=False)
class Library:
    """The functions that all kernels of a form and a layout share: products, borders, packing.

    Attributes:
        addresses: of those that are called from outside, by their names in `CALLED`.
        prefix: of all names.
        owner: what keeps the machine code in memory.
    """

    form: Form
    layout: Layout
    prefix: str
    addresses: dict[str, int]
    owner: object


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel, ready to be called.

    Attributes:
        plan: what it does and where it finds everything.
        pointers: what the table of pointers has to hold, in order.
        numbers: likewise.
        address: of the function.
        owner: what keeps the machine code in memory.
    """

    plan: Plan
    library: Library
    pointers: tuple[str, ...]
    numbers: tuple[str, ...]
    address: int
    owner: object


@lru_cache(maxsize=512)
def forward(task: Task, bits: int, rows: bool, saves: bool, host: Host) -> Kernel:
    """The kernel of the way forth, compiled once."""
    library = find_library(bits, rows, host)
    plan = forward_plan(task, library.layout, saves)
    return _compiled(plan, library, forward_kernel(plan, library.form, library.prefix, saves), host)


@lru_cache(maxsize=512)
def backward(task: Task, bits: int, rows: bool, input_gradient: bool, host: Host) -> Kernel:
    """The kernel of the way back, compiled once."""
    library = find_library(bits, rows, host)
    plan = backward_plan(task, library.layout, input_gradient)
    return _compiled(plan, library, backward_kernel(plan, library.form, library.prefix), host)


def find_library(bits: int, rows: bool, host: Host) -> Library:
    """The functions that kernels call, compiled once for each form and layout."""
    with _LOCK:
        return _library(bits, rows, host)


@lru_cache(maxsize=64)
def _library(bits: int, rows: bool, host: Host) -> Library:
    form, layout = form_of(bits, host), layout_of(bits, rows, host)
    prefix = prefix_of(form, layout)
    functions = library_functions(form, layout)
    engine = assemble(module_text(functions, host), host)
    for function in functions:
        if not function.internal:
            binding.add_symbol(function.name, engine.get_function_address(function.name))
    names = {function.name.removeprefix(prefix) for function in functions}
    addresses = {name: engine.get_function_address(prefix + name) for name in CALLED if name in names}
    return Library(form, layout, prefix, addresses, engine)


def library_functions(form: Form, layout: Layout) -> list[Code]:
    prefix = prefix_of(form, layout)
    return [
        *product_functions(form, layout, prefix),
        *outer_functions(form, layout, prefix),
        *border_functions(form, layout, prefix),
    ]


def prefix_of(form: Form, layout: Layout) -> str:
    """Names of functions are known to all kernels of a process, so each library has names of its own."""
    traits = [layout.name, f"{form.lanes}x{form.bits}", *(["fused"] if form.fused else [])]
    return ".".join(["gatelab", *traits, ""])


def kernel_text(task: Task, bits: int = 32, host: Host | None = None, rows: bool = False) -> str:
    """The kernels of both ways as text, for people: what `gatelab` makes of the equations."""
    host = host or this_host()
    form, layout = form_of(bits, host), layout_of(bits, rows, host)
    prefix = prefix_of(form, layout)
    forth, _ = forward_kernel(forward_plan(task, layout, True), form, prefix, True)
    back, _ = backward_kernel(backward_plan(task, layout, True), form, prefix)
    return module_text([forth, back], host)


def library_text(bits: int = 32, host: Host | None = None, rows: bool = False) -> str:
    """The functions that kernels call, as text."""
    host = host or this_host()
    return module_text(library_functions(form_of(bits, host), layout_of(bits, rows, host)), host)


def form_of(bits: int, host: Host) -> Form:
    return Form(
        bits,
        host.bits // bits,
        fused=host.fused,
        scales=host.bits == 512,
        registers=32 if host.bits >= 512 or host.is_arm else 16,
        flushes=host.flushes,
    )


def layout_of(bits: int, rows: bool, host: Host) -> Layout:
    return Layout("rows" if rows else "lanes", host.bits // bits)


def _compiled(plan: Plan, library: Library, written: tuple[Code, Tables], host: Host) -> Kernel:
    code, tables = written
    engine = assemble(module_text([code], host), host)
    return Kernel(
        plan, library, tuple(tables.pointers), tuple(tables.numbers), engine.get_function_address(code.name), engine
    )


def module_text(functions: Sequence[Code], host: Host) -> str:
    """The whole module, as it can be read and as LLVM takes it."""
    own = {f"@{function.name}(" for function in functions}
    declarations = sorted({text for function in functions for text in function.declarations})
    declarations = [text for text in declarations if not any(name in text for name in own)]
    # Without this LLVM splits vectors of 512 bits in two.
    width = f'"prefer-vector-width"="{host.bits}" "min-legal-vector-width"="{host.bits}"'
    attributes = f"attributes #0 = {{ nounwind {width} }}\n!0 = !{{}}\n"
    return "\n".join([*declarations, "", *(function.text() for function in functions), attributes])


def assemble(text: str, host: Host) -> Any:
    """An engine that holds the machine code of a module."""
    with _LOCK:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        _know_library()
        module = binding.parse_assembly(text)
        module.verify()
        target = binding.Target.from_default_triple()
        machine = target.create_target_machine(cpu=host.cpu, features=host.features, opt=2)
        # The text is shaped as it should be; vectorising and unrolling it again would only cost time.
        tuning = binding.create_pipeline_tuning_options(speed_level=1)
        tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = False
        builder = binding.create_pass_builder(machine, tuning)
        builder.getModulePassManager().run(module, builder)
        engine = binding.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return engine


def function_of(engine: Any, code: Code) -> Callable[..., None]:
    """A function of an engine. While it runs, other threads of Python run too."""
    kind = ctypes.CFUNCTYPE(None, *(ARGUMENT_TYPES[kind] for kind, _ in code.arguments))
    called: Callable[..., None] = kind(engine.get_function_address(code.name))
    return called


LIBRARY = ("sin", "cos", "pow")
"""Functions of the C library that kernels call, in both precisions."""


def _know_library() -> None:
    """Tells LLVM where the C library's functions are, which it does not find by itself on every system."""
    library = ctypes.CDLL(None)
    for name in (name + ending for name in LIBRARY for ending in ("", "f")):
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        binding.add_symbol(name, address)
