"""Design files: what ships loads, what is wrong is an error that names file, key, value and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from qmfn.design import DesignConfig, load_config
from qmfn.design.schema import PAPER_BOTTLENECKS
from qmfn.errors import UserError

SHIPPED = ("tiny", "stock", "w8a8", "w4a4", "mixed", "extreme")


@pytest.fixture
def design(tmp_path: Path):
    """A function from YAML text to the path of a design file."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "design.yml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def error_of(path: Path, *overrides: str) -> str:
    with pytest.raises(UserError) as error:
        load_config(path, overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_shipped_designs_are_these(configs):
    assert sorted(path.stem for path in configs.glob("*.yml")) == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_design_loads_and_is_called_like_its_file(configs, name):
    config = load_config(configs / f"{name}.yml")
    assert config.name == name
    assert config.file == configs / f"{name}.yml"


@pytest.mark.parametrize(("name", "bits"), [("w8a8", (8, 8)), ("w4a4", (4, 4))])
def test_a_design_has_the_bits_of_its_name(configs, name, bits):
    quantisation = load_config(configs / f"{name}.yml").quantisation
    assert (quantisation.weight_bits, quantisation.activation_bits) == bits


def test_a_name_is_all_that_a_design_needs(design):
    config = load_config(design("name: mine"))
    assert config.model.input_size == 112
    assert config.model.bottlenecks == PAPER_BOTTLENECKS
    assert config.checkpoint is None
    assert (config.hls.backend, config.hls.strategy, config.hls.reuse_factor) == ("Vitis", "Resource", 64)
    assert config.quantisation.weight_bits == config.quantisation.activation_bits == 8


def test_every_key_is_described():
    def models(model):
        yield model
        for field in model.model_fields.values():
            if hasattr(field.annotation, "model_fields"):
                yield from models(field.annotation)

    undescribed = [
        f"{model.__name__}.{name}"
        for model in models(DesignConfig)
        for name, field in model.model_fields.items()
        if not field.description and not hasattr(field.annotation, "model_fields")
    ]
    assert not undescribed


def test_values_never_change_after_loading(design):
    config = load_config(design("name: mine"))
    with pytest.raises(ValueError, match="frozen"):
        config.hls.reuse_factor = 3


def test_files_are_found_relative_to_the_design(design):
    path = design("name: mine\ncheckpoint: checkpoints/mine.npz")
    config = load_config(path)
    assert config.resolve(config.checkpoint) == path.parent.resolve() / "checkpoints" / "mine.npz"


@pytest.mark.parametrize(
    ("override", "group", "key", "value"),
    [
        ("hls.reuse_factor=32", "hls", "reuse_factor", 32),
        ("hls.backend=Vivado", "hls", "backend", "Vivado"),
        ("hls.clock_period_ns=4", "hls", "clock_period_ns", 4.0),
        ("comparison.faces=null", "comparison", "faces", None),
        ("training.faces=[a.tar, b.tar]", "training", "faces", ("a.tar", "b.tar")),
        ("model.width_multiplier=0.5", "model", "width_multiplier", 0.5),
    ],
)
def test_an_override_sets_a_key(design, override, group, key, value):
    config = load_config(design("name: mine\nhls: {reuse_factor: 8}"), [override])
    assert getattr(getattr(config, group), key) == value


def test_an_override_adds_a_layer_without_losing_the_others(configs):
    config = load_config(configs / "w4a4.yml", ["hls.layers.conv2.reuse_factor=128"])
    assert config.hls.layers["conv1"].simd == 9
    assert config.hls.layers["conv2"].reuse_factor == 128


def test_of_two_overrides_of_a_key_the_later_wins(design):
    assert load_config(design("name: mine"), ["hls.reuse_factor=2", "hls.reuse_factor=4"]).hls.reuse_factor == 4


def test_unknown_key_names_the_allowed_ones(design):
    path = design("name: mine\ncolour: red")
    allowed = "name, model, quantisation, checkpoint, training, hls, csim, comparison"
    assert error_of(path) == f"{path}: colour: unknown key; allowed here: {allowed}."


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        (
            "hls: {colour: 1}",
            "hls.colour",
            "backend, dataflow, part, clock_period_ns, strategy, reuse_factor, target_fps, budget, layers",
        ),
        (
            "hls: {layers: {conv1: {bits: 1}}}",
            "hls.layers.conv1.bits",
            "reuse_factor, simd, pe, multiplier, weights_memory, line_memory, strategy, precision",
        ),
        (
            'quantisation: {layers: {"*": {bits: 1}}}',
            "quantisation.layers.*.bits",
            "weight_bits, weight_quantiser, activation_bits, bias_bits, slope_bits, input_bits, offset_bits",
        ),
        (
            "model: {bottlenecks: [{expansion: 1, channels: 4, repeats: 1, stride: 1, kernel: 3}]}",
            "model.bottlenecks.0.kernel",
            "expansion, channels, repeats, stride",
        ),
        ("comparison: {people: 1}", "comparison.people", "faces, images"),
    ],
)
def test_unknown_nested_key_names_the_allowed_ones_of_its_group(design, text, key, allowed):
    path = design(f"name: mine\n{text}")
    assert error_of(path).startswith(f"{path}: {key}: unknown key; allowed here: {allowed}.")


