"""Propagators and scattering among atoms: addition theorem, closed forms, symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.simulation import multiple_scattering, propagator
from engine.simulation.bessel import ComplexArray, spherical_bessel, spherical_hankel
from engine.simulation.gaunt import FloatArray, degree, real_harmonics
from engine.simulation.multiple_scattering import scattered_waves
from engine.simulation.propagator import build_geometry

DOUBLE = torch.complex128
K = np.array([0.9 + 0.05j, 1.6 + 0.1j])
LMAX = 2


def propagators(position: FloatArray, lmax: int, k: ComplexArray = K) -> ComplexArray:
    """g (E, n, n), both triangles."""
    out = propagator.propagators(build_geometry(position, lmax), k, np.full(len(position), lmax), DOUBLE)
    return (out + out.mT).numpy()


def scatterers(lmax: int = LMAX, seed: int = 3, size: float = 1.0) -> ComplexArray:
    """t (P, lmax + 1, E) of three kinds with random phase shifts."""
    delta = size * np.random.default_rng(seed).uniform(-1, 1, (3, lmax + 1, len(K))) + 0.05j
    return 1j * np.exp(1j * delta) * np.sin(delta)


def atoms(n: int, seed: int = 4) -> tuple[FloatArray, np.ndarray]:
    """Positions (n, 3) no closer than 3 bohr, the first at the origin, and kinds (n,)."""
    random = np.random.default_rng(seed)
    chosen = [np.zeros(3)]
    while len(chosen) < n:
        new = random.uniform(-7, 7, 3)
        if min(np.linalg.norm(new - old) for old in chosen) > 3:
            chosen.append(new)
    return np.array(chosen), np.r_[0, random.integers(1, 3, n - 1)]


def dense(position: FloatArray, kind: np.ndarray, t: ComplexArray, lmax: int = LMAX) -> ComplexArray:
    """(1 - g t)^-1 g in full (E, n, n), by the definition."""
    g = propagators(position, lmax)
    scattering = np.repeat(t, 2 * np.arange(lmax + 1) + 1, axis=1)[kind].reshape(-1, len(K)).T
    return np.linalg.solve(np.eye(g.shape[1]) - g * scattering[:, None, :], g)


def test_addition_theorem() -> None:
    """An outgoing wave of one atom is what g says, near the other; converged in l."""
    random = np.random.default_rng(0)
    position, lmax, emitted = np.array([[0, 0, 0], [2.5, -3.0, 1.9]]), 9, 9
    g = propagators(position, lmax)
    waves = (lmax + 1) ** 2
    for here, there in ((0, 1), (1, 0)):
        offset = 0.2 * random.normal(size=3) / np.sqrt(3)
        far = position[here] + offset - position[there]
        near, away = np.linalg.norm(offset), np.linalg.norm(far)
        for e, k in enumerate(K):
            wave = spherical_hankel(2, k * away)[degree(2)] * real_harmonics(2, far / away)
            local = spherical_bessel(lmax, k * near)[degree(lmax)] * real_harmonics(lmax, offset / near)
            block = g[e, here * waves : (here + 1) * waves, there * waves : there * waves + emitted]
            assert local @ block == pytest.approx(wave, rel=1e-8)


def test_propagation_is_reciprocal() -> None:
    position = np.array([[0, 0, 0], [2.5, -3.0, 1.9]])
    forth, back = propagators(position, 3), propagators(position[::-1], 3)
    parity = (-1.0) ** (degree(3)[:, None] + degree(3))
    assert forth[:, :16, 16:] == pytest.approx(back[:, :16, 16:].swapaxes(1, 2), abs=1e-14)
    assert forth[:, :16, 16:] == pytest.approx(parity * back[:, :16, 16:], abs=1e-14)


def test_all_orders_against_the_definition() -> None:
    position, kind = atoms(7)
    t = scatterers()
    expected = dense(position, kind, t)
    chi = scattered_waves(build_geometry(position, LMAX), kind, K, t, dtype=DOUBLE)
    assert chi == pytest.approx(expected[:, :9, :9], abs=1e-12)
    assert chi == pytest.approx(chi.swapaxes(-1, -2), abs=1e-12)
    part = scattered_waves(build_geometry(position, LMAX), kind, K, t, ell=1, dtype=DOUBLE)
    assert part == pytest.approx(chi[:, 1:4, 1:4], abs=1e-13)


def test_single_precision_is_enough() -> None:
    position, kind = atoms(12)
    geometry, t = build_geometry(position, LMAX), scatterers()
    exact = scattered_waves(geometry, kind, K, t, ell=1, dtype=DOUBLE)
    assert scattered_waves(geometry, kind, K, t, ell=1) == pytest.approx(exact, abs=1e-5 * np.abs(exact).max())


def test_waves_that_do_not_scatter_need_no_care() -> None:
    position, kind = atoms(6)
    geometry, t = build_geometry(position, LMAX), scatterers()
    t[1, 2] = 0
    t[2, 1] = 1e-20
    expected = dense(position, kind, t)[:, :9, :9]
    assert scattered_waves(geometry, kind, K, t, dtype=DOUBLE) == pytest.approx(expected, abs=1e-12)
    assert scattered_waves(geometry, kind, K, t) == pytest.approx(expected, abs=1e-5)


def test_faint_waves_are_left_out() -> None:
    """As if their scattering were zero, in any mix of atoms that have them and atoms that have not."""
    position, kind = atoms(9)
    geometry, t = build_geometry(position, LMAX), scatterers()
    t[1, 2], t[2, 1:] = 0.004, 0.002
    without = t.copy()
    without[1, 2], without[2, 1:] = 0, 0
    chi = scattered_waves(geometry, kind, K, t, least=0.005, dtype=DOUBLE)
    assert chi == pytest.approx(scattered_waves(geometry, kind, K, without, dtype=DOUBLE), abs=1e-12)
    assert chi != pytest.approx(scattered_waves(geometry, kind, K, t, dtype=DOUBLE), abs=1e-6)
    assert scattered_waves(geometry, kind, K, t, least=0.001, dtype=DOUBLE) == pytest.approx(
        scattered_waves(geometry, kind, K, t, dtype=DOUBLE), abs=1e-13
    )


def test_nothing_scatters_nothing_comes_back() -> None:
    position, kind = atoms(5)
    nothing = np.zeros((3, LMAX + 1, len(K)), dtype=np.complex128)
    assert np.abs(scattered_waves(build_geometry(position, LMAX), kind, K, nothing, dtype=DOUBLE)).max() < 1e-20
    alone = build_geometry(position[:1], LMAX)
    assert not scattered_waves(alone, kind[:1], K, scatterers()).any()


def test_two_atoms_in_closed_form() -> None:
    """chi = g t g / (1 - t t' g g') for s waves."""
    position = np.array([[0, 0, 0], [0, 0, 4.0]])
    t = scatterers(lmax=0)
    g = np.exp(1j * K * 4.0) / (1j * K * 4.0)
    expected = g * t[1, 0] * g / (1 - t[0, 0] * g * t[1, 0] * g)
    chi = scattered_waves(build_geometry(position, 0), np.array([0, 1]), K, t, dtype=DOUBLE)
    assert chi[:, 0, 0] == pytest.approx(expected, rel=1e-12)


def test_weak_scatterers_scatter_once() -> None:
    position, kind = atoms(6)
    t = 1e-4 * scatterers()
    g = propagators(position, LMAX)
    scattering = np.repeat(t, 2 * np.arange(LMAX + 1) + 1, axis=1)[kind].reshape(-1, len(K)).T
    once = (g @ (scattering[..., None] * g))[:, :9, :9]
    chi = scattered_waves(build_geometry(position, LMAX), kind, K, t, dtype=DOUBLE)
    assert chi == pytest.approx(once, abs=2e-3 * np.abs(once).max())


def test_place_turn_and_order_do_not_matter() -> None:
    position, kind = atoms(10)
    t = scatterers()

    def p_channel(position: FloatArray, kind: np.ndarray) -> ComplexArray:
        chi = scattered_waves(build_geometry(position, LMAX), kind, K, t, ell=1, dtype=DOUBLE)
        return chi[:, [2, 0, 1]][:, :, [2, 0, 1]]  # x, y, z

    chi = p_channel(position, kind)
    assert p_channel(position + np.array([1.0, -20.0, 3.0]), kind) == pytest.approx(chi, abs=1e-10)
    order = np.r_[0, 1 + np.random.default_rng(1).permutation(9)]
    assert p_channel(position[order], kind[order]) == pytest.approx(chi, abs=1e-10)
    turn = Rotation.from_euler("zyx", [0.3, 1.1, -2.0]).as_matrix()
    assert p_channel(position @ turn.T, kind) == pytest.approx(turn @ chi @ turn.T, abs=1e-10)


def test_batches_and_the_way_of_a_gpu_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    position, kind = atoms(8)
    geometry, t = build_geometry(position, LMAX), scatterers()
    chi = scattered_waves(geometry, kind, K, t, dtype=DOUBLE)
    monkeypatch.setattr(multiple_scattering, "MEMORY_BYTES", 1)
    assert scattered_waves(geometry, kind, K, t, dtype=DOUBLE) == pytest.approx(chi, abs=1e-13)
    monkeypatch.setattr(multiple_scattering, "_solve_in_place", multiple_scattering._solve_mirrored)
    assert scattered_waves(geometry, kind, K, t, dtype=DOUBLE) == pytest.approx(chi, abs=1e-12)
