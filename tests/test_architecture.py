# SPDX-License-Identifier: BSD-3-Clause
"""The floors of the house, and the rules that every module keeps.

Read from the source with `ast`, so that a rule holds for code that no test runs.
Exceptions are listed with a reason each, and one that is no longer needed is refused.
"""

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import attrs

CHECKOUT = Path(__file__).parent.parent
CORE = "jupyter_agent_core"
MCP = "jupyter_mcp_server"
GENERATED = f"{CORE}.sync._generated"

_VALUES = (
    *("_errors", "_connect_errors", "_kernel_errors", "_values", "_introspection", "_answers"),
    *("_backoff", "_output_cursor", "_stored_outputs", "_hub_errors", "_hub_values"),
)
FLOOR_0 = tuple(f"{CORE}.{name}" for name in _VALUES)
LIVE = tuple(f"{CORE}.{name}" for name in ("_document", "_execution", "_http", "_handles"))

# What may import what of ours, beside its own package. The longest name that fits counts. A name
# stands for all that is under it, but the bare `jupyter_agent_core` only for its public names.
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    f"{CORE}._errors": (),
    f"{CORE}._backoff": (f"{CORE}._errors",),
    f"{CORE}._connect_errors": (f"{CORE}._errors",),
    f"{CORE}._hub_errors": (f"{CORE}._connect_errors",),
    f"{CORE}._hub_values": (),
    f"{CORE}._kernel_errors": (f"{CORE}._errors",),
    f"{CORE}._introspection": (f"{CORE}._errors", f"{CORE}._values"),
    f"{CORE}._values": (f"{CORE}._errors",),
    f"{CORE}._stored_outputs": (f"{CORE}._values",),
    f"{CORE}._output_cursor": (f"{CORE}._errors", f"{CORE}._values"),
    f"{CORE}._answers": (
        *(f"{CORE}._errors", f"{CORE}._values", f"{CORE}._introspection"),
        f"{CORE}._output_cursor",
    ),
    f"{CORE}.rendering": FLOOR_0,
    f"{CORE}._http": FLOOR_0,
    f"{CORE}._http.private_server_child": (),
    f"{CORE}._document": FLOOR_0,
    f"{CORE}._document.connection": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._document.room": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._document.contents": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._document.datalayer": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._document.server_documents": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._execution": (*FLOOR_0, f"{CORE}._document"),
    f"{CORE}._execution.channels": (*FLOOR_0, f"{CORE}._document", f"{CORE}._http"),
    f"{CORE}._execution.detached": (*FLOOR_0, f"{CORE}._document", f"{CORE}._http"),
    f"{CORE}._execution.introspection": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._execution.kernel_code": (),
    f"{CORE}._execution.kernel_events": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._execution.opening": (*FLOOR_0, f"{CORE}._http"),
    f"{CORE}._execution.server_side": (*FLOOR_0, f"{CORE}._document", f"{CORE}._http"),
    f"{CORE}._handles": (*FLOOR_0, *LIVE),
    f"{CORE}._workspace": (*FLOOR_0, *LIVE),
    # a search tells the lines by which `read_cell` is paged
    f"{CORE}._workspace.search": (*FLOOR_0, f"{CORE}.rendering"),
    CORE: (*FLOOR_0, *LIVE, f"{CORE}._workspace"),
    f"{CORE}.sync": (*FLOOR_0, *LIVE, f"{CORE}._workspace", CORE),
    f"{CORE}.integrations": (
        *(CORE, f"{CORE}.sync", f"{CORE}.rendering"),
        *(f"{CORE}._workspace.{name}" for name in ("instructions", "registry", "toolsets")),
    ),
    MCP: (
        CORE,
        f"{CORE}.rendering",
        *(
            f"{CORE}._workspace.{name}"
            for name in ("calling", "instructions", "registry", "resources", "scratch")
        ),
    ),
    f"{MCP}.resources": (
        CORE,
        f"{CORE}._handles.nbformat",
        f"{CORE}._stored_outputs",
        f"{CORE}._workspace.resources",
    ),
    f"{MCP}.options": (f"{CORE}._values", f"{CORE}._workspace.toolsets"),
    f"{MCP}.progress": (CORE, f"{CORE}._values"),
    f"{MCP}.configuration": (CORE, f"{CORE}._http.auth", f"{CORE}._http.tls"),
    f"{MCP}.settings": (
        CORE,
        *(f"{CORE}._http.{name}" for name in ("addresses", "auth", "tls")),
        f"{CORE}._values",
        f"{CORE}._workspace.toolsets",
    ),
}

