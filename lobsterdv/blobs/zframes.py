"""Chunks of compressed objects: each chunk is one zstd frame that carries its size (docs/format.md, 6.4)."""

from __future__ import annotations

from collections.abc import Iterable

import zstandard

from lobsterdv.errors import CorruptContent


def decode_frames(stored: memoryview, sizes: Iterable[tuple[int, int]], *, name: str) -> bytes:
    """Chunks in a row, decompressed. ``sizes`` are each chunk's length in bytes, raw and stored; no frame
    gives more than its raw length. Raises CorruptContent."""
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
