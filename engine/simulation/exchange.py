"""Exact exchange of an atom as a local potential, in the approximation of Krieger, Li and Iafrate.

Krieger, Li & Iafrate, Phys. Rev. A 45, 101 (1992). The energy is that of the average of the configuration (Slater,
Quantum Theory of Atomic Structure, 1960, vol. 1, ch. 14), which leaves no self-interaction in open shells. The orbitals
are the large components.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import factorial

from engine.simulation.radial import BoundState, cumulative, integrate

FloatArray = npt.NDArray[np.float64]

_FAINT = 1e-12  # radial density in electrons per bohr beyond which the potential is continued as 1 / r


def kli_exchange(states: list[BoundState], occupation: FloatArray, r: FloatArray) -> tuple[FloatArray, float]:
    """Exchange potential (n,) and energy in hartree of ``states`` (k) with ``occupation`` (k,) on the grid ``r``.

    V = sum_a N_a u_a^2 (v_a + c_a) / sum_a N_a u_a^2, where N_a u_a^2 v_a is half of u_a dE/du_a and c_a is the mean of
    V - v_a in state a, zero in the highest one. It falls as -1/r.
    """
    u = np.stack([state.u for state in states])
    weighted = _orbital_exchange(u, [state.l for state in states], occupation, r)  # N_a u_a^2 v_a, (k, n)
    density = occupation[:, None] * u**2
    total = density.sum(0)
    near = total > _FAINT
    last = int(np.flatnonzero(near)[-1])
    safe = np.where(near, total, 1)
    highest = int(np.argmax([state.energy for state in states]))
    rest = [a for a in range(len(states)) if a != highest]
    slater = np.where(near, weighted.sum(0) / safe, 0)
    constants = np.zeros(len(states))
    if rest:
        # c_a = <slater - v_a> + sum_b <N_b u_b^2 / total> c_b, means over u_a^2
        shares = integrate(u[rest, None] ** 2 * np.where(near, density[rest] / safe, 0), r)
        means = integrate(u[rest] ** 2 * slater, r) - integrate(weighted[rest], r) / occupation[rest]
        constants[rest] = np.linalg.solve(np.eye(len(rest)) - shares, means)
    potential = slater + np.where(near, constants @ density / safe, 0)
    potential[last + 1 :] = potential[last] * r[last] / r[last + 1 :]
    return potential, float(integrate(weighted, r).sum() / 2)


def _orbital_exchange(u: FloatArray, ls: list[int], occupation: FloatArray, r: FloatArray) -> FloatArray:
    """Half of u_a dE/du_a (k, n), whose integrals add up to twice the exchange energy, for u (k, n)."""
    terms = _terms(tuple(ls), tuple(occupation))
    weighted = np.zeros_like(u)
    for k, pairs in terms.items():
        a, b = (np.array([pair[i] for pair in pairs]) for i in range(2))
        product = u[a] * u[b]
        inside = cumulative(product * r**k, r) / r ** (k + 1)
        outside = cumulative(product / r ** (k + 1), r)
        local = product * (inside + (outside[:, -1:] - outside) * r**k)
        for first, second, (_, _, weight), term in zip(a, b, pairs, local, strict=True):
            weighted[first] -= weight * term
            if first != second:
                weighted[second] -= weight * term
    return weighted


@lru_cache(maxsize=8)
def _terms(ls: tuple[int, ...], occupation: tuple[float, ...]) -> dict[int, list[tuple[int, int, float]]]:
    """For each multipole k the pairs of states a <= b with the weight of their exchange integral."""
    terms: dict[int, list[tuple[int, int, float]]] = {}
    for a, (la, na) in enumerate(zip(ls, occupation, strict=True)):
        terms.setdefault(0, []).append((a, a, na))
        for k in range(2, 2 * la + 1, 2):
            terms.setdefault(k, []).append((a, a, na * (na - 1) * (2 * la + 1) / (4 * la + 1) * coupling(la, k, la)))
        for b in range(a + 1, len(ls)):
            for k in range(abs(la - ls[b]), la + ls[b] + 1, 2):
                terms.setdefault(k, []).append((a, b, na * occupation[b] / 2 * coupling(la, k, ls[b])))
    return terms


@lru_cache(maxsize=64)
def coupling(l1: int, k: int, l2: int) -> float:
    """Square of the 3j symbol (l1 k l2; 0 0 0)."""
    total = l1 + k + l2
    if total % 2 or not abs(l1 - l2) <= k <= l1 + l2:
        return 0.0
    half = total // 2
    sides = [half - l1, half - k, half - l2]
    delta = np.prod([factorial(2 * s) for s in sides]) / factorial(total + 1)
    return float(delta * (factorial(half) / np.prod([factorial(s) for s in sides])) ** 2)
