"""Small bases for tests: real tokenizers, random weights, in a folder as any base is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, Lfm2Config, LlamaConfig, PretrainedConfig, PreTrainedTokenizerFast

from training.tiny.build import Architecture, model_config
from training.tiny.generator import conversation
from training.tiny.tokenizer import template_text, train_tokenizer

TRAINS = (
    pytest.mark.ray,
    pytest.mark.slow,
    # Ray Data 2.60 about its own default context.
    pytest.mark.filterwarnings("ignore:.use_\\w+. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    # PEFT 0.21 with transformers 5.
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
)
"""Marks of tests that run Ray Train."""
QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]


@cache
def texts() -> tuple[str, ...]:
    """Generated conversations as plain text."""
    rows = (conversation(1, index) for index in range(60))
    return tuple(str([message["content"] for message in row["messages"]]) + str(row["tools"]) for row in rows)


@cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A small tokenizer made as `tiny`'s is, with its template."""
    return train_tokenizer(texts(), 800, template_text())


@cache
def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """A small byte-level BPE with the special tokens and the chat template of Qwen2.5."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=QWEN_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>")
    fast.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text()
    return fast


def lfm2_config() -> Lfm2Config:
    """`tiny`'s architecture, smaller."""
    shape = Architecture(hidden_size=32, intermediate_size=64, layer_types=("conv", "full_attention", "conv"), heads=2)
    return model_config(tiny_tokenizer(), shape)


def llama_config(
    tokenizer: PreTrainedTokenizerFast, kind: type[PretrainedConfig] = LlamaConfig, length: int = 2048
) -> PretrainedConfig:
    """A Llama, or a `kind` that takes the same, of two layers that stops where `tokenizer` does."""
    return kind(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=length,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def save_base(folder: Path, config: Any, tokenizer: PreTrainedTokenizerFast, sharpen: float = 1.0) -> Path:
    """Write a freshly initialised model; `sharpen` scales its matrices, so that its choices are clear."""
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(sharpen)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
