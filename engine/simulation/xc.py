"""Exchange and correlation of the homogeneous electron gas, hartree atomic units, spin-paired.

Densities are in electrons per bohr^3 and of any shape; each function returns an array of the same shape. A density of
zero gives zero (potentials, energies) or infinity (Wigner-Seitz radius).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FERMI_WIGNER = (9 * np.pi / 4) ** (1 / 3)  # k_F r_s
EXCHANGE = 3 / (2 * np.pi) * FERMI_WIGNER  # -V_x r_s
_VBH_STRENGTH, _VBH_RADIUS = 0.0252, 30.0
_VWN = (0.0310907, -0.10498, 3.72744, 12.9352)  # A, x_0, b, c
_FAINTEST = 1e-30


def wigner_seitz_radius(density: npt.ArrayLike) -> FloatArray:
    """Radius r_s in bohr of the sphere that holds one electron; infinite for no density."""
    density = np.asarray(density, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.cbrt(3 / (4 * np.pi * np.maximum(density, 0))))


def fermi_momentum(density: npt.ArrayLike) -> FloatArray:
    """k_F = (3 pi^2 n)^(1/3) in inverse bohr."""
    return np.asarray(np.cbrt(3 * np.pi**2 * np.maximum(np.asarray(density, dtype=np.float64), 0)))


def exchange_potential(density: npt.ArrayLike) -> FloatArray:
    """Exchange potential -k_F / pi in hartree (Kohn & Sham, Phys. Rev. 140, A1133, 1965)."""
    return -fermi_momentum(density) / np.pi


def exchange_energy(density: npt.ArrayLike) -> FloatArray:
    """Exchange energy per electron in hartree: three quarters of the potential."""
    return 0.75 * exchange_potential(density)


def lda_potential(density: npt.ArrayLike) -> FloatArray:
    """Exchange-correlation potential in hartree; von Barth & Hedin, J. Phys. C 5, 1629 (1972), Eq. 6.2."""
    rs = _finite_radius(density)
    return exchange_potential(density) - _VBH_STRENGTH * np.log1p(_VBH_RADIUS / rs)


def lda_energy_density(density: npt.ArrayLike) -> FloatArray:
    """Exchange-correlation energy per volume, hartree per bohr^3, of which `lda_potential` is the derivative."""
    density = np.asarray(density, dtype=np.float64)
    z = _finite_radius(density) / _VBH_RADIUS
    far = 1 / z  # (1 + z^3) ln(1 + 1/z) + z/2 - z^2 - 1/3 cancels at large z, where the series is 3/4z - 3/10z^2
    near = (1 + z**3) * np.log1p(far) + z / 2 - z**2 - 1 / 3
    correlation = -_VBH_STRENGTH * np.where(z > 100, 0.75 * far - 0.3 * far**2, near)
    return density * (exchange_energy(density) + correlation)


def vwn_potential(density: npt.ArrayLike) -> FloatArray:
    """Exchange-correlation potential in hartree with the correlation of published atomic tables.

    Vosko, Wilk & Nusair, Can. J. Phys. 58, 1200 (1980), Eq. 4.4, paramagnetic.
    """
    strength, x0, b, c = _VWN
    x = np.sqrt(_finite_radius(density))
    energy = _vwn_correlation(x)
    slope = strength * (
        2 / x
        - (2 * x + b) / (x**2 + b * x + c)
        - 4 * b / ((2 * x + b) ** 2 + 4 * c - b**2)
        - b
        * x0
        / (x0**2 + b * x0 + c)
        * (2 / (x - x0) - (2 * x + b) / (x**2 + b * x + c) - 4 * (b + 2 * x0) / ((2 * x + b) ** 2 + 4 * c - b**2))
    )
    return exchange_potential(density) + energy - x / 6 * slope


def vwn_energy_density(density: npt.ArrayLike) -> FloatArray:
    """Exchange-correlation energy per volume, hartree per bohr^3, of which `vwn_potential` is the derivative."""
    density = np.asarray(density, dtype=np.float64)
    return density * (exchange_energy(density) + _vwn_correlation(np.sqrt(_finite_radius(density))))


def _vwn_correlation(x: FloatArray) -> FloatArray:
    """Correlation energy per electron in hartree for x = sqrt(r_s)."""
    strength, x0, b, c = _VWN
    q = np.sqrt(4 * c - b**2)
    polynomial = x**2 + b * x + c
    angle = np.arctan(q / (2 * x + b))
    shifted = np.log((x - x0) ** 2 / polynomial) + 2 * (b + 2 * x0) / q * angle
    bulk = np.log(x**2 / polynomial) + 2 * b / q * angle
    return np.asarray(strength * (bulk - b * x0 / (x0**2 + b * x0 + c) * shifted))


def _finite_radius(density: npt.ArrayLike) -> FloatArray:
    return wigner_seitz_radius(np.maximum(np.asarray(density, dtype=np.float64), _FAINTEST))
