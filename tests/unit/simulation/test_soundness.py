"""Spectra that cannot be: negative ones, and those that bend more than their core hole allows."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation.core_hole import half_width_ev
from engine.simulation.soundness import excess_bend, fault_of

ENERGY = np.arange(12650.0, 12700.0, 0.25)
SELENIUM = 34


def blurred(lines: dict[float, float], width: float) -> np.ndarray:
    """An edge and lines (area by energy), all positive, under a Lorentzian of half width ``width``."""
    edge = 0.5 + np.arctan((ENERGY - 12660) / width) / np.pi
    return edge + sum(area * width / np.pi / ((ENERGY - at) ** 2 + width**2) for at, area in lines.items())


@pytest.mark.parametrize("lines", [{}, {12660.1: 3.0}, {12658.0: 0.3, 12663.0: 40.0}])
def test_what_is_as_wide_as_its_core_hole_is_sound(lines: dict[float, float]) -> None:
    mu = blurred(lines, half_width_ev(SELENIUM))
    assert excess_bend(ENERGY, mu, SELENIUM)[0] <= 1e-9
    assert fault_of(ENERGY, mu, SELENIUM) is None


def test_a_line_of_a_third_of_the_width_is_named_with_its_energy() -> None:
    width = half_width_ev(SELENIUM)
    mu = blurred({}, width) + 1 / (1 + ((ENERGY - 12680) / (width / 3)) ** 2)
    excess, where = excess_bend(ENERGY, mu, SELENIUM)
    step = 0.25 / (width / 3)
    assert excess == pytest.approx(2 * (1 - 1 / (1 + step**2)) / 0.25**2 - 2 * mu[120] / width**2, rel=0.01)
    assert where == 12680
    assert "bends at 12680.00 eV" in str(fault_of(ENERGY, mu, SELENIUM))
    mu[40] = -0.02
    assert fault_of(ENERGY, mu, SELENIUM) == "mu is -0.02 at 12660.00 eV; absorption is positive"


def test_a_kink_is_a_fault() -> None:
    mu = blurred({}, half_width_ev(SELENIUM))
    mu[ENERGY > 12670] -= 0.2
    assert "bends at 126" in str(fault_of(ENERGY, mu, SELENIUM))
