"""lobsterdv: dataset versioning for omics labs.

::

    import lobsterdv

    dm = lobsterdv.DataManager()
    adata = dm.load("data/counts.h5ad")

Names are imported when they are first used, so that ``import lobsterdv`` costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lobsterdv.digest import Digest as Digest
    from lobsterdv.errors import LobsterError as LobsterError
    from lobsterdv.manager import DataManager as DataManager
    from lobsterdv.versions import Version as Version

__version__ = "0.1.0"
__all__ = ["DataManager", "Digest", "LobsterError", "Version", "__version__"]

_HOMES = {
    "DataManager": "lobsterdv.manager",
    "Digest": "lobsterdv.digest",
    "LobsterError": "lobsterdv.errors",
    "Version": "lobsterdv.versions",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lobsterdv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
