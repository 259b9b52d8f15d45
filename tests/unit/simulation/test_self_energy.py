"""The self-energy against the published values at the Fermi level, brute-force sums and limits."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation import xc
from engine.simulation.self_energy import electron_hole_damping, hedin_lundqvist, plasmon_onset, plasmon_pole
from engine.simulation.units import HARTREE_EV

RS = np.geomspace(0.02, 20, 13)


@pytest.mark.parametrize(("rs", "sigma_ev"), [(1.0, -18.81), (2.0, -10.04), (4.0, -5.48)])
def test_sigma_at_the_fermi_momentum(rs: float, sigma_ev: float) -> None:
    sigma = hedin_lundqvist(rs, 1.0)
    assert sigma.real * HARTREE_EV == pytest.approx(sigma_ev, abs=0.006)
    assert sigma.imag == 0


def test_shape_is_broadcast_and_below_the_fermi_momentum_nothing_changes() -> None:
    sigma = hedin_lundqvist(RS[:, None], [0.2, 0.9, 1.0, 2.0])
    assert sigma.shape == (len(RS), 4)
    np.testing.assert_array_equal(sigma[:, :2], sigma[:, 2:3].repeat(2, axis=1))


def test_table_agrees_with_quadrature() -> None:
    rng = np.random.default_rng(0)
    rs, x = np.exp(rng.uniform(-5, 3, 4000)), np.exp(rng.uniform(0, 3, 4000))
    exact = plasmon_pole(rs, x)
    exact = exact.real + 1j * np.minimum(exact.imag, electron_hole_damping(rs, x))
    assert abs((hedin_lundqvist(rs, x) - exact) / exact).max() < 1e-3
    assert abs((hedin_lundqvist(rs, x) - exact) / exact).mean() < 1e-5


def test_real_part_against_plain_summation() -> None:
    # The same double integral over momentum transfer q and cosine u, by brute force, below the plasmon onset.
    rs, x = 3.0, 1.3
    kf = xc.FERMI_WIGNER / rs
    wp = np.sqrt(3 / rs**3)
    q = (np.arange(4000) + 0.5) / 4000
    q, jacobian = kf * 4 * q / (1 - q), kf * 4 / (1 - q) ** 2 / 4000
    u = (np.arange(4000) + 0.5) / 2000 - 1
    k = x * kf
    state = (k**2 + q[:, None] ** 2 + 2 * k * q[:, None] * u) / 2
    pole = np.sqrt(wp**2 + kf**2 * q**2 / 3 + q**4 / 4)[:, None]
    filled = state < kf**2 / 2
    screened = wp**2 / (2 * pole) / (k**2 / 2 - state + np.where(filled, pole, -pole)) - filled
    sigma = (screened.sum(1) * jacobian).sum() / 2000 / np.pi
    assert plasmon_pole(np.array(rs), np.array(x)).real == pytest.approx(sigma, rel=2e-4)


def test_plasmons_are_emitted_from_the_onset_on_and_vanish_at_high_energy() -> None:
    onset = plasmon_onset(RS)
    y, w2 = onset - 1, 4 * 3 * RS / xc.FERMI_WIGNER**4
    np.testing.assert_allclose(4 * y**3 + 8 / 3 * y**2, w2, rtol=1e-9)
    assert abs(plasmon_pole(RS, 0.999 * onset).imag).max() == 0
    assert plasmon_pole(RS, 1.001 * onset).imag.max() < 0
    assert abs(hedin_lundqvist(RS, 90 * onset)).max() < 0.1 * abs(hedin_lundqvist(RS, 1.0)).max()


def test_loss_is_never_a_gain() -> None:
    assert hedin_lundqvist(RS[:, None], np.linspace(0, 40, 500)).imag.max() == 0


def test_damping_near_the_fermi_level_in_the_dense_limit() -> None:
    # Quinn & Ferrell, Phys. Rev. 112, 812 (1958): rate sqrt(3) pi^2 / 128 w_p ((E - E_F) / E_F)^2; half is damping.
    rs, excess = 1e-5, 1e-2
    rate = np.sqrt(3) * np.pi**2 / 128 * np.sqrt(3 / rs**3) * excess**2
    damping = electron_hole_damping(np.array(rs), np.sqrt(np.array(1 + excess)))
    # The plasmon threshold is close to E_F there, and half of the damping is left at the threshold.
    assert damping == pytest.approx(-0.5 * rate / 2, rel=0.03)
