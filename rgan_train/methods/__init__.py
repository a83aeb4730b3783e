"""The methods that can be trained, compared and exported; each is a ``base.Method``."""

from __future__ import annotations

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import Config, MethodName, differences
from rgan_train.methods.base import Method
from rgan_train.methods.choe import Choe
from rgan_train.methods.compact import Compact
from rgan_train.methods.ganai import GANai
from rgan_train.methods.histogram import Histogram
from rgan_train.methods.linear import Linear
from rgan_train.methods.physics_gan import PhysicsGAN
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.methods.stan_ct import StanCT
from rgan_train.methods.unpaired.gan import UnpairedPhysicsGAN, UnpairedRadiomicGAN

METHODS: dict[MethodName, type[Method]] = {
    "radiomicgan": RadiomicGAN,
    "physics+gan": PhysicsGAN,
    "choe": Choe,
    "ganai": GANai,
    "stan_ct": StanCT,
    "compact": Compact,
    "linear": Linear,
    "histogram": Histogram,
}

UNPAIRED: dict[MethodName, type[Method]] = {
    "radiomicgan": UnpairedRadiomicGAN,
    "physics+gan": UnpairedPhysicsGAN,
}
"""What trains these methods on simulated pairs beside real slices of different patients."""

LOOP_TABLES = ("method", "data", "training", "curriculum", "domain.added_noise")
"""Tables of the configuration that the training loop reads for every method."""


def find_method(config: Config, *, unpaired: bool) -> type[Method]:
    """Return what trains the configured method, with real slices of different patients or not."""
    return (UNPAIRED if unpaired else METHODS)[config.method.name]


def check_settings(config: Config) -> None:
    """Refuse settings that the method would ignore.

    Raises
    ------
    ConfigurationError
        If a value differs from its default and the method does not read it.
    """
    read = (*LOOP_TABLES, *METHODS[config.method.name].settings)
    for name in differences(config, Config()):
        if not any(f"{name}.".startswith(f"{part}.") for part in read):
            raise ConfigurationError(
                f"{name}: the method {config.method.name} does not read it; leave it out, or "
                "choose the method that it is meant for with method.name"
            )
