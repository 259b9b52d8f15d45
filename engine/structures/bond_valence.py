"""Bond-valence sums of oxides: what the bond lengths say about valence, without asking for a neutral cell."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from engine.structures.errors import NotDefinedError

FloatArray = npt.NDArray[np.float64]

SOFTNESS_ANGSTROM = 0.37
RADIUS_ANGSTROM = 4.0

# fmt: off
OXIDE_R0_ANGSTROM: Mapping[str, Mapping[int, float]] = MappingProxyType({
    "H": {1: 0.95}, "Li": {1: 1.466}, "Be": {2: 1.381}, "B": {3: 1.371}, "C": {4: 1.390}, "N": {3: 1.361, 5: 1.432},
    "Na": {1: 1.80}, "Mg": {2: 1.693}, "Al": {3: 1.651}, "Si": {4: 1.624}, "P": {5: 1.604}, "S": {4: 1.644, 6: 1.624},
    "Cl": {7: 1.632}, "K": {1: 2.13}, "Ca": {2: 1.967}, "Sc": {3: 1.849}, "Ti": {3: 1.791, 4: 1.815},
    "V": {3: 1.743, 4: 1.784, 5: 1.803}, "Cr": {2: 1.73, 3: 1.724, 6: 1.794}, "Mn": {2: 1.790, 3: 1.760, 4: 1.753},
    "Fe": {2: 1.734, 3: 1.759}, "Co": {2: 1.692, 3: 1.70}, "Ni": {2: 1.654}, "Cu": {1: 1.610, 2: 1.679, 3: 1.735},
    "Zn": {2: 1.704}, "Ga": {3: 1.730}, "Ge": {4: 1.748}, "As": {3: 1.789, 5: 1.767}, "Se": {4: 1.811, 6: 1.788},
    "Rb": {1: 2.26}, "Sr": {2: 2.118}, "Y": {3: 2.014}, "Zr": {4: 1.937}, "Nb": {5: 1.911}, "Mo": {6: 1.907},
    "Ru": {4: 1.834}, "Rh": {3: 1.791}, "Pd": {2: 1.792}, "Ag": {1: 1.805}, "Cd": {2: 1.904}, "In": {3: 1.902},
    "Sn": {2: 1.984, 4: 1.905}, "Sb": {3: 1.973, 5: 1.942}, "Te": {4: 1.977, 6: 1.917}, "I": {5: 2.003, 7: 1.93},
    "Cs": {1: 2.417}, "Ba": {2: 2.285}, "La": {3: 2.172}, "Ce": {3: 2.151, 4: 2.028}, "Pr": {3: 2.135},
    "Nd": {3: 2.117}, "Sm": {3: 2.088}, "Eu": {2: 2.147, 3: 2.074}, "Gd": {3: 2.065}, "Tb": {3: 2.049},
    "Dy": {3: 2.001}, "Ho": {3: 2.025}, "Er": {3: 1.988}, "Tm": {3: 2.000}, "Yb": {3: 1.985}, "Lu": {3: 1.971},
    "Hf": {4: 1.923}, "Ta": {5: 1.920}, "W": {6: 1.921}, "Re": {7: 1.97}, "Os": {4: 1.811}, "Ir": {4: 1.870},
    "Pt": {2: 1.768, 4: 1.879}, "Au": {3: 1.833}, "Hg": {1: 1.90, 2: 1.972}, "Tl": {1: 2.172, 3: 2.003},
    "Pb": {2: 2.112, 4: 2.042}, "Bi": {3: 2.094, 5: 2.06}, "Th": {4: 2.167}, "U": {4: 2.112, 6: 2.075},
})
# fmt: on
"""R0 in Å of cation-oxygen bonds by cation and oxidation state, for a softness of 0.37 Å.

Brown and Altermatt, Acta Cryst. B 41, 244 (1985); Brese and O'Keeffe, Acta Cryst. B 47, 192 (1991).
"""


def oxide_r0(symbol: str, state: int) -> float:
    """R0 in Å of a bond between oxygen and an element in an oxidation state; NotDefinedError where unknown."""
    try:
        return OXIDE_R0_ANGSTROM[symbol][state]
    except KeyError:
        raise NotDefinedError(f"no bond-valence parameter for {symbol} in state {state:+d} with oxygen") from None


def bond_valences(r0_angstrom: FloatArray | float, distances_angstrom: FloatArray) -> FloatArray:
    """Valence of each bond, (q,), in valence units: exp((R0 - d) / 0.37 Å)."""
    return np.asarray(np.exp((np.asarray(r0_angstrom) - distances_angstrom) / SOFTNESS_ANGSTROM), dtype=np.float64)


def cation_sum(symbol: str, oxygen_distances_angstrom: FloatArray) -> float:
    """Bond-valence sum of a cation with oxygen at the given distances (q,) within 4 Å, in valence units.

    R0 depends on the oxidation state; the state taken is the tabulated one closest to its own sum.
    NotDefinedError for an element without parameters.
    """
    if symbol not in OXIDE_R0_ANGSTROM:
        raise NotDefinedError(f"no bond-valence parameter for {symbol} with oxygen")
    sums = {
        state: float(bond_valences(r0, oxygen_distances_angstrom).sum())
        for state, r0 in OXIDE_R0_ANGSTROM[symbol].items()
    }
    return sums[min(sums, key=lambda state: abs(sums[state] - state))]
