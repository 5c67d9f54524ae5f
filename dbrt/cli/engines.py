"""`dbrt engines`: what the cache holds, whether it is sound, and how it gets to other machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.errors import EngineError, UsageError

if TYPE_CHECKING:
    from dbrt.engine.inventory import Entry, Inventory

SCHEMA = "dbrt.engines/1"

_EPILOG = """\b
Examples:
  dbrt engines list
  dbrt engines export fleet.dbrt --runner tensorrt && dbrt engines import fleet.dbrt
"""
_SETTINGS = {"show_default": True}

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_names = click.argument("names", metavar="[NAME]...", nargs=-1)


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose engines."""
    function = click.option("--model", help="Engines of this model only.")(function)
    return click.option("--runner", help="Engines of this runner only.")(function)


@click.group(epilog=_EPILOG)
def command() -> None:
    """Look after the engines in the cache: list, verify, remove, export and import them.

    NAME is an engine's file name, or the eight digits at its end.
    """


@command.command("list", context_settings=_SETTINGS)
@_names
@_filters
@_json
def list_(names: tuple[str, ...], model: str | None, runner: str | None, as_json: bool) -> None:
    """Show each engine: what it is for, and what its comparison with float32 has said."""
    from dbrt.engine.staleness import Here

    inventory, chosen = _choose(names, model, runner)
    here = Here()
    stale = {e.name: here.staleness(e.spec) if e.spec else "" for e in chosen}
    if as_json:
        engines = [{**e.to_dict(), "stale": stale[e.name] or None} for e in chosen]
        _print_json(inventory, engines=engines, bytes=sum(e.bytes for e in chosen))
        return
    _show(inventory, chosen, stale)


@command.command(context_settings=_SETTINGS)
@_names
@_filters
@_json
def verify(names: tuple[str, ...], model: str | None, runner: str | None, as_json: bool) -> int:
    """Read each engine and check it as if it were to be loaded; exit 6 where one is bad."""
    from dbrt.engine.cache import EngineCache
    from dbrt.engine.inventory import verify as check

    inventory, chosen = _choose(names, model, runner)
    problems = {entry.name: check(EngineCache(), entry) for entry in chosen}
    bad = [name for name, problem in problems.items() if problem]
    if as_json:
        engines = [{"name": n, "ok": not p, "problem": p or None} for n, p in problems.items()]
        _print_json(inventory, engines=engines, ok=not bad)
    for name, problem in problems.items():
        if problem:
            click.echo(f"dbrt: {problem}", err=True)
        elif not as_json:
            click.echo(f"ok  {name}")
    if not as_json:
        click.echo(f"{_engines(len(chosen))} in {inventory.folder}, {len(bad)} bad")
    return EngineError.exit_code if bad else 0


