# SPDX-License-Identifier: BSD-3-Clause
"""Write the blocking API, `jupyter_agent_core/sync`, from the async one.

    python tools/generate_sync.py            write it
    python tools/generate_sync.py --check    exit with 1 if it is not up to date

It reads the source and imports nothing of it; beside Python it needs ruff. Every public method
becomes a thin one with the same name, parameters, types and docstring that forwards to the loop
of `sync/_portal.py`. What the source does not say is in the tables below, and a row that is not
needed any more is refused.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import difflib
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TypeVar

PACKAGE = Path(__file__).resolve().parent.parent / "jupyter_agent_core"
SYNC = "jupyter_agent_core.sync"
CLASSES = {
    "Server": "_handles.server",
    "Notebook": "_handles.notebook",
    "Batch": "_handles.batch",
    "Cell": "_handles.cell",
    "Kernel": "_handles.kernel",
    "Run": "_handles.run",
    "Workspace": "_workspace.workspace",
}
# They give async context managers; their blocking twins enter them and return what they yield.
FUNCTIONS = {"connect": "_handles.connecting", "launch": "_handles.connecting"}
# They give values.
CALLED = {"find_servers": "_http.discovery"}
# Classes of which users make instances; of the others, only we do.
CONSTRUCTED = {"Workspace"}
# What leaves a context that was entered on construction; its docstring, if the async class has
# no such method.
LEAVING = {"Server.close": None, "Workspace.close": '"""Let go of all notebooks in use."""'}
# Attributes that never change, or are read in one step: no need to ask on the loop.
READ_DIRECTLY = {
    *("Cell.id", "Notebook.kernel", "Notebook.mode", "Notebook.path", "Run.cell_id", "Run.id"),
    *("Run.status", "Server.hub", "Server.info", "Server.runtime_url", "Server.token"),
    *("Server.url", "Workspace.options"),
}
# What docstrings say of the async API, and what is true of the blocking one.
REWORDED = {
    "    Yields:\n        The server.": (
        "    Returns:\n        The server, to use in a `with` statement or to `close()`; "
        "the end of the process closes\n        it, too."
    ),
}

HEADER = '''# SPDX-License-Identifier: BSD-3-Clause
"""{summary}

Written by `python tools/generate_sync.py` from the async API: do not edit.
"""

from __future__ import annotations
'''
# What an async context manager that is not entered on construction becomes.
ENTERING = """\
    def __enter__(self) -> Self:
        self._portal.call(self._core.__aenter__)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal.call(self._core.__aexit__, exc_type, exc, traceback)"""
# What iterating over an object becomes.
ITERATING = """\
    def __iter__(self) -> Iterator[{item}]:
        return self._portal.iterate(self._core.__aiter__)"""
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
Definition = TypeVar("Definition", ast.ClassDef, ast.AsyncFunctionDef)
Origin = tuple[str, str | None]


class NoRuleError(Exception):
    """There is no rule for something in the source, or nothing in the source for a rule."""


class Module:
    """A source file of the package, and where the names in it come from."""

    def __init__(self, name: str) -> None:
        self.name = name
        path = PACKAGE.joinpath(*name.split(".")).with_suffix(".py")
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source, str(path))
        self.origins: dict[str, Origin] = {}
        for node in _unconditional(self.tree.body):
            if isinstance(node, ast.Import):
                self.origins |= {alias.name: (alias.name, None) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                place = self._as_seen_from_sync(node)
                self.origins |= {a.asname or a.name: (place, a.name) for a in node.names}
            elif isinstance(node, ast.ClassDef):
                self.origins[node.name] = (f"..{name}", node.name)
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                self.origins |= {alias: (f"..{name}", alias) for alias in names}

    def _as_seen_from_sync(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        above = self.name.split(".")[: -node.level]
        return ".." + ".".join([*above, *filter(None, [node.module])])

    def find(self, name: str, kind: type[Definition]) -> Definition:
        """Return a class or function of the module."""
        for node in self.tree.body:
            if isinstance(node, kind) and node.name == name:
                return node
        raise NoRuleError(f"{self.name} has no {name}")

    def docstring(self, node: ast.ClassDef | FUNCTION) -> str:
        """Return a docstring as it is written."""
        if ast.get_docstring(node) is None:
            raise NoRuleError(f"{self.name}: {node.name} has no docstring")
        return ast.get_source_segment(self.source, node.body[0]) or ""

    def methods(self, class_name: str) -> Iterator[tuple[Module, FUNCTION]]:
        """Yield the public methods of a class with their modules, those of its bases first."""
        definition = self.find(class_name, ast.ClassDef)
        for base in definition.bases:
            place, original = self.origins.get(ast.unparse(base), ("", None))
            if original is not None and place.startswith(".."):
                yield from Module(place.removeprefix("..")).methods(original)
        for node in definition.body:
            if isinstance(node, FUNCTION) and not node.name.startswith("_"):
                yield self, node


def _unconditional(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, with those under `if TYPE_CHECKING`."""
    for node in body:
        yield from _unconditional(node.body) if isinstance(node, ast.If) else [node]


