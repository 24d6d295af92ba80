"""What bfloat16 costs a trained network, and whether its first convolution in float32 gives that back.

``python -m tests.benchmarks.precision RUN`` evaluates a finished fine-tuning on its test images in float32, in
bfloat16, and in bfloat16 with the first convolution in float32, and compares the gradients of a batch with those in
float32. Sigmoid, softmax and losses are in float32 in all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from monai_sg.engines.precision import autocast
from monai_sg.runs.saved_run import SavedRun

WAYS = {"float32": (False, False), "bfloat16": (True, False), "bfloat16, first convolution in float32": (True, True)}


@contextmanager
def first_in_float32(network: Any, enabled: bool) -> Iterator[None]:
    """Let the first convolution of a network compute in float32 for a while."""
    stem: nn.Module = network.get_submodule(network.stem_key.removesuffix(".weight"))
    usual = stem.forward

    def forward(x: torch.Tensor) -> Any:
        with torch.autocast(x.device.type, enabled=False):
            return usual(x.float())

    if enabled:
        stem.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        stem.forward = usual  # type: ignore[method-assign]


def gradients(parser: Any, network: Any, amp: bool) -> torch.Tensor:
    """Return the gradients of the first training batch as one vector."""
    get = parser.get_parsed_content
    batch = next(iter(get("train::dataloader")))
    network.train().zero_grad()
    with autocast(torch.device("cpu"), amp):
        logits = network(batch["image"])
    get("loss")(logits.float(), batch["label"]).backward()
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def lines(run: str) -> list[str]:
    """Return a Markdown table."""
    rows, exact = ["| | test Dice | relative error of the gradient |", "|---|---|---|"], torch.zeros(0)
    saved = SavedRun(run)
    for name, (amp, first) in WAYS.items():
        parser = saved.workflow(["train.json", "evaluate.json"], {}, {"amp": amp, "device": "cpu"}).parser
        evaluator, network = parser.get_parsed_content("validate::evaluator"), parser.get_parsed_content("network")
        with first_in_float32(network, first):
            evaluator.run()
            found = gradients(parser, network, amp)
        exact = found if name == "float32" else exact
        error = float((found - exact).norm() / exact.norm())
        rows.append(f"| {name} | {evaluator.state.metrics['dice@0.5']:.5f} | {error:.4f} |")
    return rows


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="output folder of `monai-sg finetune`")
    print("\n".join(lines(parser.parse_args(given).run)))


if __name__ == "__main__":
    main()
