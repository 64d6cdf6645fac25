"""The lineage page in a browser: it draws, answers clicks, keys and searches, and asks no network.

Marked ``browser``: they need Chromium (Debian: ``apt-get install chromium graphviz``) and run by ``make test-browser``,
where its absence is a failure. A script in the page does what a reader does, and leaves what it saw in the document.
"""

from __future__ import annotations

import html
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.exports import EXPORTS
from lobsterdv.exports.page import page
from lobsterdv.index.graph import Link
from lobsterdv.ops.lineage import LineageReport
from tests.exports.test_exports import HOSTILE, version

pytestmark = pytest.mark.browser
PAINT_CPU_SECONDS = 20
"""Of Chromium's start, the page's script, layout and two paints, on a busy machine; a quiet one takes 3."""


def graph(count: int) -> LineageReport:
    versions = [version(f"data/step{n:04}.h5ad", "0", message=HOSTILE if n == 1 else f"step {n}") for n in range(count)]
    for n, made in enumerate(versions):
        object.__setattr__(made, "digest", f"blake3:{n:064x}")

    def link(made: int, used: int) -> Link:
        return Link(versions[made].key, versions[used].key, versions[used].dataset, "qc", "python qc.py", None,
                    "git:abc", Link.params_of({"min": made}))  # fmt: skip

    links = [link(n, n // 2) for n in range(1, count)]
    return LineageReport([versions[-1].key], "up", versions, links)


def visit(report: LineageReport, folder: Path, script: str, *, size: str = "1280,800") -> Any:
    """Open the page, run a reader's script in it (after it has drawn), and return what it left in ``seen``."""
    reader = f"""
    <pre id="seen"></pre><script>
    window.errors = []; window.onerror = (text) => errors.push(text);
    setTimeout(() => {{
      const seen = {{}}; try {{ {script} }} catch (error) {{ seen.error = String(error); }}
      seen.errors = errors;
      seen.painted = (performance.getEntriesByName("lineage-drawn")[0] || {{}}).startTime;
      document.getElementById("seen").textContent = JSON.stringify(seen);
    }}, 500);
    </script>"""
    path = folder / "page.html"
    path.write_text(page(report).replace("</body>", reader + "</body>"))
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert chromium, "no Chromium is installed: apt-get install chromium"
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--window-size={size}", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000", "--dump-dom",
        path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "HOME": str(folder)})  # fmt: skip
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found and found[1], done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


CLICKS = """
  const list = document.querySelectorAll("#versions button");
  const details = document.getElementById("details");
  const title = () => details.querySelector("h2").textContent;
  const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {key}));
  seen.listed = list.length;
  document.getElementById("toggle").click();
  seen.open = !document.getElementById("all").hidden;
  list[1].click();
  seen.shown = details.innerText;
  seen.hidden = details.hidden;
  seen.current = list[1].getAttribute("aria-current");
  seen.scripts = document.querySelectorAll("script").length;
  details.querySelector("button.link").click();
  seen.run = details.innerText;
  [...details.querySelectorAll("button.link")].at(-1).click();
  [...details.querySelectorAll("button.link")].at(-1).click();
  seen.next = title();
  press("Escape");
  seen.closed = details.hidden;
  const field = document.getElementById("search");
  field.value = "step0003"; field.dispatchEvent(new Event("input"));
  seen.found = document.getElementById("found").textContent;
  field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
  seen.chosen = title();
  document.getElementById("graph").focus();
  press("ArrowLeft"); seen.left = title();
  press("ArrowLeft"); seen.further = title();
  press("ArrowRight"); press("ArrowRight"); press("ArrowDown"); seen.down = title();
  for (const key of ["+", "-", "0"]) press(key);
  for (const name of ["nearer", "farther", "fit"]) document.getElementById(name).click();
  press("/"); seen.focus = document.activeElement.id;
  seen.unnamed = [...document.querySelectorAll("button, input")]
    .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim())).length;
  seen.label = document.getElementById("graph").getAttribute("aria-label").length;
  seen.requests = performance.getEntriesByType("resource").length;
"""


def test_a_reader_clicks_searches_and_uses_keys(tmp_path: Path) -> None:
    seen = visit(graph(9), tmp_path, CLICKS)
    assert not seen["errors"] and "error" not in seen, seen
    assert seen["listed"] == 9 and seen["open"] and not seen["hidden"] and seen["closed"]
    for words in ("version", "Made by", "Made from", "Used for", "<script>alert(1)</script>"):
        assert words in seen["shown"], words
    for words in ("Run: qc", "python qc.py", "git:abc", "min", "Read", "Made"):
        assert words in seen["run"], words
    assert seen["scripts"] == 3, "what was said in data is no script"
    assert seen["next"] == "data/step0003.h5ad" and seen["found"] == "1 version found"
    assert (seen["chosen"], seen["left"], seen["further"]) == ("data/step0003.h5ad", "Run: qc", "data/step0001.h5ad")
    assert seen["down"] != "data/step0001.h5ad" and seen["focus"] == "search" and seen["current"] == "true"
    assert seen["unnamed"] == 0, "a screen reader has a name for everything"
    assert seen["label"] > 20 and seen["requests"] == 0, "no network"


def test_a_thousand_nodes_are_painted_soon(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seen = visit(graph(1000), tmp_path, "seen.listed = document.querySelectorAll('#versions button').length;")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not seen["errors"] and seen["listed"] == 1000 and seen["painted"] > 0
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(f"1,000 versions: first paint after {seen['painted']:,.0f} ms, {took:.1f} s of CPU in all\n")
    assert took < PAINT_CPU_SECONDS


def test_on_a_phone_nothing_is_wider_than_it(tmp_path: Path) -> None:
    script = """
      document.querySelectorAll("#versions button")[1].click();
      seen.width = document.documentElement.scrollWidth; seen.window = window.innerWidth;
      seen.graph = document.getElementById("graph").getBoundingClientRect().height;
    """
    seen = visit(graph(9), tmp_path, script, size="500,800")
    assert seen["width"] <= seen["window"] and seen["graph"] > 150, seen


def test_dot_is_drawn_by_graphviz() -> None:
    report = graph(30)
    done = subprocess.run(["dot", "-Tsvg"], input=EXPORTS["dot"](report), capture_output=True, text=True, check=True)
    assert done.stdout.count('class="node"') == 30 and done.stdout.count('class="edge"') == 29
