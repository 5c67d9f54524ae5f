"""`dbrt train`: train a network on labelled pictures."""

from __future__ import annotations

from pathlib import Path

import click

from dbrt.errors import InputError, RunnerError

_EPILOG = """\b
Examples:
  dbrt train --print-config > mine.toml
  dbrt train mine.toml --out runs/first --set run.steps=2000
"""


@click.command(epilog=_EPILOG)
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--set", "settings", multiple=True, metavar="TABLE.KEY=VALUE", help="Change a key.")
@click.option("--recipe", help="Lay CONFIG over one: default, paper, seed or accelerator.")
@click.option("--hosts", metavar="HOST:PORT,...", help="All machines of the run, the same on each.")
@click.option("--host", default=0, metavar="N", help="This machine's place in --hosts, from 0.")
@click.option("--print-config", is_flag=True, help="Print the whole configuration and exit.")
def command(
    config: Path | None,
    out: Path | None,
    resume: bool,
    settings: tuple[str, ...],
    recipe: str | None,
    print_config: bool,
    hosts: str | None,
    host: int,
) -> None:
    """Train a DB network as CONFIG (TOML) says; without CONFIG, with the defaults.

    The folder --out gets config.toml, last.npz and best.npz (weights only), log.jsonl, and events
    for TensorBoard. A run that was stopped goes on with --resume as if it had not been.
    """
    from dbrt.train.config import apply_setting, load_config, to_toml
    from dbrt.train.devices import Cluster

    if config is None and resume and out is not None:
        config = out / "config.toml"
        if not config.exists():
            raise InputError(f"{out} holds no run to resume: leave out --resume")
    cluster = Cluster(tuple(hosts.split(",")), host) if hosts else Cluster()
    cluster.check()
    loaded = load_config(config, recipe=recipe)
    for setting in settings:
        apply_setting(loaded, setting)
    loaded.check()
    if print_config:
        click.echo(to_toml(loaded), nl=False)
        return
    if out is None:
        raise click.UsageError("name the folder of the run: --out runs/NAME")
    from dbrt.train.backend import default_backend
    from dbrt.train.trainer import Trainer, describe

    default_backend()
    try:
        trainer = Trainer(loaded, out, resume=resume, cluster=cluster, quiet=False)
    except ModuleNotFoundError as exc:
        raise RunnerError(f'training needs {exc.name}: pip install "dbrt[train]"') from None
    click.echo(describe(loaded, trainer.sets), err=True)
    trainer.run()
    click.echo(str(out / "last.npz"))
