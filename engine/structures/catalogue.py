"""The descriptor catalogue: what each number says about an absorbing site, where it comes from, how it is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from pymatgen.core import Element

from engine.structures.environment import SiteContext
from engine.structures.errors import NotDefinedError
from engine.structures.geometry import (
    bond_angle_variance,
    pair_angles,
    pair_distances,
    polyhedron_edges,
    polyhedron_volume,
    quadratic_elongation,
    smallest_angles,
)
from engine.structures.valence import ionic_radius

CATALOGUE_VERSION = "1"
"""Raised whenever a definition changes, so that cached values of an older one are not used."""

PAPER = "Liang et al., Phys. Rev. Materials 7, 053802 (2023), appendix A.4"
CRYSTAL_NN = "CrystalNN: Pan et al., Inorg. Chem. 60, 1590 (2021)"
MAP_VALENCE = "O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991)"
BOND_VALENCE = "Brown and Altermatt, Acta Cryst. B 41, 244 (1985); Brese and O'Keeffe, Acta Cryst. B 47, 192 (1991)"
ROBINSON = "Robinson, Gibbs and Ribbe, Science 172, 567 (1971)"


@dataclass(frozen=True)
class Descriptor:
    """One descriptor of an absorbing site.

    name       upper-case identifier, the column's name
    symbol     how it is written in text and on axes
    unit       unit, "" for none
    range      (low, high) that values can take; infinity where there is no bound
    kind       "categorical" (few whole numbers, scored with F1) or "continuous" (scored with rank correlation)
    reference  paper or method
    summary    one or two sentences: definition, and when there is no value
    function   value at a site; raises NotDefinedError with the reason where there is none
    """

    name: str
    symbol: str
    unit: str
    range: tuple[float, float]
    kind: Literal["categorical", "continuous"]
    reference: str
    summary: str
    function: Callable[[SiteContext], float]


def _oxidation_state(site: SiteContext) -> float:
    return float(site.of.valences[site.index])


def _coordination(site: SiteContext) -> float:
    return float(len(site.shell.index))


def _second_shell_count(site: SiteContext) -> float:
    return float(len(site.second_shell()))


def _second_shell_metals(site: SiteContext) -> float:
    return float(sum(bool(Element(site.of.symbol(int(i))).is_metal) for i in site.second_shell()))


def _oxygen_ligands(site: SiteContext) -> list[int]:
    shell = site.ligands()
    oxygen = [int(i) for i, symbol in zip(shell.index, shell.symbols, strict=True) if symbol == "O"]
    if not oxygen:
        raise NotDefinedError(f"no oxygen in the first shell ({', '.join(sorted(set(shell.symbols)))})")
    return oxygen


def _oxygen_coordination(site: SiteContext) -> float:
    return float(np.mean([len(site.of.shell(i).index) for i in _oxygen_ligands(site)]))


def _oxygen_cation_coordination(site: SiteContext) -> float:
    limit = float(Element("O").X)
    counts = [sum(limit > Element(s).X for s in site.of.shell(i).symbols) for i in _oxygen_ligands(site)]
    return float(np.mean(counts))


def _radial_deviation(site: SiteContext) -> float:
    return float(np.std(site.ligands().lengths))


def _angular_deviation(site: SiteContext) -> float:
    return float(np.std(pair_angles(site.ligands(2).vectors)))


def _smallest_angle_deviation(site: SiteContext) -> float:
    return float(np.std(smallest_angles(site.ligands(2).vectors)))


def _smallest_ligand_distance(site: SiteContext) -> float:
    return float(pair_distances(site.ligands(2).vectors).min())


def _mean_edge(site: SiteContext) -> float:
    vectors = site.ligands(2).vectors
    return float(np.mean([np.linalg.norm(vectors[a] - vectors[b]) for a, b in polyhedron_edges(vectors)]))


def _mean_ligand_distance(site: SiteContext) -> float:
    return float(pair_distances(site.ligands(2).vectors).mean())


def _point_group(site: SiteContext) -> float:
    return float(site.of.point_group_operations)


def _space_group(site: SiteContext) -> float:
    return float(site.of.space_group_operations)


def _site_symmetry(site: SiteContext) -> float:
    return float(site.of.site_symmetry_order(site.index))


def _mean_bond(site: SiteContext) -> float:
    return float(np.mean(site.ligands().lengths))


def _shortest_bond(site: SiteContext) -> float:
    return float(np.min(site.ligands().lengths))


def _bond_valence(site: SiteContext) -> float:
    return site.of.bond_valence_sum(site.index)


def _instability(site: SiteContext) -> float:
    return site.of.global_instability


def _off_centre(site: SiteContext) -> float:
    return float(np.linalg.norm(site.ligands(2).vectors.mean(axis=0)))


def _angle_variance(site: SiteContext) -> float:
    return bond_angle_variance(site.ligands().vectors)


def _elongation(site: SiteContext) -> float:
    return quadratic_elongation(site.ligands().vectors)


def _volume(site: SiteContext) -> float:
    return polyhedron_volume(site.ligands().vectors)


def _electronegativity(site: SiteContext) -> float:
    symbols = site.ligands().symbols
    values = [float(Element(symbol).X) for symbol in symbols]
    if np.isnan(values).any():
        raise NotDefinedError(f"no Pauling electronegativity for {symbols[int(np.argmax(np.isnan(values)))]}")
    return float(np.mean(values))


def _ligand_radius(site: SiteContext) -> float:
    shell = site.ligands()
    try:
        states: list[int | None] = [int(site.of.valences[i]) for i in shell.index]
    except NotDefinedError:
        states = [None] * len(shell.index)
    return float(np.mean([ionic_radius(s, state) for s, state in zip(shell.symbols, states, strict=True)]))


def _d_electrons(site: SiteContext) -> float:
    element = Element(site.symbol)
    if not 3 <= int(element.group) <= 12 or element.is_lanthanoid or element.is_actinoid:
        raise NotDefinedError(f"{site.symbol} is not a d-block element")
    count = int(element.group) - int(site.of.valences[site.index])
    if not 0 <= count <= 10:
        raise NotDefinedError(f"group {element.group} less oxidation state leaves {count} d electrons; need 0 to 10")
    return float(count)


def _oxygen_fraction(site: SiteContext) -> float:
    symbols = site.ligands().symbols
    return sum(symbol == "O" for symbol in symbols) / len(symbols)


def noise_value(site_id: str, seed: int = 0) -> float:
    """The random control of a site: a standard normal number that follows from ``seed`` and ``site_id`` alone."""
    digest = hashlib.blake2b(f"{seed}:{site_id}".encode(), digest_size=16).digest()
    return float(np.random.default_rng(int.from_bytes(digest, "little")).standard_normal())


def _noise(site: SiteContext) -> float:
    return noise_value(site.site_id, site.noise_seed)


INF = float("inf")

_DESCRIPTORS = (
    Descriptor("OS", "OS", "", (-5, 9), "categorical", f"{PAPER}; BVAnalyzer, {MAP_VALENCE}",
               "Oxidation state of the absorber by bond valence; none where no charge-neutral assignment is found.",
               _oxidation_state),
    Descriptor("CN", "CN", "", (0, 32), "categorical", f"{PAPER}; {CRYSTAL_NN}",
               "Coordination number: atoms in the first shell found by CrystalNN.", _coordination),
    Descriptor("CN2", "CN₂", "", (0, 200), "continuous", PAPER,
               "Atoms in the second shell, between radii fitted once per set and element to its radial distribution, "
               "or given.",
               _second_shell_count),
    Descriptor("OCN", "OCN", "", (1, 32), "continuous", f"{PAPER}; {CRYSTAL_NN}",
               "Mean coordination number (CrystalNN) of the oxygen atoms in the first shell; none without oxygen.",
               _oxygen_coordination),
    Descriptor("NNRS", "NNRS", "Å", (0, INF), "continuous", PAPER,
               "Nearest-neighbour radial standard deviation: spread (population) of the bond lengths.",
               _radial_deviation),
    Descriptor("NNAS", "NNAS", "°", (0, 90), "continuous", PAPER,
               "Nearest-neighbour angular standard deviation: spread (population) of the angles of all ligand pairs.",
               _angular_deviation),
    Descriptor("MOOD", "MOOD", "Å", (0, INF), "continuous", PAPER,
               "Minimum oxygen-oxygen distance: shortest edge of the coordination polyhedron, whatever its ligands.",
               _smallest_ligand_distance),
    Descriptor("PGSO", "PGSO", "", (1, 48), "continuous", f"{PAPER}; spglib at 0.01 Å",
               "Point-group symmetry order of the crystal: distinct rotations among the symmetry operations of the "
               "cell as given (a supercell that is less symmetric than its lattice has fewer).", _point_group),
    Descriptor("MOOD_EDGE", "⟨O–O⟩ edge", "Å", (0, INF), "continuous", "mean over convex-hull edges",
               "Mean ligand-ligand distance over the edges of the polyhedron; hull faces within 10° are one face.",
               _mean_edge),
    Descriptor("MOOD_ALL", "⟨O–O⟩ all", "Å", (0, INF), "continuous", "mean over all pairs",
               "Mean ligand-ligand distance over all pairs of the first shell.", _mean_ligand_distance),
    Descriptor("NNAS_MIN", "NNAS min", "°", (0, 90), "continuous", "variant of NNAS in the published RankAAE code",
               "Spread (population) of each ligand's smallest angle to another ligand.", _smallest_angle_deviation),
    Descriptor("SGO", "SGO", "", (1, INF), "continuous", "variant of PGSO in the published RankAAE code",
               "Symmetry operations of the cell as given (spglib at 0.01 Å), centring translations counted.",
               _space_group),
    Descriptor("SITE_ORDER", "site order", "", (1, 48), "continuous", "spglib at 0.01 Å",
               "Order of the point group of the absorber's own position (site symmetry), whatever the cell chosen.",
               _site_symmetry),
    Descriptor("OCN_CATION", "OCN cation", "", (0, 32), "continuous", CRYSTAL_NN,
               "OCN counting only neighbours less electronegative than oxygen, so not O–O bonds of peroxides.",
               _oxygen_cation_coordination),
    Descriptor("BL_MEAN", "⟨d⟩", "Å", (0, INF), "continuous", CRYSTAL_NN, "Mean bond length of the first shell.",
               _mean_bond),
    Descriptor("BL_MIN", "d min", "Å", (0, INF), "continuous", CRYSTAL_NN, "Shortest bond of the first shell.",
               _shortest_bond),
    Descriptor("BVS", "BVS", "v.u.", (0, INF), "continuous", BOND_VALENCE,
               "Bond-valence sum over oxygen within 4 Å, R0 for the oxidation state closest to the sum; none where the "
               "first shell is not oxygen only.", _bond_valence),
    Descriptor("GII", "GII", "v.u.", (0, INF), "continuous",
               f"Salinas-Sanchez et al., J. Solid State Chem. 100, 201 (1992); {BOND_VALENCE}",
               "Global instability index: root mean square of bond-valence sum minus oxidation state over all sites of "
               "an oxide; none where OS has none.", _instability),
    Descriptor("OFF_CENTRE", "off-centre", "Å", (0, INF), "continuous", "distance to the centroid of the ligands",
               "Displacement of the absorber from the centroid of its first shell (two ligands or more).", _off_centre),
    Descriptor("BAV", "σ²(θ)", "deg²", (0, INF), "continuous", ROBINSON,
               "Bond-angle variance about the regular tetrahedron (CN 4) or octahedron (CN 6); none for other CN.",
               _angle_variance),
    Descriptor("QE", "⟨λ⟩", "", (1, INF), "continuous", ROBINSON,
               "Quadratic elongation about the regular polyhedron of equal volume (CN 4 and 6); none for other CN and "
               "for ligands almost in one plane.", _elongation),
    Descriptor("POLY_VOL", "V", "Å³", (0, INF), "continuous", "convex hull",
               "Volume of the convex hull of the first shell; 0 for ligands in one plane, none below CN 4.", _volume),
    Descriptor("EN_MEAN", "⟨χ⟩", "", (0.5, 4), "continuous", "Pauling electronegativities",
               "Mean Pauling electronegativity of the first shell.", _electronegativity),
    Descriptor("RADIUS_MEAN", "⟨r⟩", "Å", (0, 3), "continuous", "Shannon, Acta Cryst. A 32, 751 (1976)",
               "Mean ionic radius of the first shell in its bond-valence oxidation states, or, where those are "
               "unknown, in the only common one.", _ligand_radius),
    Descriptor("METAL2", "M in 2nd shell", "", (0, 200), "continuous", "second shell as CN2",
               "Metal atoms in the second shell.", _second_shell_metals),
    Descriptor("D_COUNT", "dⁿ", "", (0, 10), "categorical", "group number less oxidation state",
               "d electrons of a d-block absorber; none where OS has none.", _d_electrons),
    Descriptor("O_FRAC", "O fraction", "", (0, 1), "continuous", CRYSTAL_NN,
               "Fraction of oxygen in the first shell; 1 selects oxygen-only first shells.", _oxygen_fraction),
    Descriptor("NOISE", "noise", "", (-INF, INF), "continuous", "negative control",
               "Standard normal number drawn from the seed and the site_id alone: no spectrum can know it.", _noise),
)  # fmt: skip

CATALOGUE: Mapping[str, Descriptor] = MappingProxyType({descriptor.name: descriptor for descriptor in _DESCRIPTORS})
"""Every descriptor by name, the paper's first."""


def with_noise(descriptors: pd.DataFrame, site_ids: Sequence[str]) -> pd.DataFrame:
    """Descriptors (n, d) of ``site_ids`` (n,) and the random control NOISE beside them, where it is not among them."""
    if "NOISE" in descriptors.columns:
        return descriptors
    return descriptors.assign(NOISE=[noise_value(site) for site in site_ids])
