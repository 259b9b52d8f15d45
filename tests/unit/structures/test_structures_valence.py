"""Oxidation states: the search against pymatgen's own analyzer, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.core.bond_valence import BVAnalyzer

from engine.structures.bond_valence import cation_sum
from engine.structures.errors import NotDefinedError, TimedOutError
from engine.structures.valence import _best_neutral, ionic_radius, oxidation_states


def magnetite() -> Structure:
    return Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.39), ["Fe", "Fe", "O"], [[0.125] * 3, [0.5] * 3, [0.2549] * 3]
    )


def perovskite() -> Structure:
    structure = Structure(
        Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )  # fmt: skip
    return structure * (2, 1, 1)


@pytest.mark.parametrize("make", [perovskite, magnetite])
def test_states_equal_those_of_pymatgen(make: object) -> None:
    assert callable(make)
    structure = make()
    try:
        expected = BVAnalyzer().get_valences(structure)
    except ValueError:
        with pytest.raises(NotDefinedError):
            oxidation_states(structure)
        return
    np.testing.assert_array_equal(oxidation_states(structure), expected)


def test_search_equals_trying_every_combination() -> None:
    from itertools import product

    rng = np.random.default_rng(5)
    symbols, counts = ["A", "B", "B", "X"], [2, 1, 1, 4]
    options = [[1, 2, 3], [1, 2, 3], [2, 3, 4], [-2, -1]]
    for _ in range(20):
        weights = [{s: float(rng.uniform(0.01, 1)) for s in states} for states in options]
        neutral = [
            choice
            for choice in product(*options)
            if sum(c * n for c, n in zip(choice, counts, strict=True)) == 0 and abs(choice[1] - choice[2]) <= 1
        ]
        best = max(neutral, key=lambda choice: np.prod([w[s] for w, s in zip(weights, choice, strict=True)]))
        assert _best_neutral(options, weights, counts, symbols, float("inf")) == list(best)


def test_time_limit_is_reported_as_such() -> None:
    with pytest.raises(TimedOutError, match="stopped"):
        oxidation_states(magnetite(), seconds=-1.0)


def test_element_without_parameters_is_named() -> None:
    structure = Structure(Lattice.cubic(4.0), ["Pu", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(NotDefinedError, match="Pu"):
        oxidation_states(structure)


def test_cation_sum_takes_the_state_closest_to_its_sum() -> None:
    four_at_equal_valence = np.full(4, 1.679 + 0.37 * np.log(2.0))
    assert cation_sum("Cu", four_at_equal_valence) == pytest.approx(2.0)
    with pytest.raises(NotDefinedError, match="Pu"):
        cation_sum("Pu", four_at_equal_valence)


def test_ionic_radius_needs_a_known_state() -> None:
    assert ionic_radius("O", None) == pytest.approx(1.26)
    with pytest.raises(NotDefinedError, match="unknown"):
        ionic_radius("Cl", None)
    with pytest.raises(NotDefinedError, match=r"O in state -1"):
        ionic_radius("O", -1)
