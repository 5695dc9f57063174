"""A writer in a process of its own: started, given tasks and ended by server-a, and gone when server-a is gone.

The process has a connection to its parent and knows nothing of runs: the parent alone publishes, signals and notes.
It is started anew (`spawn`), not forked: a fork would share the parent's connections and the locks of its threads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import TYPE_CHECKING

from server_a.run.tasks import Acknowledged, Event, Lost, WriteTask
from server_a.run.writing import WriterThread
from shared.endpoint.given_files import for_another_process
from shared.endpoint.settings import EndpointSettings
from shared.errors import EndpointUnreachableError, HandoverError, NotFinishedError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from server_a.run.values import ValueSource
    from shared.endpoint.endpoint import Endpoint

END_AFTER_S = 2.0  # longer than a writer waits for its last replies
_SIGNALS = {signal.SIGTERM, signal.SIGINT}


class WriterProcess:
    """The process as its parent sees it; `emit` gets what it tells, from a thread of this object's own."""

    def __init__(self, settings: EndpointSettings, source: ValueSource, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._lock = Lock()
        self._held: dict[str, WriteTask] = {}  # by staging key
        self.has_died = False
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        shared = source.share()
        self._process = context.Process(
            target=write_for_parent, args=(theirs, for_another_process(settings), shared), daemon=True
        )
        # the terminal sends SIGINT to the whole group; the writer ends with its parent, and not before
        resource_tracker.ensure_running()  # which unblocks the signals of whoever starts it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        shared.close()
        self._relay = Thread(target=self._relay_events, name="relay", daemon=True)
        self._relay.start()

    def give(self, task: WriteTask) -> None:
        """Send a task."""
        with self._lock:
            is_sent = not self.has_died
            if is_sent:
                self._held[task.staging_key] = task
                with suppress(OSError):  # it has just died: the relay tells what that means
                    self._connection.send(task)
        if not is_sent:
            self._emit(_died(task, None))

    def ask_to_end(self) -> None:
        """Have the process end as `WriterThread.cancel` does."""
        with self._lock, suppress(OSError):  # it has died
            self._connection.send(None)

    def cancel(self) -> None:
        """Wait a moment for the end of a process that was asked to end, and kill it."""
        self._process.join(END_AFTER_S)
        self._process.kill()
        self._process.join()
        self._relay.join()
        self._connection.close()
        self._process.close()

    def _relay_events(self) -> None:
        while True:
            try:
                event: Event = self._connection.recv()
            except (EOFError, OSError):
                break  # the process has ended
            if not isinstance(event, Acknowledged):
                with self._lock:
                    self._held.pop(event.task.staging_key, None)
            self._emit(event)
        with self._lock:
            self.has_died = True
            left = list(self._held.values())
        self._process.join()
        for task in left:
            self._emit(_died(task, self._process.exitcode))


def _died(task: WriteTask, exit_code: int | None) -> Lost:
    got = "one that was killed" if exit_code is None or exit_code < 0 else f"one that ended with {exit_code}"
    return Lost(task, TransientError(where="writer", expected="a process that writes", got=got, answered=True), None)


def write_for_parent(connection: Connection, settings: EndpointSettings, source: ValueSource) -> None:
    """Write what the parent says until it is gone; what runs in the process."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        _Work(connection, settings, source).run()
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone: the thread may be waiting for a server


class _Work:
    """The process's own side."""

    def __init__(self, connection: Connection, settings: EndpointSettings, source: ValueSource) -> None:
        self._connection = connection
        self._settings = settings
        self._source = source
        self._lock = Lock()
        self._endpoint: Endpoint | None = None
        self._thread: WriterThread | None = None
        self._has_lost = False

    def run(self) -> None:
        """Take tasks until the connection to the parent ends with EOFError."""
        while True:
            task: WriteTask | None = self._connection.recv()
            if task is None:
                if self._thread is not None:
                    self._thread.cancel()
                os._exit(0)  # as when the parent is gone: the thread may be waiting for a server
            try:
                self._writer().give(task)
            except (EndpointUnreachableError, NotFinishedError) as error:
                fault = {"where": error.where, "expected": error.expected, "got": error.got, "advice": error.advice}
                answered = isinstance(error, NotFinishedError)
                self._emit(Lost(task, TransientError(**fault, answered=answered), None))
            except HandoverError as error:
                self._emit(Lost(task, error, None))

    def _writer(self) -> WriterThread:
        """Return the thread that writes; after a loss the endpoint is asked again where its servers are."""
        from shared.endpoint.opening import open_endpoint

        if self._endpoint is None or self._thread is None:
            self._endpoint = open_endpoint(self._settings)
            self._thread = WriterThread(self._endpoint, self._source, self._emit)
            self._thread.start()
        elif self._has_lost:
            self._has_lost = False
            with suppress(HandoverError):  # the task meets the same fault
                self._endpoint.refresh()
        return self._thread

    def _emit(self, event: Event) -> None:
        self._has_lost = self._has_lost or isinstance(event, Lost)
        try:
            with self._lock:
                self._connection.send(event)
        except OSError:
            os._exit(0)
