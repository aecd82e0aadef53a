"""`ratchet data`: what was collected. The verbs stand in files of their own, `data_<verb>.py`."""

from __future__ import annotations

import typer

from cluster.commands.lazy import lazy

COMMANDS = {
    "list": "data_list:list_data",
    "show": "data_show:show",
    "stats": "data_stats:stats",
    "search": "data_search:search",
    "quality": "data_quality:quality",
    "serve": "data_collect:serve",
    "dead-letters": "data_collect:dead_letters",
    "replay": "data_collect:replay",
    "migrate": "data_collect:migrate",
    "export": "data_export:export",
    "import": "data_import:import_data",
    "review": "data_review:review",
    "queue": "data_queue:queue_data",
    "agreement": "data_agreement:agreement",
    "reward": "data_reward:reward",
    "recoveries": "data_recoveries:recoveries",
    "propagate": "data_propagate:propagate_labels",
    "prepare": "data_prepare:prepare",
    "dedup": "data_dedup:dedup",
    "clusters": "data_clusters:clusters",
    "lineage": "data_lineage:lineage",
    "synthesize": "data_synthesize:synthesize",
    "privacy": "data_privacy:privacy",
    "user": "data_user:user",
    "forget": "data_user:forget",
    "retain": "data_user:retain",
}
app = typer.Typer(help="What was collected.", no_args_is_help=True, cls=lazy(COMMANDS))
