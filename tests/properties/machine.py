"""The state machine: what two people may do with two clones, two branches and two remotes, in any order."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lobsterdv.errors import MissingContent, NotTracked, Refused, WouldOverwrite
from lobsterdv.ops.fetch import FetchReport, fetch
from lobsterdv.stores.base import Store
from tests.damage.oracle import check_cache
from tests.ops.lab import Lab
from tests.properties.trees import apply, contents, edits, picture
from tests.properties.world import DATASETS, FILES, FOLDERS, REMOTES, World, knows, remove_verb

who = st.sampled_from(["ada", "bob"])
datasets = st.sampled_from(DATASETS)
branches = st.sampled_from(["main", "side"])
follow_ups = st.sampled_from(["", "add", "add", "add commit", "add commit push"])
remotes = st.sampled_from([REMOTES[0], *REMOTES])


class Clones(RuleBasedStateMachine):
    """Subclasses say where the remotes are."""

    def stores(self) -> dict[str, Store] | None:
        return None

    @initialize()
    def begin(self) -> None:
        self.world = World(Path(tempfile.mkdtemp(prefix="lobsterdv-machine-")), self.stores())
        ada, bob = self.world.clones.values()
        for dataset in DATASETS:
            ada.write(dataset if dataset in FILES else f"{dataset}/a", dataset)
            self.then("ada", dataset, "add")
        self.then("ada", "", "commit push")
        ada.git("push", "-q", "origin", "main")
        bob.git("pull", "-q")
        bob.pull()
        self.touched = bob

    def then(self, name: str, dataset: str, what: str) -> None:
        """What usually follows an edit."""
        if "add" in what:
            self.add(name, dataset)
        if "commit" in what:
            self.commit(name)
        if "push" in what:
            self.push(name, "shared")

    def clone(self, name: str) -> Lab:
        self.touched = self.world.clones[name]
        return self.touched

    # What people do to their files

    @rule(name=who, dataset=st.sampled_from(FILES), data=contents(), executable=st.booleans(), then=follow_ups)
    def write_file(self, name: str, dataset: str, data: bytes, executable: bool, then: str) -> None:
        path = self.clone(name).path(dataset)
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if executable else 0o644)
        self.then(name, dataset, then)

    @rule(name=who, dataset=st.sampled_from(FOLDERS), edit=st.lists(edits(), min_size=1, max_size=6), then=follow_ups)
    def edit_folder(self, name: str, dataset: str, edit: list[tuple[str, str, bytes | str]], then: str) -> None:
        root = self.clone(name).path(dataset)
        if root.is_file():
            root.unlink()
        root.mkdir(parents=True, exist_ok=True)
        for step in edit:
            apply(root, step)
        self.then(name, dataset, then)

    @rule(name=who, dataset=datasets, data=contents(), then=follow_ups)
    def change_shape(self, name: str, dataset: str, data: bytes, then: str) -> None:
        path = self.clone(name).path(dataset)
        if path.is_dir():
            shutil.rmtree(path)
            path.write_bytes(data)
        elif path.exists():
            path.unlink()
            path.mkdir()
            (path / "inside").write_bytes(data)
        self.then(name, dataset, then)

    # Verbs on data

    @rule(name=who, dataset=datasets)
    def add(self, name: str, dataset: str) -> None:
        lab, world = self.clone(name), self.world
        tree = picture(lab.path(dataset))
        _, failures = world.run(lab, lab.try_add, dataset)
        if tree is None:
            assert [type(f.error) for f in failures] == [Refused]
            return
        assert not failures, failures
        assert picture(lab.path(dataset)) == tree
        world.learn(dataset, lab, tree)
        (row,) = lab.status(dataset).datasets
        assert row.work == "clean", row

    @rule(name=who, dataset=st.sampled_from(FOLDERS), part=st.sampled_from(["sub", "a", "sub/deep", "other"]))
    def add_part(self, name: str, dataset: str, part: str) -> None:
        lab, world = self.clone(name), self.world
        old, tree = world.pointer(lab, dataset), picture(lab.path(dataset)) or {}
        if old is None or "" in world.trees[old] or "" in tree:
            return
        mine = {p: node for p, node in tree.items() if p == part or p.startswith(part + "/")}
        rest = {p: node for p, node in world.trees[old].items() if p != part and not p.startswith(part + "/")}
        _, failures = world.run(lab, lab.try_add, f"{dataset}/{part}")
        if any(q == p or q.startswith(p + "/") or p.startswith(q + "/") for p in mine for q in rest):
            return  # a folder became a file or the other way round: no simple union
        if failures:
            (failure,) = failures
            assert isinstance(failure.error, MissingContent | Refused), failure
            assert not world.here(lab, old) or not mine, failure
            return
        digest = world.pointer(lab, dataset)
        if mine and digest not in world.trees:
            world.learn(dataset, lab, rest | mine)

    @rule(name=who, dataset=datasets, data=st.booleans())
    def remove(self, name: str, dataset: str, data: bool) -> None:
        lab, world = self.clone(name), self.world
        known = world.pointer(lab, dataset)
        _, failures = world.run(lab, remove_verb(lab), dataset, data=data)
        assert (not failures) if known else isinstance(failures[0].error, NotTracked), failures
        assert not (data and known and picture(lab.path(dataset)))

    @rule(name=who, force=st.booleans(), some=st.lists(datasets, unique=True, max_size=2))
    def checkout(self, name: str, force: bool, some: list[str]) -> None:
        lab, world = self.clone(name), self.world
        wanted = {d: world.pointer(lab, d) for d in DATASETS}
        report, failures = world.run(lab, lab.try_checkout, *some, force=force)
        world.judge(lab, failures, wanted, remote=None)
        assert not force or not any(isinstance(f.error, WouldOverwrite) for f in failures)
        if report:
            world.check_placed(lab, [row.path for row in report.checked_out])

    @precondition(lambda self: self.world.model)
    @rule(name=who, choice=st.integers(0), pull=st.booleans(), force=st.booleans())
    def checkout_rev(self, name: str, choice: int, pull: bool, force: bool) -> None:
        lab, world = self.clone(name), self.world
        commit, dataset = sorted(world.model)[choice % len(world.model)]
        if not knows(lab, commit):
            return
        verb = lab.try_pull if pull else lab.try_checkout
        _, failures = world.run(lab, verb, dataset, rev=commit, force=force)
        digest = world.model[commit, dataset]
        assert not force or not any(isinstance(f.error, WouldOverwrite) for f in failures)
        world.judge(lab, failures, {dataset: digest}, remote="shared" if pull else None)
        if not failures:
            assert world.pointer(lab, dataset) == digest
            world.check_placed(lab, [dataset])

    @rule(name=who, remote=remotes, pull=st.booleans(), force=st.booleans())
    def bring(self, name: str, remote: str, pull: bool, force: bool) -> None:
        lab, world = self.clone(name), self.world
        wanted = {d: world.pointer(lab, d) for d in DATASETS}
        options = {"remote": remote, "force": force} if pull else {"remote": remote}
        report, failures = world.run(lab, lab.try_pull if pull else self.try_fetch(lab), **options)
        world.judge(lab, failures, wanted, remote=remote)
        if pull and report:
            world.check_placed(lab, [row.path for row in report.checkout.checked_out])

    @rule(name=who, remote=remotes)
    def push(self, name: str, remote: str) -> None:
        lab, world = self.clone(name), self.world
        wanted = {d: world.pointer(lab, d) for d in DATASETS}
        lab.warnings.clear()
        report, failures = world.run(lab, lab.try_push, remote=remote)
        for failure in failures:
            assert isinstance(failure.error, MissingContent), failure
            digest = failure.error.digest.removeprefix("blake3:")  # of a version, or of a file in one
            assert digest not in world.pushed[remote], failure
            assert digest not in world.trees or not world.here(lab, digest), failure
            assert digest in world.trees or digest not in check_cache(lab.project.cache.folder), failure
        world.pushed[remote] |= {row.digest.hex() for row in report.versions}
        if failures or lab.warnings:
            return
        history = set(lab.git("rev-list", "HEAD").split())
        named = {digest for (commit, _), digest in world.model.items() if commit in history}
        assert named | {d for d in wanted.values() if d} <= world.pushed[remote]

    # Git

    @rule(name=who)
    def commit(self, name: str) -> None:
        lab = self.clone(name)
        lab.commit()
        self.world.note_commit(lab)

    @rule(name=who, branch=branches)
    def switch(self, name: str, branch: str) -> None:
        lab = self.clone(name)
        with self.world.nothing_lost(lab):
            if not self.git(lab, "switch", "-q", branch):
                self.git(lab, "switch", "-q", "-c", branch)
        self.checkout(name, False, [])

    @rule(name=who, branch=branches)
    def exchange_commits(self, name: str, branch: str) -> None:
        lab = self.clone(name)
        with self.world.nothing_lost(lab):
            self.git(lab, "push", "-q", "origin", "HEAD")
            self.git(lab, "fetch", "-q", "origin")
            if self.git(lab, "merge", "-q", "--no-edit", f"origin/{branch}"):
                self.world.note_commit(lab)
            elif lab.git("ls-files", "-u"):
                pointers = any(line.endswith(".ldv.yaml") for line in lab.git("ls-files", "-u").split("\n"))
                report = lab.status()
                assert bool(report.conflicts or report.failures or not pointers)
                lab.git("merge", "--abort")

    # Accidents

    @rule(name=who)
    def lose_cache(self, name: str) -> None:
        lab = self.clone(name)
        shutil.rmtree(lab.project.cache.folder, ignore_errors=True)
        lab.reopen()

    @rule(name=who)
    def lose_index(self, name: str) -> None:
        lab = self.clone(name)
        lab.close()
        for path in lab.project.state.glob("index.db*"):
            path.unlink()
        lab.reopen()

    # What must be true

    @invariant()
    def status_is_true(self) -> None:
        self.world.check_status(self.touched)

    @precondition(lambda self: self.world.pushed["shared"])
    @rule(choice=st.integers(0))
    def restore(self, choice: int) -> None:
        pairs = sorted(k for k, digest in self.world.model.items() if digest in self.world.pushed["shared"])
        if pairs:
            self.world.check_restored(*pairs[choice % len(pairs)])

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is None:
            return
        try:
            for commit, dataset in {(digest, d): (c, d) for (c, d), digest in world.model.items()}.values():
                if world.model[commit, dataset] in world.pushed["shared"]:
                    world.check_restored(commit, dataset)
        finally:
            world.close()

    @staticmethod
    def git(lab: Lab, *args: str) -> bool:
        return subprocess.run(["git", *args], cwd=lab.root, env=lab.env, capture_output=True).returncode == 0

    @staticmethod
    def try_fetch(lab: Lab) -> Callable[..., FetchReport]:
        return lambda **options: fetch(lab.project, (), observer=lab.observe, **options)
