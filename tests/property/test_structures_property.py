"""Descriptors do not see how a structure is written down; expressions agree with numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from engine.errors import ConfigError
from engine.structures import describe_sites, evaluate_expression
from engine.structures.geometry import bond_angle_variance, polyhedron_volume, quadratic_elongation

NAMES = [
    "OS", "CN", "CN2", "OCN", "NNRS", "NNAS", "MOOD", "PGSO", "MOOD_EDGE", "MOOD_ALL", "SITE_ORDER", "BL_MEAN", "BVS",
    "GII", "OFF_CENTRE", "BAV", "QE", "POLY_VOL", "METAL2", "O_FRAC",
]  # fmt: skip
SHELL = {"Ti": (2.6, 4.0)}


def anatase() -> Structure:
    return Structure.from_spacegroup(
        "I4_1/amd", Lattice.tetragonal(3.785, 9.514), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.2081]], tol=1e-3
    )


def described(structure: Structure, index: int) -> np.ndarray:
    return describe_sites({"m": structure}, [("m", index)], NAMES, second_shell_angstrom=SHELL).frame.to_numpy()[0]


@settings(max_examples=12, deadline=None)
@given(
    rotation=st.integers(0, 2**32 - 1),
    shift=st.tuples(*[st.floats(-2, 2, allow_nan=False)] * 3),
    order=st.permutations(range(12)),
)
def test_rotation_translation_and_permutation_change_nothing(
    rotation: int, shift: tuple[float, float, float], order: list[int]
) -> None:
    structure = anatase()
    matrix = Rotation.random(random_state=rotation).as_matrix()
    moved = Structure(
        Lattice(structure.lattice.matrix @ matrix.T),
        [structure[i].specie for i in order],
        structure.frac_coords[order] + np.asarray(shift),
    )
    np.testing.assert_allclose(described(moved, order.index(0)), described(structure, 0), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.sampled_from([4, 6]), scale=st.floats(0.5, 3.0))
def test_polyhedra_scale_and_turn_as_they_should(seed: int, count: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    ideal = (
        np.vstack([np.eye(3), -np.eye(3)])
        if count == 6
        else np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    )
    vectors = 2.0 * ideal / np.linalg.norm(ideal[0]) + rng.normal(0, 0.1, (count, 3))
    turned = scale * vectors @ Rotation.random(random_state=seed).as_matrix().T
    assert polyhedron_volume(turned) == pytest.approx(scale**3 * polyhedron_volume(vectors))
    assert quadratic_elongation(turned) == pytest.approx(quadratic_elongation(vectors))
    assert bond_angle_variance(turned) == pytest.approx(bond_angle_variance(vectors))
    assert quadratic_elongation(vectors) > 0.99


numbers = st.floats(-50, 50, allow_nan=False).map(lambda x: round(x, 3))
Columns = dict[str, np.ndarray]
Worked = tuple[str, Callable[[Columns], np.ndarray]]
"""An expression as text, and the same thing in numpy."""

BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


def joined(parts: tuple[Worked, str, Worked]) -> Worked:
    (left, f), sign, (right, g) = parts
    return f"({left} {sign} {right})", lambda c: BINARY[sign](f(c), g(c))


def applied(text: str, function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Worked], Worked]:
    return lambda inner: (text.format(inner[0]), lambda c: function(inner[1](c)))


def largest(parts: tuple[Worked, Worked]) -> Worked:
    (left, f), (right, g) = parts
    return f"max({left}, {right})", lambda c: np.maximum(f(c), g(c))


def expressions() -> st.SearchStrategy[Worked]:
    names = st.sampled_from(["A", "B"]).map(lambda n: (n, lambda c: c[n]))
    constants = st.integers(0, 9000).map(lambda i: (f"{i / 1000:.3f}", lambda c: np.full_like(c["A"], i / 1000)))
    return st.recursive(
        st.one_of(names, constants),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(sorted(BINARY)), inner).map(joined),
            st.tuples(inner, inner).map(largest),
            inner.map(applied("sqrt({})", np.sqrt)),
            inner.map(applied("abs({})", np.abs)),
            inner.map(applied("(-{})", np.negative)),
            inner.map(applied("({}) ** 2", np.square)),
        ),
        max_leaves=8,
    )


@settings(max_examples=150, deadline=None)
@given(worked=expressions(), rows=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_expressions_agree_with_numpy(worked: Worked, rows: list[tuple[float, float]]) -> None:
    text, reference = worked
    assume(len(text) <= 300 and text.count("(") < 25)
    frame = pd.DataFrame(rows, columns=["A", "B"])
    with np.errstate(all="ignore"):
        expected = reference({name: frame[name].to_numpy(dtype=np.float64) for name in frame})
    expected = np.where(np.isfinite(expected), expected, np.nan)
    np.testing.assert_allclose(evaluate_expression(text, frame), expected, rtol=1e-9)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(max_size=60) | st.text(alphabet="AB0123456789.+-*/()<>=,_ sqrtminmax[]{}'\"\\:;@&|^~%", max_size=60)
)
def test_any_text_is_a_value_or_a_config_error(text: str) -> None:
    frame = pd.DataFrame({"A": [1.0, 2.0], "B": [0.0, np.nan]})
    try:
        found = evaluate_expression(text, frame)
    except ConfigError:
        return
    assert found.shape == (2,)
    assert not np.isinf(found).any()
