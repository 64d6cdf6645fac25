"""``python -m lobsterdv``."""

from lobsterdv.cli.main import entry

if __name__ == "__main__":
    entry()