# Refused although the table above allows it.
MAY_NOT_IMPORT: Mapping[str, tuple[str, ...]] = {
    f"{CORE}._handles.cell": (
        *(f"{CORE}._handles.notebook", f"{CORE}._handles.server", f"{CORE}._handles.connecting"),
    ),
    f"{CORE}._http.private_server_child": (f"{CORE}._http",),
}

# Packages of others that one place alone may touch.
ONLY_IN: Mapping[str, str] = {
    "click": MCP,
    "mcp": MCP,
    "mcp_types": MCP,
    "starlette": MCP,
    "uvicorn": MCP,
    "langchain_core": f"{CORE}.integrations.langchain",
    "PIL": f"{CORE}.rendering.scaling",
    "llama_index": f"{CORE}.integrations.llama_index",
    "jupyter_ydoc": f"{CORE}._document",
    "jupyter_kernel_client": f"{CORE}._execution.wire",
    "jupyter_server": f"{CORE}._http.private_server_child",
    "jupyter_server_ydoc": f"{CORE}._http.private_server_child",
}

# Modules without I/O, and what would be I/O.
WITHOUT_IO = (
    *FLOOR_0,
    f"{CORE}.rendering",
    f"{CORE}._document.text_edits",
    f"{CORE}._document.model",
    f"{CORE}._document.mirror",
    f"{CORE}._execution.wire",
    f"{CORE}._execution.outputs",
    f"{CORE}._execution.variables",
)
IO = ("anyio", "asyncio", "httpx", "socket", "subprocess", "threading", "websockets")

# {module: {what it imports inside a function: why not on top}}
LATE_IMPORTS: Mapping[str, Mapping[str, str]] = {
    f"{CORE}._execution.kernel_code.tables": {"pyarrow": "runs in a kernel that may lack it"},
    f"{CORE}._execution.variables": {"pyarrow": "only for tables; it is large"},
    f"{CORE}._handles.connections": {
        f"{CORE}._document.contents": "what they need costs 0.1 s: with the first notebook",
        f"{CORE}._document.datalayer": "the same",
        f"{CORE}._document.room": "the same",
        f"{CORE}._document.server_documents": "the same",
        f"{CORE}._execution.channels": "its client costs 0.3 s: with the first kernel",
    },
    f"{CORE}._handles.editing": {f"{CORE}._document.editor": "the same"},
    f"{CORE}._handles.notebook": {f"{CORE}._document.cursors": "the same"},
    f"{CORE}._handles.kernel": {
        f"{CORE}._execution.introspection": "the same",
        f"{CORE}._execution.execution": "the same",
        f"{CORE}._document.server_documents": "the same",
        f"{CORE}._execution.server_side": "the same",
    },
    f"{CORE}._handles.cell_run": {
        f"{CORE}._execution.execution": "the same",
        f"{CORE}._execution.recorder": "the same",
        f"{CORE}._execution.server_side": "the same",
        f"{CORE}._execution.detached": "the same",
        f"{CORE}._document.room": "the same",
    },
    f"{CORE}._handles.places": {f"{CORE}._http.discovery": 'only for connect("auto")'},
    f"{CORE}._handles.connecting": {
        f"{CORE}._http.private_server": "only for launch()",
    },
    f"{CORE}._http.runtime_files": {"ctypes": "only on Windows"},
    f"{CORE}._http.private_server": {"filelock": "of the extra `local`"},
    f"{CORE}._http.private_server_child": {
        "jupyter_core.application": "first a slow package is blocked and a missing one reported",
        "jupyter_server.serverapp": "the same",
        "jupyter_server_ydoc.rooms": "the same",
        "tornado.iostream": "the same",
        "tornado.netutil": "the same",
        "tornado.websocket": "the same",
        "traitlets.config": "the same",
    },
    f"{CORE}._introspection": {"pyarrow": "only for tables; it is large"},
    f"{CORE}.rendering.images": {
        f"{CORE}.rendering.scaling": "Pillow is optional, and only for images",
    },
    f"{MCP}.__main__": {f"{MCP}.cli": "without the extra `mcp`, it says how to get it"},
    f"{MCP}.cli": {
        "anyio": "`--help` does not wait for it",
        f"{MCP}.configuration": "the same",
        f"{MCP}.demo": "the same",
        f"{MCP}.doctor": "the same",
        f"{MCP}.ending": "the same",
        f"{MCP}.http": "the same; `mcp` costs most of a second, after the arguments are right",
        f"{MCP}.stdio": "the same",
    },
}

