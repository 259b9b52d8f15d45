"""Every set and model that the page offers: those of the workspace, and the embedded ones, which are only read.

Ids of the workspace are names of files and folders; those of embedded sets and models begin with ``embedded:``, which
no name in the workspace can.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.embedded.manifest import Embedded, StoredModel, StoredSet
from engine.errors import DataError
from engine.io import load_set
from engine.spectra import SpectraSet
from explorer.workspace import Workspace

PREFIX = "embedded:"
FIRST_SET = ("oxides-3d", "Cu")


@dataclass(frozen=True)
class Library:
    """The sets and models of a workspace and, where there are some, the embedded ones."""

    workspace: Workspace
    embedded: Embedded | None = None

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders in which everything is, which messages leave out."""
        return (self.workspace.root, *((self.embedded.folder,) if self.embedded else ()))

    def embedded_sets(self) -> dict[str, str]:
        """Title by id: one entry per element of each embedded set."""
        sets = self.embedded.sets if self.embedded else ()
        return {_set_id(stored.name, el): f"{stored.name} {el}" for stored in sets for el in stored.elements}

    def embedded_models(self) -> dict[str, str]:
        """Title by id of every embedded model."""
        models = self.embedded.models if self.embedded else ()
        return {f"{PREFIX}{model.name}": _title(model) for model in models}

    def embedded_maps(self) -> dict[str, str]:
        """Title by id of every embedded map."""
        return {f"{PREFIX}{stored.name}": stored.name for stored in self._mapped()}

    def first_embedded_set(self) -> str:
        """Id of the embedded set to open first: one with a model, Cu oxides if it can be; "" without any."""
        models = self.embedded.models if self.embedded else ()
        trained = [_set_id(model.set_name, model.element) for model in models]
        every = self.embedded_sets()
        wanted = [set_id for set_id in (_set_id(*FIRST_SET), *trained) if set_id in every]
        return next(iter([set_id for set_id in wanted if set_id in trained] or wanted or every), "")

    def elements_of(self, set_id: str) -> dict[str, str]:
        """Id by element of the parts of the embedded set that ``set_id`` is one of; none for a set of the workspace."""
        whole = set_id.rpartition(":")[0]
        return {
            i.rpartition(":")[2]: i
            for i in self.embedded_sets()
            if is_embedded(set_id) and i.rpartition(":")[0] == whole
        }

    def set_of_model(self, run_id: str) -> str:
        """Id of the set that an embedded model was trained on."""
        model = self._model(run_id)
        return _set_id(model.set_name, model.element)

    def source_of(self, set_id: str) -> tuple[Path, str | None]:
        """The file of a set, and the element of it that is meant; a set may also be given by its absolute path."""
        if is_embedded(set_id):
            if self.embedded is None:
                raise DataError(f"'{set_id}' is not here: there is no embedded data")
            name, _, element = set_id.removeprefix(PREFIX).partition(":")
            return self.embedded.set_of(name).file_of(element).path, element
        path = Path(set_id)
        return path if path.is_absolute() else self.workspace.set_path(set_id), None

    def id_of(self, path: str, element: str | None) -> str:
        """Id of the set that is the ``element`` of the file ``path``, or ``path`` where it is none of these."""
        if Path(path).parent == self.workspace.sets:
            return Path(path).name.removesuffix(".parquet")
        every = self.embedded_sets()
        return next((set_id for set_id in every if self.source_of(set_id) == (Path(path), element)), path)

    def spectra(self, set_id: str) -> SpectraSet:
        """The spectra of a set."""
        return load_set(*self.source_of(set_id))

    def card(self, set_id: str) -> str:
        """The data card of an embedded set as text; "" for a set of the workspace."""
        if not is_embedded(set_id) or self.embedded is None:
            return ""
        path = self.embedded.set_of(set_id.removeprefix(PREFIX).partition(":")[0]).card
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({error})") from error

    def run_path(self, run_id: str) -> Path:
        """The run folder of a model or a training."""
        return self._model(run_id).path if is_embedded(run_id) else self.workspace.run_path(run_id)

    def map_path(self, map_id: str) -> Path:
        """The file of a map."""
        if not is_embedded(map_id):
            return self.workspace.map_path(map_id)
        stored = self._mapped_set(map_id)
        assert stored.atlas is not None
        return stored.atlas.path

    def source_of_map(self, map_id: str) -> Path:
        """The file of the embedded set that an embedded map is of."""
        stored = self._mapped_set(map_id)
        return stored.file_of(stored.elements[0]).path

    def _mapped(self) -> list[StoredSet]:
        return [stored for stored in self.embedded.sets if stored.atlas] if self.embedded else []

    def _mapped_set(self, map_id: str) -> StoredSet:
        found = next((stored for stored in self._mapped() if f"{PREFIX}{stored.name}" == map_id), None)
        if found is None:
            raise DataError(f"'{map_id}' is not among the embedded maps")
        return found

    def _model(self, run_id: str) -> StoredModel:
        models = self.embedded.models if self.embedded else ()
        found = next((model for model in models if f"{PREFIX}{model.name}" == run_id), None)
        if found is None:
            raise DataError(f"'{run_id}' is not among the embedded models")
        return found


def is_embedded(item_id: str) -> bool:
    """Whether a set or a model came with the program."""
    return item_id.startswith(PREFIX)


def _set_id(name: str, element: str) -> str:
    return f"{PREFIX}{name}:{element}"


def _title(model: StoredModel) -> str:
    axes = ", ".join([*model.descriptors, f"{model.free_axes} free"])
    return f"{model.set_name} {model.element}: {axes} · {len(model.seeds)} seed{'s' * (len(model.seeds) > 1)}"
