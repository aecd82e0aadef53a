"""A run as one HTML page that needs nothing beside itself: figures, and every episode, to be filtered and opened.

Whatever a model, a tool or a suite said is text: all of it is escaped, and the page's own policy allows no script and
no style but the two that stand here, and no request at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from cluster.episode_view import Block, View, view
from cluster.report_text import scale_of, show, title_of
from cluster.runs import Run
from evaluation.examples import Scales

_STYLE = """
:root{color-scheme:light dark;--bad:#b3261e;--good:#1b7f3b;--faint:#6b7280;--line:#8884;--call:#8a5a00}
@media (prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#7bd88f;--faint:#9ca3af;--call:#f0c674}}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}table{border-collapse:collapse;margin:1rem 0}
td,th{text-align:left;padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
form{display:flex;flex-wrap:wrap;gap:.6rem;position:sticky;top:0;padding:.6rem 0;background:Canvas}
input,select{font:inherit;padding:.2rem .4rem}
details{border-bottom:1px solid var(--line);padding:.3rem 0}summary{cursor:pointer}
.said{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0 .3rem 1.2rem}
.who{font-weight:600;margin-right:.6rem}.call .who{color:var(--call)}
.call,.result,.failure,.step{margin-left:2.6rem;font-family:ui-monospace,monospace;font-size:.9em}
.bad,.bad .who,.failed{color:var(--bad)}.good,.passed{color:var(--good)}.faint,.facts{color:var(--faint)}
[hidden]{display:none}
"""
_SCRIPT = """
const form=document.querySelector('form'),all=[...document.querySelectorAll('details')];
function filter(){const f=new FormData(form),words=f.get('words').toLowerCase();let shown=0;
for(const one of all){const d=one.dataset,hit=(!f.get('verdict')||d.verdict===f.get('verdict'))
&&(!f.get('kind')||d.kind===f.get('kind'))&&(!f.get('tool')||d.tools.split('\\n').includes(f.get('tool')))
&&(!words||one.textContent.toLowerCase().includes(words));one.hidden=!hit;shown+=hit}
document.querySelector('output').textContent=shown+' of '+all.length}
form.addEventListener('input',filter);form.addEventListener('submit',e=>e.preventDefault());filter();
"""
_SIGNS = {"passed": "✓", "failed": "✗", "not judged": "?"}


def page(run: Run, scales: Scales) -> Iterator[str]:
    """Yield the page, piece by piece; `scales` are for a run that has not ended. Raises `RunFolderError`."""
    plan = run.plan
    title = escape(f"{plan.model_name} on {Path(plan.suite).stem} · {plan.id}")
    policy = f"default-src 'none'; style-src '{_digest(_STYLE)}'; script-src '{_digest(_SCRIPT)}'"
    policy += "; base-uri 'none'; form-action 'none'"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    yield from _figures(run, scales)
    views = [view(one) for one in run.in_order()]
    yield from _form(views)
    for one in views:
        yield from _episode(one)
    yield f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _figures(run: Run, scales: Scales) -> Iterator[str]:
    plan, figures = run.plan, run.figures(scales)
    each = f", {plan.attempts} attempts each" if plan.attempts > 1 else ""
    facts = f"{plan.part or 'all parts'}, agent {plan.agent}, seed {plan.seed}, {plan.started_at:%Y-%m-%d %H:%M} UTC"
    state = f"{figures.attempts} of {plan.total} attempts, {run.state.value}"
    yield f'<p class="facts">{escape(facts)} · {figures.scenarios} scenarios{each} · {state} · 95% intervals</p>\n'
    rows = [
        (title_of(name), show(one.model_dump(), scale=scale_of(name)), str(one.n))
        for name, one in figures.metrics.items()
    ]
    for k in figures.pass_at if plan.attempts > 1 else ():
        rows.append((f"pass@{k}", show(figures.pass_at[k].model_dump()), str(figures.pass_at[k].n)))
        rows.append((f"pass^{k}", show(figures.pass_all[k].model_dump()), str(figures.pass_all[k].n)))
    yield _table(("", "figure", "scenarios"), rows)
    wrong = [one for one in figures.confusion if one.expected != one.called]
    if wrong:
        counted = [(one.expected, one.called, str(one.count)) for one in wrong[:20]]
        yield _table(("expected tool", "called", "times"), counted)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<tr>{''.join(f'<th>{escape(one)}</th>' for one in head)}</tr>\n{cells}</table>\n"


def _form(views: list[View]) -> Iterator[str]:
    yield '<form>\n<input name="words" type="search" placeholder="words" aria-label="words">\n'
    yield _select("verdict", sorted({one.verdict for one in views}))
    yield _select("kind", sorted({one.kind for one in views}))
    yield _select("tool", sorted({tool for one in views for tool in one.tools}))
    yield "<output></output>\n</form>\n"


def _select(name: str, values: list[str]) -> str:
    options = "".join(f"<option>{escape(value)}</option>" for value in values)
    return f'<select name="{name}" aria-label="{name}"><option value="">any {name}</option>{options}</select>\n'


def _episode(one: View) -> Iterator[str]:
    tools = escape("\n".join(one.tools), quote=True)
    yield f'<details data-verdict="{one.verdict}" data-kind="{escape(one.kind)}" data-tools="{tools}">\n'
    facts = f"{one.kind} · attempt {one.attempt} · {one.ended} · {one.tokens} tokens · {one.seconds:.2f} s"
    sign = f'<span class="{one.verdict.replace(" ", "-")}">{_SIGNS[one.verdict]}</span>'
    yield f'<summary>{sign} {escape(one.scenario)} <span class="facts">{escape(facts)}</span></summary>\n'
    if one.where:
        yield f'<p class="said bad">Went wrong at {escape(one.where)}</p>\n'
    yield from map(_block, one.blocks)
    if one.sides:
        sides = [(side.expected or "no call", side.given or "no call") for side in one.sides]
        yield _table(("expected", "given"), sides)
    for found in one.validations:
        yield _block(found._replace(who=found.title, title=found.who.replace("_", " ")))
    made = escape(f"episode {one.id}, seed {one.seed}, agent {one.agent}")
    yield f'<p class="facts said">{made}</p>\n</details>\n'


def _block(block: Block) -> str:
    who = escape(f"{block.who} {block.title}".strip())
    kind = block.who if block.who in ("call", "result", "failure", "step") else "turn"
    return f'<div class="said {kind} {block.tone}"><span class="who">{who}</span>{escape(block.text)}</div>\n'
