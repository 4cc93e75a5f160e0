"""Two threads may enter a binding at the same moment, in a process where nothing has touched it before.

OpenVINO's hung for ever in 2 of 150 such processes: each thread held what the other was waiting for.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FORKS = """
import os, signal, sys, threading, time
import numpy, onnx, pydantic, google.protobuf, subpixel

subpixel.Upscaler("espcn")  # what is not on trial is imported once, for all forks
assert not {"openvino", "onnxruntime", "torch", "pyvips"} & sys.modules.keys()


def UPSCALE(runtime):
    return subpixel.Upscaler("espcn", execution=subpixel.Execution(runtime))(numpy.zeros((8, 8, 3), "u1"))

ENTER = dict.fromkeys(("openvino", "onnxruntime", "torch"), lambda: UPSCALE(sys.argv[1]))
ENTER["vips"] = lambda: subpixel.read(PNG)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63a8070000810080d394534a0000000049454e44ae426082"
)


def child():
    barrier, done = threading.Barrier(2), []

    def enter():
        barrier.wait()
        done.append(ENTER[sys.argv[1]]())

    threads = [threading.Thread(target=enter, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0 if len(done) == 2 else 1)


def outcome(pid, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return "done" if status == 0 else "failed"
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"


results = []
for _ in range(int(sys.argv[2]) // 2):
    pids = []
    for _ in range(2):
        if (pid := os.fork()) == 0:
            child()
        pids.append(pid)
    results += [outcome(pid, 30) for pid in pids]
print(results.count("done"), results.count("failed"), results.count("hung"))
"""


@pytest.mark.parametrize(
    ("binding", "processes"), [("openvino", 200), ("onnxruntime", 40), ("torch", 20), ("vips", 60)]
)
def test_two_threads_may_be_first(binding: str, processes: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORKS, binding, str(processes)], capture_output=True, text=True, timeout=280, check=True
    )
    assert run.stdout.split() == [str(processes), "0", "0"], run.stderr[-2000:]


SECOND = """
import os
import numpy
import subpixel

for k in range(2):
    os.write(2, f"model {k}\\n".encode())
    subpixel.Upscaler("espcn", execution=subpixel.Execution("openvino"))(numpy.zeros((8, 8, 3), "u1"))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's loader is the one that can be asked to tell")
def test_a_second_model_loads_no_library() -> None:
    """A thread that starts while one is loaded, and closed again, ends glibc's process where its table was full."""
    run = subprocess.run(
        [sys.executable, "-c", SECOND],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LD_DEBUG": "files"},
    )
    first, second = run.stderr.split("model 1\n")
    loads = "generating link map"
    assert loads in first
    assert [line for line in second.splitlines() if loads in line] == []
