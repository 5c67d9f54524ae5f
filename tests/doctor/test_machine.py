from __future__ import annotations

from pathlib import Path

import pytest

from dbrt.doctor import machine
from dbrt.doctor.finding import Finding, State
from dbrt.doctor.machine import container_limit, examine_machine, usable_threads

INTEL = (
    "processor\t: 0\nmodel name\t: Xeon 6\nflags\t\t: fpu avx2 avx512_vnni amx_bf16\n\n"
    "processor\t: 1\nmodel name\t: another\n"
)
ARM = "processor\t: 0\nBogoMIPS\t: 2000\nFeatures\t: fp asimd bf16 i8mm\n\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize(
    ("cpuinfo", "units"),
    [(INTEL, ["AMX bf16", "AVX512 VNNI (int8)", "AVX2"]), (ARM, ["Arm bf16", "Arm int8", "NEON"])],
    ids=["x86", "arm"],
)
def test_matrix_units_are_named_best_first(cpuinfo: str, units: list[str], tmp_path: Path) -> None:
    found = by_name(examine_machine(write(tmp_path, {"proc/cpuinfo": cpuinfo})))
    assert found["matrix units"].data["units"] == units
    assert found["matrix units"].text == ", ".join(units)


def test_the_processor_is_named(tmp_path: Path) -> None:
    found = by_name(examine_machine(write(tmp_path, {"proc/cpuinfo": INTEL})))
    assert found["processor"].text == "Xeon 6"


@pytest.mark.parametrize(
    ("cpuinfo", "text"),
    [({}, "this system does not say"), ({"proc/cpuinfo": "flags : fpu"}, "none that is known")],
    ids=["no file", "an old processor"],
)
def test_a_system_that_says_little_gets_a_note(
    cpuinfo: dict[str, str], text: str, tmp_path: Path
) -> None:
    found = by_name(examine_machine(write(tmp_path, cpuinfo)))
    assert (found["matrix units"].state, found["matrix units"].text) == (State.NOTE, text)
    assert found["threads"].state is State.OK


V1 = "3:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n0::/\n"
GROUPS: dict[str, tuple[dict[str, str], float | None]] = {
    "no groups": ({}, None),
    "version 2": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
    "version 2, no limit": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000"},
        None,
    ),
    "version 2, of a group above": (
        {
            "proc/self/cgroup": "0::/user.slice/a.scope\n",
            "sys/fs/cgroup/user.slice/a.scope/cpu.max": "800000 100000",
            "sys/fs/cgroup/user.slice/cpu.max": "400000 100000",
        },
        4.0,
    ),
    "version 1": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
        },
        0.5,
    ),
    "version 1, seen from inside": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        2.0,
    ),
    "version 1, no limit": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "garbage": ({"proc/self/cgroup": "0::/\nx\n::\n", "sys/fs/cgroup/cpu.max": "a b c"}, None),
    "empty": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": ""}, None),
    "a path that climbs": (
        {"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "100000 100000"},
        1.0,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_containers_limit_is_read(name: str, tmp_path: Path) -> None:
    files, limit = GROUPS[name]
    assert container_limit(write(tmp_path, files)) == limit


def test_more_threads_than_the_container_allows_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_threads", lambda: 16)
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000"}
    found = by_name(examine_machine(write(tmp_path, files)))["threads"]
    assert found.state is State.NOTE
    assert "given the time of 2.5" in found.text
    assert found.remedy.endswith("--cpuset-cpus 0-1")
    assert found.data["container_limit"] == 2.5
    assert found.data["usable"] == 16


def test_the_threads_of_this_process_are_counted() -> None:
    assert usable_threads() >= 1