# {module: why it imports by a computed name}
COMPUTED_IMPORTS: Mapping[str, str] = {
    CORE: "public names are imported when they are first used (PEP 562)",
}

# {"module:function": why it must catch everything}
BROAD_HANDLERS: Mapping[str, str] = {
    f"{CORE}._execution.execution:Execution._asked": "the caller's code; raised to who waits",
    f"{CORE}._execution.kernel_code.variables:_shown_by": "in a kernel: code of the user's",
    f"{CORE}._execution.kernel_code.variables:_text_of": "the same",
    f"{MCP}.adapter:Adapter.call_tool": "a defect ends one call, not the server; it is logged",
    f"{MCP}.connection:Connection._serve": "a defect ends one connection; it is logged",
    f"{CORE}._handles.connecting:_connected": "raises it outside of its task group",
    f"{CORE}._handles.connections:_Uncut.run": "raised to who waits; it is logged",
    f"{CORE}._http.auth:_callers_code": "the caller's code; told as what it was called for",
    f"{CORE}.rendering.outputs:output_block": "what a kernel sends: a line names what is not shown",
    f"{CORE}._http.private_server_child:Child.serve": "prints it: os._exit comes before the raise",
}

# What `import jupyter_agent_core` must not cost.
HEAVY = (
    "IPython",
    "PIL",
    "jupyter_kernel_client",
    "jupyter_server",
    "mcp",
    "nbformat",
    "pandas",
    "pyarrow",
)

MAX_FILE = 500
MAX_FUNCTION = 60
VAGUE_NAMES = {"common", "helpers", "misc", "utils"}


@attrs.frozen
class Import:
    """One imported module, as the importing module sees it."""

    target: str
    line: int
    late: bool  # inside a function
    typing_only: bool  # under `if TYPE_CHECKING`


@attrs.frozen
class Module:
    """One source file of ours."""

    name: str
    path: Path
    source: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]


def _load() -> dict[str, Module]:
    modules = {}
    for path in sorted(p for top in (CORE, MCP) for p in (CHECKOUT / top).rglob("*.py")):
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        source = path.read_text(encoding="utf-8")
        modules[name] = Module(name, path, source, ast.parse(source, str(path)))
    return modules


MODULES = _load()


def _resolve(node: ast.ImportFrom, package: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([base] if base else [])])
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield whole if whole in MODULES else base


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _is_import_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {
        "import_module",
        "__import__",
    }


def _imports(module: Module) -> Iterator[Import]:
    def walk(node: ast.AST, late: bool, typing_only: bool) -> Iterator[Import]:
        targets: Iterable[str] = ()
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = _resolve(node, module.package)
        elif _is_import_call(node) and node.args and isinstance(node.args[0], ast.Constant):
            targets = [str(node.args[0].value)]
        yield from (Import(target, node.lineno, late, typing_only) for target in targets)
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            for child in node.body:
                yield from walk(child, late, True)
            for child in node.orelse:
                yield from walk(child, late, typing_only)
            return
        late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late, typing_only)

    return walk(module.tree, False, False)


IMPORTS = {name: tuple(dict.fromkeys(_imports(module))) for name, module in MODULES.items()}


def _under(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}.")


def _is_ours(target: str) -> bool:
    return _under(target, CORE) or _under(target, MCP)


def _rule(name: str) -> str | None:
    """The row of `MAY_IMPORT` that counts for a module."""
    rows = [row for row in MAY_IMPORT if name == row or (row != CORE and _under(name, row))]
    return max(rows, key=len, default=None)


def _stands_for(allowed: str, target: str) -> bool:
    return target == CORE if allowed == CORE else _under(target, allowed)


def _own_package(name: str) -> str:
    return MCP if _under(name, MCP) else ".".join(name.split(".")[:2])


def _is_allowed(name: str, target: str) -> bool:
    rule = _rule(name)
    if any(_stands_for(refused, target) for refused in MAY_NOT_IMPORT.get(name, ())):
        return False
    own = _own_package(name)
    return (own != CORE and _under(target, own)) or any(
        _stands_for(allowed, target) for allowed in MAY_IMPORT[rule or CORE]
    )