class Generator:
    """Writes the two files, and notes which rows of the tables were needed."""

    def __init__(self) -> None:
        self.imports: dict[str, Origin] = {
            "final": ("typing", "final"),
            "Handle": ("._portal", "Handle"),
            "HeldHandle": ("._portal", "HeldHandle"),
            "current_portal": ("._portal", "current_portal"),
            "on_loop": ("._portal", "on_loop"),
        }
        self.used: set[str] = set()

    # --- rules

    def has(self, table: Collection[str], row: str) -> bool:
        """Look into a table."""
        if row in table:
            self.used.add(row)
        return row in table

    def reworded(self, docstring: str) -> str:
        """Let a docstring speak of the blocking API."""
        for said in REWORDED:
            if said in docstring and self.has(REWORDED, said):
                docstring = docstring.replace(said, REWORDED[said])
        return docstring

    def check_used(self) -> None:
        """Refuse rows that nothing needs."""
        rows = {*CONSTRUCTED, *LEAVING, *READ_DIRECTLY, *REWORDED}
        if unused := sorted(rows - self.used):
            raise NoRuleError(f"rows that are not needed any more: {', '.join(map(repr, unused))}")

    # --- names and types

    def need(self, module: Module, *nodes: ast.AST | None) -> None:
        """Import the names in annotations and default values."""
        for node in (node for top in nodes if top is not None for node in ast.walk(top)):
            if not isinstance(node, ast.Name) or node.id in CLASSES:
                continue
            if node.id == "AsyncIterator":
                continue
            origin = module.origins.get(node.id)
            if origin is None and hasattr(builtins, node.id):
                continue
            if origin is None or self.imports.setdefault(node.id, origin) != origin:
                raise NoRuleError(
                    f"{module.name}: {node.id!r} is unknown, or something else elsewhere"
                )

    def is_handle(self, annotation: ast.expr | None, where: str) -> bool:
        """Say whether values of the type are wrapped here, and unwrapped on their way back."""
        if annotation is None:
            raise NoRuleError(f"{where} is not fully annotated")
        if isinstance(annotation, ast.Name) and annotation.id in CLASSES:
            return True
        if any(isinstance(node, ast.Name) and node.id in CLASSES for node in ast.walk(annotation)):
            raise NoRuleError(f"{where}: no rule to wrap {ast.unparse(annotation)}")
        return False

    # --- functions

    def signature(self, module: Module, function: FUNCTION, returns: str) -> str:
        """The first line of a function with the same parameters."""
        arguments = function.args
        for argument in _parameters(function):
            self.need(module, argument.annotation)
        self.need(module, *arguments.defaults, *arguments.kw_defaults)
        return f"def {function.name}({ast.unparse(arguments)}) -> {returns}:"

    def forwarded(self, target: str, function: FUNCTION, where: str) -> str:
        """Arguments of a call that passes all parameters on."""
        if function.args.vararg or function.args.kwarg:
            raise NoRuleError(f"{where}: no rule for *args and **kwargs")
        passed = [target]
        for parameter in _parameters(function):
            name = parameter.arg
            value = f"{name}._core" if self.is_handle(parameter.annotation, where) else name
            passed.append(f"{name}={value}" if parameter in function.args.kwonlyargs else value)
        return ", ".join(passed)

    def method(self, module: Module, owner: str, function: FUNCTION) -> str:
        """A method or property that forwards."""
        where, target = f"{owner}.{function.name}", f"self._core.{function.name}"
        self.need(module, function.returns)
        is_property = "property" in map(ast.unparse, function.decorator_list)
        wrapped = self.is_handle(function.returns, where)
        returns = ast.unparse(function.returns or ast.Constant(None))
        is_iterator = returns.startswith("AsyncIterator[")
        if self.has(LEAVING, where):
            value = "self._leave()"
        elif is_property:
            direct = self.has(READ_DIRECTLY, where)
            value = target if direct else f"self._portal.call(on_loop(lambda: {target}))"
        elif is_iterator:
            returns = returns.removeprefix("Async")
            self.imports["Iterator"] = ("collections.abc", "Iterator")
            value = f"self._portal.iterate({self.forwarded(target, function, where)})"
        else:
            if isinstance(function, ast.FunctionDef):
                target = f"on_loop({target})"
            value = f"self._portal.call({self.forwarded(target, function, where)})"
        if wrapped:
            value = f"{returns}({value}, self._portal)"
        lines = [
            "    @property" if is_property else "",
            f"    {self.signature(module, function, returns)}",
            f"        {self.reworded(module.docstring(function))}",
            f"        {value}" if returns == "None" else f"        return {value}",
        ]
        return "\n".join(lines)

    def iterating(self, module: Module, function: FUNCTION) -> str:
        """Iteration over an object that is iterated over asynchronously."""
        if not isinstance(function.returns, ast.Subscript):
            raise NoRuleError(f"{module.name}: {function.name} does not say what it yields")
        self.need(module, function.returns)
        self.imports["Iterator"] = ("collections.abc", "Iterator")
        return ITERATING.format(item=ast.unparse(function.returns.slice))

    def constructor(self, module: Module, owner: str) -> str:
        """The constructor of a class that lives on the loop of the handle that it is given."""
        body = module.find(owner, ast.ClassDef).body
        function = next(n for n in body if isinstance(n, FUNCTION) and n.name == "__init__")
        handles = [p.arg for p in _parameters(function) if self.is_handle(p.annotation, owner)]
        if len(handles) != 1:
            raise NoRuleError(f"{owner}.__init__ does not say which loop it is on")
        portal = f"{handles[0]}._portal"
        arguments = self.forwarded(f"Async{owner}", function, owner)
        return (
            f"    {self.signature(module, function, 'None')}\n"
            f"        super().__init__({portal}.hold({arguments}), {portal})"
        )

    def function(self, name: str) -> str:
        """A function that enters what the async one gives."""
        module = Module(FUNCTIONS[name])
        function = module.find(name, ast.AsyncFunctionDef)
        if not isinstance(function.returns, ast.Subscript):
            raise NoRuleError(f"{name} does not say what it yields")
        made = ast.unparse(function.returns.slice)
        self.imports[f"async_{name}"] = (f"..{module.name}", name)
        return (
            f"{self.signature(module, function, made)}\n"
            f"    {self.reworded(module.docstring(function))}\n"
            f"    portal = current_portal()\n"
            f"    held = portal.hold({self.forwarded(f'async_{name}', function, name)})\n"
            f"    return {made}(held, portal)"
        )

    def called(self, name: str) -> str:
        """A function that gives values."""
        module = Module(CALLED[name])
        function = module.find(name, ast.AsyncFunctionDef)
        self.need(module, function.returns)
        if function.returns is None or self.is_handle(function.returns, name):
            raise NoRuleError(f"{name} gives no value")
        self.imports[f"async_{name}"] = (f"..{module.name}", name)
        return (
            f"{self.signature(module, function, ast.unparse(function.returns))}\n"
            f"    {self.reworded(module.docstring(function))}\n"
            f"    return current_portal().call({self.forwarded(f'async_{name}', function, name)})"
        )

    # --- classes and files

    def class_(self, name: str) -> str:
        """A class whose methods forward."""
        module = Module(CLASSES[name])
        self.imports[f"Async{name}"] = (f"..{module.name}", name)
        is_held = any(row.startswith(f"{name}.") for row in LEAVING)
        definition = module.find(name, ast.ClassDef)
        parts = [
            f"@final\nclass {name}({'HeldHandle' if is_held else 'Handle'}[Async{name}]):",
            f"    {self.reworded(module.docstring(definition))}",
        ]
        if self.has(CONSTRUCTED, name):
            parts.append(self.constructor(module, name))
        if not is_held and any(_is_entering(node) for node in definition.body):
            self.imports |= {
                "Self": ("typing", "Self"),
                "TracebackType": ("types", "TracebackType"),
            }
            parts.append(ENTERING)
        for node in definition.body:
            if isinstance(node, FUNCTION) and node.name == "__aiter__":
                parts.append(self.iterating(module, node))
        for origin, function in module.methods(name):
            parts.append(self.method(origin, name, function))
        for where, docstring in LEAVING.items():
            if docstring is not None and where.startswith(f"{name}.") and self.has(LEAVING, where):
                method = where.partition(".")[2]
                parts.append(f"    def {method}(self) -> None:\n        {docstring}")
                parts.append("        self._leave()")
        return "\n".join(parts)

    def generated(self) -> str:
        """The text of `sync/_generated.py`."""
        parts = [
            *map(self.class_, CLASSES),
            *map(self.function, FUNCTIONS),
            *map(self.called, CALLED),
        ]
        imports = [_import(name, origin) for name, origin in self.imports.items()]
        names = ", ".join(CLASSES)
        parts.append(f'for _class in ({names}):\n    _class.__module__ = "{SYNC}"')
        header = HEADER.format(summary="The blocking classes, and the functions that give them.")
        return "\n\n".join([header, *imports, *parts])

    def package(self) -> str:
        """The text of `sync/__init__.py`: the public names, with the blocking classes."""
        source = Module("__init__")
        public = next(
            ast.literal_eval(node.value)
            for node in source.tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        ours = {**CLASSES, **FUNCTIONS, **CALLED}
        imports = [
            _import(name, ("._generated", name) if name in ours else source.origins[name])
            for name in public
        ]
        summary = "The names of `jupyter_agent_core`, blocking."
        return "\n".join([HEADER.format(summary=summary), *imports, f"__all__ = {public!r}"])


def _is_entering(node: ast.stmt) -> bool:
    return isinstance(node, FUNCTION) and node.name == "__aenter__"


def _parameters(function: FUNCTION) -> list[ast.arg]:
    arguments = function.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return [argument for argument in named if argument.arg != "self"]


def _import(name: str, origin: Origin) -> str:
    module, original = origin
    if original is None:
        return f"import {module}"
    return f"from {module} import {original}" + ("" if name == original else f" as {name}")


def _formatted(text: str, path: Path) -> str:
    """Sort the imports and format, as the linter wants it."""
    for command in (["check", "--quiet", "--select=I", "--fix"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        done = subprocess.run(
            ruff, input=text, stdout=subprocess.PIPE, encoding="utf-8", check=True
        )
        text = done.stdout
    return text


def main() -> int:
    """Write the files, or compare them with what would be written."""
    parser = argparse.ArgumentParser(description="Write jupyter_agent_core/sync.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if stale")
    check: bool = parser.parse_args().check
    generator = Generator()
    texts = {"_generated.py": generator.generated(), "__init__.py": generator.package()}
    generator.check_used()
    stale = 0
    for name, text in texts.items():
        path = PACKAGE / "sync" / name
        new = _formatted(text, path)
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if check and new != old:
            stale = 1
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), str(path), "up to date", n=1
            )
            print(*list(lines)[:60], sep="\n")
            print(f"{path} is stale: run python tools/generate_sync.py")
        elif new != old:
            path.write_text(new, encoding="utf-8", newline="\n")
    return stale


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NoRuleError as reason:
        sys.exit(f"tools/generate_sync.py: {reason}")
