"""What stands in the written project: everything that was asked, and a test bench that vendors' tools can run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.designs import noise, written

from qmfn.backends.hls4ml import project, readback
from qmfn.backends.request import request_of
from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.initial import design_checkpoint
from qmfn.network.fixed import FixedType
from qmfn.stock.readback import read_types

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (
    "hls.layers.conv2.reuse_factor=6",
    "hls.layers.conv2.precision={accum: 'fixed<33,14>', weight: 'fixed<9,3>', slope: 'fixed<11,4>'}",
    "quantisation.layers.conv2.offset_bits=3",
    "hls.layers.bottleneck1_depthwise={strategy: Latency, reuse_factor: 2}",
    "hls.clock_period_ns=3.5",
    "hls.part=xcku040-ffva1156-2-e",
)


@pytest.fixture(scope="module", params=["Vitis", "Vivado"])
def tiny(request, tmp_path_factory):
    """(config, checkpoint, folder, Keras network, graph, request) of the tiny design, some settings changed."""
    config = load_config(ROOT / "configs" / "tiny.yml", [*SETTINGS, f"hls.backend={request.param}"])
    checkpoint = design_checkpoint(config)
    folder = tmp_path_factory.mktemp("tiny")
    model, graph = written(config, checkpoint, folder)
    return config, checkpoint, folder, model, graph, request_of(config, checkpoint)


def test_types_reuse_factors_and_strategies_stand_in_the_cpp(tiny):
    _, _, folder, _, graph, request = tiny
    types = read_types(folder / "firmware" / "defines.h")
    assert types["conv2_accum_t"] == FixedType(33, 14)
    assert types["conv2_weight_t"] == FixedType(9, 3)
    assert types["conv2_prelu_slope_t"] == FixedType(11, 4)
    assert types["conv2_prelu_offset_t"] == request.types["conv2"].offset
    parameters = (folder / "firmware" / "parameters.h").read_text()
    indices = {layer.name: layer.index for layer in graph.get_layers()}
    for name, expected in (("conv2", ("6", "resource")), ("bottleneck1_depthwise", ("2", "latency"))):
        struct = re.search(rf"struct config{indices[name]} : .*?\n}};", parameters, re.DOTALL).group()
        constants = re.search(r"reuse_factor = (\d+)", struct)[1], re.search(r"strategy = nnet::(\w+)", struct)[1]
        assert constants == expected


def test_part_and_clock_stand_in_the_tcl(tiny):
    config, _, folder, *_ = tiny
    tcl = (folder / "project.tcl").read_text()
    assert 'set part "xcku040-ffva1156-2-e"' in tcl
    assert "set clock_period 3.5" in tcl
    assert f'set backend "{config.hls.backend.lower()}"' in tcl


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("defines.h", r"ap_fixed<33,14> conv2", "ap_fixed<32,14> conv2", "conv2: accum type fixed<33,14>"),
        ("parameters.h", r"reuse_factor = 6;", "reuse_factor = 12;", "conv2: reuse factor 6 was asked"),
        ("parameters.h", r"strategy = nnet::latency", "strategy = nnet::resource", "bottleneck1_depthwise: strategy"),
        ("defines.h", r"AP_RND_CONV,AP_SAT,0>, 8\*1> (layer\d+_t|result_t)", r"AP_TRN>, 8*1> \1", "type fixed<"),
    ],
)
def test_whatever_hls4ml_changes_is_found(tiny, file, old, new, said):
    _, checkpoint, folder, _, graph, request = tiny
    path = folder / "firmware" / file
    right = path.read_text()
    changed = re.sub(old, new, right)
    assert changed != right
    path.write_text(changed)
    try:
        with pytest.raises(UserError, match=said):
            readback.check_project(graph, checkpoint, request, folder)
    finally:
        path.write_text(right)


def test_the_simulated_top_function_is_the_delivered_one_plus_probes(tiny):
    _, _, folder, *_ = tiny
    probed, delivered = (folder / "csim" / "qmfn.cpp").read_text(), (folder / "firmware" / "qmfn.cpp").read_text()
    assert "save_layer_output" in probed and "save_layer_output" not in delivered
    project.check_probes(probed, delivered)
    with pytest.raises(AssertionError, match="more than its probes"):
        project.check_probes(probed.replace("qprelu", "prelu", 1), delivered)


@pytest.mark.slow
def test_the_vendor_test_bench_gives_the_expected_embeddings(tiny):
    """Compile and run the project's own test bench as the vendor's csim does, and compare its log."""
    config, _, folder, model, _, _ = tiny
    images = noise(config, 3, seed=5)
    outputs = model.predict(images, verbose=0).reshape(3, -1)
    project.write_test_bench(folder, images, outputs)
    read = np.loadtxt(folder / "tb_data" / "tb_input_features.dat")
    assert np.array_equal(read, images.reshape(3, -1))

    command = ["g++", "-std=c++11", "-w", "-Ifirmware/ap_types", '-DWEIGHTS_DIR="firmware/weights"']
    sources = ["qmfn_test.cpp", "firmware/qmfn.cpp"]
    subprocess.run([*command, *sources, "-o", "test_bench"], cwd=folder, check=True)
    subprocess.run(["./test_bench"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    logged = np.loadtxt(folder / "tb_data" / "csim_results.log")
    assert np.array_equal(logged, outputs)  # 5-bit values have few digits: the log holds them exactly