def _broken(refused: Callable[[str, Import], bool]) -> list[str]:
    return [
        f"{name}:{imported.line} imports {imported.target}"
        for name, imports in IMPORTS.items()
        for imported in imports
        if refused(name, imported)
    ]


def test_each_module_stands_on_a_floor():
    assert MODULES
    assert [name for name in MODULES if _rule(name) is None] == []


def test_imports_go_only_downwards():
    assert _broken(lambda name, i: _is_ours(i.target) and not _is_allowed(name, i.target)) == []


def test_upstream_packages_are_touched_in_one_place():
    def refused(name: str, imported: Import) -> bool:
        place = ONLY_IN.get(imported.target.partition(".")[0])
        return place is not None and not _under(name, place)

    assert _broken(refused) == []


def test_modules_without_io_import_nothing_that_does_it():
    def refused(name: str, imported: Import) -> bool:
        pure = any(_under(name, top) for top in WITHOUT_IO)
        return pure and any(_under(imported.target, top) for top in IO)

    assert _broken(refused) == []


def test_no_modules_import_each_other():
    graph = {
        name: {i.target for i in imports if i.target in MODULES and not (i.late or i.typing_only)}
        for name, imports in IMPORTS.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " <- ".join(error.args[1])
    else:
        circle = ""
    assert circle == ""


def test_imports_inside_functions_are_the_listed_ones():
    late = {(name, i.target) for name, imports in IMPORTS.items() for i in imports if i.late}
    listed = {(name, target) for name, row in LATE_IMPORTS.items() for target in row}
    assert sorted(late - listed) == [], "import them on top, or list them with the reason"
    assert sorted(listed - late) == [], "no longer needed in LATE_IMPORTS"


def test_imports_by_a_computed_name_are_the_listed_ones():
    computed = {
        module.name
        for module in MODULES.values()
        for node in ast.walk(module.tree)
        if _is_import_call(node) and not (node.args and isinstance(node.args[0], ast.Constant))
    }
    assert computed == COMPUTED_IMPORTS.keys()


def test_files_are_short():
    long = {
        module.name: lines
        for module in MODULES.values()
        if module.name != GENERATED and (lines := len(module.source.splitlines())) > MAX_FILE
    }
    assert long == {}


def _functions(module: Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    def walk(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{where}.{child.name}" if where else child.name
                if not isinstance(child, ast.ClassDef):
                    yield inner, child
                yield from walk(child, inner)
            else:
                yield from walk(child, where)

    return walk(module.tree, "")


def test_functions_fit_on_a_screen():
    long = {
        f"{module.name}:{where}": lines
        for module in MODULES.values()
        if module.name != GENERATED
        for where, function in _functions(module)
        if (lines := function.end_lineno - function.lineno + 1) > MAX_FUNCTION
    }
    assert long == {}


def test_each_file_begins_with_its_license_and_says_what_it_is():
    spdx = "# SPDX-License-Identifier: BSD-3-Clause"
    assert [m.name for m in MODULES.values() if m.source.split("\n", 1)[0] != spdx] == []
    assert [m.name for m in MODULES.values() if not ast.get_docstring(m.tree)] == []


def test_files_are_named_by_their_subject():
    vague = [n for n in MODULES if any(part.strip("_") in VAGUE_NAMES for part in n.split("."))]
    assert vague == []


def _catches_everything(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        caught = [node.type]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        caught = node.args
    else:
        return False
    flat = [e for c in caught for e in (c.elts if isinstance(c, ast.Tuple) else [c])]
    broad = {"Exception", "BaseException"}
    return any(e is None or ast.unparse(e).rpartition(".")[2] in broad for e in flat)


def test_handlers_that_catch_everything_are_the_listed_ones():
    found = set()
    for module in MODULES.values():
        inside = {
            id(node): where for where, function in _functions(module) for node in ast.walk(function)
        }
        found |= {
            f"{module.name}:{inside.get(id(node), '')}"
            for node in ast.walk(module.tree)
            if _catches_everything(node)
        }
    assert sorted(found - BROAD_HANDLERS.keys()) == [], "name the errors, or list it with a reason"
    assert sorted(BROAD_HANDLERS.keys() - found) == [], "no longer needed in BROAD_HANDLERS"


def test_importing_the_library_imports_nothing_heavy():
    code = f"import json, sys, {CORE}; json.dump(list(sys.modules), sys.stdout)"
    run = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    imported = {module.partition(".")[0] for module in json.loads(run.stdout)}
    assert sorted(imported.intersection(HEAVY)) == []
