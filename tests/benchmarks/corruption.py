"""Crops per second of each corruption, beside a sequential numpy reference timed in the same run.

``python tests/benchmarks/corruption.py --device cpu --batch 16 --threads 1``
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from monai_sg.transforms.bezier_intensity import BezierIntensity
from monai_sg.transforms.corruption import Corruption
from monai_sg.transforms.genesis_corruption import GenesisCorruption
from monai_sg.transforms.in_paint import InPaint
from monai_sg.transforms.local_shuffle import LocalShuffle
from monai_sg.transforms.out_paint import OutPaint

Array = np.ndarray
CALLS = 4


def reference_shuffle(x: Array, rng: np.random.Generator, blocks: int = 10_000) -> Array:
    """Permute one block after the other."""
    out = x.copy()
    for _ in range(blocks):
        edges = [int(rng.integers(1, max(1, size // 10) + 1)) for size in x.shape]
        starts = [int(rng.integers(0, size - edge + 1)) for size, edge in zip(x.shape, edges, strict=True)]
        box = tuple(slice(start, start + edge) for start, edge in zip(starts, edges, strict=True))
        out[box] = rng.permutation(x[box].ravel()).reshape(edges)
    return out


def reference_intensity(x: Array, rng: np.random.Generator) -> Array:
    """Map by a curve of 100,000 points."""
    (a, b), (c, d) = rng.random((2, 2))
    t = np.linspace(0, 1, 100_000)
    xs = 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t**2 * c + t**3
    ys = 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * d + t**3
    return np.interp(x, np.sort(xs), np.sort(ys)[::-1] if rng.random() < 0.5 else np.sort(ys))


def reference_paint(x: Array, rng: np.random.Generator, outside: bool) -> Array:
    """Paint box after box."""
    out = rng.random(x.shape) if outside else x.copy()
    for box in range(5):
        if (box > 0 or not outside) and rng.random() >= 0.95:
            break
        cut = [rng.integers(3 * size // 7, 4 * size // 7 + 1) for size in x.shape]
        edges = [rng.integers(size // 6, size // 3 + 1) for size in x.shape]
        edges = [size - less for size, less in zip(x.shape, cut, strict=True)] if outside else edges
        starts = [rng.integers(3, size - edge - 2) for size, edge in zip(x.shape, edges, strict=True)]
        window = tuple(slice(start, start + edge) for start, edge in zip(starts, edges, strict=True))
        out[window] = x[window] if outside else rng.random(edges)
    return out


def reference_genesis(x: Array, rng: np.random.Generator) -> Array:
    """Compose the three as Models Genesis does, without flips."""
    x = reference_shuffle(x, rng) if rng.random() < 0.5 else x
    x = reference_intensity(x, rng) if rng.random() < 0.9 else x
    return reference_paint(x, rng, outside=rng.random() < 0.8) if rng.random() < 0.9 else x


def best_seconds(work: Callable[[], object], repeats: int, device: str) -> float:
    """Time ``work`` several times after one call to warm up, and keep the shortest."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def time_corruptions(args: argparse.Namespace) -> None:
    """Print crops per second of sampling, applying and both."""
    shape = (args.batch, 1, *args.size)
    x = torch.rand(shape, device=args.device)
    generator = torch.Generator(args.device)
    rows: dict[str, Corruption] = {
        "BezierIntensity": BezierIntensity(1.0),
        "LocalShuffle tiled": LocalShuffle(1.0),
        "LocalShuffle exact": LocalShuffle(1.0, mode="exact"),
        "InPaint": InPaint(),
        "OutPaint": OutPaint(),
        "GenesisCorruption tiled": GenesisCorruption(),
        "GenesisCorruption exact": GenesisCorruption(shuffle_mode="exact"),
    }
    crop = x[0, 0].cpu().numpy().astype(np.float64)
    alone = best_seconds(lambda: reference_crops(crop, 16), 3, "cpu") / 16
    print(f"{'crops/s of ' + 'x'.join(map(str, args.size)):28}{'sample':>10}{'apply':>10}{'both':>10}{'ratio':>8}")
    print(f"{'sequential numpy reference':28}{'':>20}{1 / alone:10.1f}{1:8.1f}")
    for name, corruption in rows.items():
        params = corruption.sample(shape, generator)
        sample = best_seconds(lambda c=corruption: sample_calls(c, shape, generator), args.repeats, args.device) / CALLS
        apply = best_seconds(lambda c=corruption, p=params: c.apply(x, p), args.repeats, args.device)
        speeds = [args.batch / seconds for seconds in (sample, apply, sample + apply)]
        print(f"{name:28}" + "".join(f"{speed:10.1f}" for speed in speeds) + f"{speeds[2] * alone:8.1f}")


def reference_crops(crop: Array, number: int) -> None:
    """Corrupt the same crop several times, always with the same random numbers."""
    rng = np.random.default_rng(0)
    for _ in range(number):
        reference_genesis(crop, rng)


def sample_calls(corruption: Corruption, shape: tuple[int, ...], generator: torch.Generator) -> None:
    """Sample several batches, always the same ones, so that the share of shuffled crops does not vary."""
    generator.manual_seed(0)
    for _ in range(CALLS):
        corruption.sample(shape, generator)


def displacements(mode: str, size: tuple[int, ...], crops: int) -> tuple[float, list[torch.Tensor]]:
    """Measure the share of voxels moved and, per axis, the histogram of displacements."""
    index = LocalShuffle(1.0, mode=mode).sample((crops, 1, *size), torch.Generator().manual_seed(0))["index"].long()
    own = torch.arange(index.shape[1])
    histograms = []
    for source, here, length in zip(
        torch.unravel_index(index, size), torch.unravel_index(own, size), size, strict=True
    ):
        reach = length // 10
        histograms.append(
            torch.histc((source - here).float(), 2 * reach + 1, -reach - 0.5, reach + 0.5) / index.numel()
        )
    return float((index != own).float().mean()), histograms


def compare_shuffles(args: argparse.Namespace) -> None:
    """Print how far the tiled shuffle is from the exact one."""
    (moved_tiled, tiled), (moved_exact, exact) = (
        displacements(mode, tuple(args.size), args.crops) for mode in ("tiled", "exact")
    )
    print(f"\nshare of voxels moved: tiled {moved_tiled:.4f}, exact {moved_exact:.4f}")
    for axis, (a, b) in enumerate(zip(tiled, exact, strict=True)):
        total, largest = 0.5 * float((a - b).abs().sum()), float((a - b).abs().max())
        print(f"displacement along axis {axis}: total variation {total:.4f}, largest difference of a bin {largest:.4f}")


def main() -> None:
    """Read the arguments and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", type=int, nargs="+", default=[64, 64, 32])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--crops", type=int, default=64, help="crops in the comparison of the two shuffles")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    time_corruptions(args)
    compare_shuffles(args)


if __name__ == "__main__":
    main()
