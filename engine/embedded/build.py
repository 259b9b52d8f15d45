"""From a recipe to files: structures, spectra, descriptors, a manifest entry and a data card."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pymatgen.core import Element, Structure

import engine
from engine.batch.processes import Workers
from engine.batch.simulate import Progress, Simulate, Simulated, notes_of, raw_spectra, simulate_sites
from engine.batch.sites import Site
from engine.embedded.cards import Account, write_card, write_entry
from engine.embedded.recipes import Recipe
from engine.embedded.structures import make_structures, read_structures
from engine.errors import DataError
from engine.generation.materials import Material
from engine.io.files import atomic_target
from engine.io.parquet import write_set
from engine.io.structures import structures_path, write_structures
from engine.simulation.simulate import Settings, simulate_site
from engine.simulation.soundness import fault_of
from engine.spectra import assemble
from engine.spectra.grid import resample
from engine.structures import describe_sites

FloatArray = npt.NDArray[np.float64]
Announce = Callable[[str], Progress]
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
ORIGIN = "multiple-scattering simulation of this program on generated structures, not measured and not FEFF"


@dataclass(frozen=True, eq=False)
class _Family:
    """The simulated sites of one element, with their descriptors (n, d) and the structures they are of."""

    element: str
    result: Simulated
    descriptors: pd.DataFrame
    second_shell: dict[str, tuple[float, float]]
    material_of: Mapping[str, Material]

    @property
    def structures(self) -> dict[str, Structure]:
        """Its structures by structure_id."""
        return {name: material.structure for name, material in self.material_of.items()}


def build_set(
    recipe: Recipe,
    out: Path,
    work: Path,
    settings: Settings,
    *,
    elements: Sequence[str] | None = None,
    sites: int | None = None,
    seed: int = 0,
    workers: Workers = 1,
    announce: Announce | None = None,
    simulate: Simulate = simulate_site,
) -> Account:
    """Makes a set in the folder ``out`` from a recipe; ``work`` keeps what is finished, so that a second call goes on.

    Steps: structures (``work/structures``), spectra (``work/spectra``, one file per site), descriptors, then the files:
    ``out/<set>/<set>-<El>.parquet`` where the recipe has energies per element, else one ``out/<set>.parquet`` with
    float16 spectra on energies ``start[element] + step·i``, each with its structures in a file beside it;
    ``out/<set>.md``, and the set's entry in ``out/manifest.toml``. Failed sites are listed in the card. ``elements``
    and ``sites`` (per element) make a part.
    """
    chosen = tuple(elements or recipe.elements)
    unknown = [symbol for symbol in chosen if symbol not in recipe.elements]
    if unknown:
        raise DataError(f"{recipe.name} has no {unknown[0]}; it has {', '.join(recipe.elements)}")
    counts = {element: sites or recipe.sites[element] for element in chosen}
    begin: Announce = announce or (lambda _: lambda done, total: None)
    folder = work / "structures"
    files = make_structures(
        recipe.name, counts, seed=seed, folder=folder, workers=workers, progress=begin("structures")
    )
    families = [
        _simulated(element, files[element], work, settings, workers, begin(f"spectra of {element}"), simulate)
        for element in chosen
    ]
    out.mkdir(parents=True, exist_ok=True)
    written, refused, tables = _write(recipe, families, settings, out)
    account = Account(
        name=recipe.name,
        title=recipe.title,
        files=tuple(written),
        settings=settings.parameters(),
        seed=seed,
        version=engine.__version__,
        tables=tables,
        materials={f.element: list(f.material_of.values()) for f in families},
        failures=tuple(failure for f in families for failure in f.result.failures) + tuple(refused),
        notes=_notes(families),
        origin=ORIGIN,
        energies=f"{recipe.points} points over {recipe.width_ev:g} eV per element",
    )
    write_card(account, out / f"{recipe.name}.md")
    write_entry(account, out)
    return account


def _notes(families: Sequence[_Family]) -> dict[str, int]:
    """How many spectra carry each note, and how many fell back; numbers within a note are put aside."""
    counts: Counter[str] = Counter()
    for family in families:
        for part in family.result.finished:
            if part.about["mode"] == "neutral":
                counts["potentials of overlapped neutral atoms"] += 1
            counts.update({_NUMBER.sub("…", note) for note in notes_of(part)})
    return dict(counts.most_common())


def _simulated(
    element: str, path: Path, work: Path, settings: Settings, workers: Workers, progress: Progress, simulate: Simulate
) -> _Family:
    stored = read_structures(path)
    structures = {material.structure_id: material.structure for material, _ in stored}
    sites = [Site(material.structure_id, i, 1) for material, chosen in stored for i in chosen]
    result = _sound(
        simulate_sites(
            structures, sites, settings, work / "spectra" / element, workers=workers, progress=progress,
            simulate=simulate,
        ),
        element,
    )  # fmt: skip
    pairs = [(site.material_id, site.index) for site in result.sites]
    described = describe_sites(structures, pairs, workers=workers, cache=work / "descriptors")
    material_of = {material.structure_id: material for material, _ in stored}
    return _Family(
        element, result, described.frame.reset_index(drop=True), described.second_shell_angstrom, material_of
    )


def _sound(result: Simulated, element: str) -> Simulated:
    """The spectra that can be absorption spectra; the others join the failures, with what is wrong."""
    faults = [fault_of(part.energy_ev, part.mu, Element(element).Z) for part in result.finished]
    good = [row for row, fault in enumerate(faults) if fault is None]
    bad = [(site.site_id, fault) for site, fault in zip(result.sites, faults, strict=True) if fault is not None]
    return replace(
        result,
        sites=tuple(result.sites[row] for row in good),
        finished=tuple(result.finished[row] for row in good),
        failures=(*result.failures, *bad),
    )


def _write(
    recipe: Recipe, families: Sequence[_Family], settings: Settings, out: Path
) -> tuple[list[Path], list[tuple[str, str]], dict[str, pd.DataFrame]]:
    """The set's files, (site, reason) of spectra that do not fit its energies, and the descriptors per element."""
    refused: list[tuple[str, str]] = []
    tables: dict[str, pd.DataFrame] = {}
    if recipe.grids is None:
        path = out / f"{recipe.name}.parquet"
        sites = _write_steps(recipe, families, settings, path, refused, tables)
        every = {name: structure for family in families for name, structure in family.structures.items()}
        write_structures(every, sites, structures_path(path))
        return [path, structures_path(path)], refused, tables
    folder = out / recipe.name
    folder.mkdir(exist_ok=True)
    written = []
    for family in families:
        raw = raw_spectra(family.result, family.element, settings, family.descriptors, family.second_shell)
        raw.material_id = [family.material_of[site.material_id].material_id for site in family.result.sites]
        raw.origin = ORIGIN
        spectra, report = assemble(raw, recipe.grids[family.element])
        for refusal in report.refused:
            refused += [(site, f"{refusal.reason} {detail}".strip()) for site, detail in refusal.examples]
        path = folder / f"{recipe.name}-{family.element}.parquet"
        write_set(spectra, path)
        write_structures(family.structures, spectra, structures_path(path))
        written += [path, structures_path(path)]
        tables[family.element] = spectra.descriptors
    return written, refused, tables


