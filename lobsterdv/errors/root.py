"""What every error of lobsterdv is: a sentence, an exit code, facts."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import ClassVar


class LobsterError(Exception):
    """The root. ``str()`` is one sentence without a full stop; ``facts()`` is for machines."""

    exit_code: ClassVar[int] = 1

    def facts(self) -> dict[str, str | int | None]:
        """The attributes by name, as JSON-ready values."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self)} if is_dataclass(self) else {}
        return {k: v if isinstance(v, int) or v is None else str(v) for k, v in values.items()}
