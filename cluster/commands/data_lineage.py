"""`ratchet data lineage`: where an example, a snapshot or a synthesis comes from, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said


def lineage(
    ref: Annotated[
        str,
        typer.Argument(help="Id of an example or a synthesis, or a snapshot as `name@version` or `folder@version`."),
    ],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show where something comes from: run, teacher, prompt, raw answer; and what became of it: snapshots, versions.

    Example: ratchet data lineage syn-0123456789
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.lineage_text import print_lineage
        from training.formats.exports import Exports
        from training.lineage import Places
        from training.lineage import lineage as find

        # Opening a registry takes MLflow seconds: none where nothing was ever registered.
        registry = at.registry if (at.home.registry / "models").is_dir() else None
        exports = Exports(at.home.exports)
        places = Places(at.ledger, at.home.snapshots, at.home.syntheses, registry, exports=exports)
        found = find(ref, places)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_lineage(console(), found)
