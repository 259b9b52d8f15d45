"""Measured compounds of Fe, Ni, Cu and Zn read with models of simulated oxides: nominal against predicted OS and CN.

    python -m tests.benchmarks.reference_compounds [--model RUN]... [--out table.csv]

Takes the runs that are given, or the embedded models, and does those elements of which `xdi` has compounds. Measured
energies are shifted by what one compound of each element asks for, which is marked with *. Metals, sulfides, carbides
and nitrides are outside any oxide's domain and should be flagged. What all sites of a set share, as OS 2 in oxides of
Zn, is not predicted. Below each table stands what two of the oxides make of the others when they are given as standards
of known OS, and how often intervals of 90 % hold the labels of the run's held-out simulated materials. Where a foil was
measured at two beamlines and their energies differ, a second table has what they read on one scale.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from engine.embedded.manifest import data_folder, read_embedded
from engine.embedded.models import varying
from engine.errors import DataError, EngineError
from engine.experiment.aligning import shift_sensitivity
from engine.experiment.calibration import Predictor, coverage_on, fit_predictor
from engine.experiment.intake import Intake, take_in
from engine.experiment.prediction import MEASURES, Prediction
from engine.experiment.preparing import Preparation
from engine.experiment.standards import Standard, on_standards
from engine.model.latent_model import load_member
from engine.model.run import Run
from engine.spectra import SpectraSet
from tests.benchmarks.train_quality import REAL_DATA

XDI = REAL_DATA / "xdi"
DESCRIPTORS = ("OS", "CN")


@dataclass(frozen=True)
class Compound:
    """A compound: its files by the start of their names, state and neighbours, None where mixed or not known.

    outside  it is no oxide: metal, sulfide, selenide, carbide or nitride
    """

    files: str
    name: str
    state: float | None
    neighbours: float | None
    outside: bool = False


COMPOUNDS = {
    "Fe": (
        Compound("FeO_rt", "FeO", 2, 6),
        Compound("Fe3O4_rt", "Fe3O4", 8 / 3, 16 / 3),
        Compound("Hansel2001_magnetite", "Fe3O4", 8 / 3, 16 / 3),
        Compound("Fe2O3_rt", "Fe2O3", 3, 6),
        Compound("Hansel2001_goethite", "goethite", 3, 6),
        Compound("Hansel2001_2lineFerrihydrite", "ferrihydrite", 3, 6),
        Compound("Hansel2001_siderite", "siderite", 2, 6),
        Compound("Hansel2001_vivianite", "vivianite", 2, 6),
        Compound("Hansel2001_greenrust", "green rust", None, 6),
        Compound("FeS2_rt", "FeS2", 2, 6, outside=True),
        Compound("Fe3C_rt", "Fe3C", None, None, outside=True),
        Compound("FeN_rt", "FeN", None, None, outside=True),
        Compound("Fe_metal", "Fe metal", 0, None, outside=True),
        Compound("Fe_Foil", "Fe metal", 0, None, outside=True),
        Compound("Hansel2001_Fe_foil", "Fe metal", 0, None, outside=True),
    ),
    "Ni": (
        Compound("NiOH2_rt", "Ni(OH)2", 2, 6),
        Compound("Ni2O3_rt", "Ni2O3", 3, 6),
        Compound("NiS_rt", "NiS", 2, 6, outside=True),
        Compound("Ni_metal", "Ni metal", 0, None, outside=True),
    ),
    "Cu": (
        Compound("CuO_tenorite", "CuO", 2, 4),
        Compound("Cu_azurite", "azurite", 2, 14 / 3),
        Compound("Cu2S", "Cu2S", 1, None, outside=True),
        Compound("CuS_covellite", "CuS", None, None, outside=True),
        Compound("Cu_Foil", "Cu metal", 0, None, outside=True),
        Compound("cu_metal", "Cu metal", 0, None, outside=True),
    ),
    "Zn": (
        Compound("ZnO", "ZnO", 2, 4),
        Compound("Chorover13BM_ZnSO4", "ZnSO4 hydrate", 2, 6),
        Compound("Chorover13BM_ZnC2O4", "Zn oxalate", 2, 6),
        Compound("Chorover13BM_Zn_smithsonite", "smithsonite", 2, 6),
        Compound("Chorover13BM_Zn_hopeite", "hopeite", 2, 14 / 3),
        Compound("Chorover13BM_ZnS_", "ZnS", 2, 4, outside=True),
        Compound("Chorover13BM_Zn_sphalerite", "ZnS", 2, 4, outside=True),
        Compound("zn_znse", "ZnSe", 2, 4, outside=True),
        Compound("Chorover13BM_Znfoil", "Zn metal", 0, None, outside=True),
        Compound("Zn_foil", "Zn metal", 0, None, outside=True),
    ),
}
# The compound that aligns an element: its file, and what simulated sets call it; Ni(OH)2 by NiO, its nearest relative.
REFERENCES = {
    "Fe": ("Fe2O3_rt_01.xdi", ("corundum-Fe3-O",)),
    "Ni": ("NiOH2_rt_01.xdi", ("rocksalt-Ni2-O",)),
    "Cu": ("CuO_tenorite_13K_01.xdi", ("tenorite-Cu2-O", "mp-1692")),
    "Zn": ("ZnO.xdi", ("wurtzite-Zn2-O",)),
}
# The foil measured where the compound of REFERENCES was, the one measured elsewhere, how files from there begin.
FOILS = {"Zn": ("Zn_foil", "Chorover13BM_Znfoil_rt_01", "Chorover13BM")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, action="append", help="a run on simulated oxides; may be repeated")
    parser.add_argument("--out", type=Path, help="the table as CSV")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tables = []
    for path in options.model or embedded_models():
        run = Run(path)
        element = str(run.spectra().element[0])
        if element in COMPOUNDS:
            tables.append(report(run, element))
        else:
            print(f"{path.name}: {element}, of which there are no measured compounds")
    if options.out is not None and tables:
        pd.concat(tables).to_csv(options.out, index=False)


def embedded_models() -> list[Path]:
    embedded = read_embedded(data_folder())
    if embedded is None:
        raise SystemExit("no embedded models: give --model")
    return [model.path for model in embedded.models]


def report(run: Run, element: str) -> pd.DataFrame:
    """Prints and returns the table of one element."""
    spectra, split, member = run.spectra(), run.split(), load_member(run)
    file, names = REFERENCES[element]
    known = [name for name in names if (spectra.material_id == name).any()]
    print(f"\n{element}: {run.path.name}, {len(spectra)} simulated sites, seed {member.seed}")
    if not known:
        print(f"  the set has none of {', '.join(names)}: energies are not shifted")
    files = [path for one in COMPOUNDS[element] for path in sorted(XDI.glob(f"{one.files}*"))]
    taken = take_in(
        files, member.energy_ev, Preparation(element), columns={}, simulated=lambda _: spectra,
        references=[(XDI / file, name) for name in known[:1]],
    )  # fmt: skip
    for line in [*taken.notes, *(f"refused: {reason}" for reason in taken.refused)]:
        print(f"  {line}")
    predictor = fit_predictor(member, spectra, split, varying(spectra, DESCRIPTORS))
    found = predict(predictor, taken)
    table = predictions(predictor, found, taken, element, Path(file).stem if known else "")
    print(shown(table).to_string(index=False))
    tell(table)
    if "OS" in found.names:
        standards_study(found, [one.measured.name for one in taken.prepared], element)
    if element in FOILS:
        one_scale(predictor, spectra, taken, element)
    for name, (share, count) in coverage_on(predictor, spectra, split.test, 0.9).items():
        print(f"  intervals of 90 % hold {name} of {share:.1%} of {count} held-out simulated sites")
    return table


def one_scale(predictor: Predictor, spectra: SpectraSet, taken: Intake, element: str) -> None:
    """Prints the table of files from another beamline, moved onto the energies of the reference by a foil of both."""
    here, there, start = FOILS[element]
    edge = {one.measured.name: one.normalised.e0_ev for one in taken.prepared}
    by = edge[here] - edge[there]
    moved = take_in(
        sorted(XDI.glob(f"{start}*")), predictor.member.energy_ev,
        replace(taken.how, shift_ev=taken.how.shift_ev + by), columns={}, simulated=lambda _: spectra,
    )  # fmt: skip
    print(f"  on one scale: {start}* moved by {by:+.2f} eV more, what {there} needs to have its edge where {here} has")
    table = predictions(predictor, predict(predictor, moved), moved, element, "")
    print(shown(table).to_string(index=False))
    tell(table)


def predict(predictor: Predictor, taken: Intake) -> Prediction:
    return predictor.predict(np.stack([one.mu for one in taken.prepared]))


def standards_study(found: Prediction, names: Sequence[str], element: str) -> None:
    """Prints what every two oxides of different OS make of the other oxides when they are given as standards."""
    compounds = [next(c for c in COMPOUNDS[element] if name.startswith(c.files)) for name in names]
    oxides = [i for i, c in enumerate(compounds) if not c.outside and c.state is not None]
    state = {i: float(compounds[i].state or 0) for i in oxides}
    first = {compounds[i].name: i for i in reversed(oxides)}
    pairs = [pair for pair in combinations(sorted(first.values()), 2) if len({state[i] for i in pair}) == 2]
    kept = []
    for pair in pairs:
        told = " and ".join(compounds[i].name for i in pair)
        try:
            one = on_standards(found, names, [Standard(names[i], "OS", state[i]) for i in pair]).standards["OS"]
        except DataError as error:
            print(f"  {told} as standards are refused: {str(error).rpartition(': ')[2]}")
            continue
        others = [i for i in oxides if compounds[i].name not in told.split(" and ")]
        if not others:
            print(f"  {told} as standards: no other oxide")
            continue
        truth = np.array([state[i] for i in others])
        before, after = (np.abs(of.value[others] - truth).mean() for of in (found.ensemble["OS"], one.interval))
        held = (one.interval.low[others] <= truth) & (truth <= one.interval.high[others])
        kept.append((before, after))
        print(
            f"  {told} as standards: mean error of OS of {len(others)} others {before:.2f}, put right {after:.2f}; "
            f"intervals hold {held.sum()}, {one.beyond[others].sum()} lie beyond the standards"
        )
    if kept:
        before, after = np.median(kept, axis=0)
        print(f"  median over {len(kept)} of {len(pairs)} pairs: {before:.2f}, put right {after:.2f}")


def predictions(predictor: Predictor, found: Prediction, taken: Intake, element: str, reference: str) -> pd.DataFrame:
    mu = np.stack([one.mu for one in taken.prepared])
    per_ev = shift_sensitivity(predictor.values, predictor.member.energy_ev, mu)
    rows = []
    for i, one in enumerate(taken.prepared):
        name = one.measured.name
        compound = next(c for c in COMPOUNDS[element] if name.startswith(c.files))
        row = {"file": f"{name}{'*' if name == reference else ''}", "compound": compound.name}
        known = {"OS": compound.state, "CN": compound.neighbours}
        for k, what in enumerate(predictor.names):
            nominal, said = known[what], found.ensemble[what]
            row |= {f"{what} nominal": np.nan if nominal is None else nominal, what: said.value[i]}
            row |= {f"{what} low": said.low[i], f"{what} high": said.high[i], f"{what} per eV": per_ev[i, k]}
        row |= {f"p {measure}": found.p[i, k] for k, measure in enumerate(MEASURES)}
        outside = ", ".join(measure for k, measure in enumerate(MEASURES) if found.flagged[i, k])
        rows.append({**row, "outside by": outside or "–", "oxide": not compound.outside})
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text, intervals beside their values."""
    columns = {"file": table["file"], "compound": table["compound"]}
    for what in predicted(table):
        columns[f"{what} nominal"] = [
            f"{value:.2f}" if np.isfinite(value) else "–" for value in table[f"{what} nominal"]
        ]
        rows = table[[what, f"{what} low", f"{what} high", f"{what} per eV"]].to_numpy()
        columns[f"{what} (90 %), per eV"] = [
            f"{v:.2f} [{low:.2f}, {high:.2f}] {slope:+.2f}" for v, low, high, slope in rows
        ]
    return pd.DataFrame({**columns, "outside by": table["outside by"]})


def predicted(table: pd.DataFrame) -> list[str]:
    return [name for name in DESCRIPTORS if name in table]


def tell(table: pd.DataFrame) -> None:
    """How many oxides have their nominal values inside the intervals, and how many others are flagged."""
    oxides, others = table[table["oxide"]], table[~table["oxide"]]
    for what in predicted(table):
        known = oxides[oxides[f"{what} nominal"].notna()]
        held = (known[f"{what} low"] <= known[f"{what} nominal"]) & (known[f"{what} nominal"] <= known[f"{what} high"])
        error = (known[what] - known[f"{what} nominal"]).abs().mean()
        print(
            f"  {what}: intervals hold the nominal value of {held.sum()} of {len(known)} oxides, mean error {error:.2f}"
        )
    for what, part in (("oxides", oxides), ("others", others)):
        print(f"  flagged as outside: {(part['outside by'] != '–').sum()} of {len(part)} {what}")


if __name__ == "__main__":
    try:
        main()
    except EngineError as error:
        raise SystemExit(str(error)) from error
