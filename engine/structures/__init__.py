"""Crystal structures, absorbing sites and the descriptor catalogue.

Reads POSCAR and CIF files, computes the catalogue's descriptors for absorbing sites (serial or parallel, cached), and
takes the user's own columns and expressions over columns. A failure costs one value, never the batch: it becomes NaN
with a reason. Never imports torch, and nothing of the engine but ``engine.errors``.
"""

from engine.structures.catalogue import CATALOGUE, CATALOGUE_VERSION, Descriptor, with_noise
from engine.structures.columns import UserColumns, read_columns
from engine.structures.describe import Described, describe_sites
from engine.structures.environment import SiteContext, StructureContext
from engine.structures.errors import NotDefinedError
from engine.structures.expressions import evaluate_expression, expression_names
from engine.structures.reading import read_structure
from engine.structures.shells import PAPER_SECOND_SHELL_ANGSTROM, find_second_shell
from engine.structures.surroundings import Surroundings, surroundings

__all__ = [
    "CATALOGUE",
    "CATALOGUE_VERSION",
    "PAPER_SECOND_SHELL_ANGSTROM",
    "Described",
    "Descriptor",
    "NotDefinedError",
    "SiteContext",
    "StructureContext",
    "Surroundings",
    "UserColumns",
    "describe_sites",
    "evaluate_expression",
    "expression_names",
    "find_second_shell",
    "read_columns",
    "read_structure",
    "surroundings",
    "with_noise",
]
