"""Self-energy of a quasi-particle in the homogeneous electron gas: the energy-dependent exchange of a photoelectron.

One plasmon pole for the screening (Lundqvist, Phys. Kondens. Mater. 6, 193 and 206, 1967; Hedin & Lundqvist, Solid
State Physics 23, 1, 1969), on the energy shell, with the damping by electron-hole pairs that the pole leaves out
(Quinn, Phys. Rev. 126, 1453, 1962).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter

from engine.simulation.xc import FERMI_WIGNER

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

# The table: log r_s evenly; momentum from k_F to the plasmon onset, and from there to _FARTHEST times the onset.
_LOG_RS = np.linspace(np.log(0.001), np.log(100), 93)
_BELOW, _ABOVE, _FARTHEST = 32, 64, 100.0
_QUADRATURE = 24


def hedin_lundqvist(rs: npt.ArrayLike, k_over_kf: npt.ArrayLike) -> ComplexArray:
    """Self-energy in hartree for Wigner-Seitz radius ``rs`` in bohr and local momentum in units of k_F; broadcast.

    The imaginary part is zero at k_F and negative (loss) above. The real part at k_F is an exchange-correlation
    potential, -18.81, -10.04 and -5.48 eV at r_s 1, 2 and 4; momenta below k_F give that value. Interpolated from a
    table, built on first use, to about 1e-4 of the value; outside r_s 0.001 to 100 bohr, r_s sigma is held constant.
    """
    rs, x = np.broadcast_arrays(np.asarray(rs, dtype=np.float64), np.maximum(k_over_kf, 1.0))
    onset = plasmon_onset(rs)
    below = x < onset
    fraction = np.where(below, (x - 1) / (onset - 1), (1 - onset / x) / (1 - 1 / _FARTHEST))
    phase = np.arccos(1 - 2 * np.clip(fraction, 0, 1)) / np.pi
    column = np.where(below, phase * _BELOW, _BELOW + phase * _ABOVE)
    row = (np.log(rs) - _LOG_RS[0]) / (_LOG_RS[1] - _LOG_RS[0])
    row = np.clip(row, 0, len(_LOG_RS) - 1)
    place = np.stack([row, column]).reshape(2, -1)
    sigma = map_coordinates(_table(), place, order=3, mode="mirror", prefilter=False).reshape(rs.shape) / (rs * x)
    loss = np.minimum(np.where(below, 0, sigma.imag), electron_hole_damping(rs, x))
    return np.asarray(sigma.real + 1j * loss)


def plasmon_onset(rs: npt.ArrayLike) -> FloatArray:
    """Momentum in units of k_F above which an electron can emit a plasmon, for ``rs`` in bohr, any shape.

    The electron then ends at k_F having given the plasmon both its energy and its momentum: with x = 1 + y,
    4 y^3 + 8/3 y^2 = w^2, w the plasma frequency in units of the Fermi energy.
    """
    w2 = _plasma_frequency(np.asarray(rs, dtype=np.float64)) ** 2
    # Depressed by y = v - 2/9: v^3 - (4/27) v + (16/729 - w^2/4) = 0, whose largest root is wanted.
    half = (w2 / 4 - 16 / 729) / 2
    p = 4 / 81
    square = half**2 - p**3
    root = np.sqrt(np.maximum(square, 0))
    one = np.cbrt(half + root) + np.cbrt(half - root)
    three = 2 * np.sqrt(p) * np.cos(np.arccos(np.clip(half / p**1.5, -1, 1)) / 3)
    return np.asarray(1 - 2 / 9 + np.where(square > 0, one, three))


def electron_hole_damping(rs: FloatArray, x: FloatArray) -> FloatArray:
    """Imaginary part in hartree, zero or negative, from exciting electron-hole pairs, for r_s in bohr and x = k / k_F.

    Quinn 1962, Eq. 7, faded out by a Fermi function at his estimate of the plasmon threshold (Eq. 11).
    """
    w = _plasma_frequency(rs)
    screening = rs / (FERMI_WIGNER * np.pi)
    shape = np.arctan(1 / np.sqrt(screening)) + np.sqrt(screening) / (1 + screening)
    rate = np.sqrt(np.pi) / (32 * (np.pi * screening) ** 1.5) * shape * (x**2 - 1) ** 2 / x
    threshold = 1 + w + 1.2 * (np.sqrt(1 + w) - 1) ** 2 / w
    return np.asarray(-0.5 * rate / (1 + np.exp(np.minimum((x**2 / threshold - 1) / 0.3, 80))))


def _plasma_frequency(rs: FloatArray) -> FloatArray:
    """Plasma frequency in units of the Fermi energy."""
    return np.asarray(2 * np.sqrt(3 * rs) / FERMI_WIGNER**2)


@lru_cache(maxsize=1)
def _table() -> ComplexArray:
    """Spline coefficients of r_s x sigma over (log r_s, momentum): even in `hedin_lundqvist`'s row and column."""
    rs = np.exp(_LOG_RS)[:, None]
    onset = plasmon_onset(rs)
    below = (1 - np.cos(np.pi * np.arange(_BELOW) / _BELOW)) / 2
    above = (1 - np.cos(np.pi * np.arange(_ABOVE + 1) / _ABOVE)) / 2
    x = np.hstack([1 + below * (onset - 1), onset / (1 - above * (1 - 1 / _FARTHEST))])
    values = rs * x * plasmon_pole(np.broadcast_to(rs, x.shape), x)
    return np.asarray(spline_filter(values, order=3, output=np.complex128, mode="mirror"))


