"""each(): the one place that starts threads. Bounded, ordered, and it stops at the first error."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Item = TypeVar("Item")
Result = TypeVar("Result")
One = TypeVar("One")
Other = TypeVar("Other")


def each(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int,
    ahead: int | None = None,
    executor: Executor | None = None,
) -> Iterator[Result]:
    """Apply ``work`` to every item, up to ``jobs`` at once, and yield results in the items' order.

    At most ``ahead`` items (``2 * jobs`` unless said) are taken from ``items`` before the consumer has the
    first one's result, so memory stays bounded however long ``items`` is. The first exception stops new
    work, waits for what is running and is raised; later ones are dropped. ``executor`` replaces the thread
    pool (any concurrent.futures one); it is not shut down. With one job and no executor everything runs in
    the caller's thread.
    """
    if jobs <= 1 and executor is None:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  start-up time: it brings logging along

    own = executor is None
    pool = executor if executor is not None else ThreadPoolExecutor(jobs, thread_name_prefix="lobsterdv")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= (ahead or 2 * jobs):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for future in waiting:
            if not future.cancelled():
                future.exception()
        if own:
            pool.shutdown(wait=True, cancel_futures=True)


def both(one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
    """What two calls return, made side by side. When both fail, ``one``'s exception is raised."""

    def call(work: Callable[[], object]) -> object:
        return work()

    return cast("tuple[One, Other]", tuple(each(call, (one, other), jobs=2)))
