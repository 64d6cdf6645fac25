"""The rows of the benchmark and their budgets (section 9 of the design), as data.

A budget is a promise about lobsterdv's median at full scale. `verdict` is the only place that judges.
"""

from dataclasses import dataclass

MIB = 1 << 20
MEGABYTE = 1_000_000
LOADED_PROGRAM = 0.05  # of the data: reading the program itself also counts as bytes read


@dataclass(frozen=True)
class Ratio:
    """lobsterdv must be at least `factor` times faster than `peer` (below 1: may be that much slower)."""

    peer: str
    factor: float

    @property
    def text(self) -> str:
        if self.factor < 1:
            return f"at most {1 / self.factor:.1f}x the time of {self.peer}"
        return f"{self.factor:g}x faster than {self.peer}"


@dataclass(frozen=True)
class Limit:
    """lobsterdv's `metric` must not be over `most`; with `per_byte`, over `most` times the data's bytes."""

    metric: str
    most: float
    text: str
    per_byte: bool = False
    any_scale: bool = False


@dataclass(frozen=True)
class Row:
    """One line: a step of one dataset's life. `shape` is empty for rows without data; one that starts with
    `slow` is for the slow line."""

    name: str
    step: str
    shape: str
    title: str
    budgets: tuple[Ratio | Limit, ...]

    @property
    def slow(self) -> bool:
        return self.shape.startswith("slow")


@dataclass(frozen=True)
class Costs:
    """Medians of one tool in one row."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: float
    read_bytes: float | None
    written_bytes: float | None
    own_bytes: float | None
    mapped_bytes: float | None
    runs: int

    @property
    def seen_bytes(self) -> float | None:
        """Read by calls or mapped: at least what the program looked at."""
        return None if self.read_bytes is None else self.read_bytes + (self.mapped_bytes or 0)


START = Limit("cpu_seconds", 0.100, "< 100 ms CPU", any_scale=True)
MEMORY = Limit("peak_bytes", 400 * MEGABYTE, "< 400 MB memory")
NO_OP = Limit("wall_seconds", 0.5, "< 0.5 s")
READS = Limit("seen_bytes", 2 + LOADED_PROGRAM, "reads or maps <= 2x its bytes (+5 %)", per_byte=True)
WRITES = Limit("written_bytes", 1 + LOADED_PROGRAM, "writes 1x its bytes (+5 %)", per_byte=True)
NEAR_S5CMD = Ratio("s5cmd", 1 / 1.1)

ROWS = (
    Row("version", "version", "", "--version", (START,)),
    Row("help", "help", "", "--help", (START,)),
    Row("add-many", "add", "many", "add", (Ratio("dvc", 15), MEMORY)),
    Row("status-many", "status", "many", "status, nothing changed", (Ratio("dvc", 15),)),
    Row("push-many", "push", "many", "push", (Ratio("dvc", 25), Ratio("s5cmd", 10), MEMORY)),
    Row("noop-push-many", "noop-push", "many", "push, nothing new", (NO_OP,)),
    Row("pull-many", "pull", "many", "cold pull", (Ratio("dvc", 25), Ratio("s5cmd", 10), MEMORY)),
    Row("noop-status-many", "status-pulled", "many", "status after the pull", (Ratio("dvc", 15),)),
    Row("add-big", "add", "big", "add", (Ratio("dvc", 5), READS, WRITES, MEMORY)),
    Row("status-big", "status", "big", "status, nothing changed", ()),
    Row("push-big", "push", "big", "push", (Ratio("dvc", 2), NEAR_S5CMD, MEMORY)),
    Row("noop-push-big", "noop-push", "big", "push, nothing new", (NO_OP,)),
    Row("pull-big", "pull", "big", "cold pull", (Ratio("dvc", 2), NEAR_S5CMD, MEMORY)),
    Row("noop-status-big", "status-pulled", "big", "status after the pull", ()),
    Row("archive-many", "archive", "many", "add and push", (MEMORY,)),
    Row("noop-archive-many", "noop-archive", "many", "add and push, nothing new", ()),
    Row("restore-many", "restore", "many", "cold pull", ()),
    Row("archive-big", "archive", "big", "add and push", (MEMORY,)),
    Row("noop-archive-big", "noop-archive", "big", "add and push, nothing new", ()),
    Row("restore-big", "restore", "big", "cold pull", ()),
    Row("keep-many", "keep", "many", "add and commit, no remote", ()),
    Row("keep-big", "keep", "big", "add and commit, no remote", ()),
    Row("slow-push-many", "push", "slow-many", "push", ()),
    Row("slow-noop-push-many", "noop-push", "slow-many", "push, nothing new", ()),
    Row("slow-pull-many", "pull", "slow-many", "cold pull", ()),
    Row("slow-archive-many", "archive", "slow-many", "add and push", ()),
    Row("slow-restore-many", "restore", "slow-many", "cold pull", ()),
    Row("slow-push-big", "push", "slow-big", "push", ()),
    Row("slow-noop-push-big", "noop-push", "slow-big", "push, nothing new", ()),
    Row("slow-pull-big", "pull", "slow-big", "cold pull", ()),
    Row("slow-archive-big", "archive", "slow-big", "add and push", ()),
    Row("slow-restore-big", "restore", "slow-big", "cold pull", ()),
    Row("slow-obs-column", "archive-edit", "slow-edit", "add and push of a new obs column", ()),
    Row("slow-pull-column", "restore-edit", "slow-edit", "pull of it, where the older version is", ()),
)
EDIT = "slow-edit"

# The steps of each life. A step needs the ones before it that are named here, measured or not.
LIVES = (
    ("add", "status", "push", "noop-push", "pull", "status-pulled"),
    ("archive", "noop-archive", "restore"),
    ("keep",),
)
NEEDS = {
    "noop-archive": ("archive",),
    "restore": ("archive",),
    "status": ("add",),
    "push": ("add",),
    "noop-push": ("add", "push"),
    "pull": ("add", "push"),
    "status-pulled": ("add", "push", "pull"),
}


def needed_steps(wanted: set[str]) -> list[list[str]]:
    """`wanted` and what they stand on, in order, life by life."""
    needed = wanted | {step for name in wanted for step in NEEDS.get(name, ())}
    lives = [[step for step in life if step in needed] for life in LIVES]
    return [life for life in lives if life]


def speed_ratio(ours: Costs | None, peer: Costs | None) -> float | None:
    return peer.wall_seconds / ours.wall_seconds if ours and peer else None


def verdict(budget: Ratio | Limit, costs: dict[str, Costs], data_bytes: int, full: bool) -> tuple[str, str]:
    """What was measured, and `pass`, `miss` or why there is no verdict."""
    ours = costs.get("lobsterdv")
    if ours is None:
        return "-", "not measured"
    if isinstance(budget, Ratio):
        ratio = speed_ratio(ours, costs.get(budget.peer))
        if ratio is None:
            return "-", f"no {budget.peer} figure"
        shown, kept = f"{ratio:.2f}x", ratio >= budget.factor
    else:
        value = getattr(ours, budget.metric)
        if value is None:
            return "-", "not counted on this system"
        value = value / data_bytes if budget.per_byte else value
        shown, kept = _shown(budget, value), value <= budget.most
        full = full or budget.any_scale
    return shown, ("pass" if kept else "miss") if full else "full scale only"


def _shown(limit: Limit, value: float) -> str:
    if limit.per_byte:
        return f"{value:.2f}x"
    return f"{value / MEGABYTE:.0f} MB" if limit.metric == "peak_bytes" else f"{value * 1000:.0f} ms"
