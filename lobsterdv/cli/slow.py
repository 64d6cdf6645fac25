"""What to try when a transfer was slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lobsterdv.cli.words import quote, size

if TYPE_CHECKING:
    from lobsterdv.cli.session import Done, Session

SLOW: Final = 1_000_000
"""Bytes a second below which there is something to say."""
ENOUGH: Final = 8_000_000
"""Bytes that tell a slow line from a few slow requests."""


def with_hint(done: Done, session: Session, remote: str, moved_bytes: int) -> Done:
    """What a transfer says, and, when S3 took under 1 MB a second of it without being limited, what may help."""
    seconds = session.seconds
    if moved_bytes < ENOUGH or moved_bytes >= SLOW * seconds:
        return done
    place = session.project().remote(remote)
    if not place.url.startswith("s3:") or place.number("max_bandwidth"):
        return done
    words = session.words
    tries = [words.ldv("doctor")]
    if place.text("endpoint_url") is None and not place.switch("accelerate"):
        tries.append(words.ldv("remote", "configure", quote(remote), "--set", "accelerate=true"))
    tries.append(words.ldv("remote", "configure", quote(remote), "--private", "--set", "concurrency=32"))
    lines = [f"  {command}" for command in tries]
    return done._replace(hints=[*done.hints, f"{size(int(moved_bytes / seconds))}/s is slow. What may help:", *lines])
