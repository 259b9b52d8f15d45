"""FEFF's own files, and a tree of runs: what is kept, what is refused and why."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import DataError
from engine.io import StructureTools, archive, import_source, read_log, read_xmu
from engine.names import material_and_site, site_name
from engine.spectra import GridSpec

ENERGY = np.linspace(8983.0, 9120.0, 170)
K = np.linspace(-1.0, 5.8, 170)
HEADER = """# FEFF 9.9.1
# Abs   Z=29 Rmt= 1.314 Rnm= 1.379 K  shell
# Pot 1 Z= 8 Rmt= 1.310 Rnm= 1.375
# Mu=-5.602E+00eV kf=2.687E+00 Vint=-1.771E+01eV Rs_int= 1.350
#  -----------------------------------------------------------------------
#  omega    e    k    mu    mu0     chi     @#
"""
LOG = (
    "SCF ITERATION NUMBER  1\nConvergence reached in   11 iterations.\n### feff ends at Sun Aug 13 18:46:00 EDT 2023\n"
)


def xmu_text(energy: np.ndarray = ENERGY, header: str = HEADER) -> str:
    mu = 0.04 + 0.96 * 0.5 * (1 + np.tanh((energy - 8992.0) / 3.0))
    rows = zip(energy, energy - 8992.6, K, mu, 0.9 * mu, 0.1 * mu, strict=False)
    return header + "".join("{:12.3f}{:11.3f}{:8.3f}{:13.5E}{:13.5E}{:13.5E}\n".format(*row) for row in rows)


@dataclass
class Site:
    species_string: str


def read_fake_structure(path: Path) -> list[Site]:
    text = path.read_text()
    if "broken" in text:
        raise DataError(f"{path.parent.name}/POSCAR: broken")
    return [Site(symbol) for symbol in text.split()]


@dataclass
class Described:
    frame: pd.DataFrame
    failures: pd.DataFrame
    second_shell_angstrom: dict[str, tuple[float, float]]


def describe(structures: object, sites: list[tuple[str, int]], **options: object) -> Described:
    n = len(sites)
    share = [0.5 if material == "mp-mixed" else np.nan if material == "mp-bare" else 1.0 for material, _ in sites]
    frame = pd.DataFrame({"OS": [np.nan] * n, "CN": [float(site) for _, site in sites], "O_FRAC": share})
    failures = pd.DataFrame({"site_id": "x", "descriptor": ["OS"] * n, "reason": ["no assignment"] * n})
    return Described(frame, failures, {"Cu": (2.5, 4.0)})


TOOLS = StructureTools(read_fake_structure, describe)


def add_run(
    root: Path,
    material: str,
    run: str = "000_Cu",
    *,
    poscar: str | None = "Cu Cu O O",
    xmu: str | None = None,
    log: str | None = LOG,
) -> Path:
    folder = root / material / "FEFF-XANES" / run
    folder.mkdir(parents=True)
    if poscar is not None:
        (root / material / "POSCAR").write_text(poscar)
    if xmu != "":
        (folder / "xmu.dat").write_text(xmu_text() if xmu is None else xmu)
    if log is not None:
        (folder / "feff.out").write_text(log)
    return folder


def zipped(root: Path, target: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                out.write(path, inside + str(path.relative_to(root)))
    return target


def test_read_xmu(tmp_path: Path) -> None:
    path = tmp_path / "xmu.dat"
    path.write_text(xmu_text())
    data = read_xmu(path)
    assert np.allclose(data.energy_ev, ENERGY, atol=5e-4)
    assert (data.element, data.edge) == ("Cu", "K")
    assert data.mu[-1] == pytest.approx(1.0, abs=1e-4)
    assert data.mu0[-1] == pytest.approx(0.9, abs=1e-4)
    assert data.e_fermi_ev == pytest.approx(np.interp(0.0, K, ENERGY), abs=0.01)


def test_xmu_without_absorber_line_and_with_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "xmu.dat"
    text = xmu_text(header="#  omega    e    k    mu    mu0     chi     @#\n")
    path.write_bytes(text.replace("\n", "\r\n").encode())
    data = read_xmu(path)
    assert (data.element, data.edge) == (None, None)
    assert data.energy_ev.size == 170


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xmu_text()[:-30], r"line 176: \d numbers; need 6 .* cut off here"),
        (xmu_text()[:-1], "no line end"),
        (HEADER, "0 rows of numbers"),
        ("1 2 3 4 5 6\n1 2 3 4 5 6\n", "this is not a FEFF xmu.dat"),
        (xmu_text().replace(" 8983.000", "*********"), "line 7: omega is '\\*{9}'"),
        ("\0\1", "NUL"),
    ],
)
def test_wrong_xmu_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "xmu.dat"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_xmu(path)


def test_logs(tmp_path: Path) -> None:
    def log(text: str) -> tuple[bool, bool | None]:
        (tmp_path / "feff.out").write_text(text)
        read = read_log(tmp_path / "feff.out")
        return read.finished, read.scf_converged

    assert log(LOG) == (True, True)
    assert log(LOG.splitlines()[0]) == (False, False)
    assert log("### feff ends at Sunday") == (True, None)


def test_a_tree_and_a_zip_of_it_give_the_same_set(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    add_run(root, "mp-2", "000_Cu")
    add_run(root, "mp-2", "001_Cu")
    add_run(root, "mp-10")
    sets = []
    for source in (
        root,
        zipped(root, tmp_path / "runs.zip"),
        zipped(root, tmp_path / "deep.zip", "some/folder/"),
    ):
        spectra, report = import_source(source, tools=TOOLS)
        assert (report.n_read, report.n_kept) == (3, 3)
        sets.append(spectra)
    assert sets[0].site_id.tolist() == ["mp-10_000", "mp-2_000", "mp-2_001"]
    assert sets[0].material_id.tolist() == ["mp-10", "mp-2", "mp-2"]
    assert sets[0].descriptors["CN"].tolist() == [0.0, 0.0, 1.0]
    assert "second shell of Cu: 2.500 to 4.000 Å" in sets[0].steps
    assert all(np.array_equal(sets[0].mu, other.mu) for other in sets)
    single, _ = import_source(zipped(root / "mp-10", tmp_path / "mp-77.zip"), tools=TOOLS)
    assert single.site_id.tolist() == ["mp-77_000"]
    single, _ = import_source(root / "mp-10", tools=TOOLS)
    assert single.site_id.tolist() == ["mp-10_000"]


def test_every_wrong_run_is_refused_for_its_reason(tmp_path: Path) -> None:
    add_run(tmp_path, "mp-good")
    add_run(tmp_path, "mp-nolog", log=None)
    add_run(tmp_path, "mp-unconverged", log=LOG.replace("Convergence reached", "No luck"))
    add_run(tmp_path, "mp-died", log="SCF ITERATION NUMBER 1\n")
    add_run(tmp_path, "mp-empty", xmu="")
    add_run(tmp_path, "mp-cut", xmu=xmu_text()[:-30])
    add_run(tmp_path, "mp-iron", xmu=xmu_text(header=HEADER.replace("Z=29", "Z=26")))
    add_run(tmp_path, "mp-l3", xmu=xmu_text(header=HEADER.replace("K  shell", "L3 shell")))
    add_run(tmp_path, "mp-nostructure", poscar=None)
    add_run(tmp_path, "mp-badstructure", poscar="broken")
    add_run(tmp_path, "mp-oxygen", "002_Cu")
    add_run(tmp_path, "mp-short", "009_Cu")
    add_run(tmp_path, "mp-zinc", "000_Zn", poscar="Zn O")
    add_run(tmp_path, "mp-mixed")
    add_run(tmp_path, "mp-bare")
    add_run(tmp_path / "again", "mp-good")
    (tmp_path / "mp-good" / "FEFF-XANES" / "notes").mkdir()
    spectra, report = import_source(tmp_path, element="Cu", tools=TOOLS, grid=GridSpec(8984.0))
    assert spectra.site_id.tolist() == ["mp-good_000", "mp-nolog_000", "mp-unconverged_000"]
    refused = {refusal.reason: refusal.count for refusal in report.refused}
    assert refused == {
        "the FEFF run did not finish": 1,
        "no xmu.dat": 1,
        "a file of the run is unreadable or incomplete": 1,
        "absorber differs from the folder's name": 1,
        "not a K edge": 1,
        "POSCAR is missing or unreadable": 2,
        "POSCAR has another element at the site": 1,
        "no such site in POSCAR": 1,
        "another element": 1,
        "first shell is not oxygen only": 1,
        "first shell is not known": 1,
        "another folder has the same material name": 1,
    }
    assert report.n_read == 16
    mixed = next(refusal for refusal in report.refused if refusal.reason == "first shell is not oxygen only")
    assert mixed.examples == (("mp-mixed_000", "CN 0, O_FRAC 0.5"),)
    assert any("1 run without SCF convergence" in warning for warning in report.warnings)
    assert any(warning.startswith("OS is not known for 5 of 5 sites") for warning in report.warnings)
    everything, _ = import_source(tmp_path, element="Cu", tools=TOOLS, grid=GridSpec(8984.0), first_shell="any")
    assert len(everything) == 5


def test_nothing_to_import_is_clear(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no FEFF runs"):
        import_source(tmp_path, tools=TOOLS)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(DataError, match="no FEFF runs"):
        import_source(zipped(tmp_path, tmp_path.parent / "none.zip"), tools=TOOLS)
    add_run(tmp_path, "mp-zinc", "000_Zn", poscar="Zn O")
    with pytest.raises(DataError, match="none of 1 spectra can be kept: another element"):
        import_source(tmp_path, element="Cu", tools=TOOLS)


def test_a_link_in_a_tree_is_not_followed(tmp_path: Path) -> None:
    add_run(tmp_path / "runs", "mp-1")
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    spectra, _ = import_source(tmp_path / "runs", tools=TOOLS)
    assert len(spectra) == 1


@pytest.mark.parametrize("name", ["../evil/POSCAR", "/etc/POSCAR", "a/../../POSCAR", "C:/POSCAR", "a\\..\\POSCAR"])
def test_zip_slip_is_refused_and_writes_nothing(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "deep" / "target"
    inside.mkdir(parents=True)
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as out:
        out.writestr("mp-1/POSCAR", "Cu O")
        out.writestr(entry, "evil")
    with pytest.raises(DataError, match="leads out of the archive"):
        archive.unpack(tmp_path / "slip.zip", inside)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "slip.zip", "target"]


def test_a_zip_bomb_too_many_entries_and_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("mp-1/FEFF-XANES/000_Cu/xmu.dat", b"0" * 40_000_000)
    with pytest.raises(DataError, match="times its size; the limit is 200"):
        import_source(bomb, tools=TOOLS)
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    with pytest.raises(DataError, match="once unpacked is more than the limit"):
        import_source(bomb, tools=TOOLS)
    monkeypatch.undo()
    link = zipfile.ZipInfo("mp-1/POSCAR")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        import_source(tmp_path / "link.zip", tools=TOOLS)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as out:
        for index in range(3):
            out.writestr(f"{index}", "")
    with pytest.raises(DataError, match="3 entries are more than"):
        import_source(tmp_path / "many.zip", tools=TOOLS)


def test_a_damaged_zip_is_a_data_error(tmp_path: Path) -> None:
    add_run(tmp_path / "runs", "mp-1")
    path = zipped(tmp_path / "runs", tmp_path / "runs.zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        import_source(path, tools=TOOLS)
    path.write_bytes(whole[:90] + bytes(200) + whole[290:])
    with pytest.raises(DataError, match="damaged"):
        import_source(path, tools=TOOLS)


def test_site_names() -> None:
    assert site_name("mp-1", 7) == "mp-1_007"
    assert site_name("mp-1", "0012") == "mp-1_012"
    assert site_name("mp-1", "Cu1") == "mp-1_Cu1"
    assert material_and_site("mvc-2_x_012") == ("mvc-2_x", 12)
    assert material_and_site("alpha") == ("alpha", None)
