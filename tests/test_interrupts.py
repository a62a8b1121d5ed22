"""Ctrl-C while something is imported ends in one line, whatever the library makes of it."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import tomllib

import pytest

from biobench import interrupts

ROOT = pathlib.Path(__file__).parents[1]

# How libraries take an interrupt in the middle of their import.
MANNERS = {
    "plain": "time.sleep(60)",
    "takes it for a broken installation": """
try:
    time.sleep(60)
except BaseException as err:
    raise ImportError("a library is broken") from err
""",
    "goes on without": """
try:
    time.sleep(60)
except BaseException:
    pass
""",
    "loses it in a callback": """
class Loses:
    def __del__(self):
        time.sleep(60)
Loses()
""",
}

SCRIPT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["biobench"]
# What pip writes for a console script.
CONSOLE_SCRIPT = "import sys; from {0} import {1}; sys.exit({1}())".format(*SCRIPT.split(":"))
STARTS = {"module": ["-m", "biobench"], "console script": ["-c", CONSOLE_SCRIPT]}


def interrupt(tmp_path, start, arguments, module, manner):
    """A command that is interrupted while it imports `module`; its exit code and what it says."""
    (tmp_path / f"{module}.py").write_text(f"import time\nprint('here', flush=True)\n{manner}\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
    child = subprocess.Popen(
        [sys.executable, *start, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell may have started the tests with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert child.stdout.readline() == "here\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=50)
    finally:
        child.kill()
    return child.returncode, err


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    ("arguments", "module"),
    [(["--help"], "html"), (["run", "--help"], "tyro"), (["leaderboard"], "polars")],
)
def test_an_interrupt_during_an_import_ends_in_one_line(start, arguments, module, tmp_path):
    found = interrupt(tmp_path, STARTS[start], arguments, module, MANNERS["plain"])
    assert found == (interrupts.STOPPED, "biobench: stopped.\n")


@pytest.mark.parametrize("manner", MANNERS)
def test_it_does_so_whatever_a_library_makes_of_it(manner, tmp_path):
    arguments = ["run", "--tasks", "folder", "--models", "baseline:hog", "--data", str(tmp_path)]
    found = interrupt(tmp_path, STARTS["module"], arguments, "numpy", MANNERS[manner])
    assert found == (interrupts.STOPPED, "biobench: stopped.\n")


def test_elsewhere_an_interrupt_is_the_usual_one_and_afterwards_all_is_as_before():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupts.ImportsEndInOneLine():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("owner", [signal.SIG_IGN, lambda *_: None])
def test_a_signal_that_somebody_else_handles_is_theirs(owner):
    before = signal.signal(signal.SIGINT, owner)
    try:
        with interrupts.ImportsEndInOneLine():
            assert signal.getsignal(signal.SIGINT) is owner
        assert signal.getsignal(signal.SIGINT) is owner
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_may_run_commands_too():
    def run():
        with interrupts.ImportsEndInOneLine():
            done.append(True)

    done = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done