BAD_VALUES = [
    ("hls.backend", "Quartus", "Input should be 'Vitis' or 'Vivado'"),
    ("hls.strategy", "Unrolled", "'Resource' or 'Latency'"),
    ("hls.reuse_factor", "0", "greater than 0"),
    ("hls.reuse_factor", "2.5", "valid integer"),
    ("hls.reuse_factor", "sixty", "valid integer, or Input should be 'auto'"),
    ("hls.reuse_factor", "true", "valid integer"),
    ("hls.clock_period_ns", "0.2", "greater than 0.5"),
    ("hls.clock_period_ns", ".inf", "less than or equal to 100"),
    ("hls.part", '""', "at least 1 character"),
    ("quantisation.weight_bits", "0", "greater than or equal to 1"),
    ("quantisation.weight_quantiser", "ternary", "'mid-tread' or 'mid-rise'"),
    ("quantisation.weight_bits", "9", "less than or equal to 8"),
    ("quantisation.activation_bits", "16", "less than or equal to 8"),
    ("quantisation.bias_bits", "25", "less than or equal to 24"),
    ("quantisation.layers.conv1.slope_bits", "1", "greater than or equal to 2"),
    ("model.input_size", "4", "greater than or equal to 8"),
    ("model.width_multiplier", "0", "greater than 0"),
    ("model.width_multiplier", ".nan", "less than or equal to 2"),
    ("model.bottlenecks", "[]", "at least 1 item"),
    ("training.held_out_identities", "1", "greater than or equal to 2"),
    ("training.batch_size", "0", "greater than 0"),
    ("training.learning_rate", "1", "less than 1"),
    ("comparison.images", "0", "greater than or equal to 1"),
    ("name", "../elsewhere", "should match pattern"),
    ("name", "5", "valid string"),
    ("checkpoint", "2024-01-13", "valid string"),
    ("hls", "5", "must be a group of keys"),
    ("hls", "null", "must be a group of keys"),
    ("hls.layers", "[conv1]", "must be a group of keys"),
    ("model.bottlenecks", "5", "must be a list"),
    ("training.faces", "a.tar", "must be a list"),
]


@pytest.mark.parametrize(("key", "value", "allowed"), BAD_VALUES)
def test_bad_value_names_file_key_value_and_what_is_allowed(design, key, value, allowed):
    path = design("name: mine")
    message = error_of(path, f"{key}={value}")
    assert message.startswith(f"{path}: {key} = {yaml.safe_load(value)!r}: ")
    assert allowed in message


@pytest.mark.parametrize(("key", "value", "allowed"), BAD_VALUES)
def test_an_override_gets_the_same_checks_as_the_file(design, key, value, allowed):
    values: dict = {"name": "mine"}
    group = values
    *folders, leaf = key.split(".")
    for folder in folders:
        group = group.setdefault(folder, {})
    group[leaf] = yaml.safe_load(value)
    in_the_file = error_of(design(yaml.safe_dump(values)))
    assert in_the_file == error_of(design("name: mine"), f"{key}={value}")


def test_a_missing_key_is_named(design):
    path = design("hls: {backend: Vitis}")
    assert error_of(path) == f"{path}: name: is missing."


