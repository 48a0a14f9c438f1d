"""What the folded backend writes: the stages asked for, pragmas that the tools know, C++ without warnings."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.designs import written
from helpers.keras_graphs import Q6, Graph, converted, qkeras_network

from qmfn.backends.hls4ml import readback
from qmfn.backends.hls4ml.pragmas import check_pragmas
from qmfn.backends.hls4ml.stage_layer import plan_of
from qmfn.backends.request import request_of
from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.initial import design_checkpoint
from qmfn.simulation.compiler import CSIM_TYPES

ROOT = Path(__file__).resolve().parents[3]
AC_TYPES = Path(find_spec("hls4ml").origin).parent / "templates" / "quartus" / "ac_types"
SETTINGS = (
    "hls.dataflow=folded",
    "hls.layers.bottleneck1_expand={simd: 8, pe: 4, multiplier: dsp, weights_memory: bram}",
    "hls.layers.bottleneck2_depthwise={simd: 3, pe: 2, line_memory: uram}",
    "quantisation.layers.conv2.offset_bits=3",
)


def design(backend: str):
    config = load_config(ROOT / "configs" / "tiny.yml", [*SETTINGS, f"hls.backend={backend}"])
    return config, design_checkpoint(config)


@pytest.fixture(scope="module", params=["Vitis", "Vivado"])
def project(request, tmp_path_factory):
    """(tool, folder, graph, config, checkpoint) of a written project."""
    config, checkpoint = design(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    _, graph = written(config, checkpoint, folder)
    return request.param, folder, graph, config, checkpoint


def test_the_stages_are_those_of_config_and_checkpoint_alone(project):
    _, _, graph, config, checkpoint = project
    plan, asked = plan_of(graph), request_of(config, checkpoint).plan
    assert plan.with_depths({}) == asked
    assert set(plan.depths) == {stream.name for stream in asked.fifos}


def test_every_pragma_is_one_of_the_tool_and_names_what_is_there(project):
    tool, folder, *_ = project
    firmware = folder / "firmware"
    sources = [firmware / "qmfn.cpp", firmware / "parameters.h", *sorted((firmware / "folded").glob("*.h"))]
    problems = [
        problem for file in sources for problem in check_pragmas(file.read_text(), tool, file.name, folder=firmware)
    ]
    assert problems == []
    assert sum(file.read_text().count("#pragma HLS") for file in sources) > 100


def test_memories_multipliers_and_fifos_are_bound_as_asked(project):
    tool, folder, *_ = project
    parameters = (folder / "firmware" / "parameters.h").read_text()
    top = (folder / "firmware" / "qmfn.cpp").read_text()
    expand = re.search(r"void bottleneck1_expand\(.*?\n}", parameters, re.DOTALL)[0]
    depthwise = re.search(r"void bottleneck2_depthwise\(.*?\n}", parameters, re.DOTALL)[0]
    wanted = {
        "Vitis": (
            "BIND_STORAGE variable=weights type=rom_1p impl=bram",
            "BIND_STORAGE variable=lines type=ram_s2p impl=uram",
            "BIND_STORAGE variable=conv1_out type=fifo impl=srl",
        ),
        "Vivado": (
            "RESOURCE variable=weights core=ROM_1P_BRAM",
            "RESOURCE variable=lines core=XPM_MEMORY uram",
            "RESOURCE variable=conv1_out core=FIFO_SRL",
        ),
    }[tool]
    assert f"#pragma HLS {wanted[0]}\n" in expand
    assert f"#pragma HLS {wanted[1]}\n" in depthwise
    assert f"#pragma HLS {wanted[2]}\n" in top
    assert re.search(r"struct bottleneck1_expand_config .*?folded::shared_dsp<2, \d+>", parameters, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("types", ["reference", "fast"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_kernels_and_stages_compile_without_warnings(project, compiler, types):
    _, folder, *_ = project
    assert warnings_of(folder / "firmware", "qmfn.cpp", compiler, types) == []


@pytest.mark.parametrize("types", ["reference", "fast"])
def test_every_header_of_a_kernel_compiles_alone(project, types):
    _, folder, *_ = project
    headers = sorted((folder / "firmware" / "folded").glob("*.h"))
    assert {"common.h", "matvec.h", "depthwise.h"} <= {header.name for header in headers}
    for header in headers:
        assert warnings_of(folder / "firmware", f"folded/{header.name}", "g++", types) == []


def warnings_of(firmware: Path, source: str, compiler: str, types: str) -> list[str]:
    """What a compiler says of our own C++."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    fast = [CSIM_TYPES, AC_TYPES] if types == "fast" else []
    includes = [f"-isystem{path}" for path in (*fast, firmware / "ap_types")]
    flags = ["-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Wno-unknown-pragmas", "-fsyntax-only", "-xc++"]
    text = f'#include "{source}"\n'  # a header that is compiled itself would have warnings about its own guard
    done = subprocess.run(
        [compiler, *flags, *includes, f"-I{firmware}", "-"], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ours = r"^(?!\S*nnet_utils)\S*(?:/folded/\S+\.h|parameters\.h|weights/\S+\.h|qmfn\.cpp):\d.*warning.*"
    return re.findall(ours, done.stderr, re.MULTILINE)


def test_a_project_has_the_headers_of_its_kernels_alone(project):
    _, folder, graph, *_ = project
    kernels = [stage.kernel for stage in plan_of(graph).stages]
    wanted = {header.name for kernel in kernels for header in (kernel.header, *kernel.common_headers)}
    assert {header.name for header in (folder / "firmware" / "folded").iterdir()} == wanted


def test_a_stage_that_was_changed_behind_our_back_is_an_error(project):
    _, folder, graph, config, checkpoint = project
    parameters = folder / "firmware" / "parameters.h"
    text = parameters.read_text()
    changed = text.replace("static const unsigned pe = 4;", "static const unsigned pe = 2;", 1)
    assert changed != text
    try:
        parameters.write_text(changed)
        with pytest.raises(UserError, match=r"pe 4 was asked, but 2 was generated"):
            readback.check_project(graph, checkpoint, request_of(config, checkpoint), folder)
    finally:
        parameters.write_text(text)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"simd": 3}, r"expand\.simd = 3: does not divide the work of bottleneck1_expand; valid: 1, 2, 4, 8"),
        ({"pe": 5}, r"bottleneck1_expand\.pe = 5: does not divide the work .* valid: 1, 2, 4, 8, 16"),
        ({"reuse_factor": 3}, r"reuse_factor = 3: does not divide the work of bottleneck1_expand; valid: 1, 2, 4,"),
        ({"simd": 4, "pe": 2, "reuse_factor": 7}, r"reuse_factor = 7: simd 4 and pe 2 give .* a reuse factor of 16"),
        ({"weights_memory": "uram"}, r"weights_memory.*'auto', 'bram' or 'lutram'|weights_memory"),
        ({"strategy": "Latency"}, r"strategy = Latency: belongs to dataflow = stock; this design is folded"),
    ],
)
def test_what_a_stage_cant_have_is_an_error(settings, said):
    with pytest.raises(UserError, match=said):
        config = load_config(
            ROOT / "configs" / "tiny.yml", ["hls.dataflow=folded", f"hls.layers.bottleneck1_expand={settings}"]
        )
        request_of(config, design_checkpoint(config))


