"""add --to-remote: versions go from the user's own files to a remote, past the cache. No content is kept here.

The files are hashed in place, then sent, and hashed once more while they are sent; their stat signatures are compared
before an object gets its name and before the pointer is written. What was sent was seen at the remote in this run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lobsterdv.blobs.heads import Heads, Sent
from lobsterdv.blobs.intake import Kept
from lobsterdv.blobs.own_files import WORK_TREE, OwnFiles, ProvingStore
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.storage import Storage, storage_for
from lobsterdv.digest import Digest
from lobsterdv.errors import ChangedMeanwhile, CorruptContent, LobsterError, Refused, RemoteError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.pointer import Pointer
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.index.pushed import forget_pushed, save_pushed
from lobsterdv.ops.addition import Addition
from lobsterdv.ops.claims import known_pushes, still_complete
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.placing import Signer, send_version
from lobsterdv.ops.wishes import Wish
from lobsterdv.signature import Signature
from lobsterdv.worktree.look import read_file


class InPlace:
    """In the place of an Intake: files are hashed where they lie, and nothing is kept."""

    def copy_in(
        self, source: Path, *, meant: Callable[[Signature], bool], progress: Callable[[int], None] | None = None
    ) -> Kept:
        """Raises ChangedMeanwhile, LocalIOError."""
        read = read_file(source, progress=progress)
        if not meant(read.signature):
            raise ChangedMeanwhile(str(source))
        return Kept(read.digest, read.signature.size, read.checksum, read.signature)

    def keep_verified(self, files: Iterable[tuple[Digest, bytes]]) -> None:
        """The bytes were read to be hashed, and are let go."""


def past_cache(project: Project, remote: str | None) -> RemoteConfig:
    """The remote of that name, or the default one. Raises ConfigError, Refused for the embedded one."""
    config = project.remote(remote)
    if config.name == EMBEDDED:
        reason = "this remote lies in the git folder, on this disk; data is sent past the cache to another one"
        raise Refused(EMBEDDED, reason, "embedded")
    return config


@dataclass(frozen=True)
class PastCache:
    """A remote that takes versions from the user's own files."""

    project: Project
    config: RemoteConfig
    room: Remote
    storage: Storage

    @classmethod
    def to(cls, project: Project, config: RemoteConfig) -> PastCache:
        """Connect; an empty place becomes a remote. Raises RemoteError, NotARemote."""
        room = connect(project, config, create=True)
        return cls(project, config, room, storage_for(config.text("compression") or "auto"))

    def send_all(
        self, versions: Sequence[tuple[Addition, Pointer]], failures: list[Failure], observer: Observer
    ) -> dict[str, int]:
        """Make the remote hold these versions; returns the bytes that were sent, by dataset. Those that failed are not
        in it, but in ``failures``. Raises RemoteError. May be repeated: what is there is not sent again."""
        wishes = {addition.path: Wish(addition.path, pointer, None, True) for addition, pointer in versions}
        known = known_pushes(self.project, self.room, list(wishes.values()))
        claims = [(wish, known[wish.key]) for wish in wishes.values() if wish.key in known]
        lost = still_complete(self.room, claims, project_id=self.project.project_id)
        shelf = f"{self.room.marker.store_id}/{self.project.project_id}"
        forget_pushed(self.project.index, shelf, (known[key] for key in lost))
        signer = Signer(self.project.project_id, self.project.git.identity(), self.project.host)
        observer(Started("pushing", sum(pointer.size for _, pointer in versions), len(versions)))
        sent_bytes: dict[str, int] = {}
        for addition, _ in versions:
            wish = wishes[addition.path]
            files = _own_files(addition)
            sent = Sent()
            try:
                if wish.key not in known or wish.key in lost:
                    room = replace(self.room, store=ProvingStore(self.room.store, files))
                    row = send_version(
                        self.project, room, wish, files,
                        [known[key] for key in known if key[0] == wish.path], known.values(),
                        replace(self.storage, plain=wish.pointer.storage == "plain"),
                        Heads(room, room.jobs, sent), signer,
                        part_threshold=self.config.number("multipart_threshold"), jobs=room.jobs,
                        progress=lambda n: observer(Advanced("pushing", n)),
                    )  # fmt: skip
                    save_pushed(self.project.index, shelf, [row])
                problem: LobsterError | None = None
            except RemoteError:
                raise
            except LobsterError as error:
                problem = error
            changed = files.changed(addition.read_paths())
            if changed is not None or (isinstance(problem, CorruptContent) and problem.where == WORK_TREE):
                problem = ChangedMeanwhile(f"{addition.path}/{changed}" if changed else addition.path)
            if problem is not None:
                failures.append(Failure(addition.path, problem))
            else:
                sent_bytes[addition.path] = sent.new_bytes
        observer(Finished("pushing"))
        return sent_bytes


def _own_files(addition: Addition) -> OwnFiles:
    memory = addition.memory
    files = memory.files if addition.is_unchanged and memory is not None else addition.rows()

    def place(path: str) -> Path:
        return addition.linked.get(path) or (addition.place / path if path else addition.place)

    return OwnFiles(files, place)
