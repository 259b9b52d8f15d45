"""Files of measured spectra are read to the numbers that were written, guesses corrected, the rest refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.errors import ConfigError, DataError
from engine.experiment.measured import Measured, checked, element_around
from engine.experiment.reading import Columns, read_measured
from tests.measured_files import energies, raw, step_spectrum, write_athena, write_xdi

ENERGY = energies()
MU = raw(ENERGY, step_spectrum(ENERGY))


def test_xdi_gives_the_logarithm_of_the_intensities_and_what_it_declares(tmp_path: Path) -> None:
    (one,) = read_measured(write_xdi(tmp_path / "cuo.xdi", ENERGY, MU))
    np.testing.assert_allclose(one.mu, MU, atol=1e-9)
    np.testing.assert_allclose(one.energy_ev, ENERGY)
    assert (one.name, one.element, one.edge, one.kind) == ("cuo", "Cu", "K", "transmission")
    assert "ln(i0 / itrans)" in one.steps[1]


def test_kev_are_converted_where_declared_and_refused_where_not(tmp_path: Path) -> None:
    (one,) = read_measured(write_xdi(tmp_path / "a.xdi", ENERGY / 1000, MU, unit="keV"))
    np.testing.assert_allclose(one.energy_ev, ENERGY, atol=0.01)
    assert "keV times 1000" in one.steps[0]
    (wrong,) = read_measured(write_xdi(tmp_path / "b.xdi", ENERGY / 1000, MU))
    with pytest.raises(DataError, match="keV"):
        checked(wrong, "Cu")
    (said,) = read_measured(tmp_path / "b.xdi", Columns.parse("energy_unit=keV"))
    assert checked(said, "Cu").energy_ev[0] > 8000


def test_columns_are_guessed_from_order_without_names_and_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    table = np.stack([np.arange(ENERGY.size)[::-1] * 1.0, ENERGY, MU, 2 * MU, np.exp(MU)], axis=1)
    np.savetxt(path, table[:, 1:3], delimiter=",", header="photon E (eV),signal,", comments="")
    (one,) = read_measured(path)
    np.testing.assert_allclose(one.mu, MU)
    np.savetxt(path, table, header="point energy xmu other i0")
    assert read_measured(path)[0].mu == pytest.approx(MU)
    assert read_measured(path, Columns.parse("mu=other"))[0].mu == pytest.approx(2 * MU)
    assert read_measured(path, Columns.parse("fluorescence=4, i0=5"))[0].mu == pytest.approx(2 * MU / np.exp(MU))
    with pytest.raises(DataError, match="no column 'nothing'"):
        read_measured(path, Columns.parse("mu=nothing"))
    with pytest.raises(ConfigError, match="ROLE=COLUMN"):
        Columns.parse("signal=3")


def test_decimal_commas_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    rows = "\n".join(f"{e:.3f};{m:.6f}".replace(".", ",") for e, m in zip(ENERGY, MU, strict=True))
    (tmp_path / "de.csv").write_text("Energy;mu\n" + rows, encoding="utf-8-sig")
    (one,) = read_measured(tmp_path / "de.csv")
    np.testing.assert_allclose(one.energy_ev, ENERGY, atol=1e-3)
    np.testing.assert_allclose(one.mu, MU, atol=1e-6)
    assert "'Energy'" in one.steps[0]


def test_a_table_of_a_series_gives_one_spectrum_per_row_at_the_chosen_edge(tmp_path: Path) -> None:
    zinc = np.linspace(9600, 9700, 80)
    values = [0.7, 0.4, 0.1]
    rows = [np.concatenate([[v], v * MU, np.full(80, v)]) for v in values]
    np.savetxt(tmp_path / "film.csv", np.vstack([np.concatenate([[0], ENERGY, zinc]), *rows]))
    spectra = read_measured(tmp_path / "film.csv", element="Cu")
    assert [s.series for s in spectra] == pytest.approx(values)
    np.testing.assert_allclose(spectra[1].mu, 0.4 * MU)
    assert read_measured(tmp_path / "film.csv", element="Zn")[2].mu == pytest.approx(np.full(80, 0.1))
    with pytest.raises(DataError, match="say which element"):
        read_measured(tmp_path / "film.csv")
    with pytest.raises(DataError, match="Fe"):
        read_measured(tmp_path / "film.csv", element="Fe")


def test_hdf5_finds_energy_and_absorption_of_equal_length(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.nxs", "w") as file:
        data = file.create_group("entry/data")
        data.create_dataset("energy", data=ENERGY / 1000).attrs["units"] = "keV"
        data.create_dataset("i0", data=np.full(ENERGY.size, 2.0))
        data.create_dataset("itrans", data=2.0 * np.exp(-MU))
        file.create_dataset("mu", data=np.zeros(3))
    (one,) = read_measured(tmp_path / "scan.nxs")
    np.testing.assert_allclose(one.mu, MU)
    np.testing.assert_allclose(one.energy_ev, ENERGY)


def test_an_athena_project_is_read_and_nothing_in_it_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = tmp_path / "p.prj"
    extra = f"@journal = ('x', open('{trap}', 'w'));\n$x = __import__('os').system('touch {trap}');"
    write_athena(path, {"CuO": (ENERGY, MU), "foil": (ENERGY, 2 * MU)}, extra)
    spectra = read_measured(path)
    assert [s.name for s in spectra] == ["p_CuO", "p_foil"]
    np.testing.assert_allclose(spectra[1].mu, 2 * MU)
    np.testing.assert_allclose(spectra[0].energy_ev, ENERGY + 0.5)
    assert "shift of 0.5 eV" in spectra[0].steps[1]
    assert not trap.exists()


def test_falling_repeated_and_jittering_energies_are_put_right_and_recorded() -> None:
    turned = checked(Measured("a", ENERGY[::-1], MU[::-1]), "Cu")
    np.testing.assert_array_equal(turned.mu, MU)
    assert "turned round" in turned.steps[0]
    twice = checked(Measured("a", np.repeat(ENERGY, 2), np.repeat(MU, 2) + np.tile([0.1, -0.1], MU.size)), "Cu")
    np.testing.assert_allclose(twice.mu, MU)
    swapped = np.arange(ENERGY.size)
    swapped[[100, 101]] = 101, 100
    sorted_again = checked(Measured("a", ENERGY[swapped], MU[swapped]), "Cu")
    np.testing.assert_array_equal(sorted_again.energy_ev, ENERGY)
    assert "sorted" in sorted_again.steps[0]


@pytest.mark.parametrize(
    ("spectrum", "element", "reason"),
    [
        (Measured("a", ENERGY, MU, element="Fe"), "Cu", "measured on Fe"),
        (Measured("a", ENERGY, MU, edge="L3"), "Cu", "L3 edge"),
        (Measured("a", ENERGY, MU), "Fe", "K edge"),
        (Measured("a", ENERGY[:9], MU[:9]), "Cu", "too few points"),
        (Measured("a", ENERGY, np.minimum(MU, 1.2)), "Cu", "saturated"),
        (Measured("a", ENERGY, np.where(ENERGY > 9000, np.nan, MU)), "Cu", "not a finite number"),
        (Measured("a", np.roll(ENERGY, 50), MU), "Cu", "not sorted"),
        (Measured("a", ENERGY, np.ones_like(MU)), "Cu", "constant"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(spectrum: Measured, element: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        checked(spectrum, element)


def test_the_element_is_taken_from_the_energies_only_where_there_is_one() -> None:
    assert element_around(8800, 9300) == "Cu"
    with pytest.raises(DataError, match="say which"):
        element_around(7000, 9300)


@pytest.mark.parametrize("text", ["", "no numbers\nhere\n", "1 2\nhello\n3 4\n", "1 2\n3\n"])
def test_text_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.dat").write_text(text)
    with pytest.raises(DataError, match=r"x\.dat"):
        read_measured(tmp_path / "x.dat")
