"""botocore parses two megabytes of JSON for every session it makes, half of what a small push costs. Each process of
the tests does that once: sessions share the documents, as the clients of one session always did."""

from __future__ import annotations

from functools import cache
from typing import Any

_kept = False


def read_documents_once() -> None:
    """From now on, in this process and those that are forked from it."""
    global _kept
    if _kept:
        return
    _kept = True
    from botocore.loaders import JSONFileLoader

    load = JSONFileLoader.load_file

    @cache
    def loaded(path: str) -> Any:
        return load(JSONFileLoader(), path)

    JSONFileLoader.load_file = lambda self, file_path: loaded(file_path)


def warm_up() -> None:
    """Read what a client of S3 needs."""
    from lobsterdv.stores.s3_client import connect
    from lobsterdv.stores.s3_options import S3Credentials, S3Options

    read_documents_once()
    options = S3Options(bucket="none", endpoint_url="http://127.0.0.1:9", region="us-east-1")
    connect(options, S3Credentials("nobody", "nothing"))
