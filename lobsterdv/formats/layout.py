"""Keys in a remote: what is kept under which name (docs/format.md, section 8). The same for every store."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from lobsterdv.digest import Digest, parse_hex
from lobsterdv.errors import FormatError, NotARemote, UnknownFeature, UnknownFormat
from lobsterdv.formats.columns import no_constants, no_duplicates
from lobsterdv.formats.yamlio import FORMAT, clipped

MARKER: Final = "lobsterdv.json"
LOCKS: Final = "locks/"
MARKS: Final = "marks/"
CATALOG: Final = "catalog/"
OBJECTS: Final = "objects/"
FORGOTTEN: Final = "forgotten/"
MAX_MARKER_BYTES: Final = 64 << 10
PROJECT_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def object_key(digest: Digest) -> str:
    return f"{OBJECTS}{digest[:1].hex()}/{digest.hex()}"


def segment_key(digest: Digest) -> str:
    return f"segments/{digest[:1].hex()}/{digest.hex()}"


def run_key(digest: Digest) -> str:
    return f"runs/{digest[:1].hex()}/{digest.hex()}"


def manifests_prefix(version: Digest) -> str:
    return f"manifests/{version.hex()}/"


def manifest_key(version: Digest, manifest: Digest) -> str:
    return manifests_prefix(version) + manifest.hex()


def records_prefix(project_id: str) -> str:
    return f"catalog/{project_id}/"


def record_key(project_id: str, record: Digest) -> str:
    return f"{records_prefix(project_id)}{record.hex()}.yaml"


def retired_prefix(project_id: str) -> str:
    return f"{records_prefix(project_id)}retired/"


def retirement_key(project_id: str, record: Digest, retirement: Digest) -> str:
    return f"{retired_prefix(project_id)}{record.hex()}/{retirement.hex()}.yaml"


def forgotten_prefix(version: Digest) -> str:
    return f"{FORGOTTEN}{version.hex()}/"


def tombstone_key(version: Digest, tombstone: Digest) -> str:
    return f"{forgotten_prefix(version)}{tombstone.hex()}.yaml"


def mark_key(mark: Digest) -> str:
    return f"{MARKS}{mark.hex()}"


def is_held(lock_key: str) -> bool:
    """Whether a key below ``locks/`` is that of a lock that somebody has, not only asks for."""
    return lock_key.startswith(LOCKS) and lock_key.endswith(".held")


def record_in_key(key: str, project_id: str) -> Digest | None:
    """The record that lies under this key; None for a key of any other form."""
    try:
        digest = name_in_key(key, what=key)
    except FormatError:
        return None
    return digest if record_key(project_id, digest) == key else None


def name_in_key(key: str, *, what: str) -> Digest:
    """The digest that a key ends in (with or without ``.yaml``). Raises FormatError."""
    return parse_hex(key.rpartition("/")[2].removesuffix(".yaml"), what=what)


@dataclass(frozen=True, slots=True)
class Marker:
    """``lobsterdv.json``: that this place is a remote, and which one."""

    store_id: str


def encode_marker(marker: Marker) -> bytes:
    fields = {"features": [], "lobsterdv": FORMAT, "store": marker.store_id}
    return json.dumps(fields, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def parse_marker(data: bytes, *, url: str) -> Marker:
    """Raises NotARemote when it is not ours, UnknownFormat or UnknownFeature when it is newer."""
    what = f"{url}/{MARKER}"
    try:
        fields = json.loads(data.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants)
    except (ValueError, RecursionError):
        raise NotARemote(url, f"{MARKER} is not JSON") from None
    if not isinstance(fields, dict) or type(fields.get("lobsterdv")) is not int:
        raise NotARemote(url, f"{MARKER} has no format number")
    if fields["lobsterdv"] != FORMAT:
        found = str(fields["lobsterdv"])[:40]
        raise UnknownFormat(what, f"a remote in format {found}; this lobsterdv knows format {FORMAT}", found)
    features = fields.get("features", [])
    if not isinstance(features, list):
        raise FormatError(what, "`features` is not a list")
    for feature in features:
        raise UnknownFeature(
            what, f"needs the feature {clipped(feature)}, which this lobsterdv does not have", str(feature)[:80]
        )
    store_id = fields.get("store")
    if not isinstance(store_id, str) or not PROJECT_ID.fullmatch(store_id):
        raise NotARemote(url, f"{MARKER} has no store id")
    return Marker(store_id)
