# SPDX-License-Identifier: BSD-3-Clause
"""From a method to a tool: its name, description, argument schema and validation.

An adapter (MCP, LangChain, LlamaIndex) needs nothing but `tools_of` and `Tool.call`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs
import msgspec

from .._errors import ConfigurationError
from .._handles.run import run_listener
from .calling import NOBODY, Caller, caller
from .refusals import refusal
from .toolsets import TOOLSETS, Toolset

Method = TypeVar("Method", bound=Callable[..., Any])


@attrs.frozen
class ToolHints:
    """What a signature cannot say of a tool.

    Attributes:
        title: Name that people see.
        toolset: The group that it belongs to.
        read_only: It changes nothing.
        destructive: It may remove or overwrite something, or run code.
        idempotent: A second call with the same arguments changes nothing more.
        open_world: It may reach beyond the Jupyter server, as code may.
        name: The tool's name, where it is not the method's.
        aliases: Other names of arguments.
        ignored: Names of arguments that are accepted and have no effect.
    """

    title: str
    toolset: Toolset
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False
    name: str | None = None
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    ignored: tuple[str, ...] = ()


def tool(hints: ToolHints) -> Callable[[Method], Method]:
    """Make a public method of the `Workspace` a tool."""

    def mark(method: Method) -> Method:
        method.__tool_hints__ = hints  # type: ignore[attr-defined]
        return method

    return mark


@attrs.frozen
class Tool:
    """One tool: a method of the `Workspace` as adapters see it.

    Attributes:
        name: The tool's name.
        method: The method's name.
        description: What the model is told.
        schema: JSON Schema of its arguments.
        hints: What a signature cannot say.
    """

    name: str
    method: str
    description: str
    schema: Mapping[str, Any]
    hints: ToolHints
    _arguments: type[msgspec.Struct] = attrs.field(repr=False)

    async def call(
        self, workspace: object, arguments: Mapping[str, Any] | None, by: Caller = NOBODY
    ) -> Any:
        """Check the arguments and call the method.

        Args:
            workspace: What the tool acts on.
            arguments: The arguments by name.
            by: Who calls, and what he wants to hear meanwhile.

        Raises:
            ConfigurationError: An argument is unknown, missing or of a wrong kind.
        """
        kwargs = self._checked(dict(arguments or {}))
        marks = caller.set(by), run_listener.set(by.on_run)
        try:
            return await getattr(workspace, self.method)(**kwargs)
        finally:
            caller.reset(marks[0])
            run_listener.reset(marks[1])

    def _checked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        for name in self.hints.ignored:
            arguments.pop(name, None)
        for alias, name in self.hints.aliases.items():
            if alias in arguments:
                value = arguments.pop(alias)
                if arguments.setdefault(name, value) != value:
                    raise ConfigurationError(
                        f"{alias} and {name} are the same argument of {self.name}, "
                        f"and have the different values {value!r} and {arguments[name]!r}",
                        name=name,
                        value=value,
                    )
        valid = self.schema["properties"]
        for name, value in arguments.items():
            if name not in valid:
                raise ConfigurationError(
                    f"{self.name} has no argument {name!r}; it takes: {', '.join(valid) or 'none'}",
                    name=name,
                    value=value,
                )
        try:
            checked = msgspec.convert(arguments, self._arguments, strict=False)
        except msgspec.ValidationError as error:
            said = refusal(str(error), arguments, self.schema)
            raise ConfigurationError(f"Bad argument for {self.name}: {said}") from error
        return msgspec.structs.asdict(checked)


def tools_of(workspace_class: type) -> dict[str, Tool]:
    """Return the tools of a class by name: its marked methods, in the order of the toolsets."""
    tools = [
        _tool(name, method)
        for name, method in inspect.getmembers(workspace_class, inspect.isfunction)
        if hasattr(method, "__tool_hints__")
    ]
    tools.sort(key=lambda tool: (TOOLSETS.index(tool.hints.toolset), tool.name))
    return {tool.name: tool for tool in tools}


def offered(
    tools: Mapping[str, Tool], toolsets: Iterable[str], *, read_only: bool
) -> dict[str, Tool]:
    """Return those of the tools that are in a toolset and may be offered.

    Args:
        tools: All of them.
        toolsets: Names of toolsets.
        read_only: Leave out what changes something.

    Raises:
        ConfigurationError: There is no such toolset.
    """
    wanted = set(toolsets)
    for unknown in sorted(wanted.difference(TOOLSETS)):
        raise ConfigurationError(
            f"There is no toolset {unknown!r}; there are: {', '.join(TOOLSETS)}",
            name="toolsets",
            value=unknown,
        )
    return {
        name: tool
        for name, tool in tools.items()
        if tool.hints.toolset in wanted and (tool.hints.read_only or not read_only)
    }


def _tool(name: str, method: Callable[..., Any]) -> Tool:
    hints: ToolHints = method.__tool_hints__  # type: ignore[attr-defined]
    signature = inspect.signature(method, eval_str=True)
    fields: list[Any] = [
        (parameter.name, parameter.annotation)
        if parameter.default is parameter.empty
        else (parameter.name, parameter.annotation, parameter.default)
        for parameter in list(signature.parameters.values())[1:]
    ]
    arguments = msgspec.defstruct(name, fields, kw_only=True)
    return Tool(
        name=hints.name or name,
        method=name,
        description=_description(method),
        schema=_object_schema(arguments),
        hints=hints,
        arguments=arguments,
    )


def _description(method: Callable[..., Any]) -> str:
    """The docstring without its sections for programmers."""
    text = inspect.getdoc(method) or ""
    for section in ("\n\nArgs:", "\n\nReturns:", "\n\nRaises:"):
        text = text.partition(section)[0]
    return text


def _object_schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON Schema with the object at its root, which MCP wants."""
    schema = msgspec.json.schema(arguments)
    definitions: dict[str, Any] = schema["$defs"]
    root: dict[str, Any] = definitions.pop(schema["$ref"].rpartition("/")[2])
    inlined: dict[str, Any] = _inlined(root, definitions)
    if not inlined["required"]:
        del inlined["required"]
    return {**inlined, "additionalProperties": False}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Put definitions where they are referred to, as not every host of a model follows `$ref`."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    kept = {key: item for key, item in schema.items() if key not in ("title", "discriminator")}
    if kept.get("default", ...) is None:
        # what may be left out need not be offered as null, which is taken all the same
        del kept["default"]
        kinds = [kind for kind in kept.pop("anyOf") if kind != {"type": "null"}]
        kept |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return {key: _inlined(item, definitions) for key, item in kept.items()}
