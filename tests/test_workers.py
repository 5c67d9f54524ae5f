"""Worker processes end with their parent and leave Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

# The pool's parent says that its worker is up, with the answer to SIGINT, and waits for ever.
SCRIPT = """
import multiprocessing, os, signal, time
from concurrent.futures import ProcessPoolExecutor
from dbrt.workers import begin_worker

def ignores():
    os.kill(os.getpid(), signal.SIGINT)
    return "ready"

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=begin_worker) as pool:
        print(pool.submit(ignores).result(), flush=True)
        time.sleep(300)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_worker_ignores_ctrl_c_and_ends_when_its_parent_is_killed(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "ready\n"
    parent.send_signal(signal.SIGKILL)
    # The worker has inherited both pipes: their end comes with its own.
    _, err = parent.communicate(timeout=60)
    assert "Traceback" not in err
