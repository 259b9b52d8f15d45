"""evaluate_expression: arithmetic, and what it will not do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.structures import evaluate_expression, expression_names

FRAME = pd.DataFrame(
    {
        "OS": [1.0, 2.0, 3.0, np.nan],
        "CN": [4.0, 6.0, 0.0, 5.0],
        "NNRS": [0.25, 0.0, -1.0, 4.0],
        "label": ["a", "b", "c", "d"],
    }
)
NAN = np.nan


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("OS/CN", [0.25, 1 / 3, NAN, NAN]),
        ("(CN - 4) * NNRS", [0, 0, 4, 4]),
        ("sqrt(NNRS)", [0.5, 0, NAN, 2]),
        ("log(NNRS)", [np.log(0.25), NAN, NAN, np.log(4)]),
        ("log10(CN)", [np.log10(4), np.log10(6), NAN, np.log10(5)]),
        ("abs(NNRS)", [0.25, 0, 1, 4]),
        ("min(OS, CN)", [1, 2, 0, NAN]),
        ("max(OS, CN, 3)", [4, 6, 3, NAN]),
        ("-OS + +CN", [3, 4, -3, NAN]),
        ("OS**2", [1, 4, 9, NAN]),
        ("OS ** -0.5", [1, 2**-0.5, 3**-0.5, NAN]),
        ("CN == 4", [1, 0, 0, 0]),
        ("OS >= 2", [0, 1, 1, NAN]),
        ("CN > 3 and NNRS > 1", [0, 0, 0, 1]),
        ("CN < 1 or NNRS > 1 or CN == 4", [1, 0, 1, 1]),
        ("2.5", [2.5] * 4),
        ("exp(1000*CN)", [NAN, NAN, 1, NAN]),
        ("  CN  ", [4, 6, 0, 5]),
        ("1/0", [NAN] * 4),
    ],
)
def test_values(expression: str, expected: list[float]) -> None:
    found = evaluate_expression(expression, FRAME)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("OS/XY", r"column 4: unknown name 'XY'; columns are: OS, CN, NNRS, label"),
        ("OS +* CN", r"column 5"),
        ("   OS + foo", r"column 9: unknown name 'foo'"),
        ("Å + 1", r"column 1: unknown name"),
        ("(OS", r"column 1"),
        ("", r"empty"),
        ("   ", r"empty"),
        ("label + 1", r"does not hold numbers"),
        ("__import__('os').system('true')", r"not allowed"),
        ("OS.__class__", r"Attribute is not allowed"),
        ("OS[0]", r"Subscript is not allowed"),
        ("lambda: 1", r"Lambda is not allowed"),
        ("[x for x in OS]", r"ListComp is not allowed"),
        ("'a'", r"Constant is not allowed"),
        ("True", r"Constant is not allowed"),
        ("None", r"Constant is not allowed"),
        ("1j", r"Constant is not allowed"),
        ("(OS := 3)", r"NamedExpr is not allowed"),
        ("OS if CN else 1", r"IfExp is not allowed"),
        ("1 < OS < 3", r"Compare is not allowed"),
        ("OS and CN", r"BoolOp is not allowed"),
        ("not OS", r"UnaryOp is not allowed"),
        ("OS // 2", r"BinOp is not allowed"),
        ("OS % 2", r"BinOp is not allowed"),
        ("OS @ CN", r"BinOp is not allowed"),
        ("1 << 1000", r"BinOp is not allowed"),
        ("eval(OS)", r"'eval' is not a function here; need one of sqrt"),
        ("sqrt(OS, CN)", r"sqrt has 2 arguments; need 1"),
        ("min(OS)", r"min has 1 arguments; need 2 to 8"),
        ("max(*OS)", r"max has 1 arguments|Starred is not allowed"),
        ("sqrt(x=OS)", r"Call is not allowed"),
        ("sqrt(OS)(CN)", r"Call is not allowed"),
        ("OS ** CN", r"power is not a number"),
        ("OS ** 11", r"power is 11; need -10 to 10"),
        ("9**9**9", r"power is"),
        ("9" * 400, r"too large"),
        ("OS\n+1", r"cannot be printed"),
        ("OS\x00", r"cannot be printed"),
        ("OS; CN", r"column 3"),
        ("1+" * 300 + "1", r"601 characters; need at most 500"),
        ("1+" * 120 + "1", r"more than 200 parts"),
        ("-" * 60 + "1", r"levels deep"),
        ("(" * 240 + "1" + ")" * 240, r"parse|nested|parenthes"),
        ("1 is 2", r"not allowed|parsed"),
    ],
)
def test_everything_else_is_refused_with_its_place(expression: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        evaluate_expression(expression, FRAME)


def test_names_in_order_of_appearance() -> None:
    assert expression_names("max(CN, OS) / sqrt(NNRS) + CN") == ("CN", "OS", "NNRS")
    assert expression_names("1 + 2") == ()


def test_integer_boolean_and_nullable_columns_count_as_numbers() -> None:
    frame = pd.DataFrame({"I": [1, 2], "B": [True, False], "N": pd.array([1, None], dtype="Int64")})
    np.testing.assert_array_equal(evaluate_expression("I + B", frame), [2, 2])
    np.testing.assert_array_equal(evaluate_expression("N * 2", frame), [2, np.nan])


def test_result_is_a_copy() -> None:
    found = evaluate_expression("CN", FRAME)
    found[0] = 99
    assert FRAME["CN"].iloc[0] == 4


def test_no_rows() -> None:
    assert evaluate_expression("CN * 2", FRAME.iloc[:0]).shape == (0,)
