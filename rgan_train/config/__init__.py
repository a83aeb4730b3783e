"""All settings of a training run, and how they are read."""

from __future__ import annotations

from rgan_train.config.load import (
    config_from_json,
    config_from_tables,
    differences,
    override,
    override_from_text,
    read_toml,
    recommended_config,
)
from rgan_train.config.methods import (
    ChoeConfig,
    CompactConfig,
    CurriculumConfig,
    DistillationConfig,
    GANaiConfig,
    HistogramConfig,
    LinearConfig,
    MethodConfig,
    MethodName,
    StanCTConfig,
)
from rgan_train.config.schema import (
    FOLDS,
    Config,
    DataConfig,
    DiscriminatorConfig,
    DomainConfig,
    GeneratorConfig,
    LossConfig,
    OptimizerConfig,
    TrainingConfig,
)

__all__ = [
    "FOLDS",
    "ChoeConfig",
    "CompactConfig",
    "Config",
    "CurriculumConfig",
    "DataConfig",
    "DiscriminatorConfig",
    "DistillationConfig",
    "DomainConfig",
    "GANaiConfig",
    "GeneratorConfig",
    "HistogramConfig",
    "LinearConfig",
    "LossConfig",
    "MethodConfig",
    "MethodName",
    "OptimizerConfig",
    "StanCTConfig",
    "TrainingConfig",
    "config_from_json",
    "config_from_tables",
    "differences",
    "override",
    "override_from_text",
    "read_toml",
    "recommended_config",
]
