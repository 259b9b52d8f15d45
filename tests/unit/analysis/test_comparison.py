"""Members side by side: overlap, amplitude, edge, differences of scores and chains, against closed forms and search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine.analysis.chains import find_chains, where_it_began
from engine.analysis.comparison import amplitude, compare_scores, overlap_between, own_edge, same_grid
from engine.analysis.traversal import Traversal
from engine.spectra import K_EDGE_EV

ENERGY = np.linspace(8980.0, 9030.0, 101)


def trend(differential: np.ndarray, energy: np.ndarray = ENERGY) -> Traversal:
    mu = np.stack([np.zeros_like(differential), differential])
    return Traversal("CN", np.array([-1.0, 1.0]), energy, mu, np.zeros_like(mu))


def test_overlap_is_the_cosine_and_is_left_out_where_energies_or_axes_differ() -> None:
    one, other = np.sin(ENERGY), np.sin(ENERGY) + np.cos(ENERGY)
    moved, short = trend(one, ENERGY + 0.2), trend(one[:-1], ENERGY[:-1])
    found = overlap_between([trend(one), trend(other), trend(-3 * one), moved, short, None])
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    np.testing.assert_allclose(found[:3, :3], [[1, cosine, -1], [cosine, 1, -cosine], [-1, -cosine, 1]], atol=1e-12)
    assert np.isnan(found[:3, 3:]).all()
    assert found[3, 3] == pytest.approx(1)
    assert np.isnan(found[3, 4])
    assert np.isnan(found[5]).all()


def test_grids_are_the_same_up_to_rounding_alone() -> None:
    assert same_grid(ENERGY, ENERGY + 1e-9)
    assert not same_grid(ENERGY, ENERGY + 1e-3)
    assert not same_grid(ENERGY, ENERGY[1:])


def test_amplitude_of_a_sine_is_its_height_over_root_two() -> None:
    phase = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    assert amplitude(0.3 * np.sin(phase)) == pytest.approx(0.3 / np.sqrt(2))


def test_own_edge_moves_with_the_spectrum_and_falls_back_to_the_table() -> None:
    def edge(shift: float) -> tuple[float, str]:
        x = ENERGY - 8995 - shift
        return own_edge(ENERGY, 0.5 + np.arctan(x) / np.pi + np.exp(-(((x - 4) / 2) ** 2)), "Cu")

    assert edge(2.0)[0] - edge(0.0)[0] == pytest.approx(2.0, abs=0.02)
    assert edge(0.0)[1] == "half height"
    flat = np.linspace(1.0, 0.9, 101)
    assert own_edge(ENERGY, flat, "Cu") == (K_EDGE_EV["Cu"], "tabulated K edge")
    assert own_edge(ENERGY, flat, None) == (8980.0, "first energy")


def test_scores_are_told_by_their_difference_to_the_first_member() -> None:
    first = {"seed": 0, "reconstruction_rmse": 0.05, "CN srcc": 0.8, "CN f1": float("nan"), "normality": 1.0}
    second = {"seed": 1, "reconstruction_rmse": 0.04, "CN srcc": 0.7, "CN f1": 0.9, "MOOD srcc": 0.6}
    table = compare_scores([first, second]).set_index(["member", "descriptor", "measure"])
    rmse, cn, f1, mood = (
        table.loc[(1, *what)] for what in (("", "RMSE"), ("CN", "|SRCC|"), ("CN", "F1"), ("MOOD", "|SRCC|"))
    )
    assert (rmse["difference"], rmse["better"]) == (pytest.approx(-0.01), 1)
    assert (cn["difference"], cn["better"]) == (pytest.approx(-0.1), -1)
    assert np.isnan([f1["difference"], mood["difference"]]).all()
    assert f1["better"] == mood["better"] == 0
    assert (table.loc[0]["difference"].dropna() == 0).all()
    assert len(table) == 3 + 4


def test_descriptors_added_one_by_one_are_a_chain() -> None:
    sets = [("CN",), ("CN", "OS", "OCN"), ("OS", "CN"), ("MOOD", "NNRS", "OCN", "OS", "CN"), ("OS", "CN")]
    (chain,) = find_chains(sets)
    assert (chain.kind, chain.models) == ("add", (0, 2, 1))
    assert chain.steps == ("CN", "+ OS", "+ OCN")


def test_descriptors_swapped_one_by_one_are_a_chain_that_begins_with_the_older() -> None:
    (chain,) = find_chains([("X", "Y"), ("B", "X"), ("A", "B")])
    assert (chain.kind, chain.models) == ("swap", (2, 1, 0))
    assert chain.steps == ("A, B", "A → X", "B → Y")


def test_sets_that_differ_by_more_make_no_chain() -> None:
    assert find_chains([("A", "B"), ("C", "D"), ("A", "C", "D", "E"), ("A", "B")]) == []
    assert find_chains([]) == []


@pytest.mark.parametrize("seed", range(3))
def test_chains_are_those_of_a_search_through_all_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    every = [c for size in range(4) for c in itertools.combinations("ABCD", size)]
    sets = [every[i] for i in rng.choice(len(every), 6, replace=False)]

    def valid(kind: str, order: tuple[int, ...]) -> bool:
        path = [set(sets[i]) for i in order]
        if kind == "add":
            return all(a < b and len(b) == len(a) + 1 for a, b in itertools.pairwise(path))
        pairs = itertools.combinations(enumerate(path), 2)
        return all(len(a) == len(b) and len(a - b) == j - i for (i, a), (j, b) in pairs)

    orders = [order for size in range(2, 7) for order in itertools.permutations(range(6), size)]
    for kind in ("add", "swap"):
        right = {order for order in orders if valid(kind, order)}
        longest = {
            order for order in right if not any((i, *order) in right or (*order, i) in right for i in range(6))
        }  # fmt: skip
        expected = {order for order in longest if kind == "add" or order[0] > order[-1]}
        assert {chain.models for chain in find_chains(sets) if chain.kind == kind} == expected


def test_where_a_set_began_is_the_papers_initial_one_or_the_end_of_a_chain() -> None:
    initial = ("PGSO", "OS", "CN", "CN2", "NNAS")
    final = ("OS", "CN", "OCN", "NNRS", "MOOD")
    assert where_it_began([final, ("OS", "CN"), initial]) == 2
    added = [("OS", "CN", "OCN"), ("OS", "CN"), ("OS",)]
    assert where_it_began(added) == 2
    swapped = [("B", "C"), ("A", "B"), ("A", "X"), ("C",)]
    assert where_it_began(swapped) == 2
    assert where_it_began([("OS",), ("OS", "CN")]) == 0
    assert where_it_began([final]) == 0
