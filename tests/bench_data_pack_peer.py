"""Render, mask, tokenize and pack a snapshot as its users do without us: datasets.map and trl.pack_dataset."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from typing import Any

import datasets
import pyarrow.compute as pc
from transformers import AutoTokenizer
from trl import pack_dataset


def rendered(row: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """Return the tokens of a conversation and which of them are the assistant's."""
    messages = json.loads(row["messages"])
    for message in messages:
        for call in message.get("tool_calls") or ():
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    encoded = tokenizer.apply_chat_template(
        messages, tools=json.loads(row["tools"]) or None, return_dict=True, return_assistant_tokens_mask=True
    )
    return {"input_ids": encoded["input_ids"], "assistant_masks": encoded["assistant_masks"]}


def main() -> None:
    """Print seconds, rows, tokens and packs as JSON. Arguments: model folder, pack length, Parquet files."""
    length = int(sys.argv[2])
    datasets.disable_progress_bars()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        data = datasets.load_dataset("parquet", data_files=sys.argv[3:], split="train", cache_dir=cache)
        data = data.select_columns(["messages", "tools"])
        tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
        rows = len(data)
        data = data.map(rendered, fn_kwargs={"tokenizer": tokenizer}, num_proc=2, remove_columns=["messages", "tools"])
        packed = pack_dataset(data, seq_length=length, strategy="bfd")
        seconds = time.perf_counter() - begun
        tokens = pc.sum(pc.list_value_length(packed.data.column("input_ids"))).as_py()
    told = {"seconds": seconds, "rows": rows, "tokens": tokens, "packs": len(packed)}
    print(json.dumps(told | {"version": f"datasets {version('datasets')}, trl {version('trl')}"}))


if __name__ == "__main__":
    main()
