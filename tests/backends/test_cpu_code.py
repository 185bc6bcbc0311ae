"""What kernels are before they are machine code: plans and text, for this processor and for others."""

import pytest
from llvmlite import binding

import gatelab as gl
from gatelab.backends.cpu import adam
from gatelab.backends.cpu.host import Host
from gatelab.backends.cpu.jit import form_of, kernel_text, library_text
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.losses import LOSSES
from gatelab.backends.cpu.outers import rows_of_block
from gatelab.backends.cpu.plan import backward_plan, forward_plan
from gatelab.backends.cpu.products import panels, tallest, widest
from gatelab.backends.cpu.standing_head import functions_text
from gatelab.backends.cpu.task import Task, with_masks
from gatelab.language.expressions import Name, show, walk

HOSTS = {
    "avx512": Host("skylake-avx512", "", 512),
    "avx2": Host("haswell", "", 256),
    "plain": Host("x86-64", "", 128, fused=False),
}
NEON = Host("cortex-a72", "+neon", 128, is_arm=True)
ROWS, LANES = Layout("rows", 16), Layout("lanes", 16)
CELLS = ("lstm", "gru_original", "layer_norm_lstm", "on_lstm", "min_gru_positive", "slstm")


def shown(group):
    """A group of products, as a person would write it."""
    targets = zip(group.targets, group.products, strict=True)
    sign = "+=" if group.adds else "="
    return [f"{name} {sign} {' + '.join(show(product) for product in products)}" for (name, _), products in targets]


def groups_of(plan, part):
    return [[shown(group) for group in groups] for groups in plan.parts[part].groups]


def test_in_rows_products_with_x_are_taken_for_many_steps_at_once():
    plan = forward_plan(Task(gl.cell("lstm")), ROWS, True)
    assert groups_of(plan, "before") == [
        [["i.3 = W_i @ x", "f.3 = W_f @ x", "z.3 = W_z @ x", "o.3 = W_o @ x"]],
    ]
    # What these leave in the chunk the others are added to.
    assert groups_of(plan, "loop") == [
        [["i.3 += R_i @ h", "f.3 += R_f @ h", "z.3 += R_z @ h", "o.3 += R_o @ h"]],
    ]
    assert {plan.places[name].base for name in ("i.3", "f.3", "z.3", "o.3")} == {"chunk"}


def test_in_lanes_a_sum_of_products_is_taken_in_one_go():
    plan = forward_plan(Task(gl.cell("lstm")), LANES, True)
    gates = "ifzo"
    assert groups_of(plan, "loop") == [[[f"{gate}.3 = W_{gate} @ x + R_{gate} @ h" for gate in gates]]]
    assert not plan.parts["before"].phases


def test_a_sum_of_products_and_others_has_its_products_first():
    cell = gl.Cell("h = tanh(b + W @ x + 0.5 * h + R @ h)")
    plan = forward_plan(Task(cell), LANES, True)
    ((whole,),) = groups_of(plan, "loop")[0]
    assert whole.endswith("= W @ x + R @ h")


def test_the_way_back_takes_all_gates_in_one_go():
    plan = backward_plan(Task(gl.cell("lstm")), ROWS, True)
    *_, (last,) = groups_of(plan, "loop")
    assert last == ["d.h.before = " + " + ".join(f"transpose(R_{g}) @ d.{g}.4" for g in "ozfi")]
    assert groups_of(plan, "after") == [[["d.x.sum = " + " + ".join(f"transpose(W_{g}) @ d.{g}.4" for g in "ozfi")]]]
    # The gradients of four matrices are one, since what makes their rows lies side by side.
    assert [outer.matrices for outer in plan.outers] == [
        tuple(f"R_{g}" for g in "ozfi"),
        tuple(f"W_{g}" for g in "ozfi"),
    ]


def test_what_is_kept_of_an_lstm():
    plan = forward_plan(Task(gl.cell("lstm")), ROWS, True)
    record, *_ = plan.areas
    assert [name for name, _ in record.members] == ["state.h", "state.c", "i", "f", "z", "o"]
    # A new state lies where the next step finds it, and nowhere else.
    assert {name: place.row for name, place in plan.places.items() if place.base == "next"} == {
        "c": "record.state.c",
        "h": "record.state.h",
    }


def test_with_ends_the_new_states_are_kept_beside_the_old():
    plan = forward_plan(Task(gl.cell("f"), alive=True), LANES, True)
    assert [name for name, _ in plan.areas[0].members] == ["state.h", "f", "z", "c"]


DELAYED = gl.Cell("h = tanh(V @ p)\np = x", widths={"p": "I"})


@pytest.mark.parametrize("cell", [DELAYED, gl.cell("qrnn"), gl.cell("tlstm")])
def test_what_comes_after_the_loop_reads_copies_made_in_it(cell):
    """The gradient of a state is there for one step only; that of x is a sum of it and of products taken later."""
    plan = backward_plan(Task(cell), ROWS, True)
    late = [line for phase in plan.parts["after"].phases for line in phase.lines]
    assert late or plan.part_of(plan.input) != "after"
    for line in late:
        assert not [e for e in walk(line.expression) if isinstance(e, Name) and e.role == "arriving"], line


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("host", HOSTS)
def test_blocks_leave_registers_for_what_they_multiply(host, bits):
    form = form_of(bits, HOSTS[host])
    for vectors in range(1, widest(form) + 1):
        assert tallest(form, vectors) * vectors + vectors + 1 <= form.registers
        assert rows_of_block(form, vectors) * vectors + vectors + 1 <= form.registers
    for blocks in range(1, 40):
        parts = panels(blocks, form)
        assert sum(parts) == blocks and max(parts) - min(parts) <= 1 and max(parts) <= widest(form)


def test_masks_are_vectors_inside_of_products():
    cell, masks = with_masks(gl.Cell("h = tanh(W @ x + R @ (h * (V @ h))) + 0.5 * h"), ("h",))
    assert cell.equations == "h = tanh(W @ x + R @ (h * mask_h * (V @ (h * mask_h)))) + 0.5 * h"
    assert masks == (("mask_h", "h"),)


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("host", HOSTS)
def test_the_text_is_a_module_for_every_kind_of_vectors(host, bits, rows):
    lanes = HOSTS[host].bits // bits
    for text in (
        library_text(bits, HOSTS[host], rows),
        *(kernel_text(Task(gl.cell(cell)), bits, HOSTS[host], rows) for cell in CELLS),
    ):
        binding.parse_assembly(text).verify()
        assert f"<{lanes} x {'float' if bits == 32 else 'double'}>" in text


@pytest.mark.parametrize("rows", [True, False])
def test_the_text_is_a_module_for_arm(rows):
    try:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        target = binding.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this LLVM makes no code for ARM")
    machine = target.create_target_machine(cpu=NEON.cpu, features=NEON.features, opt=2)
    kernels = [kernel_text(Task(gl.cell(cell)), 32, NEON, rows) for cell in CELLS]
    others = [adam.function_text(32, NEON), *(functions_text(loss, 32, NEON) for loss in LOSSES)]
    for text in (library_text(32, NEON, rows), *kernels, *others):
        assert "x86" not in text
        module = binding.parse_assembly(text)
        module.verify()
        assert "fmla" in machine.emit_assembly(module)


def test_the_same_cell_gives_the_same_text():
    task = Task(gl.cell("lstm"), resets=True)
    assert kernel_text(task) == kernel_text(Task(gl.cell("lstm"), resets=True))
