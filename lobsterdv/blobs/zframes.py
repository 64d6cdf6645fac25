"""Chunks of compressed objects: each chunk is one zstd frame that carries its size (docs/format.md, 6.4)."""

from __future__ import annotations

from collections.abc import Iterable

from lobsterdv.errors import CorruptContent


def encode_frames(data: bytes, lengths: Iterable[int], *, level: int, name: str) -> tuple[bytes, list[int]]:
    """Chunks in a row, each as a frame; returns the frames and their lengths. Every frame was decompressed again
    and compared before this returns. Raises CorruptContent when one differs: memory or zstd is at fault then."""
    import zstandard  # noqa: PLC0415 - start-up time: only what moves bytes needs it

    compressor = zstandard.ZstdCompressor(level=level, write_content_size=True)
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    view = memoryview(data)
    frames = []
    start = 0
    for length in lengths:
        chunk = view[start : start + length]
        start += length
        frame = compressor.compress(chunk)
        if decompressor.decompress(frame, max_output_size=length) != chunk:
            raise CorruptContent(name, "a frame just compressed", f"{length} bytes as they were", "other bytes")
        frames.append(frame)
    return b"".join(frames), [len(frame) for frame in frames]


def stored_share(parts: Iterable[bytes | memoryview], *, level: int) -> float:
    """What zstd leaves of these parts, as a share of their bytes; 1 for nothing."""
    import zstandard  # noqa: PLC0415 - start-up time, as above

    compressor = zstandard.ZstdCompressor(level=level)
    raw = stored = 0
    for part in parts:
        raw += len(part)
        stored += len(compressor.compress(part)) if len(part) else 0
    return stored / raw if raw else 1.0


def decode_frames(stored: memoryview, sizes: Iterable[tuple[int, int]], *, name: str) -> bytes:
    """Chunks in a row, decompressed. ``sizes`` are each chunk's length in bytes, raw and stored; no frame
    gives more than its raw length. Raises CorruptContent."""
    import zstandard  # noqa: PLC0415 - start-up time, as above

    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    parts = []
    offset = 0
    for length, stored_length in sizes:
        frame = stored[offset : offset + stored_length]
        offset += stored_length
        try:
            if zstandard.frame_content_size(frame) != length:
                raise CorruptContent(name, "a compressed object", f"{length} bytes", "a frame of another size")
            parts.append(decompressor.decompress(frame, max_output_size=length))
        except zstandard.ZstdError as error:
            raise CorruptContent(name, "a compressed object", f"a zstd frame of {length} bytes", str(error)) from None
    return b"".join(parts)
