"""Spectra of many elements from any file of this program or common-step or site table, as read, before any cleaning."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.compute as pc

from engine.errors import DataError
from engine.io import load_set, read_site_table, read_step_table
from engine.io.files import check_file
from engine.io.parquet import METADATA_KEY, open_table, table_schema, text_column
from engine.io.tables import is_site_table, is_step_table
from engine.spectra import RawSpectra


def read_spectra(path: Path, code: str | None = None) -> RawSpectra:
    """All spectra in the Parquet file at ``path``, each on its own absolute energies; nothing resampled or refused.

    ``code`` takes the spectra of one calculation from a common-step table that holds several; elements without any are
    left out. Raises DataError for a file of another kind, and when no element has spectra of ``code``.
    """
    check_file(path)
    schema = table_schema(path)
    is_steps = is_step_table(schema) and METADATA_KEY not in (schema.metadata or {})
    if code is not None and not (is_steps and "code" in schema.names):
        raise DataError(f"{path.name}: does not say which code a spectrum comes from; leave out '{code}'")
    if METADATA_KEY in (schema.metadata or {}):
        spectra = load_set(path)
        return RawSpectra(
            energy_ev=[spectra.energy_ev] * len(spectra),
            mu=list(spectra.mu),
            site_id=spectra.site_id.tolist(),
            material_id=spectra.material_id.tolist(),
            element=spectra.element.tolist(),
            descriptors=spectra.descriptors,
            source=path.name,
            kind="set of spectra",
            origin=spectra.origin,
            steps=spectra.steps,
        )
    if is_steps:
        return _elements_of(path, code)
    if is_site_table(schema):
        return read_site_table(open_table(path), path.name)
    raise DataError(f"{path.name}: no table of spectra; bring it into a set first, with rankaae import")


def _elements_of(path: Path, code: str | None) -> RawSpectra:
    """Every element of a common-step table, one after the other."""
    table = open_table(path)
    if code is not None:
        codes = sorted(set(text_column(table, "code", path.name).tolist()))
        table = table.filter(pc.equal(table.column("code"), code))
        if table.num_rows == 0:
            raise DataError(f"{path.name}: has no spectra by {code}; it has {', '.join(codes)}")
    elements = sorted(set(text_column(table, "element", path.name).tolist()))
    parts = [
        read_step_table(table.filter(pc.equal(table.column("element"), element)), path.name, element)
        for element in elements
    ]
    if not parts:
        raise DataError(f"{path.name}: holds no spectra")
    joined = RawSpectra(
        energy_ev=[energy for part in parts for energy in part.energy_ev],
        mu=[mu for part in parts for mu in part.mu],
        site_id=[site for part in parts for site in part.site_id],
        material_id=[material for part in parts for material in part.material_id],
        element=[element for part in parts for element in part.element],
        descriptors=pd.concat([part.descriptors for part in parts], ignore_index=True),
        source=path.name,
        kind=parts[0].kind,
        origin=parts[0].origin.rsplit(",", 1)[0],
    )
    for part in parts:
        for line in part.ledger.warnings:
            joined.ledger.warn(f"{part.element[0]}: {line}")
    return joined