def plasmon_pole(rs: FloatArray, x: FloatArray) -> ComplexArray:
    """Self-energy (n...) in hartree of the plasmon-pole model on the energy shell by quadrature, for x = k / k_F >= 1.

    Screened exchange and Coulomb hole are evaluated as bare exchange plus the term in the squared plasma frequency:
    with Q in units of k_F, energies in Fermi energies, W^2 = w^2 + 4/3 Q^2 + Q^4 and e the energy of the state k + q,

        sigma_c = k_F / (2 pi x) int dQ w^2 / (2 W Q) int de [ f(e) / (x^2 - e + W) + (1 - f(e)) / (x^2 - e - W) ],

    the inner integral over (x - Q)^2 < e < (x + Q)^2 being logarithms. No pairs (Quinn) here.
    """
    kf = FERMI_WIGNER / rs
    w = _plasma_frequency(rs)
    with np.errstate(divide="ignore", invalid="ignore"):
        fock = np.where(x > 1, (1 - x**2) / (2 * x) * np.log((x + 1) / (x - 1)), 0)
    exchange = -kf / np.pi * (1 + fock)
    slowest, fastest, emits = _emission(w, x)
    fermi = np.sqrt(np.maximum(np.sqrt(4 / 9 + np.maximum((x**2 - 1) ** 2 - w**2, 0)) - 2 / 3, 0))  # W = x^2 - 1

    # The integrand has a logarithmic singularity or a kink at each of these; the last interval goes on to infinity.
    edges = np.stack([np.zeros_like(x), x - 1, x + 1, slowest, fastest, fermi], axis=-1)
    edges.sort(axis=-1)
    t, weight = np.polynomial.legendre.leggauss(_QUADRATURE)
    t = (t + 1) / 2
    smooth, slope = t**3 * (10 - 15 * t + 6 * t**2), 15 * (t * (1 - t)) ** 2 * weight
    width = np.diff(edges, axis=-1)[..., None]
    total = (_integrand(w, x, edges[..., :-1, None] + width * smooth) * width * slope).sum((-2, -1))
    last = edges[..., -1:]
    total += (_integrand(w, x, (last / (1 - smooth))[..., None, :])[..., 0, :] * last / (1 - smooth) ** 2 * slope).sum(
        -1
    )

    upper = np.minimum(fastest, fermi)
    emitted = np.where(emits & (upper > slowest), _emission_integral(w, slowest) - _emission_integral(w, upper), 0)
    return np.asarray(exchange + kf / (2 * np.pi * x) * total - 1j * kf * w**2 / (4 * x) * emitted)


def _integrand(w: FloatArray, x: FloatArray, q: FloatArray) -> FloatArray:
    """w^2 / (2 W Q) times the integral over energies, for w and x (n...) and q (n..., intervals, nodes)."""
    w, x, q = w[..., None, None], x[..., None, None], np.maximum(q, 1e-12)
    pole = np.sqrt(w**2 + 4 / 3 * q**2 + q**4)
    low, high = (x - q) ** 2, (x + q) ** 2
    tiny = 1e-300
    occupied = np.where(low < 1, np.log((x**2 - low + pole) / (x**2 - 1 + pole)), 0)
    empty = np.log((np.abs(x**2 - np.maximum(low, 1) - pole) + tiny) / (pole + high - x**2))
    return np.asarray(w**2 / (2 * pole * q) * (occupied + empty))


def _emission(w: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Momenta (units of k_F) between which W < 2 x Q - Q^2, and whether there are any: else both are zero.

    With z = 1 / Q: z^3 - p z + r = 0, which has two positive roots.
    """
    p, r = (4 * x**2 - 4 / 3) / w**2, 4 * x / w**2
    cosine = -1.5 * r / p * np.sqrt(3 / p)
    emits = cosine > -1
    angle = np.arccos(np.maximum(cosine, -1)) / 3
    largest = 2 * np.sqrt(p / 3) * np.cos(angle)
    middle = 2 * np.sqrt(p / 3) * np.cos(angle - 2 * np.pi / 3)
    return np.where(emits, 1 / largest, 0), np.where(emits, 1 / np.where(emits, middle, 1), 0), emits


def _emission_integral(w: FloatArray, q: FloatArray) -> FloatArray:
    """int_q^infinity dQ / (Q W), up to a constant."""
    square = np.where(q > 0, q, 1) ** 2
    pole = np.sqrt(w**2 + 4 / 3 * square + square**2)
    return np.asarray(np.log((w**2 + 2 / 3 * square + w * pole) / square) / (2 * w))