@command.command(context_settings=_SETTINGS)
@_names
@_filters
@click.option("--all", "take_all", is_flag=True, help="Every engine, and what is left of others.")
@click.option(
    "--stale",
    is_flag=True,
    help="What this machine would not take any more, what can't be used, and leftovers.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
def remove(
    names: tuple[str, ...],
    model: str | None,
    runner: str | None,
    take_all: bool,
    stale: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove engines with their sidecars and locks."""
    from dbrt.engine.inventory import clear
    from dbrt.engine.inventory import remove as remove_one
    from dbrt.engine.staleness import Here

    if not (names or model or runner or take_all or stale):
        raise UsageError("nothing to remove: name engines, or give --model, --runner or --all")
    inventory, chosen = _choose(names, model, runner)
    if stale:
        here = Here()
        chosen = [e for e in chosen if e.spec is None or here.staleness(e.spec)]
    is_whole = not (names or model or runner)
    if chosen and not yes:
        _confirm(chosen)
    for entry in chosen:
        remove_one(entry)
    leftovers = clear(inventory.leftovers) if is_whole else []
    if as_json:
        _print_json(
            inventory,
            removed=[entry.name for entry in chosen],
            leftovers=[path.name for path in leftovers],
            bytes=sum(entry.bytes for entry in chosen),
        )
        return
    more = f", and {len(leftovers)} leftovers" if leftovers else ""
    freed = sum(entry.bytes for entry in chosen) / 1e6
    click.echo(f"removed {_engines(len(chosen))}, {freed:.1f} MB{more}")


@command.command(context_settings=_SETTINGS)
@click.argument("archive", required=False, type=Path)
@_names
@_filters
@click.option(
    "--triton",
    type=Path,
    metavar="FOLDER",
    help="Write a Triton model repository instead of ARCHIVE.",
)
@click.option("--force", is_flag=True, help="Replace what exists.")
@_json
def export(
    archive: Path | None,
    names: tuple[str, ...],
    model: str | None,
    runner: str | None,
    triton: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write engines, all or those named, into one file with checksums.

    With --triton FOLDER every argument is an engine's NAME.
    """
    if triton is not None and archive is not None:
        names = (str(archive), *names)
    inventory, chosen = _choose(names, model, runner)
    if not chosen:
        raise UsageError(f"no engine to export in {inventory.folder}: run dbrt build first")
    if triton is not None:
        _export_triton(inventory, chosen, triton, force, as_json)
    elif archive is not None:
        _export_archive(inventory, chosen, archive, force, as_json)
    else:
        raise UsageError("where to? give a file name such as fleet.dbrt, or --triton FOLDER")


def _export_triton(
    inventory: Inventory, chosen: list[Entry], folder: Path, force: bool, as_json: bool
) -> None:
    from dbrt.engine.cache import EngineCache
    from dbrt.engine.triton import write_repository

    models = write_repository(chosen, EngineCache(), folder, force=force)
    if as_json:
        figures = [{"name": model.name, "platform": model.platform} for model in models]
        _print_json(inventory, repository=str(folder), models=figures)
        return
    for model in models:
        click.echo(f"{model.folder}  {model.platform}")


def _export_archive(
    inventory: Inventory, chosen: list[Entry], path: Path, force: bool, as_json: bool
) -> None:
    from dbrt.engine.archive import export_engines
    from dbrt.engine.cache import EngineCache

    done = export_engines(chosen, EngineCache(), path, force=force)
    if as_json:
        figures = {"sha256": done.sha256, "bytes": done.bytes, "engines": list(done.names)}
        _print_json(inventory, archive=str(path), **figures)
        return
    click.echo(f"{path}: {_engines(len(done.names))}, {done.bytes / 1e6:.1f} MB")
    click.echo(f"sha256 {done.sha256}")


@command.command("import", context_settings=_SETTINGS)
@click.argument("archive", type=Path)
@click.option("--sha256", help="What the archive's SHA-256 must be: dbrt engines export prints it.")
@click.option(
    "--force", is_flag=True, help="Replace engines that differ; take those of another model."
)
@_json
def import_(archive: Path, sha256: str | None, force: bool, as_json: bool) -> None:
    """Check an archive and write its engines into the cache.

    An engine is code: import archives only from whom you trust.
    """
    from dbrt.engine.archive import import_engines
    from dbrt.engine.cache import EngineCache
    from dbrt.engine.inventory import take_inventory

    done = import_engines(archive, EngineCache(), force=force, sha256=sha256)
    if as_json:
        engines = [{"name": e.name, "state": e.state, "stale": e.note or None} for e in done]
        _print_json(take_inventory(EngineCache()), engines=engines)
        return
    for engine in done:
        click.echo(f"{engine.state}  {engine.name}")
        if engine.note:
            click.echo(f"dbrt: {engine.name} {engine.note}", err=True)


def _confirm(chosen: list[Entry]) -> None:
    """Ask, or end here."""
    if not sys.stdin.isatty():
        raise UsageError(f"{_engines(len(chosen))} would be removed: give --yes")
    for entry in chosen:
        click.echo(f"{entry.name}  {entry.bytes / 1e6:.1f} MB", err=True)
    click.confirm(f"Remove {_engines(len(chosen))}?", abort=True, err=True)


def _choose(
    names: Iterable[str], model: str | None, runner: str | None
) -> tuple[Inventory, list[Entry]]:
    """Read the cache, and return what the arguments choose of it."""
    from dbrt.engine.cache import EngineCache
    from dbrt.engine.inventory import pick, take_inventory
    from dbrt.engine.spec import RUNNERS

    if runner is not None and runner not in RUNNERS:
        raise UsageError(f"no runner {runner}: take {', '.join(RUNNERS)}")
    inventory = take_inventory(EngineCache())
    entries = list(inventory.entries)
    chosen = pick(entries, names) if names else entries
    if model is not None:
        chosen = [e for e in chosen if e.spec is not None and e.spec.model_name == model]
    if runner is not None:
        chosen = [e for e in chosen if e.spec is not None and e.spec.runner == runner]
    return inventory, chosen


def _show(inventory: Inventory, chosen: list[Entry], stale: dict[str, str]) -> None:
    from dbrt.engine.mismatch import built_with

    for entry in chosen:
        spec = entry.spec
        if spec is None:
            click.secho(entry.name, bold=True)
            click.echo(f"  {click.style('bad', fg='red')}     {entry.problem}")
            continue
        shape = f"{spec.shape[0]}x{spec.shape[1]}"
        head = f"{spec.model_name} {shape} {spec.precision}, {built_with(spec)}"
        click.secho(head + (f", batch {spec.batch}" if spec.batch > 1 else ""), bold=True)
        click.echo(f"  for     {', '.join(spec.targets)}")
        click.echo(f"  built   {entry.sidecar.get('built_at')}, {entry.bytes / 1e6:.1f} MB")
        click.echo(f"  proof   {entry.proof}")
        if stale[entry.name]:
            click.echo(f"  {click.style('stale', fg='yellow')}   {stale[entry.name]}")
        click.echo(f"  file    {entry.name}")
    total = sum(entry.bytes for entry in chosen) / 1e6
    click.echo(f"{_engines(len(chosen))}, {total:.1f} MB, in {inventory.folder}")
    if inventory.leftovers:
        click.echo(
            f"{len(inventory.leftovers)} leftovers of engines that are not there: "
            "dbrt engines remove --stale clears them"
        )


def _print_json(inventory: Inventory, **figures: Any) -> None:
    data = {"schema": SCHEMA, "folder": str(inventory.folder), **figures}
    click.echo(json.dumps(data))


def _engines(number: int) -> str:
    from dbrt.wording import counted

    return counted(number, "engine")
