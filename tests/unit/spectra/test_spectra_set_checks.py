"""What a SpectraSet refuses, with messages that name the site and the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.errors import DataError
from engine.spectra import SpectraSet

PARTS: dict[str, Any] = {
    "energy_ev": np.linspace(8984.0, 9034.0, 5),
    "mu": np.ones((3, 5)),
    "descriptors": pd.DataFrame({"CN": [4, 5, 6]}),
    "site_id": ["a", "b", "c"],
    "material_id": ["m", "m", "n"],
    "element": ["Cu"] * 3,
}


def test_kinds_and_shapes_are_settled() -> None:
    spectra = SpectraSet(**PARTS)
    assert (spectra.energy_ev.dtype, spectra.mu.dtype) == (np.float64, np.float32)
    assert spectra.descriptors["CN"].dtype == np.float64
    assert spectra.descriptor_values(["CN"]).tolist() == [[4.0], [5.0], [6.0]]
    assert len(spectra) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy_ev": np.array([1.0, 3.0, 2.0, 4.0, 5.0])}, "point 2 is 2 eV after 3 eV"),
        ({"energy_ev": np.ones((2, 5))}, "one axis"),
        ({"mu": np.ones((3, 4))}, r"shape \(3, 4\); need \(3 sites, 5 energies\)"),
        ({"mu": np.full((3, 5), np.nan)}, "site a: mu at 8984.000 eV is nan"),
        ({"material_id": ["m"]}, "material_id has 1 entries; need 3"),
        ({"site_id": ["a", "b", "a"]}, "'a' occurs 2 times"),
        ({"descriptors": pd.DataFrame({"CN": [4, 5]})}, "2 rows; need 3"),
        ({"descriptors": pd.DataFrame({"CN": [4, 5, np.inf]})}, "site c: descriptor CN is infinite"),
        ({"descriptors": pd.DataFrame({"CN": ["4", "six", "5"]})}, "descriptor CN of row 2 is 'six'; need a number"),
        ({"descriptors": pd.DataFrame([[1, 2]] * 3, columns=["CN", "CN"])}, "'CN' occurs more than once"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SpectraSet(**{**PARTS, **change})


def test_an_unknown_descriptor_names_those_there() -> None:
    with pytest.raises(DataError, match="descriptor 'OS' is not in the set; it has: CN"):
        SpectraSet(**PARTS).descriptor_values(["OS"])
