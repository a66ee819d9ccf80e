"""A process that can be paused."""

import sys
import time
from pathlib import Path

import psutil
import pytest
from rondo.embedded.processes.process import Process

# A child that has ended, and whose parent has not asked for its exit code.
LEAVES_A_ZOMBIE = "import subprocess, time; child = subprocess.Popen(['true']); time.sleep(60)"


@pytest.mark.timeout(30)
def test_a_process_with_a_child_that_has_ended_can_be_paused(tmp_path: Path) -> None:
    process = Process(command=[sys.executable, "-c", LEAVES_A_ZOMBIE], log=tmp_path / "log")
    process.start()
    try:
        parent = psutil.Process(process.pid)
        while [each.status() for each in parent.children()] != [psutil.STATUS_ZOMBIE]:
            time.sleep(0.01)
        process.pause()
        assert parent.status() == psutil.STATUS_STOPPED
    finally:
        process.kill_session()
