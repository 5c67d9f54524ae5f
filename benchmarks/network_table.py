"""The table of `dbrt bench`: networks times sizes, each stage timed, published figures beside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from dbrt.benchmarks.lane import PASSES, Lane
from dbrt.benchmarks.machine import describe_machine, load_average, now
from dbrt.benchmarks.maps import MapSet, make_maps, sample_frames
from dbrt.benchmarks.networks import Network, find_networks
from dbrt.benchmarks.published import FIGURES
from dbrt.benchmarks.report import BenchReport, BenchRow, MapNote, Provenance
from dbrt.benchmarks.spread import frames_a_second
from dbrt.engine.runner import Runner
from dbrt.engine.select import open_runner
from dbrt.engine.spec import check_size
from dbrt.errors import UsageError
from dbrt.postproc import warm_up

SIZES = (320, 512, 736)
ROUNDS = 10

# `--quick`: one pass over all nine rows takes 0.9 s on two free Zen 4 cores with bf16, so three
# rounds of four passes take 11 s, besides opening. A slower or busy machine gets fewer rounds.
QUICK_ROUNDS = 3
QUICK_LIMIT_S = 60.0

# Told after each step: what comes next, steps done, steps in all.
OnStep = Callable[[str, int, int], None]


def say_nothing(_next: str, _done: int, _steps: int) -> None:
    """Show no progress."""


def run_network_table(
    models: Sequence[str] = (),
    sizes: Sequence[int] = SIZES,
    *,
    runner: str = "auto",
    precision: str = "auto",
    rounds: int = ROUNDS,
    limit_s: float = math.inf,
    on_step: OnStep = say_nothing,
    clock: Callable[[], float] = time.monotonic,
) -> BenchReport:
    """Time each network at each square size, one frame at a time.

    models   names or paths; none: the light network and both ResNets
    limit_s  no round is begun that would end later than this after the start, going by the
             round before; the first is always run
    clock    seconds, to hold the limit; not what is measured

    All engines are open at once and take turns, so that a machine that slows down or speeds up
    does so for all rows. Raises UsageError for a bad size or no round, InputError for a model,
    SourceError without the sample clip, RunnerError and EngineError as `open_runner` does.
    """
    sizes = [check_size(size) for size in dict.fromkeys(sizes)]
    if not sizes or rounds < 1:
        raise UsageError("bench needs at least one size and one round")
    date, load_before, end_s = now(), load_average(), clock() + limit_s
    with ExitStack() as stack:
        bench = _Bench(find_networks(models), sizes, rounds, stack, on_step)
        bench.open(runner, precision)
        done = bench.run(lambda round_s: clock() + round_s <= end_s, clock)
        rows, maps, reasons = bench.rows(), bench.notes(), bench.reasons()
    machine = describe_machine()
    return BenchReport(
        rows=rows,
        maps=maps,
        provenance=Provenance(
            machine=machine,
            date=date,
            rounds=done,
            rounds_asked=rounds,
            passes=PASSES,
            threads=f"the runner's default for one frame on {machine.cores} cores",
            reasons=reasons,
            load_before=load_before,
            load_after=load_average(),
        ),
    )


class _Bench:
    """The open engines of a run; `stack` closes them."""

    def __init__(
        self,
        networks: list[Network],
        sizes: list[int],
        rounds: int,
        stack: ExitStack,
        on_step: OnStep,
    ) -> None:
        self._networks = networks
        self._sizes = sizes
        self._rounds = rounds
        self._stack = stack
        self._on_step = on_step
        self._runners: dict[tuple[str, int], Runner] = {}
        self._maps: dict[int, MapSet] = {}
        self._lanes: dict[tuple[Network, int], Lane] = {}
        self._done = 0
        rows = len(networks) * len(sizes)
        self._steps = len(sizes) + rows + rows * rounds

    def open(self, runner: str, precision: str) -> None:
        """Make the maps, then open every engine and warm it up."""
        self._step("reading the sample clip")
        frames = sample_frames()
        self._step("compiling post-processing")
        warm_up()
        trained = [network for network in self._networks if network.is_trained]
        source = (trained or find_networks(["auto"]))[0]
        for size in self._sizes:
            self._step(f"maps of {source.model.name} at {size}")
            self._maps[size] = make_maps(self._open(source, size, runner, precision), frames)
            self._done += 1
        for network in self._networks:
            for size in self._sizes:
                self._step(f"opening {network.title} at {size}")
                opened = self._open(network, size, runner, precision)
                lane = self._lanes[network, size] = Lane(opened, frames, self._maps[size])
                lane.warm_up()
                self._done += 1

    def run(self, may_begin: Callable[[float], bool], clock: Callable[[], float]) -> int:
        """Give every lane its turn, round after round; return how many rounds there were.

        may_begin  asked with the seconds of the last round whether there is time for one more
        """
        number = 0
        round_s = 0.0
        while number == 0 or (number < self._rounds and may_begin(round_s)):
            number += 1
            started_s = clock()
            for (network, size), lane in self._lanes.items():
                self._step(f"round {number} of {self._rounds}: {network.title} at {size}")
                lane.turn()
                self._done += 1
            round_s = clock() - started_s
        self._done = self._steps
        self._step("done")
        return number

    def rows(self) -> tuple[BenchRow, ...]:
        """Return what the lanes measured, in the order of networks and sizes."""
        return tuple(
            self._row(network, size, lane) for (network, size), lane in self._lanes.items()
        )

    def notes(self) -> tuple[MapNote, ...]:
        """Say what was decoded."""
        return tuple(
            MapNote(size, maps.model.name, maps.sizes, maps.regions)
            for size, maps in self._maps.items()
        )

    def reasons(self) -> tuple[str, ...]:
        """Return why each runner was taken, each line once."""
        return tuple(dict.fromkeys(runner.reason for runner in self._runners.values()))

    def _open(self, network: Network, size: int, runner: str, precision: str) -> Runner:
        key = (network.model.sha256, size)
        if key not in self._runners:
            self._runners[key] = self._stack.enter_context(
                open_runner(
                    network.model,
                    shape=(size, size),
                    runner=runner,
                    precision=precision,
                    exact=True,
                    cache=network.cache,
                )
            )
        return self._runners[key]

    def _row(self, network: Network, size: int, lane: Lane) -> BenchRow:
        spec = self._runners[network.model.sha256, size].spec
        letterbox, infer, post = lane.spreads()
        return BenchRow(
            network=network.title,
            size=size,
            weights=network.weights,
            runner=spec.runner,
            precision=spec.precision,
            letterbox=letterbox,
            infer=infer,
            post=post,
            fps=frames_a_second(letterbox, infer, post),
            published=FIGURES.get((network.model.backbone, size)),
        )

    def _step(self, text: str) -> None:
        self._on_step(text, self._done, self._steps)
