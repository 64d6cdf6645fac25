"""The modules where loss happens, and the tests near each that run in this process."""

from __future__ import annotations

from typing import Final

_REMOTE_GC: Final = ("tests/ops/test_gc_remote.py", "tests/damage/test_gc_races.py", "tests/ops/test_forget.py")
_ROOM: Final = ("tests/ops/test_drop.py", "tests/ops/test_gc.py")
_PUSH: Final = tuple(
    f"tests/ops/test_{name}.py"
    for name in ("push", "push_history", "push_refresh", "push_plain", "push_repair", "many_remotes")
)
NEAR: Final[dict[str, tuple[str, ...]]] = {
    "lobsterdv/formats/pointer.py": ("tests/formats/test_pointer.py", "tests/formats/test_frozen.py"),
    "lobsterdv/durable.py": ("tests/test_durable.py", "tests/test_copying.py", "tests/blobs/test_intake.py"),
    "lobsterdv/blobs/intake.py": (
        "tests/blobs/test_intake.py", "tests/blobs/test_cache.py", "tests/ops/test_add.py", "tests/ops/test_move.py",
    ),
    "lobsterdv/ops/proofs.py": _ROOM,
    "lobsterdv/ops/holding.py": (*_ROOM, "tests/ops/test_forget.py"),
    "lobsterdv/ops/choosing.py": _ROOM,
    "lobsterdv/ops/gc_remote.py": _REMOTE_GC,
    "lobsterdv/blobs/remote_sweep.py": _REMOTE_GC,
    "lobsterdv/ops/verifying_remote.py": ("tests/ops/test_verify_remote.py", "tests/ops/test_push_repair.py"),
    "lobsterdv/blobs/proving_remote.py": ("tests/ops/test_verify_remote.py", *_ROOM),
    "lobsterdv/blobs/remote.py": (
        "tests/blobs/test_transfer.py", "tests/ops/test_pull_damage.py", "tests/ops/test_remotes.py", *_PUSH[:1],
    ),
    "lobsterdv/ops/push.py": _PUSH,
    "lobsterdv/stores/directory.py": ("tests/stores/test_left_in_a_folder.py", "tests/contracts"),
}  # fmt: skip
