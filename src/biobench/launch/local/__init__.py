"""Runs a plan's cells on this machine, in worker processes."""

from biobench.launch.local.pool import Show, choose, get_devices, run_local

__all__ = ["Show", "choose", "get_devices", "run_local"]
