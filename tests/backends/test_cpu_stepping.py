"""Steps that keep packed weights, and the fingerprint that says how long."""

from array import array

import pytest
import torch

import gatelab as gl
from gatelab.backends.base import Run
from gatelab.backends.cpu import stepping
from gatelab.backends.cpu.fingerprint import STRETCH, fingerprint, function_on
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.stepping import Steps


def mark(*arrays):
    addresses = array("q", [value.data_ptr() for value in arrays])
    sizes = array("q", [value.nbytes for value in arrays])
    return fingerprint(addresses.buffer_info()[0], sizes.buffer_info()[0], len(arrays))


def words(count, seed=0):
    return torch.randint(-(2**31), 2**31, (count,), generator=torch.Generator().manual_seed(seed)).int()


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 300])
def test_each_bit_counts(count):
    value = words(count)
    seen = {mark(value)}
    for place in range(count):
        for bit in range(32):
            value[place] ^= 1 << bit if bit < 31 else -(2**31)
            seen.add(mark(value))
            value[place] ^= 1 << bit if bit < 31 else -(2**31)
    assert len(seen) == 1 + 32 * count


def test_all_signs_and_any_two_of_them_count():
    value = torch.randn(STRETCH + 100)
    seen = {mark(value), mark(-value)}
    for step in (1, 2, 16, 128, 256):
        for place in range(300):
            other = value.clone()
            other[place] *= -1
            other[place + step] *= -1
            seen.add(mark(other))
    assert len(seen) == 2 + 5 * 300


def test_order_counts_and_place_does_not():
    a, b = words(400), words(400, seed=1)
    assert mark(a, b) == mark(a.clone(), b.clone())
    assert mark(a, b) != mark(b, a)
    assert mark(a.flip(0)) != mark(a)
    zeros = torch.zeros(STRETCH)
    assert mark(zeros) != mark(zeros[1:].clone())


@pytest.mark.parametrize("cpu", ["haswell", "x86-64"])
def test_all_processors_find_the_same(cpu):
    value = words(700)
    addresses, sizes = array("q", [value.data_ptr()]), array("q", [value.nbytes])
    found = function_on(Host(cpu, "", 128))(addresses.buffer_info()[0], sizes.buffer_info()[0], 1)
    assert found == mark(value)


def run_of(dtype=torch.float32, batch=3):
    cell, sizes = gl.cell("lstm"), {"I": 4, "H": 20}
    torch.manual_seed(0)
    shapes = cell.parameters(4, 20)
    parameters = {name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}
    return Run(cell, sizes, parameters, torch.randn(1, batch, 4, dtype=dtype), (None, None))


def test_weights_are_packed_when_they_change_and_not_else(monkeypatch):
    packed = []

    def own_room(size):
        packed.append(size)
        return stepping_room(size)

    stepping_room = stepping.own_room
    monkeypatch.setattr(stepping, "own_room", own_room)
    asked = run_of()
    steps, parameters = Steps([asked], (3,)), tuple(asked.parameters.values())
    for _ in range(3):
        steps.run(asked.x[0], (), [parameters])
    assert len(packed) == 1
    parameters[0].data[0, 0] += 1
    for _ in range(3):
        steps.run(asked.x[0], (), [parameters])
    assert len(packed) == 2
    moved = [value.clone() for value in parameters]
    steps.run(asked.x[0], (), [moved])
    assert len(packed) == 2


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_narrower_vectors(bits, dtype):
    host = this_host()
    if bits > host.bits:
        pytest.skip(f"this processor has vectors of {host.bits} bits")
    asked = run_of(dtype, batch=9)
    parameters = tuple(asked.parameters.values())
    narrow = Host(host.cpu, host.features, bits)
    x, results = asked.x[0], []
    for chosen in (host, narrow):
        steps = Steps([asked], (9,), chosen)
        _, state = steps.run(x, (), [parameters])
        results.append(steps.run(x, tuple(state), [parameters]))
    (output, state), (other, other_state) = results
    torch.testing.assert_close(output, other)
    torch.testing.assert_close(state, other_state)
