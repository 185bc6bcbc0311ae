"""Records: read by name, as arrays and as a table, saved and loaded."""

import numpy as np
import pytest
import torch

import gatelab as gl
from gatelab.errors import OptionError, StoreError
from gatelab.files import write_tensors
from gatelab.probes.record import Record


@pytest.fixture
def record():
    torch.manual_seed(0)
    layer = gl.Recurrent("f", 2, 3)
    with gl.probe(layer, "f", "c", gradients=True) as found:
        layer(torch.randn(5, 2, 2), lengths=[5, 3])[0].sum().backward()
    return found


def test_it_is_a_mapping_with_a_repr_worth_reading(record):
    assert list(record) == ["f", "c"] and len(record) == 2
    assert repr(record) == "Record(f (5, 2, 3), c (5, 2, 3); 1 call)"
    assert record.arrays()["f"].shape == (5, 2, 3)


def test_the_table_has_a_row_for_each_number_within_the_sequences(record):
    table = record.table()
    assert list(table) == ["name", "step", "sequence", "unit", "value", "gradient"]
    assert {len(column) for column in table.values()} == {2 * (5 + 3) * 3}
    row = 17
    name, step, sequence, unit = (table[column][row] for column in ("name", "step", "sequence", "unit"))
    assert table["value"][row] == record[name][step, sequence, unit]
    assert table["gradient"][row] == record.gradient[name][step, sequence, unit]
    assert table["step"][table["sequence"] == 1].max() == 2


def test_the_table_of_replicas_and_some_steps():
    layer = gl.Recurrent("f", 2, 3, replicas=2)
    with gl.probe(layer, "f", every=2) as found:
        layer(torch.randn(5, 4, 2), lengths=[5, 5, 2, 1])
    table = found.table()
    assert set(table["step"]) == {0, 2, 4} and set(table["replica"]) == {0, 1}
    assert len(table["value"]) == 2 * 3 * (3 + 3 + 1 + 1)


def test_saved_and_loaded(record, tmp_path):
    record.save(tmp_path / "inside.safetensors")
    again = Record.load(tmp_path / "inside.safetensors")
    assert repr(again) == repr(record) and torch.equal(again.lengths, record.lengths)
    for name in record:
        assert torch.equal(again[name], record[name]) and torch.equal(again.gradient[name], record.gradient[name])
    ours, theirs = record.table(), again.table()
    assert all(np.array_equal(ours[column], theirs[column]) for column in ours)


def test_files_that_are_no_records(tmp_path):
    with pytest.raises(StoreError, match="can't be read"):
        Record.load(tmp_path / "missing.safetensors")
    (tmp_path / "broken").write_bytes(b"no tensors")
    with pytest.raises(StoreError, match="can't be read"):
        Record.load(tmp_path / "broken")
    write_tensors(tmp_path / "other", {"a": torch.zeros(1)}, {"format": "of tomorrow"})
    with pytest.raises(StoreError, match="no record of a probe"):
        Record.load(tmp_path / "other")


def test_what_is_not_there():
    layer = gl.Recurrent("f", 2, 3)
    with gl.probe(layer, "f") as record:
        pass
    with pytest.raises(OptionError, match="has not run inside of the probe"):
        record["f"]
    with pytest.raises(OptionError, match=r"'g' was not watched\.\nThere are: f"):
        record["g"]
    with gl.probe(layer, "f") as record:
        layer(torch.randn(5, 2))
    with pytest.raises(OptionError, match="gradients=True"):
        record.gradient["f"]
    with gl.probe(layer, "f", gradients=True) as record:
        layer(torch.randn(5, 2))
    with pytest.raises(OptionError, match=r"Call backward\(\)"):
        record.gradient["f"]


def test_the_table_has_the_units_of_the_layer(tmp_path):
    layer = gl.Recurrent("lstm", 3, 8)
    with gl.probe(layer, "f", units=[5, -1], every=2) as record:
        layer(torch.randn(5, 2, 3))
    record.save(tmp_path / "record")
    for found in (record, Record.load(tmp_path / "record")):
        table = found.table()
        assert set(table["unit"]) == {5, 7} and set(table["step"]) == {0, 2, 4}
        last = table["unit"] == 7
        assert table["value"][last][0] == record["f"][0, 0, 1]


def test_layers_that_differ_share_a_table():
    parts = torch.nn.ModuleDict({name: gl.Recurrent("lstm", 3, 4) for name in "abc"})
    x = torch.randn(5, 2, 3)
    with gl.probe(parts, "f", gradients=True) as record:
        parts["a"](x)[0].sum().backward()
        with torch.no_grad():
            parts["b"](x[:, 0])
    table = record.table()
    assert {len(column) for column in table.values()} == {5 * 2 * 4 + 5 * 4}
    of_a = table["name"] == "a.f"
    assert np.isfinite(table["gradient"][of_a]).all() and np.isnan(table["gradient"][~of_a]).all()
    assert set(table["sequence"][of_a]) == {0, 1} and set(table["sequence"][~of_a]) == {0}
    assert "a.f" in record and "c.f" not in record and "nothing" not in record
    assert "a.f" in record.gradient and "b.f" not in record.gradient
    assert Record({}).table() == {}


def test_half_precision_has_arrays_and_a_table():
    layer = gl.Recurrent("lstm", 3, 4, dtype=torch.bfloat16)
    with gl.probe(layer, "f") as record:
        layer(torch.randn(5, 2, 3).bfloat16())
    assert record.arrays()["f"].dtype == np.float32 and len(record.table()["value"]) == 5 * 2 * 4


def test_a_record_that_is_not_there_has_nothing_deleted(tmp_path):
    with pytest.raises(StoreError) as said:
        Record.load(tmp_path / "none")
    assert "delete" not in str(said.value)
