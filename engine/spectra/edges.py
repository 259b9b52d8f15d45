"""K-edge energies, to tell eV from keV and one element's file from another's."""

from __future__ import annotations

# K binding energies in eV, rounded, as tabulated in the X-ray Data Booklet (LBNL, table 1-1).
K_EDGE_EV: dict[str, float] = {
    "Li": 54.7, "Be": 111.5, "B": 188.0, "C": 284.2, "N": 409.9, "O": 543.1, "F": 696.7, "Ne": 870.2,
    "Na": 1070.8, "Mg": 1303.0, "Al": 1559.6, "Si": 1839.0, "P": 2145.5, "S": 2472.0, "Cl": 2822.4, "Ar": 3205.9,
    "K": 3608.4, "Ca": 4038.5, "Sc": 4492.0, "Ti": 4966.0, "V": 5465.0, "Cr": 5989.0, "Mn": 6539.0, "Fe": 7112.0,
    "Co": 7709.0, "Ni": 8333.0, "Cu": 8979.0, "Zn": 9659.0, "Ga": 10367.0, "Ge": 11103.0, "As": 11867.0,
    "Se": 12658.0, "Br": 13474.0, "Kr": 14326.0, "Rb": 15200.0, "Sr": 16105.0, "Y": 17038.0, "Zr": 17998.0,
    "Nb": 18986.0, "Mo": 20000.0, "Tc": 21044.0, "Ru": 22117.0, "Rh": 23220.0, "Pd": 24350.0, "Ag": 25514.0,
    "Cd": 26711.0, "In": 27940.0, "Sn": 29200.0, "Sb": 30491.0, "Te": 31814.0, "I": 33169.0, "Xe": 34561.0,
    "Cs": 35985.0, "Ba": 37441.0, "La": 38925.0, "Ce": 40443.0, "Pr": 41991.0, "Nd": 43569.0, "Pm": 45184.0,
    "Sm": 46834.0, "Eu": 48519.0, "Gd": 50239.0, "Tb": 51996.0, "Dy": 53789.0, "Ho": 55618.0, "Er": 57486.0,
    "Tm": 59390.0, "Yb": 61332.0, "Lu": 63314.0, "Hf": 65351.0, "Ta": 67416.0, "W": 69525.0, "Re": 71676.0,
    "Os": 73871.0, "Ir": 76111.0, "Pt": 78395.0, "Au": 80725.0, "Hg": 83102.0, "Tl": 85530.0, "Pb": 88005.0,
    "Bi": 90524.0,
}  # fmt: skip

# A grid may start this far above the tabulated edge (calculated energy scales differ by some eV, grids may start late).
EDGE_TOLERANCE_EV = 100.0


def element_of_energies(first_ev: float, last_ev: float) -> str | None:
    """The one element whose K edge lies nearest to where a grid starts, or None when no edge is within 60 eV of it.

    Only edges that the grid could show are considered: from 60 eV below ``first_ev`` to ``last_ev``.
    """
    shown = {symbol: edge for symbol, edge in K_EDGE_EV.items() if first_ev - 60.0 <= edge <= last_ev}
    return min(shown, key=lambda symbol: abs(shown[symbol] - first_ev)) if shown else None


def energy_problem(first_ev: float, last_ev: float, element: str) -> tuple[str, str] | None:
    """(reason, detail) when energies cannot be absolute eV around the K edge of ``element``; None when they can.

    An element without a tabulated edge is not judged.
    """
    edge = K_EDGE_EV.get(element)
    if edge is None:
        return None
    if first_ev * 1000.0 - EDGE_TOLERANCE_EV <= edge <= last_ev * 1000.0:
        return "energies look like keV", f"{first_ev:g} to {last_ev:g}; the {element} K edge is at {edge:g} eV"
    if not first_ev - EDGE_TOLERANCE_EV <= edge <= last_ev:
        return (
            "energies do not cover the K edge",
            f"{first_ev:g} to {last_ev:g}; the {element} K edge is at {edge:g} eV, need absolute eV",
        )
    return None
