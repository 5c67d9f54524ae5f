"""What every worker process of dbrt does first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess


def begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent has ended, however it did.

    A terminal sends SIGINT to the workers too, and each would print a traceback of its own; the
    parent's pool ends them. A worker of concurrent.futures does not notice a parent that was
    killed: it holds both ends of the pipe that it waits at.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="dbrt parent", daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)  # sys.exit would end this thread only
