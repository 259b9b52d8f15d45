"""The published Cu set: descriptors computed here equal the values that came with it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Structure

from engine.structures import PAPER_SECOND_SHELL_ANGSTROM, describe_sites, find_second_shell, read_structure

PUBLISHED = ["OS", "CN", "CN2", "OCN", "NNRS", "NNAS", "MOOD", "PGSO"]
MATERIALS = 40

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def sample(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, Structure]]:
    """Rows and structures of a seeded sample of materials, and two whose second shell ends at an atom."""
    columns = ["site_id", "material_id", "site", "only_O", "nn_elements", *PUBLISHED]
    table = pd.read_parquet(real_data / "cu_feff" / "sites.parquet", columns=columns)
    rng = np.random.default_rng(20230523)
    names = set(rng.choice(sorted(table.material_id.unique()), MATERIALS, replace=False)) | {"mp-760190", "mp-1202558"}
    table = table[table.material_id.isin(names)].reset_index(drop=True)
    folder = tmp_path_factory.mktemp("poscars")
    structures = {}
    with zipfile.ZipFile(real_data / "cu_feff" / "structures.zip") as archive:
        for name in sorted(names):
            path = folder / f"{name}.vasp"
            path.write_bytes(io.BytesIO(archive.read(f"{name}/POSCAR")).getvalue())
            structures[name] = read_structure(path)
    return table, structures


def test_descriptors_equal_the_published_values(sample: tuple[pd.DataFrame, dict[str, Structure]]) -> None:
    table, structures = sample
    described = describe_sites(
        structures,
        list(zip(table.material_id, table.site, strict=True)),
        [*PUBLISHED, "O_FRAC"],
        second_shell_angstrom={"Cu": PAPER_SECOND_SHELL_ANGSTROM},
    )
    assert list(described.frame.index) == list(table.site_id)
    for name in PUBLISHED:
        np.testing.assert_allclose(
            described.frame[name].to_numpy(), table[name].to_numpy(dtype=float), atol=1e-6, rtol=0, err_msg=name
        )
    np.testing.assert_array_equal(described.frame["O_FRAC"].to_numpy() == 1.0, table["only_O"].to_numpy())


def test_second_shell_of_the_set_is_close_to_the_published_one(
    sample: tuple[pd.DataFrame, dict[str, Structure]],
) -> None:
    table, structures = sample
    low, high = find_second_shell(structures, list(zip(table.material_id, table.site, strict=True)))["Cu"]
    assert low == pytest.approx(PAPER_SECOND_SHELL_ANGSTROM[0], abs=0.2)
    assert high == pytest.approx(PAPER_SECOND_SHELL_ANGSTROM[1], abs=0.2)
