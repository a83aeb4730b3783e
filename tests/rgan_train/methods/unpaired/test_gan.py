"""One step on simulated pairs and on real slices of different patients."""

import pytest
import torch
from support.training import tiny_config

from rgan_train.methods import UNPAIRED
from rgan_train.methods.base import TrainingCrops, UnpairedCrops
from rgan_train.methods.unpaired.gan import drift_loss
from rgan_train.processes import make_fabric

WIDTH, SPACING = 3040.0, 0.7


def make_method(*assignments, precision="32-true"):
    torch.manual_seed(0)
    config, fabric = tiny_config(*assignments), make_fabric(1, precision)
    kind = UNPAIRED["radiomicgan"]
    return kind(fabric, config, kind.build_network(config), kind.build_discriminator(config))


def noise(seed, mean=0.4):
    return mean + 0.01 * torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


def crops(**changes):
    source = noise(3)
    real = UnpairedCrops(source, source, noise(4), SPACING, SPACING, WIDTH)
    pairs = noise(1), noise(2), torch.tensor([SPACING])
    return TrainingCrops(*pairs, real._replace(**changes))


def losses(method, batch):
    return dict(zip(method.losses, method.train_on(batch).tolist(), strict=True))


@pytest.mark.parametrize(("deviation", "loss"), [(0.0, 0.0), (4.0, 0.0), (15.0, 10.0)])
def test_anatomy_may_move_by_5_hu_and_no_more(deviation, loss):
    moved = drift_loss(noise(0) + deviation / WIDTH, noise(0), SPACING, 5.0 / WIDTH)
    assert float(moved) * WIDTH == pytest.approx(loss, abs=0.01)


def test_texture_is_free():
    line = torch.cos(2 * torch.pi * 3.0 * torch.arange(64) * SPACING / 10)
    waves = 100 / WIDTH * line.expand(1, 1, 64, 64)
    assert drift_loss(noise(0) + waves, noise(0), SPACING, 5.0 / WIDTH) == 0


def test_the_bound_moves_the_generator_back():
    """Results of a new residual network are the source itself, here 60 HU from what is expected."""
    batch = crops(expected=noise(3) + 60 / WIDTH)
    method = make_method("optimizer.learning_rate=0.01")
    first = losses(method, batch)
    for _ in range(8):
        last = losses(method, batch)
    assert first["G_low"] * WIDTH == pytest.approx(55, abs=1)
    assert last["G_low"] < 0.7 * first["G_low"]


def test_the_discriminator_sees_real_slices_and_no_pair():
    method, other = make_method(), make_method()
    batch = crops()
    method.train_on(batch)
    other.train_on(batch._replace(real_a=noise(5), real_b=noise(6)))
    weights, same = (one.D.state_dict() for one in (method, other))
    assert all(torch.equal(weights[name], same[name]) for name in weights)


def test_dose_and_brightness_of_the_target_group_teach_nothing():
    plain, other = make_method(), make_method()
    target = noise(4)
    first = losses(plain, crops(target=target))
    second = losses(other, crops(target=0.6 + 0.3 * (target - 0.4)))
    assert first["D_real"] == pytest.approx(second["D_real"], abs=1e-3)


def test_a_batch_without_real_slices_trains_on_its_pairs_alone():
    method = make_method()
    before = {name: weight.clone() for name, weight in method.D.state_dict().items()}
    found = losses(method, crops()._replace(unpaired=None))
    assert [found[name] for name in ("G_GAN", "G_low", "D_real", "D_fake")] == [0] * 4
    assert found["G_L1"] > 0
    assert all(torch.equal(before[name], weight) for name, weight in method.D.state_dict().items())


def test_the_discriminator_learns_another_texture():
    method = make_method(
        "optimizer.learning_rate=1e-6", "optimizer.discriminator_learning_rate=0.02"
    )
    stripes = torch.cos(2 * torch.pi * 4.0 * torch.arange(64) * SPACING / 10).expand(2, 1, 64, 64)
    batch = crops(target=noise(4) + 0.05 * stripes)
    first = losses(method, batch)
    for _ in range(8):
        last = losses(method, batch)
    assert last["D_real"] + last["D_fake"] < 0.8 * (first["D_real"] + first["D_fake"])


def test_bfloat16():
    """Texture is a few HU, and is taken in float32."""
    half, single = (
        losses(make_method(precision=precision), crops()) for precision in ("bf16-mixed", "32-true")
    )
    assert half == pytest.approx(single, rel=0.05, abs=1e-4)
