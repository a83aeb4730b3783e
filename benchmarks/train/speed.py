"""Time training steps of RadiomicGAN in float32 and bfloat16, with and without channels_last.

    OMP_NUM_THREADS=1 python benchmarks/train/speed.py --json benchmarks/results/training-speed.json

One thread; the modes take turns, so that what else the machine does hits all alike. Beside each
time stands how far the second step's L1 loss is from that in float32.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from rgan_train.config import override_from_text, recommended_config
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.networks.generator import Generator
from rgan_train.networks.spacing import innermost
from rgan_train.processes import TrainingPrecision, make_fabric

MODES: dict[str, tuple[TrainingPrecision, torch.memory_format, bool]] = {
    "float32": ("32-true", torch.contiguous_format, False),
    "float32, channels_last": ("32-true", torch.channels_last, False),
    "bf16-mixed": ("bf16-mixed", torch.contiguous_format, False),
    "bf16-mixed, channels_last (as trained)": ("bf16-mixed", torch.channels_last, False),
    "bf16-mixed, channels_last, torch.compile": ("bf16-mixed", torch.channels_last, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    batch = crops()
    steppers = {name: stepper(*mode) for name, mode in MODES.items()}
    for _ in range(2):  # also the burn-in; the first step's residual is still zero
        losses = {name: float(step.step(*batch)[1]) for name, step in steppers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in MODES}
    for _ in range(options.repeats):
        for name, step in steppers.items():
            started = time.perf_counter()
            step.step(*batch)
            seconds[name].append(time.perf_counter() - started)
    base = statistics.median(seconds["float32"])
    rows = {
        name: {
            "ms_per_step": round(1000 * statistics.median(times), 1),
            "speed_ratio": round(base / statistics.median(times), 2),
            "ratio_min_max": [
                round(base / max(times), 2),
                round(base / min(times), 2),
            ],
            "l1_loss_deviation": abs(losses[name] - losses["float32"]) / losses["float32"],
        }
        for name, times in seconds.items()
    }
    for name, row in rows.items():
        print(f"{name:44} " + "  ".join(f"{key} {value}" for key, value in row.items()))
    environment = {"torch": torch.__version__, "python": platform.python_version(), "threads": 1}
    environment["capability"] = torch.backends.cpu.get_cpu_capability()
    if options.json:
        text = json.dumps({"rows": rows, "environment": environment}, indent=1)
        options.json.write_text(text + "\n")


def crops() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a batch as RadiomicGAN is trained on: four crops of 96x96 in window units, 0.7 mm."""
    rng = np.random.default_rng(0)
    source = rng.uniform(0.2, 0.6, (4, 1, 96, 96)).astype(np.float32)
    target = source + rng.normal(0, 0.01, source.shape).astype(np.float32)
    spacing = torch.full((1,), 0.7)
    return torch.from_numpy(source), torch.from_numpy(target), spacing


def stepper(
    precision: TrainingPrecision, memory_format: torch.memory_format, compiled: bool
) -> RadiomicGAN:
    """Return a new method in one mode; all have the same weights."""
    torch.manual_seed(0)
    config = override_from_text(
        recommended_config("radiomicgan"), ["generator.encoder=vgg19-compact"]
    )
    network = RadiomicGAN.build_network(config)
    generator = innermost(network)
    assert isinstance(generator, Generator)
    generator.encoder.requires_grad_(False)
    fabric = make_fabric(1, precision)
    method = RadiomicGAN(fabric, config, network, RadiomicGAN.build_discriminator(config))
    for module in (method.G, method.D):
        module.to(memory_format=memory_format)  # type: ignore[call-overload]
    if compiled:
        method.G.compile()
    return method


if __name__ == "__main__":
    main()
