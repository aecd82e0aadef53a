"""Ctrl-C while a run goes on, and after it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainConfig
from training.launch import own_interrupt, start


def as_fit_does(*_: object) -> None:
    sys.exit(0)


def fit_and_interrupt() -> None:
    with own_interrupt():
        signal.signal(signal.SIGINT, as_fit_does)
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_in_training_is_one_and_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit_and_interrupt()
    assert signal.getsignal(signal.SIGINT) is before
    with own_interrupt():
        signal.signal(signal.SIGINT, as_fit_does)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_run_in_a_thread_leaves_the_handler_alone() -> None:
    seen: list[object] = []

    def run() -> None:
        with own_interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def linger(job: dict[str, Any]) -> None:
    Path(job["began"]).touch()
    time.sleep(120)


def interrupt_when(began: Path) -> None:
    while not began.exists():
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.ray
@pytest.mark.slow
# Ray Data 2.60 about its own default context.
@pytest.mark.filterwarnings("ignore:.use_\\w+. is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_ray_train_itself_ends_by_an_interrupt(ray_session: None, tmp_path: Path) -> None:
    before, began = signal.getsignal(signal.SIGINT), tmp_path / "began"
    threading.Thread(target=interrupt_when, args=(began,), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        start(linger, {"began": str(began)}, {}, config=TrainConfig(), name="stopped", storage=tmp_path)
    assert signal.getsignal(signal.SIGINT) is before
