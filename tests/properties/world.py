"""The world of the state machine: two clones, a bare repository between them, two remotes, and what must be true.

The model is a dict from (commit, dataset) to the exact tree, kept apart from lobsterdv: it is filled with
pictures of the disk. What a digest names, what is pushed and what may fail is judged by it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blake3 import blake3

from lobsterdv.errors import LobsterError, MissingContent, NotTracked, WouldOverwrite
from lobsterdv.events import silent
from lobsterdv.ops.context import Failure
from lobsterdv.ops.moving import remove
from lobsterdv.stores.base import Store
from tests.damage.oracle import Tree, check_cache, name_of, read_pointer
from tests.ops.lab import Lab
from tests.properties.trees import picture

FILES = ["one.bin", "lib/two.bin"]
FOLDERS = ["tree", "lib/forest"]
DATASETS = FILES + FOLDERS
REMOTES = ["shared", "second"]


class World:
    """Two people's clones and everything they share. ``stores`` replaces the directories as remotes."""

    def __init__(self, folder: Path, stores: dict[str, Store] | None = None) -> None:
        self.folder = folder
        self.trees: dict[str, Tree] = {}
        self.model: dict[tuple[str, str], str] = {}
        self.pushed: dict[str, set[str]] = {name: set() for name in REMOTES}
        self.fresh = 0
        ada = Lab.create(folder / "ada", home=folder / "home")
        config = ada.read(".lobsterdv.yaml").decode() + "remote: shared\nremotes:\n"
        for name in REMOTES:
            (folder / name).mkdir()
            config += f'  {name}:\n    url: "{"s3://bucket/" + name if stores else folder / name}"\n'
        ada.write(".lobsterdv.yaml", config)
        ada.git("commit", "-qam", "remotes")
        ada.git("init", "-q", "--bare", str(folder / "bare"))
        ada.git("remote", "add", "origin", str(folder / "bare"))
        ada.git("push", "-q", "-u", "origin", "main")
        bob = ada.reopen().clone(folder / "bob")
        bob.git("remote", "set-url", "origin", str(folder / "bare"))
        self.clones = {"ada": ada, "bob": bob}
        if stores:
            for lab in self.clones.values():
                lab.use(stores)

    def close(self) -> None:
        for lab in self.clones.values():
            lab.close()
        shutil.rmtree(self.folder)

    def pointer(self, lab: Lab, dataset: str) -> str | None:
        """The digest that the pointer in the work tree names."""
        try:
            return read_pointer(lab.read(f"{dataset}.ldv.yaml")).digest
        except FileNotFoundError:
            return None

    def expected(self, lab: Lab, dataset: str) -> Tree:
        """What the dataset must look like by its pointer."""
        pointer = read_pointer(lab.read(f"{dataset}.ldv.yaml"))
        tree = self.trees[pointer.digest]
        return {"": ("exec" if pointer.executable else "file", tree[""][1])} if not pointer.is_directory else tree

    def learn(self, dataset: str, lab: Lab, tree: Tree) -> None:
        """``add`` has just kept ``tree``: its digest must be the one the format says, for ever."""
        digest = self.pointer(lab, dataset)
        assert digest == name_of(tree), f"{dataset}: the pointer names something else than what was on disk"
        self.trees[digest] = tree

    def note_commit(self, lab: Lab) -> None:
        """Everything HEAD names is in the model from now on."""
        commit = lab.git("rev-parse", "HEAD")
        for name in lab.git("ls-tree", "-r", "--name-only", "HEAD").split("\n"):
            if name.endswith(".ldv.yaml"):
                digest = read_pointer(lab.git("show", f"HEAD:{name}").encode()).digest
                assert digest in self.trees
                self.model[commit, name.removesuffix(".ldv.yaml")] = digest

    def run(self, lab: Lab, verb: Callable[..., Any], *paths: str, **options: Any) -> tuple[Any, list[Failure]]:
        """A verb that may fail, with LobsterErrors only, and must lose nothing."""
        with self.nothing_lost(lab):
            try:
                report = verb(*paths, **options)
            except LobsterError as error:
                return None, [Failure(paths[0] if paths else "", error)]
        self.check_clean_up(lab)
        return report, report.failures

    @contextmanager
    def nothing_lost(self, lab: Lab) -> Iterator[None]:
        """Every byte that was on disk is there afterwards, or in the trash, or kept as a version."""
        before = self.contents(lab)
        yield
        gone = before.keys() - self.contents(lab).keys()
        gone -= {self.digest(b"")}
        if not gone:
            return
        trash = lab.project.state / "trash"
        gone -= {self.digest(p.read_bytes()) for p in trash.rglob("*") if p.is_file() and not p.is_symlink()}
        if gone:
            gone -= check_cache(lab.project.cache.folder).keys()
        for versions in self.pushed.values() if gone else ():
            gone -= {self.digest(data) for v in versions for _, data in self.trees[v].values()}
        assert not gone, f"bytes of the user are gone: {[before[digest] for digest in gone]}"

    def contents(self, lab: Lab) -> dict[str, str]:
        """Digest to path of every regular file that lies in a dataset's place."""
        return {
            self.digest(data): f"{dataset}/{path}"
            for dataset in DATASETS
            for path, (kind, data) in (picture(lab.path(dataset)) or {}).items()
            if kind in ("file", "exec")
        }

    def digest(self, data: bytes) -> str:
        return blake3(data).hexdigest()

    def here(self, lab: Lab, digest: str) -> bool:
        """Whether the clone's cache, by the oracle, holds all of a version; empty files count like others."""
        kept = check_cache(lab.project.cache.folder).keys()
        tree = self.trees[digest]
        listed = "" in tree or (lab.project.cache.folder / "listings" / digest[:2] / digest).is_file()
        return listed and all(self.digest(d) in kept for kind, d in tree.values() if kind in ("file", "exec"))

    def judge(self, lab: Lab, failures: list[Failure], wanted: dict[str, str | None], *, remote: str | None) -> None:
        """Every failure must have its reason in the model; ``wanted`` are the versions that were asked for."""
        for failure in failures:
            dataset = failure.path if failure.path in wanted else failure.path.rpartition("/")[0]
            digest, error = wanted.get(dataset), failure.error
            if isinstance(error, MissingContent):
                assert digest is not None, error
                assert not self.here(lab, digest), f"{error}, but it is in the cache"
                assert remote is None or digest not in self.pushed[remote], f"{error}, but it was pushed"
            elif isinstance(error, WouldOverwrite):
                nodes = (picture(lab.path(dataset)) or {}).values()
                kept = check_cache(lab.project.cache.folder).keys()
                assert any(kind == "link" or self.digest(data) not in kept for kind, data in nodes if kind != "dir"), (
                    f"{error}, but every byte there is saved"
                )
            else:
                assert isinstance(error, NotTracked), error
                assert digest is None, error

    def check_placed(self, lab: Lab, datasets: list[str]) -> None:
        for dataset in datasets:
            assert picture(lab.path(dataset)) == self.expected(lab, dataset), f"{dataset} is not what its pointer names"

    def check_status(self, lab: Lab) -> None:
        """``status`` tells the truth: clean is equal, modified is not, absent is nothing."""
        report = lab.status()
        assert not report.failures and not report.conflicts and not report.interrupted, report
        assert {row.path for row in report.datasets} == {d for d in DATASETS if self.pointer(lab, d)}
        for row in report.datasets:
            tree, expected = picture(lab.path(row.path)), self.expected(lab, row.path)
            assert (tree is None) == (row.work == "absent"), row
            if row.work == "clean":
                assert tree == expected, f"{row.path} is called clean"
            elif row.work == "modified":
                assert tree != expected, f"{row.path} is called modified"
            elif row.work == "partial":
                assert tree is not None and tree.items() < expected.items(), row
            elif row.work == "unknown":
                assert not self.here(lab, row.digest.hex()), row

    def check_clean_up(self, lab: Lab) -> None:
        left = [p for p in lab.root.rglob("*") if p.name.startswith((".tmp-", ".lobsterdv-stage-"))]
        left += (lab.project.cache.folder / "tmp").glob("*")
        assert not left, f"temps are left: {left}"

    def check_restored(self, commit: str, dataset: str) -> None:
        """A pushed version, in a fresh clone with an empty cache, byte by byte."""
        owner = next(lab for lab in self.clones.values() if knows(lab, commit))
        self.fresh += 1
        lab = owner.clone(self.folder / f"fresh{self.fresh}")
        try:
            if self.fresh % 2:
                lab.git("checkout", "-q", "--detach", commit)
                lab.pull(dataset)
            else:
                lab.pull(dataset, rev=commit)
            self.check_placed(lab, [dataset])
            assert self.pointer(lab, dataset) == self.model[commit, dataset]
        finally:
            lab.close()
            shutil.rmtree(lab.root)


def knows(lab: Lab, commit: str) -> bool:
    """Whether the clone's git has the commit."""
    done = subprocess.run(["git", "cat-file", "-e", commit], cwd=lab.root, env=lab.env, capture_output=True)
    return done.returncode == 0


def remove_verb(lab: Lab) -> Callable[..., Any]:
    return lambda *paths, **options: remove(lab.project, paths, observer=silent, **options)
