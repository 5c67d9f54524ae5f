"""What this machine has, what dbrt would do with it, and what to install for more.

::

    finding    one line of the report
    machine    processor, matrix units, threads against the container's limit
    graphics   NVIDIA driver and cards
    runners    the libraries that run engines, and what `auto` takes
    video      FFmpeg, cameras, display
    packages   what is installed twice, or not at all
    store      the cache folder
    probes     which of these run in a process of their own, and in which order
    child      that process
    watch      starts it, and starts it again behind a probe that killed or hung it
    report     all of it together

Nothing that is missing or broken may end the report: what loads a library runs in a child process
with a time limit, and its failure is a line.
"""

from dbrt.doctor.finding import Finding, State
from dbrt.doctor.report import Report, examine

__all__ = ["Finding", "Report", "State", "examine"]
