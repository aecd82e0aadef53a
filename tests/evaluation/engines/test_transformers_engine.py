"""The local engine: neighbours in a batch change nothing, every end has a name, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from evaluation.engines.base import Generation, GenerationRequest, gather
from evaluation.engines.config import EngineConfig
from evaluation.engines.transformers import EngineClosed, TransformersEngine
from evaluation.model_folder import ModelFolderError
from evaluation.models import UnfitPrompt
from tests.training.making import lfm2_config, llama_config, save_base, tiny_tokenizer

CONTEXT = 96


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    configs: dict[str, Any] = {"lfm2": lfm2_config(), "llama": llama_config(tiny_tokenizer())}
    return {name: save_base(root / name, config, tiny_tokenizer(), sharpen=6) for name, config in configs.items()}


@pytest.fixture(params=["lfm2", "llama"])
def engine(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Iterator[TransformersEngine]:
    one = TransformersEngine(folders[request.param], EngineConfig(max_batch=8, max_context=CONTEXT))
    yield one
    one.close()


@pytest.fixture
def llama(folders: dict[str, Path]) -> Iterator[TransformersEngine]:
    one = TransformersEngine(folders["llama"], EngineConfig(max_batch=2, max_context=CONTEXT))
    yield one
    one.close()


def prompts(count: int = 7) -> list[tuple[int, ...]]:
    random = torch.Generator().manual_seed(2)
    lengths = [3 + 7 * n for n in range(count)]
    return [tuple(torch.randint(10, 500, (length,), generator=random).tolist()) for length in lengths]


def answers(engine: TransformersEngine, requests: list[GenerationRequest]) -> list[tuple[tuple[int, ...], str]]:
    return [(g.token_ids, g.finish) for g in asyncio.run(gather(engine, requests))]


def one_by_one(engine: TransformersEngine, requests: list[GenerationRequest]) -> list[tuple[tuple[int, ...], str]]:
    return [answers(engine, [request])[0] for request in requests]


def test_a_batch_answers_as_each_request_alone(engine: TransformersEngine) -> None:
    # Different lengths in, different lengths out: rows leave the batch while others go on.
    requests = [GenerationRequest(prompt, 4 + 5 * (n % 4)) for n, prompt in enumerate(prompts())]
    alone = one_by_one(engine, requests)
    assert answers(engine, requests) == alone
    assert answers(engine, requests[::-1]) == alone[::-1]
    assert len({tokens for tokens, _ in alone}) == len(alone)


def test_greedy_tokens_are_those_of_a_forward_pass_without_cache(engine: TransformersEngine) -> None:
    ids = list(prompts()[3])
    ((found, _),) = answers(engine, [GenerationRequest(tuple(ids), 8)])
    for token in found:
        with torch.inference_mode():
            logits = engine._model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
        assert int(logits.argmax()) == token
        ids.append(token)


def test_sampling_depends_on_the_seed_alone(engine: TransformersEngine) -> None:
    requests = [GenerationRequest(p, 12, temperature=1.5, seed=n) for n, p in enumerate(prompts(5))]
    first = answers(engine, requests)
    assert answers(engine, requests[::-1])[::-1] == first
    assert one_by_one(engine, requests) == first
    same = prompts(1)[0]
    drawn = [GenerationRequest(same, 12, temperature=1.5, seed=n) for n in range(4)]
    assert len(set(answers(engine, drawn))) == 4


def test_output_ends_at_the_limit_or_at_the_stop_token(llama: TransformersEngine) -> None:
    prompt, heard = prompts()[1], []
    request = GenerationRequest(prompt, 10, on_token=heard.append)
    ((tokens, finish),) = answers(llama, [request])
    assert (len(tokens), finish) == (10, "length")
    assert tuple(heard) == tokens
    stop = next(token for n, token in enumerate(tokens) if n >= 2 and token not in tokens[:n])
    llama._stops = frozenset({stop})
    assert answers(llama, [request]) == [(tokens[: tokens.index(stop)], "stop")]


def test_prompt_and_output_share_the_context(llama: TransformersEngine) -> None:
    longest = tuple(range(10, 10 + CONTEXT - 1))
    assert [(len(t), f) for t, f in answers(llama, [GenerationRequest(longest, 50)])] == [(1, "length")]
    for prompt in ((), (*longest, 9)):
        with pytest.raises(UnfitPrompt, match=f"expected a prompt of 1 to {CONTEXT - 1} tokens, found {len(prompt)}"):
            answers(llama, [GenerationRequest(prompt, 5)])


def test_a_cancelled_call_stops_and_its_neighbours_go_on(llama: TransformersEngine) -> None:
    (right,) = answers(llama, [GenerationRequest(prompts()[2], 60)])
    heard: list[int] = []

    async def cancel_one() -> Generation:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def hear(token: int) -> None:
            heard.append(token)
            loop.call_soon_threadsafe(begun.set)

        doomed = asyncio.create_task(llama.generate(GenerationRequest(prompts()[1], 80, on_token=hear)))
        neighbour = asyncio.create_task(llama.generate(GenerationRequest(prompts()[2], 60)))
        await begun.wait()
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        return await neighbour

    assert asyncio.run(cancel_one()).token_ids == right[0]
    assert 0 < len(heard) < 80


def test_closing_answers_what_runs_and_refuses_what_waits(llama: TransformersEngine) -> None:
    async def close_with_waiting() -> list[Generation | BaseException]:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def hear(_: int) -> None:
            loop.call_soon_threadsafe(begun.set)

        running = asyncio.create_task(llama.generate(GenerationRequest(prompts()[0], 80, on_token=hear)))
        await begun.wait()
        waiting = [asyncio.create_task(llama.generate(GenerationRequest(p, 40))) for p in prompts(6)]
        await asyncio.sleep(0)
        await asyncio.to_thread(llama.close)
        return await asyncio.gather(running, *waiting, return_exceptions=True)

    first, *others = asyncio.run(asyncio.wait_for(close_with_waiting(), 60))
    assert isinstance(first, Generation)
    assert [type(other) for other in others] == [EngineClosed] * 6
    with pytest.raises(EngineClosed, match="the engine is closed"):
        answers(llama, [GenerationRequest((1,), 1)])


def test_the_oldest_goes_first_and_takes_those_of_its_length_along(llama: TransformersEngine) -> None:
    order: list[str] = []
    short, long = tuple(range(10, 14)), tuple(range(10, 70))

    async def ask() -> None:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def hear(_: int) -> None:
            loop.call_soon_threadsafe(begun.set)

        running = asyncio.create_task(llama.generate(GenerationRequest(short, 60, on_token=hear)))
        await begun.wait()
        waiting = [("short", short), ("long", long), ("short too", short)]
        jobs = [GenerationRequest(ids, 1, on_token=lambda _, name=name: order.append(name)) for name, ids in waiting]
        await asyncio.gather(running, *(llama.generate(job) for job in jobs))

    asyncio.run(ask())
    assert order == ["short", "short too", "long"]


@pytest.mark.parametrize(("tokens", "sizes"), [(10_000, [1, 4, 1]), (120, [1, 2, 2, 1]), (1, [1, 1, 1, 1, 1, 1])])
def test_a_batch_holds_no_more_prompt_tokens_than_allowed(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tokens: int, sizes: list[int]
) -> None:
    one = TransformersEngine(folders["llama"], EngineConfig(max_batch=4, max_batch_tokens=tokens, max_context=CONTEXT))
    decode, batches = one._decode, []

    def decoded(jobs: list[Any]) -> None:
        batches.append([len(job.request.prompt_ids) for job in jobs])
        decode(jobs)

    monkeypatch.setattr(one, "_decode", decoded)

    async def ask() -> None:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()
        first = GenerationRequest((10, 11), 40, on_token=lambda _: loop.call_soon_threadsafe(begun.set))
        running = asyncio.create_task(one.generate(first))
        await begun.wait()
        await asyncio.gather(running, *(one.generate(GenerationRequest(tuple(range(10, 70)), 1)) for _ in range(5)))

    try:
        asyncio.run(ask())
    finally:
        one.close()
    assert [len(batch) for batch in batches] == sizes
    assert all(len(batch) * max(batch) <= max(tokens, max(batch)) for batch in batches)


def test_workers_answer_at_the_same_time_and_as_one_does(folders: dict[str, Path]) -> None:
    requests = [GenerationRequest(prompt, 4 + 5 * (n % 4)) for n, prompt in enumerate(prompts())]
    one = TransformersEngine(folders["lfm2"], EngineConfig(max_context=CONTEXT))
    two = TransformersEngine(folders["lfm2"], EngineConfig(max_context=CONTEXT, workers=2))
    heard: list[str] = []

    async def ask() -> None:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def hear(_: int) -> None:
            heard.append("long")
            loop.call_soon_threadsafe(begun.set)

        running = asyncio.create_task(two.generate(GenerationRequest((11, 12), CONTEXT, on_token=hear)))
        await begun.wait()
        await two.generate(GenerationRequest((13, 14), 2, on_token=lambda _: heard.append("short")))
        await running

    try:
        assert answers(two, requests) == answers(one, requests)
        asyncio.run(ask())
    finally:
        one.close()
        two.close()
    assert heard[-1] == "long", "a short answer does not wait for a long one that another worker makes"


def test_what_the_model_raises_reaches_its_caller_and_the_engine_goes_on(llama: TransformersEngine) -> None:
    with pytest.raises(RuntimeError, match="generation failed: "):
        answers(llama, [GenerationRequest((10**6,), 3)])
    assert len(answers(llama, [GenerationRequest((11, 12), 3)])[0][0]) == 3


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "expected a tokenizer .*, found none"),
        (lambda f: (f / "chat_template.jinja").unlink(), "expected a chat template"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "pickled files .* run code when loaded"),
        (lambda f: (f / "config.json").unlink(), "expected config.json"),
        (lambda f: (f / "modeling_own.py").write_text("x = 1"), "Python code .* never run"),
    ],
)
def test_a_folder_that_is_no_whole_safe_model_is_not_loaded(tmp_path: Path, break_it: Any, says: str) -> None:
    folder = save_base(tmp_path / "m", llama_config(tiny_tokenizer()), tiny_tokenizer())
    break_it(folder)
    with pytest.raises(ModelFolderError, match=says):
        TransformersEngine(folder)
