"""Free propagation of partial waves between the atoms of a cluster.

An outgoing wave h_L(k, r - R_j) of atom j is sum_L' j_L'(k, r - R_i) g_{iL', jL} near atom i, with

    g_{iL', jL} = 4 pi sum_L'' i^(l' + l'' - l) C_{LL'L''} h_l''(kD) Y_L''(D),     D = R_i - R_j,

C real Gaunt coefficients and Y real harmonics (Gonis & Butler, Multiple Scattering in Solids, Springer 2000, ch. 3).
Only h depends on the energy. With real harmonics g is a symmetric matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.simulation.bessel import ComplexArray, spherical_hankel
from engine.simulation.gaunt import FloatArray, degree, gaunt_coefficients, real_harmonics
from engine.simulation.muffin_tin import IntArray

KEPT_BYTES = 64 * 2**20
"""The most memory that the angular part of a cluster's propagators is kept in."""


@dataclass(frozen=True)
class Geometry:
    """The angular part of propagation in a cluster of N atoms with waves up to lmax, for every energy.

    distance (p,) in bohr and harmonics (p, (2 lmax + 1)^2) of the direction from j to i, for the pairs i < j in order
    of i and then j, p = N (N - 1) / 2. Waves are numbered atom by atom, then l^2 + l + m.
    """

    n_atoms: int
    lmax: int
    distance: FloatArray
    harmonics: FloatArray

    @cached_property
    def angular(self) -> Tensor | None:
        """What `_angular` says of all pairs and waves, kept for many energies; None where it takes too much memory."""
        size = len(self.distance) * (2 * self.lmax + 1) * (self.lmax + 1) ** 4 * torch.complex64.itemsize
        return _angular(self.harmonics, self.lmax, self.lmax).to(torch.complex64) if size <= KEPT_BYTES else None

    @property
    def n_waves(self) -> int:
        """Waves of the whole cluster, N (lmax + 1)^2."""
        return self.n_atoms * (self.lmax + 1) ** 2


def build_geometry(position: FloatArray, lmax: int) -> Geometry:
    """Geometry of atoms at ``position`` (N, 3) in bohr, no two of which coincide."""
    first, second = np.triu_indices(len(position), 1)
    offset = position[first] - position[second]
    distance = np.sqrt((offset**2).sum(-1))
    return Geometry(len(position), lmax, distance, real_harmonics(2 * lmax, offset / distance[:, None]))


def first_waves(top: IntArray) -> IntArray:
    """Where the waves of each atom start when atom i has those up to l = ``top[i]``, and their number: (N + 1,)."""
    return np.concatenate([[0], np.cumsum((top + 1) ** 2)])


def propagators(
    geometry: Geometry, k: ComplexArray, top: IntArray, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Tensor:
    """g at wave numbers k (E,) among waves up to l = ``top`` (N,) of each atom: (E, n, n), upper triangle only.

    Below it, where g follows by symmetry, and within single atoms, where g is 0, there are zeros. Atoms of equal
    ``top`` that follow one another are treated together.
    """
    lmax, first = geometry.lmax, first_waves(top)
    out = torch.zeros((len(k), int(first[-1]), int(first[-1])), dtype=dtype, device=device)
    kept = geometry.angular if dtype == torch.complex64 and out.device.type == "cpu" else None
    runs = np.split(np.arange(1, len(top)), np.flatnonzero(np.diff(top[1:])) + 1)
    pair = 0
    for i in range(geometry.n_atoms - 1):
        pairs = slice(pair, pair + geometry.n_atoms - 1 - i)
        pair = pairs.stop
        hankel = spherical_hankel(2 * lmax, geometry.distance[pairs, None] * k)  # (l'', j, E)
        radial = torch.from_numpy(hankel).to(device, dtype).permute(1, 2, 0)
        for run in runs:
            if run[-1] <= i:
                continue
            start, stop, ell = max(int(run[0]), i + 1), int(run[-1]) + 1, int(top[run[0]])
            near = slice(start - i - 1, stop - i - 1)
            some = slice(pairs.start + near.start, pairs.start + near.stop)
            here = int(top[i])
            if kept is None:
                angular = _angular(geometry.harmonics[some], here, ell).to(device, dtype)
            else:
                angular = kept[some, : here + ell + 1, : (here + 1) ** 2, : (ell + 1) ** 2]
            blocks = torch.bmm(radial[near, :, : here + ell + 1], angular.flatten(2))  # (j, E, L' L)
            blocks = blocks.view(stop - start, len(k), -1, (ell + 1) ** 2).permute(1, 2, 0, 3)
            out[:, first[i] : first[i + 1], first[start] : first[stop]] = blocks.reshape(*blocks.shape[:2], -1)
    return out


def _angular(harmonics: FloatArray, here: int, there: int) -> Tensor:
    """The factors of h_l'' in g for pairs (p, (2 lmax + 1)^2): (p, here + there + 1, L', L), see `_coupling`."""
    parts = [torch.from_numpy(harmonics[:, q * q : (q + 1) ** 2]) @ c for q, c in enumerate(_coupling(here, there))]
    return torch.stack(parts, 1).view(len(harmonics), here + there + 1, (here + 1) ** 2, (there + 1) ** 2)


@lru_cache(maxsize=64)
def _coupling(here: int, there: int) -> tuple[Tensor, ...]:
    """4 pi i^(l' + l'' - l) C, which is real, for l' up to ``here``, l up to ``there`` and each l'' up to their sum.

    (2 l'' + 1, (here + 1)^2 (there + 1)^2) from m'' to (L', L).
    """
    lmax = max(here, there)
    one, third = degree(lmax), degree(2 * lmax)
    power = (one[:, None, None] + third - one[:, None]) // 2  # (L', L, L'')
    coupling = 4 * np.pi * np.where(power % 2 == 0, 1.0, -1.0) * gaunt_coefficients(lmax)
    coupling = coupling[: (here + 1) ** 2, : (there + 1) ** 2].reshape(-1, len(third)).T
    parts = (coupling[q * q : (q + 1) ** 2] for q in range(here + there + 1))
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