def test_an_input_size_that_the_strides_do_not_divide_names_the_right_multiple(design):
    message = error_of(design("name: mine"), "model.input_size=100")
    assert "input_size must be a multiple of 16, the product of the strides" in message


@pytest.mark.parametrize(
    "text", ["float", "fixed<8>", "fixed<8,4,AP_SAT>", "fixed<0,0>", "fixed<129,64>", "fixed<9999,99>", "fixed<-8,4>"]
)
def test_a_precision_must_read_like_a_fixed_point_type(design, text):
    path = design("name: mine")
    assert error_of(path, f'hls.layers.conv1.precision.accum="{text}"') == (
        f"{path}: hls.layers.conv1.precision = {{'accum': '{text}'}}: "
        "accum must read fixed<W,I> (1 to 128 bits in total, I of them integer)."
    )


@pytest.mark.parametrize("text", ["fixed<1,1>", "fixed<128,64>", "ap_fixed< 8, -3 >"])
def test_precisions_of_1_to_128_bits_are_taken(design, text):
    config = load_config(design("name: mine"), [f'hls.layers.conv1.precision.accum="{text}"'])
    assert config.hls.layers["conv1"].precision == {"accum": text}


def test_a_precision_of_something_else_names_what_has_one(design):
    message = error_of(design("name: mine"), 'hls.layers.conv1.precision.acc="fixed<8,4>"')
    assert "'weight', 'bias', 'slope', 'accum' or 'result'" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be a mapping with the keys name, model"),
        ("- name", "must be a mapping with the keys name, model"),
        ("name: [", r"is not valid YAML \(.*line 1"),
        ("name: mine\x00", r"is not valid YAML \(.*special characters"),
        ("name: mine\ncheckpoint: 2024-13-45", r"is not valid YAML \(month must be in 1..12\)"),
        ("name: mine\nname: yours", r"is not valid YAML \(the key 'name' stands twice .*line 1"),
        (
            "name: mine\nhls:\n  reuse_factor: 4\n  reuse_factor: 8",
            r"is not valid YAML \(the key 'reuse_factor' stands twice .*line 3",
        ),
        (
            "name: mine\nhls: {layers: {conv1: {reuse_factor: 4}, conv1: {strategy: Latency}}}",
            r"is not valid YAML \(the key 'conv1' stands twice .*line 2",
        ),
        (b"name: \xff\xfe", r"can't be read as a design file \(.*utf-8"),
        ("name: !!python/object:os.system {}", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_design_says_why(design, text, reason):
    path = design(text)
    assert re.match(f"{re.escape(str(path))}: {reason}", error_of(path))


def test_a_key_may_stand_in_two_groups(design):
    config = load_config(design("name: mine\nhls: {layers: {conv1: {reuse_factor: 4}, conv2: {reuse_factor: 8}}}"))
    assert [layer.reuse_factor for layer in config.hls.layers.values()] == [4, 8]


def test_yaml_merge_keys_work(design):
    layers = "{conv1: &first {reuse_factor: 4, strategy: Latency}, conv2: {<<: *first, reuse_factor: 8}}"
    config = load_config(design(f"name: mine\nhls: {{layers: {layers}}}"))
    assert (config.hls.layers["conv2"].reuse_factor, config.hls.layers["conv2"].strategy) == (8, "Latency")


def test_a_key_that_stands_twice_in_an_override_is_refused_too(design):
    assert "'reuse_factor' stands twice" in error_of(design("name: mine"), "hls={reuse_factor: 4, reuse_factor: 8}")


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.yml"
    assert error_of(path) == f"{path}: no such design file."


def test_a_folder_is_no_design_file(tmp_path):
    assert error_of(tmp_path) == f"{tmp_path}: can't be read as a design file (Is a directory)."


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("hls.reuse_factor", "must read key.sub=value, for instance hls.reuse_factor=64."),
        ("=64", "must read key.sub=value, for instance hls.reuse_factor=64."),
        (
            "hls.reuse_factor=[",
            "the value '[' is not valid YAML (expected the node content, but found '<stream end>').",
        ),
        ("checkpoint=2024-13-45", "the value '2024-13-45' is not valid YAML."),
        ("name.first=a", "'name' holds a value, not a group of keys."),
    ],
)
def test_a_malformed_override_is_quoted(design, override, reason):
    assert error_of(design("name: mine"), override) == f"--set {override}: {reason}"
