"""What each embedded set holds: elements, structures, energies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.errors import ConfigError
from engine.generation.chemistry import ABSORBERS
from engine.generation.materials import Material
from engine.generation.oxides import SITES_OF, oxide_materials
from engine.generation.periodic import ELEMENTS, SITES_PER_ELEMENT, periodic_materials
from engine.simulation.simulate import Settings
from engine.spectra import GridSpec
from engine.spectra.edges import K_EDGE_EV


@dataclass(frozen=True)
class Recipe:
    """An embedded set.

    ``sites`` says how many there are of each element; ``materials(element, sites=…, seed=…)`` yields that many site
    indices with their structures. ``grids`` gives an element's energies, one file per element; None puts all elements
    into one file of ``points`` energies over ``width_ev``, which start ``below_ev`` under the 5th percentile of an
    element's Fermi levels. ``settings`` of the simulation.
    """

    name: str
    title: str
    sites: Mapping[str, int]
    materials: Callable[..., Iterator[tuple[Material, list[int]]]]
    grids: Mapping[str, GridSpec] | None
    width_ev: float
    points: int
    settings: Settings
    below_ev: float = 5.0

    @property
    def elements(self) -> tuple[str, ...]:
        return tuple(self.sites)


_BELOW_EDGE_EV = 3.0  # under the tabulated edge, above which the simulation puts the Fermi levels of oxides

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "oxides-3d": Recipe(
            "oxides-3d",
            "oxygen-coordinated Ti, V, Cr, Mn, Fe, Co, Ni, Cu and Zn in oxides",
            SITES_OF,
            oxide_materials,
            MappingProxyType({symbol: GridSpec(K_EDGE_EV[symbol] - _BELOW_EDGE_EV, 50.0, 256) for symbol in ABSORBERS}),
            50.0,
            256,
            Settings(n_atoms=50, energy_min_ev=-12.0, energy_max_ev=52.0),
        ),
        "periodic-47": Recipe(
            "periodic-47",
            "H to Sb without noble gases in oxides, halides, chalcogenides, pnictides, carbides, hydrides and metals",
            MappingProxyType(dict.fromkeys(ELEMENTS, SITES_PER_ELEMENT)),
            periodic_materials,
            None,
            35.0,
            200,
            Settings(n_atoms=40, energy_min_ev=-12.0, energy_max_ev=42.0),
        ),
    }
)


def recipe_of(name: str) -> Recipe:
    """The recipe called ``name``; a ConfigError lists those there are."""
    if name not in RECIPES:
        raise ConfigError(f"no embedded set is called '{name}'; there are {', '.join(RECIPES)}")
    return RECIPES[name]
