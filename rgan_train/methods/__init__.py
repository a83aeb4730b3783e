"""The methods that can be trained, compared and exported, each behind ``base.Method``."""

from __future__ import annotations

from rgan_train.method_config import MethodName
from rgan_train.methods.base import Method
from rgan_train.methods.choe import Choe
from rgan_train.methods.ganai import GANai
from rgan_train.methods.histogram import Histogram
from rgan_train.methods.linear import Linear
from rgan_train.methods.physics_gan import PhysicsGAN
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.methods.stan_ct import StanCT

METHODS: dict[MethodName, type[Method]] = {
    "radiomicgan": RadiomicGAN,
    "physics+gan": PhysicsGAN,
    "choe": Choe,
    "ganai": GANai,
    "stan_ct": StanCT,
    "linear": Linear,
    "histogram": Histogram,
}
