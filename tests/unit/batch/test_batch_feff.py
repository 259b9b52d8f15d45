"""FEFF through the same command: its input compared with the published one, runs by a stand-in executable."""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from engine.batch.feff import feff_sources, find_feff
from engine.batch.sources import Source
from engine.errors import ConfigError, DataError
from engine.io import import_source, read_set
from engine.io.feff_input import CARDS, feff_input

CUPRITE = Structure.from_spacegroup("Pn-3m", Lattice.cubic(4.27), ["O", "Cu"], [[0, 0, 0], [0.25, 0.25, 0.25]])
FAKE = """import sys
from pathlib import Path
lines = Path("feff.inp").read_text().splitlines()
if "{mode}" == "fails":
    print("out of luck"); sys.exit(3)
rows = []
for i in range(170):
    e = 8983.0 + 0.9 * i
    mu = 1 / (1 + 2.718281828 ** (-(e - 8992.0) / 1.5))
    rows.append("%12.3f%11.3f%8.3f%13.5E%13.5E%13.5E" % (e, e - 8992.6, -1 + 0.04 * i, mu, 0.9 * mu, 0.1 * mu))
head = "# Abs   Z=29 Rmt= 1.3 Rnm= 1.4 K  shell\\n#  omega    e    k    mu    mu0     chi     @#\\n"
Path("xmu.dat").write_text(head + "\\n".join(rows) + "\\n")
with Path("calls").open("a") as calls: calls.write("x")
print("SCF ITERATION NUMBER 1\\nConvergence reached in 1 iterations.\\n### feff ends at noon")
"""


def fake_feff(folder: Path, mode: str = "works") -> str:
    script = folder / f"fake_{mode}.py"
    script.write_text(FAKE.replace("{mode}", mode))
    return f"{sys.executable} {script}"


@pytest.mark.real
def test_the_input_has_the_atoms_and_cards_of_the_published_one(real_data: Path) -> None:
    with zipfile.ZipFile(real_data / "cu_feff" / "feff_folders_sample.zip") as archive:
        for name in [n for n in archive.namelist() if n.endswith("feff.inp")][:6]:
            material, _, run, _ = name.split("/")
            structure = Structure.from_str(archive.read(f"{material}/POSCAR").decode(), fmt="poscar")
            mine = feff_input(structure, int(run[:3]))
            theirs = archive.read(name).decode()
            for card in CARDS.split("\n"):
                assert any(line.split() == card.split() for line in theirs.splitlines()), card
            ours, published = atoms(mine), atoms(theirs)
            np.testing.assert_allclose(sorted(ours[:, 3]), sorted(published[:, 3]), atol=2e-4)
            distance = np.linalg.norm(ours[:, None, :3] - published[None, :, :3], axis=2)
            assert distance.min(axis=1).max() < 1e-3


def atoms(text: str) -> np.ndarray:
    """(n, 4): x, y, z and distance of the ATOMS card."""
    rows = [line.split() for line in text[text.index("ATOMS") :].splitlines()]
    good = [r for r in rows if len(r) >= 7 and re.fullmatch(r"-?[\d.]+(e-?\d+)?", r[0])]
    return np.array([[float(r[0]), float(r[1]), float(r[2]), float(r[5])] for r in good])


def test_the_absorber_is_first_and_has_its_own_potential() -> None:
    text = feff_input(CUPRITE, 3)
    lines = text.splitlines()
    first = lines[lines.index("ATOMS") + 2].split()
    assert first[:5] == ["0.000000", "0.000000", "0.000000", "0", "Cu"]
    potentials = [line.split()[:3] for line in lines[lines.index("POTENTIALS") + 2 : lines.index("ATOMS") - 1]]
    assert potentials == [["0", "29", "Cu"], ["1", "8", "O"], ["2", "29", "Cu"]]
    assert lines[-1] == "END"
    nearest = lines[lines.index("ATOMS") + 3].split()
    assert nearest[4] == "O"
    assert float(nearest[5]) == pytest.approx(4.27 * np.sqrt(3) / 4, abs=1e-4)


def test_a_potential_out_of_reach_is_left_out() -> None:
    far = Structure(Lattice.cubic(40), ["Cu", "O", "Kr"], [[0, 0, 0], [0.05, 0, 0], [0.5, 0.5, 0.5]])
    text = feff_input(far, 0)
    assert "Kr" not in text[text.index("POTENTIALS") :]
    with pytest.raises(DataError, match="numbered from 0"):
        feff_input(far, 3)


def test_runs_are_imported_and_not_repeated(tmp_path: Path) -> None:
    out = tmp_path / "cu.parquet"
    command = fake_feff(tmp_path)
    outcome = feff_sources([Source("cuprite", CUPRITE)], [], "Cu", out, command=command, workers=2)
    assert outcome.runs == 1
    assert outcome.failures == ()
    spectra = read_set(out)
    assert len(spectra) == 1
    assert spectra.descriptors["CN"][0] == 2
    again = feff_sources([Source("cuprite", CUPRITE)], [], "Cu", out, command=command)
    assert again.resumed == 1
    calls = next((tmp_path / "cu.parquet.feff").rglob("calls"))
    assert calls.read_text() == "x"


def test_without_feff_the_inputs_are_left_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANKAAE_FEFF", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "cu.parquet"
    outcome = feff_sources([Source("cuprite", CUPRITE)], [], "Cu", out, all_sites=True)
    assert outcome.runs == 4
    assert outcome.report is None
    assert any("rankaae import" in line for line in outcome.lines())
    assert not out.exists()
    folder = out.with_name("cu.parquet.feff") / "cuprite" / "FEFF-XANES"
    assert sorted(p.name for p in folder.iterdir()) == ["002_Cu", "003_Cu", "004_Cu", "005_Cu"]
    with pytest.raises(DataError, match=r"no xmu\.dat"):
        import_source(out.with_name("cu.parquet.feff"), element="Cu")


def test_a_run_that_fails_is_listed_with_what_feff_said(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no FEFF run gave a spectrum: cuprite_002: FEFF ended with code 3.*out of luck"
    ):
        feff_sources(
            [Source("cuprite", CUPRITE)], [], "Cu", tmp_path / "cu.parquet", command=fake_feff(tmp_path, "fails")
        )


def test_commands_and_molecules_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="was not found"):
        find_feff(str(tmp_path / "nothing"))
    monkeypatch.setenv("RANKAAE_FEFF", sys.executable)
    assert find_feff(None) == [str(Path(sys.executable).resolve())]
    molecule = Molecule(["Cu", "O"], [[0, 0, 0], [1.8, 0, 0]])
    with pytest.raises(DataError, match="no lattice"):
        feff_sources([Source("m", molecule)], [], "Cu", tmp_path / "cu.parquet")
