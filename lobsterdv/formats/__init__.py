"""Bytes to frozen dataclasses and back. No I/O. One module is one section of docs/format.md."""
