"""What descriptors share: neighbours, valences and symmetry of a structure, each worked out once and kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from pymatgen.core import Structure
from pymatgen.core.local_env import CrystalNN
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.structures.bond_valence import RADIUS_ANGSTROM, bond_valences, cation_sum, oxide_r0
from engine.structures.errors import NotDefinedError
from engine.structures.valence import oxidation_states

FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")

SYMMETRY_PRECISION_ANGSTROM = 0.01
HALF_DIGIT_ANGSTROM = 5e-5
"""Shell bounds include distances that round to them at four decimals, whatever the rounding of the file."""

POINT_GROUP_ORDER: Mapping[str, int] = {
    **{"1": 1, "-1": 2, "2": 2, "m": 2, "2/m": 4, "222": 4, "mm2": 4, "mmm": 8, "4": 4, "-4": 4, "4/m": 8, "422": 8},
    **{"4mm": 8, "-42m": 8, "4/mmm": 16, "3": 3, "-3": 6, "32": 6, "3m": 6, "-3m": 12, "6": 6, "-6": 6, "6/m": 12},
    **{"622": 12, "6mm": 12, "-6m2": 12, "6/mmm": 24, "23": 12, "m-3": 24, "432": 24, "-43m": 24, "m-3m": 48},
}
"""Number of operations of each crystallographic point group."""


@dataclass(frozen=True, eq=False)
class Shell:
    """First shell of k ligands: site indices (k,), vectors (k, 3) in Å, symbols (k,); nearest first."""

    index: npt.NDArray[np.intp]
    vectors: FloatArray
    symbols: tuple[str, ...]

    @property
    def lengths(self) -> FloatArray:
        """Bond lengths (k,) in Å."""
        return np.asarray(np.linalg.norm(self.vectors, axis=1), dtype=np.float64)


class StructureContext:
    """One ordered structure and what has been worked out about it; oxidation states it carries are ignored.

    A failure is kept like a result, so that what cannot be had is tried once. NotDefinedError on partial occupancy.
    """

    def __init__(
        self,
        structure: Structure,
        *,
        second_shell_angstrom: Mapping[str, tuple[float, float]] | None = None,
        valence_seconds: float = 10.0,
    ) -> None:
        for i, site in enumerate(structure):
            if not site.is_ordered:
                raise NotDefinedError(
                    f"site {i} holds {site.species.formula}: partial occupancy; need an ordered structure"
                )
        self.structure: Any = Structure(
            structure.lattice, [site.specie.symbol for site in structure], structure.frac_coords
        )
        self.second_shell_angstrom = dict(second_shell_angstrom or {})
        self.valence_seconds = valence_seconds
        self._kept: dict[Any, Any] = {}

    def _once(self, key: Any, work: Callable[[], T]) -> T:
        if key not in self._kept:
            try:
                self._kept[key] = work()
            except NotDefinedError as reason:
                self._kept[key] = reason
        found = self._kept[key]
        if isinstance(found, NotDefinedError):
            raise type(found)(*found.args)
        return cast(T, found)

    def symbol(self, index: int) -> str:
        """Chemical symbol of site ``index``."""
        return str(self.structure[index].specie.symbol)

    def shell(self, index: int) -> Shell:
        """First shell of site ``index`` by CrystalNN with its default settings, on elements without oxidation states.

        Pan et al., Inorg. Chem. 60, 1590 (2021). May be empty; NotDefinedError where the Voronoi construction fails.
        """
        return self._once(("shell", index), lambda: self._find_shell(index))

    def _find_shell(self, index: int) -> Shell:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = CrystalNN().get_nn_info(self.structure, index)
        except Exception as problem:
            raise NotDefinedError(f"CrystalNN found no first shell of site {index} ({problem})") from problem
        centre = self.structure[index].coords
        vectors = np.array([entry["site"].coords - centre for entry in found], dtype=np.float64).reshape(-1, 3)
        sites = np.array([entry["site_index"] for entry in found], dtype=np.intp)
        order = np.lexsort((sites, np.round(np.linalg.norm(vectors, axis=1), 6)))
        return Shell(sites[order], vectors[order], tuple(self.symbol(int(i)) for i in sites[order]))

    def neighbours(self, index: int, radius_angstrom: float) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """Site indices (q,) and distances (q,) in Å of all atoms within ``radius_angstrom`` of site ``index``."""

        def work() -> tuple[npt.NDArray[np.intp], FloatArray]:
            near = self.structure.get_neighbors(self.structure[index], radius_angstrom)
            return np.array([n.index for n in near], dtype=np.intp), np.array(
                [n.nn_distance for n in near], dtype=float
            )

        return self._once(("neighbours", index, radius_angstrom), work)

    @property
    def valences(self) -> npt.NDArray[np.int64]:
        """Oxidation state of every site, (n_sites,); NotDefinedError where bond valence finds none."""
        return self._once("valences", lambda: oxidation_states(self.structure, seconds=self.valence_seconds))

    def bond_valence_sum(self, index: int) -> float:
        """Bond-valence sum of site ``index``, a cation whose first shell is oxygen only, in valence units."""
        foreign = sorted(set(self.shell(index).symbols) - {"O"})
        if foreign or self.symbol(index) == "O":
            raise NotDefinedError(
                f"bond-valence parameters are for bonds to oxygen; the first shell holds {', '.join(foreign)}"
            )
        return cation_sum(self.symbol(index), self._bonds(index, oxygen=True)[1])

    def _bonds(self, index: int, *, oxygen: bool) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """Site indices and distances of the oxygen, or of everything but oxygen, within 4 Å."""
        near, distance = self.neighbours(index, RADIUS_ANGSTROM)
        chosen = np.array([(self.symbol(int(i)) == "O") == oxygen for i in near], dtype=bool)
        return near[chosen], distance[chosen]

    @property
    def symmetry(self) -> Any:
        """pymatgen's SpacegroupAnalyzer at 0.01 Å; NotDefinedError where spglib finds no symmetry."""

        def work() -> Any:
            try:
                analysis = SpacegroupAnalyzer(self.structure, SYMMETRY_PRECISION_ANGSTROM)
                analysis.get_symmetry_dataset()
            except Exception as problem:
                raise NotDefinedError(
                    f"no symmetry found at {SYMMETRY_PRECISION_ANGSTROM:g} Å ({problem})"
                ) from problem
            return analysis

        return self._once("symmetry", work)

    @property
    def point_group_operations(self) -> int:
        """Distinct rotation parts of the symmetry operations of the cell as given."""
        return self._once("point group", lambda: len(self.symmetry.get_point_group_operations()))

    @property
    def space_group_operations(self) -> int:
        """Symmetry operations of the cell as given, centring translations included."""
        return self._once("space group", lambda: len(self.symmetry.get_space_group_operations()))

    def site_symmetry_order(self, index: int) -> int:
        """Order of the point group of site ``index``: the crystal's, divided by its positions per primitive cell."""
        dataset = self.symmetry.get_symmetry_dataset()
        order = POINT_GROUP_ORDER[str(dataset.pointgroup).strip()]
        cells = len(self.structure) / len(np.unique(dataset.mapping_to_primitive))
        orbit = int(np.sum(dataset.crystallographic_orbits == dataset.crystallographic_orbits[index]))
        return round(order * cells / orbit)

    @property
    def global_instability(self) -> float:
        """Root mean square over all sites of bond-valence sum minus oxidation state, in valence units; oxides only.

        Salinas-Sanchez et al., J. Solid State Chem. 100, 201 (1992). NotDefinedError where an oxidation state or a
        parameter is missing, or where an anion is not oxygen.
        """
        return self._once("instability", self._global_instability)

    def _global_instability(self) -> float:
        valences = self.valences
        r0 = np.zeros(len(valences))
        for i, state in enumerate(valences):
            if self.symbol(i) != "O":
                if state < 0:
                    raise NotDefinedError(f"bond-valence parameters are for oxides; {self.symbol(i)} is an anion here")
                r0[i] = oxide_r0(self.symbol(i), int(state))
        first, counts = np.unique(self.symmetry.get_symmetry_dataset().equivalent_atoms, return_counts=True)
        misfit = []
        for i in (int(k) for k in first):
            is_oxygen = self.symbol(i) == "O"
            near, distance = self._bonds(i, oxygen=not is_oxygen)
            total = float(bond_valences(r0[near] if is_oxygen else r0[i], distance).sum())
            misfit.append((total - abs(int(valences[i]))) ** 2)
        return float(np.sqrt(np.average(misfit, weights=counts)))


