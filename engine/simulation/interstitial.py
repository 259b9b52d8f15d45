"""From full spherical averages to overlapping muffin-tin spheres and what lies between them.

Inside sphere i the potential is sought as a constant c (the interstitial potential) plus u_i(r), and u_i = 0 outside.
Where spheres overlap the u_i add up, so u_i and c follow from asking that the superposition has the known spherical
averages (Ankudinov, Ravel, Rehr & Conradson, Phys. Rev. B 58, 7565, 1998, section II.B). The u_i are constant on thin
shells near the surface of each sphere; deeper no neighbour reaches. Shapes: P kinds, m shells, n radii.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.simulation.cluster import Neighbours
from engine.simulation.muffin_tin import FloatArray
from engine.simulation.overlap import ball_overlap, charges

SHELLS = 40
SHELL_STEP = 0.05


@dataclass(frozen=True)
class Superposition:
    """The geometry of overlapping spheres of P kinds: how shell functions of all kinds overlap.

    edges (P, m + 1) rising shell radii, the last being the muffin-tin radius; matrix (P m, P m) takes shell values of
    u to spherical averages on the shells; surface (P m,) takes them to the average over kinds, by share, at the
    sampling radius (P,); volume is that of the interstitial per formula unit.
    """

    edges: FloatArray
    matrix: FloatArray
    surface: FloatArray
    sampling_radius: FloatArray
    share: FloatArray
    volume: float

    @property
    def middle(self) -> FloatArray:
        """Middle radii (P, m) of the shells."""
        return np.asarray(np.sqrt(self.edges[:, 1:] * self.edges[:, :-1]))


def superposition(
    radius: FloatArray, norman: FloatArray, share: FloatArray, neighbours: Sequence[Neighbours]
) -> Superposition:
    """The overlaps of muffin-tin spheres ``radius`` (P,) around the neighbours of each kind."""
    kinds = len(radius)
    edges = radius[:, None] * np.exp(SHELL_STEP * np.arange(-SHELLS, 1))
    shell_volume = 4.0 / 3.0 * np.pi * np.diff(edges**3, axis=1)
    matrix = np.eye(kinds * SHELLS).reshape(kinds, SHELLS, kinds, SHELLS)
    surface = np.zeros((kinds, SHELLS))
    weight = share / share.sum()
    nearest = np.array([near.distance[0] if len(near.distance) else np.inf for near in neighbours])
    sampling = np.where(norman < nearest, np.maximum(norman, radius), radius)
    volume = float((share * (norman**3 - radius**3)).sum() * 4.0 / 3.0 * np.pi)
    for i, near in enumerate(neighbours):
        reached = near.distance < np.maximum(radius[i], sampling[i]) + radius[near.kind]
        for d, j in zip(near.distance[reached].tolist(), near.kind[reached].tolist(), strict=True):
            common = ball_overlap(edges[i][:, None], edges[j][None], d)
            matrix[i, :, j] += np.diff(np.diff(common, axis=0), axis=1) / shell_volume[i][:, None]
            volume += 0.5 * float(share[i] * common[-1, -1])
            far = np.clip(edges[j], abs(d - sampling[i]), d + sampling[i])
            surface[j] += weight[i] * np.diff(far**2) / (4.0 * d * sampling[i])
    size = kinds * SHELLS
    return Superposition(edges, matrix.reshape(size, size), surface.ravel(), sampling, share, volume)


def muffin_tin_potential(spheres: Superposition, r: FloatArray, average: FloatArray) -> tuple[FloatArray, float]:
    """Potentials (P, n) to use inside the spheres, and the interstitial potential c, for spherical ``average``s (P, n).

    c makes the superposition right at the sampling radii, on the average over the atoms of the material.
    """
    target = _at(r, average, spheres.middle)
    size = target.size
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = spheres.matrix
    system[:size, size] = 1.0
    system[size, :size] = spheres.surface
    system[size, size] = 1.0
    weight = spheres.share / spheres.share.sum()
    at_surface = float(weight @ _at(r, average, spheres.sampling_radius[:, None])[:, 0])
    solution = np.linalg.solve(system, np.concatenate([target.ravel(), [at_surface]]))
    constant = float(solution[-1])
    neighbours = target - solution[:-1].reshape(target.shape) - constant
    return average - _on_grid(spheres, r, neighbours), constant


def interstitial_density(spheres: Superposition, r: FloatArray, density: FloatArray, electrons: FloatArray) -> float:
    """Electrons per bohr³ between the spheres, for overlapped densities (P, n) and ``electrons`` (P,) per atom.

    What the superposed densities do not hold within the spheres is spread evenly over the rest.
    """
    target = _at(r, density, spheres.middle)
    own = np.linalg.solve(spheres.matrix, target.ravel()).reshape(target.shape)
    inside = charges(r, density - _on_grid(spheres, r, target - own), spheres.edges[:, -1])
    return float(spheres.share @ (electrons - inside) / spheres.volume)


def _at(r: FloatArray, values: FloatArray, radii: FloatArray) -> FloatArray:
    """Functions (P, n) at ``radii`` (P, k), interpolated."""
    x = np.log(r)
    return np.stack([np.interp(np.log(at), x, row) for at, row in zip(radii, values, strict=True)])


def _on_grid(spheres: Superposition, r: FloatArray, shells: FloatArray) -> FloatArray:
    """Shell values (P, m) on the grid: (P, n), nothing below the innermost shell, continued past the outermost."""
    x, middle, out = np.log(r), np.log(spheres.middle), np.zeros((len(shells), len(r)))
    for k, row in enumerate(shells):
        slope = (row[-1] - row[-2]) / (middle[k, -1] - middle[k, -2])
        end = np.log(spheres.edges[k, -1])
        places = np.concatenate([middle[k], [end]])
        out[k] = np.interp(x, places, np.append(row, row[-1] + slope * (end - middle[k, -1])), left=0.0)
    return out
