"""Which names of TensorRT's interface a source file uses, found in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# By what names the code holds the module, and objects of which class.
MODULES = ("module", "trt", "_trt")
OBJECTS = {
    "builder.py": {
        "builder": "Builder",
        "network": "INetworkDefinition",
        "parser": "OnnxParser",
        "config": "IBuilderConfig",
        "layer": "ILayer",
        "cache": "ITimingCache",
        "e": "ParserError",
    },
    "census.py": {"network": "INetworkDefinition", "layer": "ILayer"},
    "loaded.py": {
        "_runtime": "Runtime",
        "_engine": "ICudaEngine",
        "engine": "ICudaEngine",
        "_config": "IRuntimeConfig",
        "_context": "IExecutionContext",
        "_cache": "IRuntimeCache",
        "cache": "IRuntimeCache",
    },
}
# What methods return, where the code goes on with it at once.
RETURNED = {
    "get_output": "ITensor",
    "get_input": "ITensor",
    "get_layer": "ILayer",
    "get_timing_cache": "ITimingCache",
    "get_error": "ParserError",
}
# Python's own: every class and enumeration has them.
PLAIN = ("__init__", "__members__", "__version__", "name", "value")


def used_names(source: str, file_name: str) -> set[str]:
    """Return {"BuilderFlag.FP16", "IExecutionContext.execute_async_v3", ...}."""
    tree = ast.parse(source)
    objects = OBJECTS.get(file_name, {})
    aliases = _aliases(tree)
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = _parts(node)
            found = _resolved(parts, objects, aliases).split(".")
            plain = [place for place, part in enumerate(found) if part in PLAIN]
            names.add(".".join(found[: plain[0]] if plain else found))
        elif isinstance(node, ast.ClassDef):
            names.update(_overridden(node))
    return names - {""}


def _overridden(node: ast.ClassDef) -> Iterator[str]:
    """Yield the methods that a subclass of one of TensorRT's classes takes the place of."""
    for base in node.bases:
        name = _resolved(_parts(base), {}, {})
        for member in node.body if name else ():
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                yield f"{name}.{member.name}"


def _parts(node: ast.expr) -> list[str]:
    """Return ["self", "_trt", "Builder"] for `self._trt.Builder`; a call is its function's name."""
    if isinstance(node, ast.Attribute):
        return [*_parts(node.value), node.attr]
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Call):
        called = _parts(node.func)
        return ["()" + called[-1]] if called else []
    return []


def _resolved(parts: list[str], objects: dict[str, str], aliases: dict[str, str]) -> str:
    if len(parts) < 2:
        return ""
    for place, part in enumerate(parts[:-1]):
        if part in MODULES and place <= 2:
            return ".".join(parts[place + 1 :])
    owner, member = parts[-2], parts[-1]
    if owner.startswith("()"):
        known = RETURNED.get(owner[2:])
        return f"{known}.{member}" if known else ""
    if parts[:-1] == [owner] and owner in aliases:
        return f"{aliases[owner]}.{member}"
    # `self._engine.x` and `engine.x`, but not `something.engine.x`.
    if owner in objects and parts[:-2] in ([], ["self"]):
        return f"{objects[owner]}.{member}"
    return ""


def _aliases(tree: ast.AST) -> dict[str, str]:
    """Return names that stand for a class of the module: `flags = trt.BuilderFlag`."""
    found = {}
    for target, value in _assignments(tree):
        parts = _parts(value)
        for place, part in enumerate(parts[:-1]):
            if part in MODULES:
                found[target] = ".".join(parts[place + 1 :])
    return found


def _assignments(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            for each, given in pairs:
                if isinstance(each, ast.Name) and isinstance(given, ast.Attribute):
                    yield each.id, given