@dataclass(frozen=True, eq=False)
class SiteContext:
    """An absorbing site: its structure, its 0-based index, its site_id and the seed of the random control."""

    of: StructureContext
    index: int
    site_id: str
    noise_seed: int = 0

    def __post_init__(self) -> None:
        n = len(self.of.structure)
        if not 0 <= self.index < n:
            raise NotDefinedError(f"site index {self.index} is out of range: the structure has sites 0 to {n - 1}")

    @property
    def symbol(self) -> str:
        """Chemical symbol of the absorber."""
        return self.of.symbol(self.index)

    @property
    def shell(self) -> Shell:
        """First shell of the absorber; may be empty."""
        return self.of.shell(self.index)

    def ligands(self, at_least: int = 1) -> Shell:
        """First shell of the absorber, NotDefinedError when it has fewer than ``at_least`` ligands."""
        shell = self.shell
        if len(shell.index) < at_least:
            raise NotDefinedError(f"first shell has {len(shell.index)} atoms; need at least {at_least}")
        return shell

    def second_shell(self) -> npt.NDArray[np.intp]:
        """Site indices of the atoms in the second shell, (q,), bounds inclusive to 0.0001 Å."""
        bounds = self.of.second_shell_angstrom.get(self.symbol)
        if bounds is None:
            raise NotDefinedError(
                f"no second-shell radii for {self.symbol}: its radial distribution shows no second shell"
            )
        low, high = bounds
        index, distance = self.of.neighbours(self.index, high + 0.001)
        return index[(distance >= low - HALF_DIGIT_ANGSTROM) & (distance <= high + HALF_DIGIT_ANGSTROM)]
