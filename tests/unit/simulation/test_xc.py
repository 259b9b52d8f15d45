"""Exchange and correlation against closed forms and published values."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation import xc

DENSITY = np.geomspace(1e-6, 1e4, 41)


def density_at(rs: float) -> float:
    return 3 / (4 * np.pi * rs**3)


def test_radius_and_momentum_of_the_electron_gas() -> None:
    assert xc.wigner_seitz_radius(density_at(2.5)) == pytest.approx(2.5)
    assert xc.fermi_momentum(density_at(2.0)) * 2.0 == pytest.approx(1.9191583, rel=1e-7)
    assert np.isinf(xc.wigner_seitz_radius(0.0))


def test_no_density_has_no_potential_and_no_energy() -> None:
    for function in (xc.lda_potential, xc.lda_energy_density, xc.vwn_potential, xc.vwn_energy_density):
        assert abs(function(np.zeros(3))).max() < 1e-8


def test_exchange_of_the_electron_gas() -> None:
    assert xc.exchange_energy(density_at(1.0)) == pytest.approx(-0.4581653, abs=1e-7)


@pytest.mark.parametrize(
    ("energy", "potential"), [(xc.lda_energy_density, xc.lda_potential), (xc.vwn_energy_density, xc.vwn_potential)]
)
def test_potential_is_the_derivative_of_the_energy_density(energy, potential) -> None:
    step = 1e-4 * DENSITY
    slope = (energy(DENSITY + step) - energy(DENSITY - step)) / (2 * step)
    np.testing.assert_allclose(potential(DENSITY), slope, rtol=1e-6)


@pytest.mark.parametrize(("rs", "correlation"), [(1, -0.0600), (2, -0.0448), (5, -0.0282), (10, -0.0186)])
def test_vwn_correlation_is_that_of_ceperley_and_alder(rs: float, correlation: float) -> None:
    # Ceperley & Alder, Phys. Rev. Lett. 45, 566 (1980), paramagnetic, as tabulated by Vosko, Wilk & Nusair.
    density = density_at(rs)
    assert xc.vwn_energy_density(density) / density - xc.exchange_energy(density) == pytest.approx(
        correlation, abs=2e-4
    )


def test_von_barth_hedin_potential_at_metallic_density() -> None:
    # -1.22177412 / r_s - 0.0504 ln(1 + 30 / r_s) rydberg
    assert xc.lda_potential(density_at(2.0)) == pytest.approx((-1.22177412 / 2 - 0.0504 * np.log(16)) / 2, rel=1e-7)
