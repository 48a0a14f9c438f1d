"""What a design is asked to be: one YAML file, checked strictly before anything runs.

`load_config(path, overrides)` gives a `DesignConfig`; every unknown key, bad value or impossible combination is a
`UserError` that names the file, the key, the value and what is allowed.
"""

from qmfn.design.load import load_config
from qmfn.design.overrides import Setting, matching, settings_by_layer
from qmfn.design.schema import (
    ComparisonConfig,
    DesignConfig,
    HlsConfig,
    HlsLayerConfig,
    LayerBits,
    ModelConfig,
    QuantisationConfig,
    TrainingConfig,
)

__all__ = [
    "ComparisonConfig",
    "DesignConfig",
    "HlsConfig",
    "HlsLayerConfig",
    "LayerBits",
    "ModelConfig",
    "QuantisationConfig",
    "Setting",
    "TrainingConfig",
    "load_config",
    "matching",
    "settings_by_layer",
]
