"""Imports run one way, along the way of the data; and `import gatelab` stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gatelab

ROOT = Path(gatelab.__file__).parent
WAY = (
    *("errors", "files", "process", "language", "compiler", "backends", "nn", "data", "tasks", "training"),
    *("probes", "studies", "views", "bench"),
)
"""The folders in the order of the data. `testing`, `cli` and the door itself may import all of them."""
ENDS = ("testing", "cli", "__init__", "__main__")


def stage(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """The modules of gatelab that a file imports, and whether late, inside of a function."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            modules = [f"{node.module}.{alias.name}" if node.module == "gatelab" else str(node.module)
                       for alias in node.names]  # fmt: skip
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        found += [(module, id(node) not in top) for module in modules if module.split(".")[0] == "gatelab"]
    return found


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own in ENDS:
        return
    assert own in WAY, f"{own} has no place in the way of the data"
    for module, _ in imports_of(path):
        other = stage(module)
        assert other in WAY and WAY.index(other) <= WAY.index(own), f"{path} imports {module}, against the way"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_late_imports_of_our_own(path):
    assert not [module for module, late in imports_of(path) if late]


def test_siblings_make_no_circle():
    graph = {}
    for path in FILES:
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        graph[name] = {module for module, _ in imports_of(path)} - {name}
    while leaves := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"these import each other in a circle: {sorted(graph)}"


def test_nothing_is_evaluated_and_no_pickle_is_read():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile"}, f"{path}:{node.lineno}"
            if isinstance(node, ast.Import):
                assert not {"pickle", "marshal", "shelve"} & {alias.name for alias in node.names}, path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
                assert node.attr != "load", f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("gatelab", {"matplotlib", "sklearn", "scipy", "typer", "pydantic"}),
        ("gatelab.tasks", {"matplotlib", "sklearn", "scipy.stats", "scipy.signal"}),
        ("gatelab.cli.train", {"matplotlib", "sklearn", "scipy.stats", "plotly"}),
    ],
)
def test_the_doors_are_light(module, heavy):
    program = f"import {module}, sys; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stdout + run.stderr
