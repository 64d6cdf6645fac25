"""The checksums that an S3 server can verify: how each is called in requests, and how it is computed. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lobsterdv.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Checksum:
    """``name`` is S3's; ``of`` gives the value as S3 writes it: base64 of the big-endian bytes."""

    name: str
    of: Callable[[bytes | memoryview], str]

    @property
    def field(self) -> str:
        """The member of requests and answers that carries it."""
        return f"Checksum{self.name}"


def checksum_named(option: str) -> Checksum:
    """For a value of the setting; ``auto`` and ``none`` are CRC-32, which is then sent or not."""
    return _NAMED.get(option, CRC32)


def crc32_of(data: bytes | memoryview) -> str:
    """The CRC-32 of ``data`` as S3 writes it: base64 of four big-endian bytes."""
    return _base64(zlib.crc32(data).to_bytes(4, "big"))


def _crc64nvme_of(data: bytes | memoryview) -> str:
    try:
        from awscrt.checksums import crc64nvme  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError("checksum", "crc64nvme needs the package awscrt: pip install 'lobsterdv[crt]'") from None
    return _base64(int(crc64nvme(data)).to_bytes(8, "big"))


def _xxhash128_of(data: bytes | memoryview) -> str:
    from xxhash import xxh3_128_digest  # noqa: PLC0415 - start-up time

    return _base64(xxh3_128_digest(data))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


CRC32: Final = Checksum("CRC32", crc32_of)
_NAMED: Final = {
    "crc64nvme": Checksum("CRC64NVME", _crc64nvme_of),
    "xxhash128": Checksum("XXHASH128", _xxhash128_of),
}
