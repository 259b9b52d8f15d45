"""Whatever a SpectraSet can hold comes back from its Parquet file bit for bit, hash included."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.io import read_set, write_set
from engine.io.parquet import MU_COLUMN, TEXT_COLUMNS
from engine.spectra import SpectraSet, set_hash

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
NAMES = TEXT.filter(lambda name: name and name not in (*TEXT_COLUMNS, MU_COLUMN))
NUMBER = st.one_of(st.floats(allow_infinity=False), st.just(float("nan")))


@st.composite
def spectra_sets(draw: st.DrawFn) -> SpectraSet:
    n, m = draw(st.integers(0, 5)), draw(st.integers(2, 7))
    steps = draw(st.lists(st.floats(1e-3, 100), min_size=m, max_size=m))
    mu = draw(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=n * m, max_size=n * m))
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    columns = {name: draw(st.lists(NUMBER, min_size=n, max_size=n)) for name in names}
    return SpectraSet(
        energy_ev=9000.0 + np.cumsum(steps),
        mu=np.array(mu, dtype=np.float32).reshape(n, m),
        descriptors=pd.DataFrame(columns, index=range(n), columns=names, dtype=float),
        site_id=np.array(draw(st.lists(TEXT, min_size=n, max_size=n, unique=True)), dtype=np.str_),
        material_id=np.array(draw(st.lists(TEXT, min_size=n, max_size=n)), dtype=np.str_),
        element=np.array(["Cu"] * n, dtype=np.str_),
        edge=draw(st.sampled_from(["K", "L3"])),
        origin=draw(TEXT),
        steps=tuple(draw(st.lists(TEXT, max_size=3))),
    )


@settings(max_examples=60, deadline=None)
@given(spectra_sets())
def test_a_round_trip_is_exact(spectra: SpectraSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.parquet"
        write_set(spectra, path)
        read = read_set(path)
        assert [entry.name for entry in Path(folder).iterdir()] == ["set.parquet"]
    assert np.array_equal(read.energy_ev, spectra.energy_ev)
    assert read.mu.tobytes() == spectra.mu.tobytes()
    pd.testing.assert_frame_equal(read.descriptors, spectra.descriptors, check_exact=True, check_column_type=False)
    for name in ("site_id", "material_id", "element"):
        assert getattr(read, name).tolist() == getattr(spectra, name).tolist()
    assert (read.edge, read.origin, read.steps) == (spectra.edge, spectra.origin, spectra.steps)
    assert set_hash(read) == set_hash(spectra)
