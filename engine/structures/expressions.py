"""Arithmetic over descriptor columns, such as ``(CN - 4) * NNRS``: parsed, checked and worked out node by node."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import ConfigError

FloatArray = npt.NDArray[np.float64]

MAX_LENGTH = 500
MAX_DEPTH = 30
MAX_NODES = 200
MAX_POWER = 10.0

FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = MappingProxyType(
    {
        "sqrt": (np.sqrt, 1, 1),
        "log": (np.log, 1, 1),
        "log10": (np.log10, 1, 1),
        "exp": (np.exp, 1, 1),
        "abs": (np.abs, 1, 1),
        "min": (lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)), 2, 8),
        "max": (lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)), 2, 8),
    }
)
"""Function, fewest and most arguments, by name; ``log`` is natural."""

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ALLOWED = f"numbers, column names, + - * / **, comparisons, 'and', 'or', and {', '.join(FUNCTIONS)}"


def evaluate_expression(expression: str, frame: pd.DataFrame) -> FloatArray:
    """Value of ``expression`` for each of the n rows of ``frame``, (n,) float64.

    Allowed are numbers, names of columns, ``+ - * / **`` (constant power between -10 and 10), the functions sqrt, log
    (natural), log10, exp, abs, min and max (two arguments or more), one comparison (1 for true, 0 for false), and
    ``and``/``or`` between comparisons. NaN spreads; division by zero, roots of negative numbers and overflow are NaN.
    Nothing is handed to Python to run: each node of the parsed text is looked up in a list of allowed ones.

    A ConfigError shows the column of a syntax error, an unknown name or anything else, and what would be right; also
    when the text has more than 500 characters, 200 parts or 30 levels.
    """
    tree = _parse(expression)
    with np.errstate(all="ignore"):
        value = np.asarray(_value(expression, tree, frame), dtype=np.float64)
    result: FloatArray = np.array(np.broadcast_to(value, (len(frame),)), dtype=np.float64)
    result[~np.isfinite(result)] = np.nan
    return result


def expression_names(expression: str) -> tuple[str, ...]:
    """Names of columns that ``expression`` uses, in order of appearance; ConfigError as in evaluate_expression."""
    tree = _parse(expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    return tuple(dict.fromkeys(node.id for node in sorted(names, key=lambda n: (n.lineno, n.col_offset))))


def _parse(expression: str) -> ast.expr:
    """The checked syntax tree of ``expression``."""
    if not expression.strip():
        raise ConfigError(f"the expression is empty; need {ALLOWED}")
    if len(expression) > MAX_LENGTH:
        raise ConfigError(f"the expression has {len(expression)} characters; need at most {MAX_LENGTH}")
    if not expression.isprintable():
        raise ConfigError("the expression holds a character that cannot be printed; need one line of text")
    text = expression.lstrip()
    shift = len(expression) - len(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as problem:
        column = (problem.offset or 1) + shift
        raise ConfigError(f"'{expression}', column {column}: {problem.msg}; need {ALLOWED}") from None
    except (ValueError, RecursionError, MemoryError, Warning) as problem:
        raise ConfigError(f"'{expression}' cannot be parsed ({problem}); need {ALLOWED}") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise ConfigError(f"the expression has more than {MAX_NODES} parts; write a shorter one")
    return tree


def _refuse(expression: str, node: ast.expr, what: str) -> ConfigError:
    shift = len(expression) - len(expression.lstrip())
    before = expression.lstrip().encode()[: node.col_offset].decode(errors="ignore")
    return ConfigError(f"'{expression}', column {len(before) + shift + 1}: {what}")


def _value(expression: str, node: ast.expr, frame: pd.DataFrame, depth: int = 1) -> Any:
    """Value of one node: a number or an array (n,)."""
    if depth > MAX_DEPTH:
        raise _refuse(expression, node, f"nested more than {MAX_DEPTH} levels deep; write a simpler expression")

    def of(child: ast.expr) -> Any:
        return _value(expression, child, frame, depth + 1)

    match node:
        case ast.Constant(value=number) if isinstance(number, int | float) and not isinstance(number, bool):
            return _constant(expression, node, number)
        case ast.Name(id=name):
            return _column(expression, node, name, frame)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -of(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return +of(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return np.power(of(left), _power(expression, right, of(right)))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            return _ARITHMETIC[type(sign)](of(left), of(right))
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARISONS:
            a, b = of(left), of(right)
            return np.where(np.isnan(a) | np.isnan(b), np.nan, _COMPARISONS[type(sign)](a, b))
        case ast.BoolOp(op=joint, values=parts) if all(isinstance(part, ast.Compare | ast.BoolOp) for part in parts):
            values = np.broadcast_arrays(*[of(part) for part in parts])
            return np.minimum.reduce(values) if isinstance(joint, ast.And) else np.maximum.reduce(values)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise _refuse(expression, node, f"'{name}' is not a function here; need one of {', '.join(FUNCTIONS)}")
            function, fewest, most = FUNCTIONS[name]
            if not fewest <= len(arguments) <= most:
                need = str(fewest) if fewest == most else f"{fewest} to {most}"
                raise _refuse(expression, node, f"{name} has {len(arguments)} arguments; need {need}")
            return function(*[of(argument) for argument in arguments])
        case _:
            raise _refuse(expression, node, f"{type(node).__name__} is not allowed; need {ALLOWED}")


def _constant(expression: str, node: ast.expr, number: float) -> np.float64:
    try:
        value = np.float64(number)
    except OverflowError:
        value = np.float64(np.inf)
    if not np.isfinite(value):
        raise _refuse(expression, node, "the number is too large")
    return value


def _power(expression: str, node: ast.expr, value: Any) -> Any:
    """The exponent, which must be a number written in the expression."""
    if any(isinstance(part, ast.Name) for part in ast.walk(node)):
        raise _refuse(expression, node, "the power is not a number; need a constant such as 2 or 0.5")
    if not -MAX_POWER <= float(value) <= MAX_POWER:
        raise _refuse(expression, node, f"the power is {float(value):g}; need -{MAX_POWER:g} to {MAX_POWER:g}")
    return value


def _column(expression: str, node: ast.expr, name: str, frame: pd.DataFrame) -> FloatArray:
    if name not in frame.columns:
        there = ", ".join(map(str, frame.columns)) or "none"
        raise _refuse(expression, node, f"unknown name '{name}'; columns are: {there}")
    column = frame[name]
    if not isinstance(column, pd.Series):
        raise _refuse(expression, node, f"there are several columns '{name}'; need different names")
    if not pd.api.types.is_numeric_dtype(column):
        raise _refuse(expression, node, f"column '{name}' does not hold numbers; need a numeric column")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
