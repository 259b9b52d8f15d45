"""The JavaScript of this folder as one ES module: nothing has to be built, and nothing is fetched at run time."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)"\n', re.M)


def bundle(entry: str) -> str:
    """The module ``entry`` with everything it imports, directly or not, before it; only its own exports are kept.

    The modules share one scope there, so no two of them may use the same name at their top level.
    """
    return "\n".join(_parts(entry, set(), keep_exports=True))


def stylesheet(name: str) -> str:
    """The styles in the file ``name``."""
    return (FOLDER / name).read_text(encoding="utf-8")


def _parts(name: str, done: set[str], *, keep_exports: bool) -> list[str]:
    if name in done:
        return []
    done.add(name)
    source = (FOLDER / name).read_text(encoding="utf-8")
    parts = [part for other in _IMPORT.findall(source) for part in _parts(other, done, keep_exports=False)]
    own = _IMPORT.sub("", source)
    return [*parts, own if keep_exports else re.sub(r"^export ", "", own, flags=re.M)]
