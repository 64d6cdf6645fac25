"""hold(): wait for a lock of the file system, never for ever and never without a word.

Whoever holds one may be halted (by Ctrl-Z, by a debugger); a wait in the kernel would then have no end.
"""

from __future__ import annotations

import fcntl
import random
import time
from collections.abc import Callable
from typing import Final

from lobsterdv.errors import Busy
from lobsterdv.events import Observer, Warned, silent

WAIT_S = 60.0
"""How long a lock is waited for when nobody says otherwise."""
TELL_S = 3.0
"""After so long the observer is told what is waited for."""
HOLDER: Final = "another lobsterdv command"
"""Who holds a lock that nobody else knows of."""
_POLL_S: Final = 0.1


def hold(
    descriptor: int,
    *,
    shared: bool,
    what: str,
    holder: str = HOLDER,
    wait_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    observer: Observer = silent,
) -> bool:
    """Lock an open file or folder until it is closed. False, at once, where its file system has no locks.

    Tries again at odd intervals of 0.1 s on average, for ``wait_s`` (WAIT_S); then raises Busy: ``what`` is in use by
    ``holder``.
    """
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    wait_s = WAIT_S if wait_s is None else wait_s
    tell_at = int(TELL_S / _POLL_S)
    for attempt in range(int(wait_s / _POLL_S) + 1):
        if attempt:
            sleep(_POLL_S * random.uniform(0.5, 1.5))
        if attempt == tell_at:
            observer(Warned(f"{what} is in use by {holder}; waiting for it for up to {wait_s:.0f} s"))
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            continue
        except OSError:
            return False
        return True
    raise Busy(what, holder)
