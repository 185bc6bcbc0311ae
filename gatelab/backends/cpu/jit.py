"""Text becomes machine code, in process: no compiler to be installed, no file written."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from llvmlite import binding

from gatelab.backends.cpu.backward import backward_kernel
from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.forward import forward_kernel
from gatelab.backends.cpu.helpers import outer_function, pack_function
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.plan import Plan, backward_plan, forward_plan
from gatelab.backends.cpu.step import Tables
from gatelab.backends.cpu.task import Task

_LOCK = Lock()

ARGUMENT_TYPES: dict[str, Any] = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64}


@dataclass(frozen=True)
class Kernel:
    """A kernel, ready to be called.

    Attributes:
        plan: what it does and where it finds everything.
        form: its vectors.
        pointers: what the table of pointers has to hold, in order.
        numbers: likewise.
        call: the function.
        pack: the function that puts weights in order; see `helpers.py`.
        owner: what keeps the machine code in memory.
    """

    plan: Plan
    form: Form
    pointers: tuple[str, ...]
    numbers: tuple[str, ...]
    call: Callable[..., None]
    pack: Callable[..., None]
    owner: object


@lru_cache(maxsize=512)
def forward(task: Task, bits: int, saves: bool, host: Host) -> Kernel:
    """The kernel of the way forth, compiled once."""
    form, plan = form_of(bits, host), forward_plan(task, saves, registers(host))
    return _compiled(plan, form, forward_kernel(plan, form, saves), host)


@lru_cache(maxsize=512)
def backward(task: Task, bits: int, input_gradient: bool, host: Host) -> Kernel:
    """The kernel of the way back, compiled once."""
    form, plan = form_of(bits, host), backward_plan(task, input_gradient, registers(host))
    return _compiled(plan, form, backward_kernel(plan, form, input_gradient), host)


def kernel_text(task: Task, bits: int = 32, host: Host | None = None) -> str:
    """The kernels of both ways as text, for people: what `gatelab` makes of the equations."""
    host = host or this_host()
    form = form_of(bits, host)
    back, _ = backward_kernel(backward_plan(task, True, registers(host)), form, True)
    forth, _ = forward_kernel(forward_plan(task, True, registers(host)), form, True)
    return module_text([outer_function(form), pack_function(form), forth, back], host)


def form_of(bits: int, host: Host) -> Form:
    return Form(bits, host.bits // bits, fused=host.fused, scales=host.bits == 512)


def registers(host: Host) -> int:
    """Vector registers; with AVX-512 there are twice as many as before."""
    return 32 if host.bits >= 512 else 16


def _compiled(plan: Plan, form: Form, written: tuple[Code, Tables], host: Host) -> Kernel:
    code, tables = written
    functions = [outer_function(form), pack_function(form), code]
    engine = assemble(module_text(functions, host), host)
    call, pack = (function_of(engine, each) for each in (code, functions[1]))
    return Kernel(plan, form, tuple(tables.pointers), tuple(tables.numbers), call, pack, engine)


def module_text(functions: Sequence[Code], host: Host) -> str:
    """The whole module, as it can be read and as LLVM takes it."""
    declarations = sorted({text for function in functions for text in function.declarations})
    # Without this LLVM splits vectors of 512 bits in two.
    width = f'"prefer-vector-width"="{host.bits}" "min-legal-vector-width"="{host.bits}"'
    attributes = f"attributes #0 = {{ nounwind {width} }}\n"
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


LIBRARY = ("log", "sin", "cos", "pow", "erf", "expm1", "log1p")
"""Functions of the C library that kernels call, in both precisions."""


def _know_library() -> None:
    """Tells LLVM where the C library's functions are, which it does not find by itself on every system."""
    library = ctypes.CDLL(None)
    for name in (name + ending for name in LIBRARY for ending in ("", "f")):
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        binding.add_symbol(name, address)
