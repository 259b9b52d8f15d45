"""Free atoms: densities, potentials and levels of the elements, computed once each and kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from engine.errors import DataError
from engine.io.files import atomic_target, check_file
from engine.simulation.exchange import kli_exchange
from engine.simulation.free_atom import RADII, Exchange, bonding_configuration, solve, von_barth_hedin
from engine.simulation.radial import integrate

FloatArray = npt.NDArray[np.float64]
Method = Literal["lda", "kli"]

CORE_BELOW = -1.6  # hartree, near the -40 eV from which FEFF starts
_SOURCES = ("exchange.py", "free_atom.py", "radial.py", "units.py", "xc.py")
_EXCHANGE: dict[str, Exchange] = {"lda": von_barth_hedin, "kli": partial(kli_exchange, r=RADII)}
_MAX_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class Level:
    """A subshell: quantum numbers, number of electrons, energy in hartree."""

    n: int
    l: int  # noqa: E741
    occupation: float
    energy: float


@dataclass(frozen=True)
class FreeAtom:
    """A neutral spherical atom on the logarithmic grid r (n,) in bohr: r = exp(x), x from -8.8 in steps of 0.0125.

    ``method`` is "lda" (von Barth-Hedin exchange and correlation) or "kli" (exact exchange alone). coulomb (n,) is the
    potential energy of an electron in hartree without exchange, nucleus included: -Z / r inside, zero outside.
    levels (k) in order of n and l; level_density (k, n) the charge of one electron of each, 4 pi r^2 n(r) in electrons
    per bohr, of integral 1, both Dirac components. orbital_1s (n,) is u(r) = r R(r), of norm 1. Arrays are read-only.
    """

    atomic_number: int
    method: Method
    core_hole: bool
    levels: tuple[Level, ...]
    level_density: FloatArray
    coulomb: FloatArray
    orbital_1s: FloatArray
    total_energy: float

    @property
    def r(self) -> FloatArray:
        """Radii (n,) in bohr."""
        return RADII

    @cached_property
    def density(self) -> FloatArray:
        """Electrons per bohr^3 (n,)."""
        return self._density([level.occupation for level in self.levels])

    @cached_property
    def core_density(self) -> FloatArray:
        """Electrons per bohr^3 (n,) of the levels that take no part in bonding: below CORE_BELOW, or f."""
        return self._density([level.occupation * is_core(level) for level in self.levels])

    def _density(self, occupation: list[float]) -> FloatArray:
        density = np.array(occupation) @ self.level_density / (4 * np.pi * RADII**2)
        density.setflags(write=False)
        return np.asarray(density)


def is_core(level: Level) -> bool:
    """Whether a level takes no part in bonding; f levels are kept as they are in the atom."""
    return level.energy < CORE_BELOW or level.l == 3


@lru_cache(maxsize=256)
def free_atom(z: int, method: Method = "lda", core_hole: bool = False) -> FreeAtom:
    """The atom of atomic number ``z``, 1 to 97, occupied as in solids; scalar-relativistic, spin-averaged.

    With ``core_hole`` one 1s electron is in the valence shell instead, as in the configuration of Z + 1. Computed in
    0.02 to 1 s, kept in memory, and on disk in the folder RANKAAE_CACHE (default ~/.cache/rankaae-explorer), in a file
    whose name holds a hash of this solver; a file that is damaged or cannot be written is passed over. A ValueError
    says when ``z`` is out of range.
    """
    path = cache_folder() / f"atom-{z:03d}-{method}{'-hole' if core_hole else ''}-{_fingerprint()}.safetensors"
    atom = _read(path, z, method, core_hole)
    if atom is None:
        atom = _compute(z, method, core_hole)
        _write(path, atom)
    for array in (atom.level_density, atom.coulomb, atom.orbital_1s):
        array.setflags(write=False)
    return atom


def cache_folder() -> Path:
    """Where computed atoms are kept."""
    return Path(os.environ.get("RANKAAE_CACHE") or Path.home() / ".cache" / "rankaae-explorer")


def _compute(z: int, method: Method, core_hole: bool) -> FreeAtom:
    solved = solve(z, bonding_configuration(z, core_hole), _EXCHANGE[method])
    levels = tuple(
        Level(state.n, state.l, float(electrons), state.energy)
        for state, electrons in zip(solved.states, solved.occupation, strict=True)
    )
    density = np.stack([state.radial_density for state in solved.states])
    coulomb = solved.hartree - z / RADII
    return FreeAtom(z, method, core_hole, levels, density, coulomb, solved.states[0].u, solved.total_energy)


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Hash of everything an atom depends on, which is the code that computes it."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:12]


def _write(path: Path, atom: FreeAtom) -> None:
    levels = np.array([[level.n, level.l, level.occupation, level.energy] for level in atom.levels])
    content = save(
        {
            "levels": levels,
            "level_density": atom.level_density,
            "coulomb": atom.coulomb,
            "orbital_1s": atom.orbital_1s,
            "total_energy": np.array([atom.total_energy]),
        }
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_target(path) as temporary:
            temporary.write_bytes(content)
    except (OSError, DataError):
        return  # the cache is a convenience


def _read(path: Path, z: int, method: Method, core_hole: bool) -> FreeAtom | None:
    """The atom in a cache file; None if there is none or it is not what it should be."""
    shells = bonding_configuration(z, core_hole)
    shapes = {
        "levels": (len(shells), 4),
        "level_density": (len(shells), len(RADII)),
        "coulomb": RADII.shape,
        "orbital_1s": RADII.shape,
        "total_energy": (1,),
    }
    try:
        check_file(path, _MAX_BYTES)
        content = load(path.read_bytes())
    except (OSError, DataError, SafetensorError):
        return None
    if {name: array.shape for name, array in content.items()} != shapes:
        return None
    if not all(array.dtype == np.float64 and np.isfinite(array).all() for array in content.values()):
        return None
    levels = tuple(Level(int(row[0]), int(row[1]), *map(float, row[2:])) for row in content["levels"])
    normalised = [integrate(content["level_density"], RADII), integrate(content["orbital_1s"] ** 2, RADII)]
    if tuple((level.n, level.l, level.occupation) for level in levels) != shells or any(
        np.abs(norm - 1).max() > 1e-9 for norm in normalised
    ):
        return None
    total = float(content["total_energy"][0])
    return FreeAtom(
        z, method, core_hole, levels, content["level_density"], content["coulomb"], content["orbital_1s"], total
    )
