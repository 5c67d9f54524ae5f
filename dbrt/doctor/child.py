"""The process that runs the probes: `python -m dbrt.doctor.child NAME...`.

Writes one JSON object a line to what was its standard output: {"start": name}, then {"done": name,
"findings": [...]} or {"failed": name, "reason": text}. What libraries print goes elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import TextIO

from dbrt.doctor.probes import PROBES


def run_probes(names: Iterable[str], out: TextIO) -> None:
    """Run the probes in their order; a failure of one is told and the next one runs."""
    for name in names:
        _tell(out, {"start": name})
        try:
            findings = PROBES[name][1]()
        except Exception as exc:  # whatever a library raises is the finding
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())
            _tell(out, {"failed": name, "reason": reason})
        else:
            _tell(out, {"done": name, "findings": [f.to_dict() for f in findings]})


def _tell(out: TextIO, message: dict[str, object]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def main() -> None:
    """Keep standard output for the messages; send there nothing that a library prints."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        run_probes(sys.argv[1:], out)
        # Libraries that were loaded to be looked at only must not hold up the report as they go.
        os._exit(0)


if __name__ == "__main__":
    main()
