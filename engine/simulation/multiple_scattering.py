"""Scattering of a photoelectron among all atoms of a cluster, to all orders."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from engine.simulation.bessel import ComplexArray
from engine.simulation.muffin_tin import FloatArray, IntArray
from engine.simulation.propagator import Geometry, first_waves, propagators

PRECISION = torch.complex64
"""Numbers in which scattering is solved where nothing else is asked for: spectra need no more."""

MEMORY_BYTES = 64 * 2**20
"""The matrices held at a time, unless that of a single energy is larger: energies go in batches of this size."""

_NO_SCATTERING = 1e-30
_COPIES_ON_DEVICE = 4


def scattered_waves(
    geometry: Geometry,
    kind: IntArray,
    k: ComplexArray,
    t: ComplexArray,
    *,
    ell: int | None = None,
    least: float = 0.0,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> ComplexArray:
    """chi = (1 - g t)^-1 g between the waves of the first atom: (E, c, c).

    The amplitude j_L' at the atom of what the cluster sends back when the atom emits h_L; the atom itself scatters too.
    c counts the (l, m) up to lmax, or those of one ``ell`` only. kind (N,) is each atom's row in t (P, lmax + 1, E),
    the scattering matrices i e^{i delta} sin(delta) at wave numbers k (E,), in rising order of energy for speed. In
    full, the Green function near an atom is -2ik sum [R_L(r<) H_L(r>) delta_LL' + R_L(r) chi_LL' R_L'(r')], see
    `partial_waves.Waves`.

    Waves that an atom scatters by less than ``least`` are left out there, with all of higher l; where waves are damped,
    they count as what is left of them after the shortest distance.

    As g is symmetric and has no block on the diagonal, chi = g_0^T (t^-1 - g)^-1 g_0 with g_0 the columns of the first
    atom: a symmetric factorisation per energy on the CPU (Bunch & Kaufman, Math. Comp. 31, 163, 1977), LU on a GPU. The
    cost grows as n^3 and the memory as n^2 in the number of waves n, at most N (lmax + 1)^2.
    """
    device, dtype = torch.device(device), dtype or PRECISION
    waves = (geometry.lmax + 1) ** 2
    low, high = (0, waves) if ell is None else (ell * ell, (ell + 1) ** 2)
    chi = np.zeros((len(k), high - low, high - low), dtype=np.complex128)
    if geometry.n_atoms == 1:
        return chi
    damping = np.exp(-k.imag * geometry.distance.min())
    inverse = np.asarray(1 / np.where(np.abs(t) < _NO_SCATTERING, _NO_SCATTERING, t), dtype=np.complex128)
    per_energy = geometry.n_waves**2 * dtype.itemsize * (1 if device.type == "cpu" else _COPIES_ON_DEVICE)
    batch = max(1, min(len(k), MEMORY_BYTES // per_energy))
    for start in range(0, len(k), batch):
        energies = slice(start, start + batch)
        top = _highest(np.abs(t[:, :, energies] * damping[energies]).max(axis=2), least)[kind]
        top[0] = geometry.lmax
        g = propagators(geometry, k[energies], top, dtype, device)
        columns = torch.zeros((*g.shape[:2], high - low), dtype=dtype, device=device)
        columns[:, waves:] = g[:, low:high, waves:].mT
        diagonal = _per_wave(inverse[:, :, energies], kind, top)
        g.diagonal(dim1=1, dim2=2).copy_(torch.from_numpy(-diagonal).to(device, dtype))
        solution = _solve_in_place(g, columns) if device.type == "cpu" else _solve_mirrored(g, columns)
        chi[energies] = -(columns.mT @ solution).cpu().numpy()
    return chi


def _highest(size: FloatArray, least: float) -> IntArray:
    """The highest l at which ``size`` (P, L) reaches ``least``, at least 0: (P,)."""
    return np.asarray(((size >= least) * np.arange(size.shape[1])).max(axis=1))


def _per_wave(values: ComplexArray, kind: IntArray, top: IntArray) -> ComplexArray:
    """Values (P, L, E) by kind and l, for each wave of the cluster: (E, n)."""
    first = first_waves(top)
    out = np.empty((values.shape[2], first[-1]), dtype=np.complex128)
    for atom, highest in enumerate(top):
        part = np.repeat(values[kind[atom], : highest + 1], 2 * np.arange(highest + 1) + 1, axis=0)
        out[:, first[atom] : first[atom + 1]] = part.T
    return out


def _solve_in_place(matrix: Tensor, columns: Tensor) -> Tensor:
    """matrix^-1 columns (E, n, c) for symmetric matrices given by their upper triangles, which are overwritten."""
    solver = lapack.csysv if matrix.dtype == torch.complex64 else lapack.zsysv
    out = torch.empty_like(columns)
    work = 64 * matrix.shape[1]
    for e in range(len(matrix)):
        # The transpose of a C matrix is the Fortran matrix LAPACK works on, without a copy.
        _, _, x, info = solver(matrix[e].numpy().T, columns[e].numpy(), lower=1, lwork=work, overwrite_a=1)
        if info != 0:
            raise np.linalg.LinAlgError(f"the scattering matrix of energy {e} is singular ({info})")
        out[e] = torch.from_numpy(x)
    return out


def _solve_mirrored(matrix: Tensor, columns: Tensor) -> Tensor:
    """The same by LU, batched: for devices without a symmetric factorisation. Entries below the triangle are lost."""
    upper = matrix.triu_()
    full = upper + upper.triu(1).mT
    solution: Tensor = torch.linalg.solve(full, columns)
    return solution
