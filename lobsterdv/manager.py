"""DataManager: the Python face. It resolves names to verified bytes and never asks where they are.

::

    dm = DataManager()                       # the project of the current directory
    adata = dm.load("data/counts.h5ad")      # fetched if needed, verified, cached
    dm.save(adata, "data/normalised.h5ad", message="log1p", inputs=["data/counts.h5ad"])
    dm.push()
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from lobsterdv.anndata_.kinds import kind_of
from lobsterdv.asking import Asking, raise_first
from lobsterdv.errors import MissingContent, RemoteError, UsageError
from lobsterdv.events import Observer, silent
from lobsterdv.formats.pointer import Input
from lobsterdv.ops.add import AddReport, add
from lobsterdv.ops.checkout import CheckoutReport, checkout
from lobsterdv.ops.datasets import dataset_of, place_of
from lobsterdv.ops.fetch import FetchReport, fetch
from lobsterdv.ops.locate import locate
from lobsterdv.ops.names import revision, split_name
from lobsterdv.ops.pull import PullReport, pull
from lobsterdv.ops.push import PushReport, push
from lobsterdv.ops.replacing import copy_data, replace_data
from lobsterdv.ops.status import StatusReport, status
from lobsterdv.ops.streaming import open_stream
from lobsterdv.ops.url import url
from lobsterdv.paths import safe_path
from lobsterdv.project import open_project
from lobsterdv.versions import Version, version_of, versions_at, versions_of


class DataManager(Asking):
    """One project. Threads may share one; processes may each have one.

    Names are dataset paths relative to the project's root, or paths inside a directory dataset, alone or as
    ``PATH@REV``. ``rev`` (anything git takes, a date, the beginning of a digest) is used wherever a call gives
    none; None means the work tree's pointers. Errors are ``lobsterdv.errors``; when several items of a call fail,
    the first error carries the others as notes.
    """

    def __init__(
        self,
        project: str | os.PathLike[str] | None = None,
        *,
        rev: str | None = None,
        remote: str | None = None,
        observer: Observer = silent,
    ) -> None:
        """Open the project that the folder ``project`` (default: the current one) is in. Raises NoGit, NotAProject."""
        self._project = open_project(Path.cwd() if project is None else Path(project), observer=observer)
        self._rev = rev
        self._remote = remote
        self._observer = observer
        self._run = None

    def __repr__(self) -> str:
        return f"DataManager({str(self._project.root)!r})"

    def __enter__(self) -> DataManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def root(self) -> Path:
        """The project's root folder."""
        return self._project.root

    def path(self, name: str, rev: str | None = None) -> Path:
        """A verified, read-only local path, fetched if needed; for a directory, the derived tree in the cache.

        Do not write there: copy, or ``pull`` into the work tree. Raises NotTracked, MissingContent (also
        when the remote cannot be asked: it then says what is missing, where it is and what to type),
        CorruptContent.
        """
        path, wanted = self._named(name, rev)
        try:
            report = locate(self._project, path, rev=wanted, remote=self._remote, observer=self._observer)
        except RemoteError as error:
            raise self._out_of_reach(name, rev, error) from error
        assert report.path is not None
        return report.path

    def open(self, name: str, mode: str = "rb", rev: str | None = None) -> IO[Any]:
        """A file of a version, read-only (``rb`` or ``r``, which is UTF-8): from the cache when it is there, else
        streamed from the remote, where only what is read travels. Raises as ``path``, UsageError for other modes."""
        if mode not in ("rb", "r", "rt"):
            raise UsageError(f"mode {mode!r}: versions are read-only, so the mode is 'rb' or 'r'")
        path, wanted = self._named(name, rev)
        try:
            stream = open_stream(self._project, path, rev=wanted, remote=self._remote, observer=self._observer)
        except RemoteError as error:
            raise self._out_of_reach(name, rev, error) from error
        return stream if mode == "rb" else io.TextIOWrapper(stream, encoding="utf-8")

    def url(self, name: str, rev: str | None = None) -> str:
        """The URL of a file that lies at the remote as one object, just as it is: ``s3://bucket/...``, or a file's path
        when the remote is a directory. Raises NotVerbatim for one that is stored otherwise (``push(plain=True)``
        stores it so), Refused for a directory, and as ``path``, but for RemoteError."""
        path, wanted = self._named(name, rev)
        report = url(self._project, path, rev=wanted, remote=self._remote, observer=self._observer)
        return report.url

    def load(self, name: str, rev: str | None = None, backed: bool = False) -> Any:
        """The data itself: AnnData, MuData, DataFrame by kind, or the Path of anything else.

        ``backed`` keeps an h5ad's X on disk (read-only). Raises as ``path``, and FormatError for data
        that its library cannot read.
        """
        from lobsterdv.anndata_.reading import load  # noqa: PLC0415 - start-up time

        path = self.path(name, rev)
        version = self.resolve(name, rev)
        if self._run is not None:
            self._run.used(Input(safe_path(version.name), version.digest))
        return load(path, kind_of(path), name=version.name.rpartition("/")[2], backed=backed)

    def save(
        self,
        obj_or_path: object,
        name: str,
        *,
        message: str | None = None,
        inputs: Sequence[str | Version] = (),
    ) -> Version:
        """Write an AnnData, MuData or DataFrame, or copy a file or directory, to ``name`` in the work tree and add
        it as a version made from ``inputs``.

        What is there is replaced in one step, after the new data is whole; unsaved changes go to the trash.
        Raises UsageError for other objects, LocalIOError, Refused.
        """
        name = self._name(name)
        target = place_of(self._project, safe_path(dataset_of(name)))
        if not (isinstance(obj_or_path, str | os.PathLike) and Path(obj_or_path).absolute() == target):
            self._write(obj_or_path, name, target)
        given = tuple(self._input(item) for item in inputs)
        report = add(self._project, [name], message=message, inputs=given or None, observer=self._observer)
        raise_first(report.failures)
        if self._run is not None:
            for item in given:
                self._run.used(item)
            self._run.made(name)
        return self.resolve(name)

    def add(
        self,
        *paths: str,
        message: str | None = None,
        storage: Literal["auto", "plain"] | None = None,
        move: bool = False,
        to_remote: bool = False,
    ) -> AddReport:
        """Keep files or directories of the work tree as new versions. With ``move`` large files become the cache's own,
        uncopied and read-only; with ``to_remote`` the bytes go to the remote, past the cache. See ``lobsterdv add``."""
        names = [self._name(p) for p in paths]
        report = add(
            self._project, names, message=message, storage=storage, move=move, to_remote=to_remote, remote=self._remote,
            observer=self._observer,
        )  # fmt: skip
        raise_first(report.failures)
        return report

    def push(self, *paths: str, remote: str | None = None, plain: bool = False) -> PushReport:
        """Send versions to the remote. See ``lobsterdv push``."""
        names = [self._name(p) for p in paths]
        report = push(self._project, names, remote=remote or self._remote, plain=plain, observer=self._observer)
        raise_first(report.failures)
        return report

    def fetch(self, *paths: str, rev: str | None = None, remote: str | None = None) -> FetchReport:
        """Bring versions into the cache. See ``lobsterdv fetch``."""
        names = [self._name(p) for p in paths]
        report = fetch(
            self._project, names, rev=rev or self._rev, remote=remote or self._remote, observer=self._observer
        )
        raise_first(report.failures)
        return report

    def pull(self, *paths: str, rev: str | None = None, remote: str | None = None, force: bool = False) -> PullReport:
        """Bring versions into the cache and the work tree. See ``lobsterdv pull``."""
        names = [self._name(p) for p in paths]
        report = pull(
            self._project, names, rev=rev or self._rev, remote=remote or self._remote, force=force,
            observer=self._observer,
        )  # fmt: skip
        raise_first(report.failures)
        return report

    def checkout(self, *paths: str, rev: str | None = None, force: bool = False) -> CheckoutReport:
        """Put cached versions into the work tree. See ``lobsterdv checkout``."""
        names = [self._name(p) for p in paths]
        report = checkout(self._project, names, rev=rev or self._rev, force=force, observer=self._observer)
        raise_first(report.failures)
        return report

    def status(self, *paths: str) -> StatusReport:
        """What changed, is not here or is not shared. See ``lobsterdv status``. Failures stay in the report."""
        return status(self._project, [self._name(p) for p in paths], observer=self._observer)

    def datasets(self, rev: str | None = None) -> list[Version]:
        """Every dataset's version, in the work tree or at a revision, by name. Broken pointers are left out."""
        return versions_at(self._project, rev or self._rev)

    def versions(self, name: str) -> list[Version]:
        """The versions of a dataset in the history of HEAD, newest first, each with the commit that introduced it.

        Raises NotTracked for a name that never was a dataset.
        """
        return versions_of(self._project, dataset_of(self._name(name)))

    def resolve(self, name: str, rev: str | None = None) -> Version:
        """The version that a name means, at ``rev`` or in the work tree. Raises NotTracked, UnknownRevision."""
        path, wanted = self._named(name, rev)
        return version_of(self._project, path, wanted)

    def close(self) -> None:
        """Let go of files and connections; the manager must not be used afterwards."""
        self._project.close()

    def _name(self, name: str | os.PathLike[str]) -> str:
        """A name as given: relative to the root; an absolute path inside the project is made so."""
        text = os.fspath(name)
        if os.path.isabs(text):
            try:
                return Path(text).relative_to(self._project.root).as_posix()
            except ValueError:
                raise UsageError(f"{text} is outside the project {self._project.root}") from None
        return text.removeprefix("./")

    def _named(self, name: str, rev: str | None) -> tuple[str, str | None]:
        """``PATH`` or ``PATH@REV``, and the revision that is meant: the name's, the call's, or the manager's."""
        named = split_name(self._project, self._name(name))
        if named.rev is None:
            return named.path, rev or self._rev
        if rev is not None and rev != named.rev:
            raise UsageError(f"{name} names a revision, and rev={rev!r} another")
        return named.path, revision(self._project, named)

    def _input(self, item: str | Version) -> Input:
        version = item if isinstance(item, Version) else self.resolve(item)
        return Input(safe_path(version.name), version.digest)

    def _out_of_reach(self, name: str, rev: str | None, error: RemoteError) -> MissingContent:
        version = self.resolve(name, rev)
        url = self._project.remote(self._remote).url
        where = f"the cache, and {url}, where it should be, could not be asked: {error}"
        return MissingContent(f"{name} ({version.size} bytes; type `lobsterdv pull {name}` once it can be)",
                              str(version.digest), where, version.size)  # fmt: skip

    def _write(self, obj_or_path: object, name: str, target: Path) -> None:
        if isinstance(obj_or_path, str | os.PathLike):
            fill = partial(copy_data, Path(obj_or_path))
        else:
            from lobsterdv.anndata_.writing import write  # noqa: PLC0415 - start-up time

            fill = partial(write, obj_or_path, name=name.rpartition("/")[2])
        replace_data(self._project, name, target, fill, observer=self._observer)
