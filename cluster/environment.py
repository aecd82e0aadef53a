"""Environment variables that Ray, Serve, torch and transformers read when they are imported or started.

Serve's fast path is chosen by some of them; workers keep the driver's priority, since nothing else competes with them
on a laptop; the libraries are told to print errors only.
"""

from __future__ import annotations

import os

ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_worker_niceness": "0",
    # Else the end of Serve's controller is told as a task that failed.
    "RAY_enable_output_error_log_if_still_retry": "0",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1000",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def prepare_environment() -> None:
    """Set what has to be set before Ray, Serve or torch start; a value that the user set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