def _write_steps(
    recipe: Recipe,
    families: Sequence[_Family],
    settings: Settings,
    path: Path,
    refused: list[tuple[str, str]],
    tables: dict[str, pd.DataFrame],
) -> list[str]:
    """All elements in one table: ids, descriptors (float32), mu (points,) float16; starts and step in the metadata.

    Returns the ids of the sites in it.
    """
    step = recipe.width_ev / (recipe.points - 1)
    starts: dict[str, float] = {}
    ids: list[str] = []
    materials: list[str] = []
    elements: list[str] = []
    rows: list[FloatArray] = []
    frames: list[pd.DataFrame] = []
    for family in families:
        if not family.result.sites:
            continue
        fermi = np.array([_fermi_ev(part.energy_ev, settings) for part in family.result.finished])
        start = round(float(np.quantile(fermi, 0.05)) - recipe.below_ev, 1)
        starts[family.element] = start
        energy = start + step * np.arange(recipe.points)
        kept = []
        for row, (site, part) in enumerate(zip(family.result.sites, family.result.finished, strict=True)):
            try:
                rows.append(resample(part.energy_ev, part.mu, energy))
            except DataError as problem:
                refused.append((site.site_id, str(problem)))
                continue
            kept.append(row)
            ids.append(site.site_id)
            materials.append(family.material_of[site.material_id].material_id)
            elements.append(family.element)
        frames.append(family.descriptors.iloc[kept])
        tables[family.element] = frames[-1]
    if not rows:
        raise DataError(f"{recipe.name}: no spectrum is left to write")
    table = pd.concat(frames, ignore_index=True)
    flat = pa.array(np.concatenate(rows).astype(np.float16), type=pa.float16())
    columns = {"site_id": pa.array(ids), "material_id": pa.array(materials), "element": pa.array(elements)}
    columns |= {str(name): pa.array(table[name].to_numpy(dtype=np.float32)) for name in table.columns}
    columns["mu"] = pa.FixedSizeListArray.from_arrays(flat, recipe.points)
    metadata = {
        "energy_start_ev": json.dumps(starts),
        "energy_step_ev": repr(step),
        "origin": ORIGIN,
        "settings": json.dumps(settings.parameters(), sort_keys=True),
    }
    with atomic_target(path) as temporary:
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary, compression="zstd")
    return ids


def _fermi_ev(energy_ev: FloatArray, settings: Settings) -> float:
    """Photon energy of the Fermi level: a simulated spectrum starts at a known distance below it."""
    return float(energy_ev[0] - settings.energy_min_ev)
