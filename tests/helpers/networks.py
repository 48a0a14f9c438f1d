"""Random networks of the MobileFaceNet family, with random widths and HLS settings."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from qmfn.design import DesignConfig
from qmfn.kernels.kernel import divisors
from qmfn.network.formats import offset_obstacle
from qmfn.network.mobilefacenet import LayerSpec, architecture
from qmfn.stock.reuse import valid_reuse_factors

BITS = st.integers(2, 8)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """Sizes, widths, depths and strides; small, because each one is compiled."""
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "expansion": st.integers(1, 2),
                    "channels": st.integers(2, 6),
                    "repeats": st.integers(1, 2),
                    "stride": st.sampled_from([1, 2]),
                }
            ),
            min_size=1,
            max_size=2,
        )
    )
    stride = 2
    for row in rows:
        stride *= row["stride"]
    return {
        "input_size": stride * draw(st.integers(max(1, 8 // stride), max(2, 12 // stride))),
        "stem_channels": draw(st.integers(2, 6)),
        "bottlenecks": rows,
        "head_channels": draw(st.integers(3, 8)),
        "embedding_size": draw(st.integers(2, 8)),
    }


@st.composite
def weights(draw: st.DrawFn) -> dict[str, Any]:
    """Bits and quantiser of a layer's weights."""
    quantiser = draw(st.sampled_from(["mid-tread", "mid-rise"]))
    return {"weight_bits": draw(BITS if quantiser == "mid-tread" else st.integers(1, 8)), "weight_quantiser": quantiser}


@st.composite
def designs(draw: st.DrawFn) -> DesignConfig:
    """A network, its bits by layer, its reuse factors and strategies by layer, a backend."""
    design = {"name": "random", "model": draw(models())}
    layers = architecture(DesignConfig.model_validate(design).model)
    convolutions = [layer for layer in layers if layer.kind != "add"]
    design["quantisation"] = {"layers": draw(bits_by_layer(layers))}
    design["hls"] = {
        "dataflow": "stock",
        "backend": draw(st.sampled_from(["Vitis", "Vivado"])),
        "layers": {
            layer.name: {
                "reuse_factor": draw(st.sampled_from(valid_reuse_factors(layer))),
                "strategy": draw(st.sampled_from(["Resource", "Resource", "Latency"])),
            }
            for layer in convolutions
        },
    }
    return DesignConfig.model_validate(design)


@st.composite
def folded_designs(draw: st.DrawFn) -> DesignConfig:
    """The same for the folded dataflow: every layer with a folding, memories and multipliers of its own."""
    design = {"name": "random", "model": draw(models())}
    layers = architecture(DesignConfig.model_validate(design).model)
    design["quantisation"] = {"layers": draw(bits_by_layer(layers))}
    design["hls"] = {
        "dataflow": "folded",
        "backend": draw(st.sampled_from(["Vitis", "Vivado"])),
        "layers": {layer.name: draw(foldings(layer)) for layer in layers if layer.kind != "add"},
    }
    return DesignConfig.model_validate(design)


@st.composite
def foldings(draw: st.DrawFn, layer: LayerSpec) -> dict[str, Any]:
    is_global = layer.kind == "depthwise" and layer.out_size == 1 and layer.kernel == layer.in_size
    return {
        "simd": 1 if is_global else draw(st.sampled_from(divisors(layer.terms))),
        "pe": draw(st.sampled_from(divisors(layer.out_channels))),
        "multiplier": draw(st.sampled_from(["fabric", "dsp"])),
        "weights_memory": draw(st.sampled_from(["auto", "bram", "lutram"])),
        "line_memory": draw(st.sampled_from(["auto", "bram", "uram", "lutram"])),
    }


@st.composite
def bits_by_layer(draw: st.DrawFn, layers: tuple[LayerSpec, ...]) -> dict[str, dict[str, Any]]:
    convolutions = [layer for layer in layers if layer.kind != "add"]
    bits = {
        layer.name: {
            **draw(weights()),
            "activation_bits": draw(BITS),
            "bias_bits": draw(st.integers(4, 16)),
            "slope_bits": draw(BITS),
        }
        for layer in layers
    }
    for layer in convolutions:
        arrive = bits[layer.source]["activation_bits"] if layer.source in bits else 8
        if arrive > 2 and draw(st.booleans()):
            bits[layer.name]["input_bits"] = draw(st.integers(2, arrive - 1))
        if offset_obstacle(layer, layers) is None and draw(st.booleans()):
            bits[layer.name]["offset_bits"] = draw(BITS)
    return bits
