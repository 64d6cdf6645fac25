"""Whom we trust: what a cloned repository says about where requests go counts only after the user's word."""

from __future__ import annotations

from lobsterdv.errors import LobsterError, Unencrypted, Untrusted
from lobsterdv.formats.config import Config, Remote
from lobsterdv.stores.open import is_loopback, is_unencrypted


def distrust(remote: Remote, config: Config) -> LobsterError | None:
    """Why a remote may not be used yet: its endpoint, or another setting that needs a word, comes from tracked
    configuration; or its endpoint is not encrypted, wherever it comes from. This machine may always be asked."""
    if remote.trust_line in config.trusted:
        return None
    endpoint = remote.text("endpoint_url")
    if endpoint is not None and not is_loopback(endpoint):
        if is_unencrypted(endpoint):
            return Unencrypted(remote.name, endpoint)
        if remote.endpoint_scope == "tracked":
            return Untrusted(remote.name, "endpoint_url", endpoint)
    for setting, value in remote.asking.items():
        return Untrusted(remote.name, setting, str(value).lower() if isinstance(value, bool) else str(value))
    return None
