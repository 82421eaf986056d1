"""Kometa's own functions as syntax trees: looked at before anything is changed, and changed where a place is surely the one meant."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any


class NotFound(Exception):
    """The place that a speed-up changes is not there, or not as it was. The text says what."""


def leave_early(function: ast.FunctionDef) -> None:
    """In ``function``: let the loop that repeats substitution passes end when its text has no ``<<``. NotFound where unsure.

    The loop is found by what it is: the only ``for _ in range(constant)`` in the only inner function that takes the text as
    its second parameter and returns it, the loop variable unused, the text assigned inside.
    """
    places = []
    for inner in ast.walk(function):
        if not isinstance(inner, ast.FunctionDef) or inner is function or len(inner.args.args) != 3:
            continue
        text = inner.args.args[1].arg
        loops = [node for node in inner.body if isinstance(node, (ast.For, ast.Try))]
        candidates = [
            node for outer in loops for node in ([outer] if isinstance(outer, ast.For) else outer.body) if isinstance(node, ast.For)
        ]
        for loop in candidates:
            if not (isinstance(loop.iter, ast.Call) and isinstance(loop.iter.func, ast.Name) and loop.iter.func.id == "range"):
                continue
            if len(loop.iter.args) != 1 or not isinstance(loop.iter.args[0], ast.Constant) or not isinstance(loop.target, ast.Name):
                continue
            names = [node for statement in loop.body for node in ast.walk(statement) if isinstance(node, ast.Name)]
            stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            if text in stored and loop.target.id not in {node.id for node in names} and not loop.orelse and _substitutes(inner):
                places.append((loop, text))
    if len(places) != 1:
        raise NotFound(f"the substitution loop was found {len(places)} times")
    loop, text = places[0]
    (check,) = ast.parse(f"if '<<' not in str({text}):\n    break").body
    loop.body.insert(0, check)
    for node in ast.walk(check):
        ast.copy_location(node, loop)


def _substitutes(function: ast.FunctionDef) -> bool:
    """Whether every text compared in ``function`` starts with ``<<``: then nothing happens to a text without it."""
    formats = [node for node in ast.walk(function) if isinstance(node, ast.JoinedStr)]
    starts = [node.values[0].value for node in formats if node.values and isinstance(node.values[0], ast.Constant)]
    return any(str(start).startswith("<<") for start in starts)


def rewrite(function: Any, change: Callable[[ast.FunctionDef], None]) -> FunctionType:
    """``function``, its syntax tree changed by ``change``: same file and lines, same globals, defaults and annotations.

    NotFound where its source is not to be had, or it is not a plain function.
    """
    tree = source(function)
    change(tree)
    code = compile(ast.Module(body=[tree], type_ignores=[]), function.__code__.co_filename, "exec", dont_inherit=True)
    space: dict[str, Any] = {}
    exec(code, function.__globals__, space)  # noqa: S102  # Kometa's own function, rewritten
    made = space[function.__name__]
    if not isinstance(made, FunctionType):
        raise NotFound(f"{function.__qualname__} did not compile to a function")
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    return made


def source(function: Any) -> ast.FunctionDef:
    """The syntax tree of ``function``. NotFound where its source is not to be had, or it is not a plain function."""
    if not isinstance(function, FunctionType) or function.__closure__:
        raise NotFound(f"{getattr(function, '__qualname__', function)} is not a plain function")
    path = Path(function.__code__.co_filename)
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise NotFound(f"the source of {function.__qualname__} cannot be read: {error}") from error
    line = function.__code__.co_firstlineno
    found = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function.__name__ and node.lineno == line
    ]
    if len(found) != 1 or found[0].decorator_list:
        raise NotFound(f"the source of {function.__qualname__} was found {len(found)} times")
    return found[0]
