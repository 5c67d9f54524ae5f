"""The processor: its name, its matrix units, and how many of its threads may be used."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

from dbrt.doctor.finding import Finding, State

PART = "machine"

# What decides how fast a network runs, by its flag in /proc/cpuinfo, best first.
UNITS = {
    "amx_bf16": "AMX bf16",
    "amx_int8": "AMX int8",
    "amx_fp16": "AMX fp16",
    "avx512_bf16": "AVX512 bf16",
    "avx512_vnni": "AVX512 VNNI (int8)",
    "avx_vnni": "AVX VNNI (int8)",
    "avx512f": "AVX512",
    "avx2": "AVX2",
    "sve": "SVE",
    "bf16": "Arm bf16",
    "i8mm": "Arm int8",
    "asimd": "NEON",
}


def examine_machine(root: Path = Path("/")) -> list[Finding]:
    """Return what /proc and /sys below `root` say of the processor; other systems say less."""
    facts = _cpuinfo(root / "proc" / "cpuinfo")
    name = facts.get("model name") or platform.processor() or platform.machine() or "unknown"
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    units = [words for flag, words in UNITS.items() if flag in flags]
    if units:
        found = Finding(PART, "matrix units", State.OK, ", ".join(units), data={"units": units})
    else:
        said = "this system does not say" if not flags else "none that is known"
        found = Finding(PART, "matrix units", State.NOTE, said, data={"units": []})
    return [
        Finding(PART, "processor", State.OK, name, data={"machine": platform.machine()}),
        found,
        _threads(container_limit(root), usable_threads(), os.cpu_count() or 1),
    ]


def usable_threads() -> int:
    """Return how many hardware threads this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def container_limit(root: Path = Path("/")) -> float | None:
    """Return how many threads' time the control groups of this process allow; None: no limit.

    Both versions of control groups; the tightest of this group and those above it.
    """
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text("utf-8").splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            limits += _limits(root / "sys/fs/cgroup", group, _limit_v2)
        elif "cpu" in controllers.split(","):
            for mount in (controllers, "cpu"):
                limits += _limits(root / "sys/fs/cgroup" / mount, group, _limit_v1)
    return min(limits, default=None)


def _limits(mount: Path, group: str, read: object) -> list[float]:
    """Return the limits of a group and of those above it, up to where the groups are mounted."""
    names = [name for name in group.split("/") if name not in ("", ".", "..")]
    folders = [mount.joinpath(*names[:depth]) for depth in range(len(names), -1, -1)]
    found = [read(folder) for folder in folders]  # type: ignore[operator]
    return [limit for limit in found if limit is not None]


def _limit_v2(folder: Path) -> float | None:
    quota, period = _words(folder / "cpu.max", 2)
    return None if quota == "max" else _share(quota, period)


def _limit_v1(folder: Path) -> float | None:
    (quota,) = _words(folder / "cpu.cfs_quota_us", 1)
    (period,) = _words(folder / "cpu.cfs_period_us", 1)
    return _share(quota, period)  # -1 where there is no limit


def _words(path: Path, count: int) -> list[str]:
    try:
        words = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError):
        words = []
    return (words + [""] * count)[:count]


def _share(quota: str, period: str) -> float | None:
    try:
        share = float(quota) / float(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0 and math.isfinite(share) else None


def _threads(limit: float | None, usable: int, total: int) -> Finding:
    data = {"usable": usable, "total": total, "container_limit": limit}
    text = f"{usable} of {total}" if usable != total else f"{total}"
    if limit is None or limit >= usable:
        return Finding(PART, "threads", State.OK, text, data=data)
    # Libraries count processors, not quotas: they start `usable` threads and are throttled.
    return Finding(
        PART,
        "threads",
        State.NOTE,
        f"{text}, but the container is given the time of {limit:g}: more threads only wait",
        f"pin the container instead: docker run --cpuset-cpus 0-{max(math.floor(limit), 1) - 1}",
        data,
    )


def _cpuinfo(path: Path) -> dict[str, str]:
    """Return the first processor of /proc/cpuinfo; nothing where there is none."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
