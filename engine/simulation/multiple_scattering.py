"""Scattering of a photoelectron among all atoms of a cluster, to all orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from engine.simulation.bessel import ComplexArray
from engine.simulation.muffin_tin import IntArray
from engine.simulation.propagator import Geometry, fill_propagators

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
    atoms: Sequence[int] = (0,),
    ell: int | None = None,
    dtype: torch.dtype = torch.complex64,
    device: torch.device | str = "cpu",
) -> ComplexArray:
    """chi = (1 - g t)^-1 g between the waves of each of ``atoms``: (E, len(atoms), c, c).

    The amplitude j_L' at an atom of what the cluster sends back when the atom emits h_L; the atom itself scatters, too.
    c counts the (l, m) up to lmax, or those of one ``ell`` only. kind (N,) is each atom's row in t (P, lmax + 1, E),
    the scattering matrices i e^{i delta} sin(delta) at wave numbers k (E,). In full, the Green function near an atom is
    -2ik sum [R_L(r<) H_L(r>) delta_LL' + R_L(r) chi_LL' R_L'(r')], see `partial_waves.Waves`.

    As g is symmetric and has no block on the diagonal, chi_aa = g_a^T (t^-1 - g)^-1 g_a with g_a the columns of atom a:
    a symmetric factorisation per energy on the CPU (Bunch & Kaufman, Math. Comp. 31, 163, 1977), LU on a GPU. The cost
    grows as n^3 and the memory as n^2 in the number of waves n = N (lmax + 1)^2.
    """
    device = torch.device(device)
    n, waves = geometry.n_waves, (geometry.lmax + 1) ** 2
    low, high = (0, waves) if ell is None else (ell * ell, (ell + 1) ** 2)
    chi = np.zeros((len(k), len(atoms), high - low, high - low), dtype=np.complex128)
    if geometry.n_atoms == 1:
        return chi
    inverse = np.repeat(_inverse(t), 2 * np.arange(geometry.lmax + 1) + 1, axis=1)[kind]  # (N, L, E)
    inverse = np.moveaxis(inverse.reshape(n, len(k)), 1, 0)
    per_energy = n * n * dtype.itemsize * (1 if device.type == "cpu" else _COPIES_ON_DEVICE)
    batch = max(1, min(len(k), MEMORY_BYTES // per_energy))
    matrix = torch.empty((batch, n, n), dtype=dtype, device=device)
    for start in range(0, len(k), batch):
        energies = slice(start, min(start + batch, len(k)))
        g = matrix[: energies.stop - start]
        fill_propagators(geometry, k[energies], g)
        columns = torch.cat([_columns(g, waves, atom, low, high) for atom in atoms], dim=2)
        _subtract_from(torch.from_numpy(inverse[energies]).to(device, dtype), g, waves)
        solution = _solve_in_place(g, columns) if device.type == "cpu" else _solve_mirrored(g, columns)
        split = (-1, n, len(atoms), high - low)
        chi[energies] = torch.einsum("enac,enad->eacd", columns.view(split), solution.view(split)).cpu().numpy()
    return chi


def _inverse(t: ComplexArray) -> ComplexArray:
    """1 / t, with a number large enough to stop a wave where t is zero."""
    return np.asarray(1 / np.where(np.abs(t) < _NO_SCATTERING, _NO_SCATTERING, t))


def _columns(g: Tensor, waves: int, atom: int, low: int, high: int) -> Tensor:
    """Columns low ... high of one atom (E, n, c), out of the upper triangle of g."""
    first, last = atom * waves, (atom + 1) * waves
    out = g.new_zeros((len(g), g.shape[1], high - low))
    out[:, :first] = g[:, :first, first + low : first + high]
    out[:, last:] = g[:, first + low : first + high, last:].mT
    return out


def _subtract_from(inverse: Tensor, g: Tensor, waves: int) -> None:
    """Turn the upper triangle of g (E, n, n) into that of diag(``inverse`` (E, n)) - g."""
    g.neg_()
    for first in range(0, g.shape[1], waves):
        block = slice(first, first + waves)
        g[:, block, block] = torch.diag_embed(inverse[:, block])


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
