"""Free propagation of partial waves between the atoms of a cluster.

An outgoing wave h_L(k, r - R_j) of atom j is sum_L' j_L'(k, r - R_i) g_{iL', jL} near atom i, with

    g_{iL', jL} = 4 pi sum_L'' i^(l' + l'' - l) C_{LL'L''} h_l''(kD) Y_L''(D),     D = R_i - R_j,

C real Gaunt coefficients and Y real harmonics (Gonis & Butler, Multiple Scattering in Solids, Springer 2000, ch. 3).
Only h depends on the energy. With real harmonics g is a symmetric matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.simulation.bessel import ComplexArray, spherical_hankel
from engine.simulation.gaunt import FloatArray, degree, gaunt_coefficients, real_harmonics


@dataclass(frozen=True)
class Geometry:
    """The angular part of propagation in a cluster of N atoms with waves up to lmax, for every energy.

    distance (p,) in bohr and harmonics (p, (2 lmax + 1)^2) of the direction from j to i, for the pairs i < j in order
    of i and then j, p = N (N - 1) / 2. Waves are numbered atom by atom: i (lmax + 1)^2 + l^2 + l + m.
    """

    n_atoms: int
    lmax: int
    distance: FloatArray
    harmonics: FloatArray

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


def fill_propagators(geometry: Geometry, k: ComplexArray, out: Tensor) -> None:
    """Write g at wave numbers k (E,) into ``out`` (E, n, n), complex, between atoms i < j only: the upper triangle.

    Blocks of single atoms (where g is 0) and those with i > j (where g follows by symmetry) are left as they are.
    """
    n, lmax = geometry.n_atoms, geometry.lmax
    waves = (lmax + 1) ** 2
    view = out.view(len(k), n, waves, n, waves)
    coupling = [torch.from_numpy(c).to(out.device, out.real.dtype) for c in _coupling(lmax)]
    start = 0
    for i in range(n - 1):
        stop = start + n - 1 - i
        hankel = spherical_hankel(2 * lmax, geometry.distance[start:stop, None] * k)  # (l'', j, E)
        radial = torch.from_numpy(hankel).to(out.device, out.dtype).permute(1, 2, 0)
        harmonics = torch.from_numpy(geometry.harmonics[start:stop]).to(out.device, out.real.dtype)
        angular = torch.stack([harmonics[:, q * q : (q + 1) ** 2] @ c for q, c in enumerate(coupling)], 1)
        blocks = torch.bmm(radial, angular.to(out.dtype))  # (j, E, L' L)
        view[:, i, :, i + 1 :] = blocks.view(-1, len(k), waves, waves).permute(1, 2, 0, 3)
        start = stop


@lru_cache(maxsize=8)
def _coupling(lmax: int) -> tuple[FloatArray, ...]:
    """4 pi i^(l' + l'' - l) C, which is real, for each l'' up to 2 lmax: (2 l'' + 1, n n) from m'' to (L', L)."""
    one, third = degree(lmax), degree(2 * lmax)
    power = (one[:, None, None] + third - one[:, None]) // 2  # (L', L, L'')
    coupling = 4 * np.pi * np.where(power % 2 == 0, 1.0, -1.0) * gaunt_coefficients(lmax)
    coupling = np.ascontiguousarray(coupling.reshape(-1, len(third)).T)
    return tuple(coupling[q * q : (q + 1) ** 2] for q in range(2 * lmax + 1))
