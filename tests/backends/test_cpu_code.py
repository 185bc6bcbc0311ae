"""What kernels are before they are machine code: plans and text, for this processor and for others."""

import pytest
from llvmlite import binding

import gatelab as gl
from gatelab.backends.cpu.host import Host
from gatelab.backends.cpu.jit import kernel_text
from gatelab.backends.cpu.plan import backward_plan, forward_plan
from gatelab.backends.cpu.task import Task, with_masks

HOSTS = {
    "avx512": Host("skylake-avx512", "", 512),
    "avx2": Host("haswell", "", 256),
    "plain": Host("x86-64", "", 128, fused=False),
}
NEON = Host("cortex-a72", "+neon", 128)
CELLS = ("lstm", "gru_original", "layer_norm_lstm", "on_lstm", "min_gru_positive", "slstm")


def test_the_plan_of_an_lstm():
    plan = forward_plan(Task(gl.cell("lstm")), True, 32)
    (groups,) = plan.groups
    assert [[str(line) for line in group.lines] for group in groups] == [
        ["i.1 = W_i @ x", "f.1 = W_f @ x", "z.1 = W_z @ x", "o.1 = W_o @ x"],
        ["i.2 = R_i @ h", "f.2 = R_f @ h", "z.2 = R_z @ h", "o.2 = R_o @ h"],
    ]
    record, *_ = plan.areas
    assert [name for name, _ in record.members] == ["state.h", "state.c", "i", "f", "z", "o"]
    # A new state lies where the next step finds it, and nowhere else.
    assert {name: place.row for name, place in plan.places.items() if place.base == "next"} == {
        "c": "record.state.c",
        "h": "record.state.h",
    }


def test_with_ends_the_new_states_are_kept_beside_the_old():
    plan = forward_plan(Task(gl.cell("f"), alive=True), True, 32)
    assert [name for name, _ in plan.areas[0].members] == ["state.h", "f", "z", "c"]


def test_the_weight_gradients_read_states_and_input_in_place():
    plan = backward_plan(Task(gl.cell("lstm")), False, 32)
    places = {outer.matrix: (outer.rows.place.base, outer.columns.place.base) for outer in plan.outers}
    assert places == {f"{m}_{gate}": ("chunk", "x" if m == "W" else "now") for m in "WR" for gate in "ifzo"}


def test_fewer_registers_make_smaller_groups():
    most = max(len(group.lines) for group in forward_plan(Task(gl.cell("lstm")), True, 16).all_groups)
    assert most == 3


def test_masks_are_vectors_inside_of_products():
    cell, masks = with_masks(gl.Cell("h = tanh(W @ x + R @ (h * (V @ h))) + 0.5 * h"), ("h",))
    assert cell.equations == "h = tanh(W @ x + R @ (h * mask_h * (V @ (h * mask_h)))) + 0.5 * h"
    assert masks == (("mask_h", "h"),)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_text_is_a_module_for_every_kind_of_vectors(cell, host, bits):
    text = kernel_text(Task(gl.cell(cell)), bits, HOSTS[host])
    binding.parse_assembly(text).verify()
    lanes = HOSTS[host].bits // bits
    assert f"<{lanes} x {'float' if bits == 32 else 'double'}>" in text


@pytest.mark.parametrize("cell", CELLS)
def test_the_text_is_a_module_for_arm(cell):
    text = kernel_text(Task(gl.cell(cell)), 32, NEON)
    assert "x86" not in text
    module = binding.parse_assembly(text)
    module.verify()
    try:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        target = binding.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this LLVM makes no code for ARM")
    machine = target.create_target_machine(cpu=NEON.cpu, features=NEON.features, opt=2)
    assert "fmla" in machine.emit_assembly(module)


def test_the_same_cell_gives_the_same_text():
    task = Task(gl.cell("lstm"), resets=True)
    assert kernel_text(task) == kernel_text(Task(gl.cell("lstm"), resets=True))
