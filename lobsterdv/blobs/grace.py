"""How long what nobody names stays at a remote, and what pushes do so that nothing is named that is about to go.

A collection deletes only what two looks at the remote, at least the grace apart, found to be named by no catalog
record, and what was not written or refreshed since the first look began. So a push may name what is there if that is
younger than half the grace when it is looked at, and if the record follows within a quarter of it: then the second
look comes before the grace is over, or sees the record. What is older is refreshed first; a push that took longer
looks again. All times are the store's.
"""

from __future__ import annotations

from typing import Final

from lobsterdv.errors import Busy
from lobsterdv.formats.layout import LOCKS, is_held
from lobsterdv.stores.base import Store

DAY_S: Final = 86400.0
GRACE_S: Final = 14 * DAY_S
UNDO_S: Final = 30 * DAY_S
"""So long after its retirement a version stays, and the retirement can be undone."""
SKEW_S: Final = 300.0
"""A collection whose machine's clock is further from the store's than this is refused."""
LOCK_S: Final = 3600.0
"""A lock that was not renewed for so long belongs to nobody."""


def is_old(modified: float, now: float, grace_s: float) -> bool:
    """Whether a value must be refreshed before anything names it. Also one from the future: its time says nothing."""
    return not -SKEW_S <= now - modified <= grace_s / 2


def took_long(seen: float, now: float, grace_s: float) -> bool:
    """Whether what was seen at ``seen`` must be looked at again."""
    return not -SKEW_S <= now - seen <= grace_s / 4


def is_settled(modified: float, now: float, grace_s: float) -> bool:
    """Whether a value may be tagged for an archive when no catalog record that was there at ``now`` needs it. A push
    that relies on it was either done by ``now``, or looks at it when it is old, and refreshes it."""
    return now - modified > grace_s * 3 / 4


def require_no_sweep(store: Store) -> None:
    """Raises Busy while somebody deletes at the remote. For stores that cannot delete exactly, after a refresh."""
    for stat in store.list(LOCKS):
        if is_held(stat.key) and store.clock() - stat.modified < LOCK_S:
            raise Busy(store.url, "a garbage collection, which is deleting there")
