"""One module per file format, turning a file into spectra or back, and ``import_source``, which finds the right one.

Files from outside are untrusted: limited in size, parsed, checked; errors name file, line and value. Never imports
torch; never unpickles.
"""

from engine.io.csv_layout import read_csv_layout
from engine.io.feff import RunLog, XmuData, read_log, read_xmu
from engine.io.feff_tree import StructureTools, read_feff_tree
from engine.io.parquet import read_set, write_set
from engine.io.source import FirstShell, holds_steps, import_source, load_set
from engine.io.structures import read_site_structure, structures_path, write_structures
from engine.io.tables import StepTable, read_site_table, read_step_table, read_steps

__all__ = [
    "FirstShell",
    "RunLog",
    "StepTable",
    "StructureTools",
    "XmuData",
    "holds_steps",
    "import_source",
    "load_set",
    "read_csv_layout",
    "read_feff_tree",
    "read_log",
    "read_set",
    "read_site_structure",
    "read_site_table",
    "read_step_table",
    "read_steps",
    "read_xmu",
    "structures_path",
    "write_set",
    "write_structures",
]
