"""The local engine: any causal language model of transformers, batched over whoever asks.

Decisions: a worker takes the request that has waited longest and those nearest to it in length (up to `max_batch`),
pads left, decodes until the last has ended, and drops finished rows from the batch on the way. Several workers share
the weights, so that one computes while another is busy with Python. Arithmetic is float32 on a CPU, so that a batch's
neighbours do not change an answer. Weights are safetensors, remote code is never run.
Not covered: paged attention, speculative decoding, prefix caching; a GPU cluster takes an upstream endpoint for that.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from evaluation.engines.base import Generation, GenerationRequest
from evaluation.engines.config import EngineConfig
from evaluation.engines.offered import CallGuide, Vocabulary
from evaluation.model_folder import check_folder
from evaluation.models import UnfitPrompt


@dataclass(eq=False)
class _Job:
    request: GenerationRequest
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Generation]
    submitted: float
    random: torch.Generator | None
    tokens: list[int]
    guide: CallGuide | None

    def settle(self, result: Generation | Exception) -> None:
        def deliver() -> None:
            if self.future.done():
                return
            if isinstance(result, Exception):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)

        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(deliver)


class EngineClosed(Exception):
    """The engine was closed before it answered."""


class _Waiting:
    """Requests that wait, and the workers that wait for them."""

    def __init__(self, most: int, tokens: int) -> None:
        self._most = most
        self._tokens = tokens
        self._jobs: list[_Job] = []
        self._idle = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, job: _Job) -> None:
        """Raises `EngineClosed`."""
        with self._changed:
            if self._closed:
                raise EngineClosed("the engine is closed")
            self._jobs.append(job)
            self._changed.notify()

    def take(self) -> list[_Job]:
        """Wait for a batch: the oldest and those nearest to it in length, a fair share of all. Empty when closed."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._closed or self._any())
            self._idle -= 1
            if self._closed:
                return []
            share = min(self._most, -(-len(self._jobs) // (self._idle + 1)))
            length = len(self._jobs[0].request.prompt_ids)
            near = sorted(self._jobs, key=lambda job: abs(len(job.request.prompt_ids) - length))[:share]
            while len(near) > 1 and len(near) * max(len(job.request.prompt_ids) for job in near) > self._tokens:
                near.pop()
            self._jobs = [job for job in self._jobs if job not in near]
            return near

    def _any(self) -> bool:
        self._jobs = [job for job in self._jobs if not job.future.cancelled()]
        return bool(self._jobs)

    def close(self) -> list[_Job]:
        """Let nobody in any more; return who waited."""
        with self._changed:
            self._closed = True
            left, self._jobs = self._jobs, []
            self._changed.notify_all()
            return left


class TransformersEngine:
    """Generates with a model folder."""

    def __init__(self, folder: str | Path, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        check_folder(Path(folder))
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self._device.type == "cpu":
            torch.set_num_threads(self.config.threads)
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=getattr(torch, self.config.dtype), use_safetensors=True, trust_remote_code=False
        )
        self._model: Any = model.to(self._device).eval()
        self._stops = _stop_ids(model)
        self._vocabulary = Vocabulary.load(folder) if self.config.offered_only else None
        self._pad = model.config.pad_token_id if isinstance(model.config.pad_token_id, int) else 0
        self._waiting = _Waiting(self.config.max_batch, self.config.max_batch_tokens)
        self._threads = [
            threading.Thread(target=self._run, name=f"engine-{n}", daemon=True) for n in range(self.config.workers)
        ]
        for thread in self._threads:
            thread.start()

    async def generate(self, request: GenerationRequest) -> Generation:
        """Return the continuation of one prompt. Raises `UnfitPrompt`, `EngineClosed`."""
        if not 0 < len(request.prompt_ids) < self.config.max_context:
            raise UnfitPrompt(
                f"expected a prompt of 1 to {self.config.max_context - 1} tokens, found {len(request.prompt_ids)}"
            )
        loop = asyncio.get_running_loop()
        random = torch.Generator().manual_seed(request.seed) if request.temperature > 0 else None
        guide = CallGuide(self._vocabulary, request.offered) if self._vocabulary and request.offered else None
        job = _Job(request, loop, loop.create_future(), time.perf_counter(), random, [], guide)
        self._waiting.put(job)
        return await job.future

    def close(self) -> None:
        """Stop the workers after their running batches; waiting requests fail with `EngineClosed`."""
        for job in self._waiting.close():
            job.settle(EngineClosed("the engine was closed"))
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self) -> None:
        while batch := self._waiting.take():
            try:
                with torch.inference_mode():
                    self._decode(batch)
            except Exception as error:  # one boundary: whatever the model raises reaches every caller
                for job in batch:
                    job.settle(RuntimeError(f"generation failed: {error}"))

    def _decode(self, jobs: list[_Job]) -> None:
        longest = max(len(job.request.prompt_ids) for job in jobs)
        ids = torch.full((len(jobs), longest), self._pad, dtype=torch.long)
        mask = torch.zeros((len(jobs), longest), dtype=torch.long)
        for n, job in enumerate(jobs):
            ids[n, longest - len(job.request.prompt_ids) :] = torch.tensor(job.request.prompt_ids)
            mask[n, longest - len(job.request.prompt_ids) :] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=self._model.config)
        while jobs:
            out = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            chosen = self._choose(out.logits[:, -1].float(), jobs)
            keep = [n for n, job in enumerate(jobs) if self._goes_on(job, chosen[n])]
            if len(keep) < len(jobs):
                jobs = [jobs[n] for n in keep]
                rows = torch.tensor(keep, dtype=torch.long, device=self._device)
                mask, positions = mask[rows], positions[rows]
                if jobs:
                    cache.reorder_cache(rows)
            ids = torch.tensor([[chosen[n]] for n in keep], dtype=torch.long, device=self._device)
            mask = torch.cat([mask, mask.new_ones((len(jobs), 1))], dim=1)
            positions = positions[:, -1:] + 1

    def _choose(self, logits: torch.Tensor, jobs: list[_Job]) -> list[int]:
        for n, job in enumerate(jobs):
            if job.guide is not None and (allowed := job.guide.allowed()):
                open_to = torch.full_like(logits[n], -torch.inf)
                open_to[allowed] = logits[n, allowed]
                logits[n] = open_to
        greedy = logits.argmax(-1).tolist()
        for n, job in enumerate(jobs):
            if job.random is not None:
                chances = torch.softmax(logits[n].cpu() / job.request.temperature, dim=-1)
                greedy[n] = int(torch.multinomial(chances, 1, generator=job.random))
        return [int(token) for token in greedy]

    def _goes_on(self, job: _Job, token: int) -> bool:
        if job.future.cancelled():
            return False
        stopped = token in self._stops
        if not stopped:
            job.tokens.append(token)
            if job.guide is not None:
                job.guide.push(token)
            if job.request.on_token is not None:
                job.request.on_token(token)
        full = len(job.request.prompt_ids) + len(job.tokens) >= self.config.max_context
        if not stopped and not full and len(job.tokens) < job.request.max_tokens:
            return True
        took = (time.perf_counter() - job.submitted) * 1000
        job.settle(Generation(tuple(job.tokens), "stop" if stopped else "length", took))
        return False


def _stop_ids(model: Any) -> frozenset[int]:
    found: set[int] = set()
    for config in (model.config, getattr(model, "generation_config", None)):
        ids = getattr(config, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, (list, tuple)) else ({ids} if ids is not None else set())
    return frozenset(found)
