"""Where to draw what: a layered layout of a graph whose edges go from left to right.

Each node stands right of everything that it was made from (the longest way decides), what was made from nothing right
before its first use, and the order within a layer follows the neighbours' (the barycentre heuristic of Sugiyama, Tagawa
and Toda, 1981). Circles are cut where they close.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 175.0
HEIGHT: Final = 66.0
_SWEEPS: Final = 6


def layered(count: int, edges: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """The centre of each of ``count`` nodes, for edges from a node to one right of it."""
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for left, right in dict.fromkeys(edges):
        if left != right:
            after[left].append(right)
            before[right].append(left)
    layer = _layers(count, after, before)
    for node in range(count):
        if after[node] and not before[node]:
            layer[node] = max(0, min(layer[other] for other in after[node]) - 1)
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for node in range(count):
        rows[layer[node]].append(node)
    place = _ordered(rows, after, before)
    tallest = max(map(len, rows), default=0)
    return [
        (layer[node] * WIDTH, (place[node] + (tallest - len(rows[layer[node]])) / 2) * HEIGHT) for node in range(count)
    ]


def _layers(count: int, after: list[list[int]], before: list[list[int]]) -> list[int]:
    layer = [0] * count
    open_inputs = [len(before[node]) for node in range(count)]
    ready = [node for node in range(count) if not open_inputs[node]]
    left = set(range(count))
    while left:
        if not ready:
            ready.append(min(left, key=lambda node: (open_inputs[node], node)))  # in a circle: begin somewhere
        node = ready.pop()
        if node not in left:
            continue
        left.discard(node)
        for other in after[node]:
            if other in left:
                layer[other] = max(layer[other], layer[node] + 1)
                open_inputs[other] -= 1
                if not open_inputs[other]:
                    ready.append(other)
    return layer


def _ordered(rows: list[list[int]], after: list[list[int]], before: list[list[int]]) -> dict[int, int]:
    place = {node: at for row in rows for at, node in enumerate(row)}
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for row in rows if forward else rows[::-1]:
            near = before if forward else after
            weight = {
                node: sum(place[other] for other in near[node]) / len(near[node]) if near[node] else place[node]
                for node in row
            }
            row.sort(key=lambda node: (weight[node], node))
            place.update((node, at) for at, node in enumerate(row))
    return place
