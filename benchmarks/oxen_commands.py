"""Oxen's own calls as commands, for the benchmark: `python oxen_commands.py init | add PATH | commit | version`.

Runs in the peers' environment. Loads the compiled module alone: the package around it imports pandas and polars,
which would cost Oxen 0.4 s a command.
"""

import importlib.util
import sys
from pathlib import Path


def bindings():
    """The compiled module, found beside the package that must not be imported."""
    (path,) = [found for place in sys.path for found in Path(place).glob("oxen/oxen_py*.so")]
    spec = importlib.util.spec_from_file_location("oxen_py", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    verb, *paths = sys.argv[1:]
    if verb == "version":
        from importlib.metadata import version

        print(version("oxenai"))
        return
    oxen = bindings()
    repository = oxen.PyRepo(str(Path.cwd()))
    if verb == "init":
        config = Path(oxen.util.get_oxen_config_dir(), "user_config.toml")
        oxen.user.config_user("bench", "bench@example.org", str(config))
        repository.init()
    elif verb == "add":
        for path in paths:
            repository.add(str(Path(path).resolve()))
    elif verb == "commit":
        repository.commit("data")
    else:
        raise SystemExit(f"unknown: {verb}")


if __name__ == "__main__":
    main()