def test_folded_settings_belong_to_no_stock_design():
    config = load_config(ROOT / "configs" / "tiny.yml", ["hls.layers.conv2.simd=4"])
    with pytest.raises(UserError, match="simd = 4: belongs to dataflow = folded; this design is stock"):
        request_of(config, design_checkpoint(config))


def test_a_layer_without_a_kernel_is_named(tmp_path):
    """Through hls4ml alone, as any of its users would."""
    from tensorflow import keras

    with pytest.raises(UserError, match=r"pool: the folded backend has no kernel for Pooling2D"):
        network = keras.Sequential([keras.layers.AveragePooling2D(2, input_shape=(8, 8, 3), name="pool")])
        converted(Graph(network), tmp_path)


@pytest.mark.slow
def test_a_qkeras_network_goes_through_the_backend_by_its_name(tmp_path):
    """ReLU, unsigned activations, `same` padding, residual add: hls4ml's users, without a design file."""
    network = qkeras_network()
    graph = converted(Graph(network, {name: Q6 for name in ("c2", "c4", "a", "g")}), tmp_path)
    graph.compile()
    images = (np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3)) - 128) / np.float32(128)
    found = graph.predict(images)
    assert np.array_equal(found.ravel(), network.predict(images, verbose=0).ravel())
    assert len(np.unique(found)) > 4
