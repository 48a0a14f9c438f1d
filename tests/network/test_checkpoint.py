"""A checkpoint is the network: it comes back bit for bit, and nothing damaged or foreign gets through."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.builder import build_model
from qmfn.model.initial import design_checkpoint, design_widths, random_checkpoint
from qmfn.network.checkpoint import Checkpoint, check_matches, load_checkpoint, quantise, save_checkpoint
from qmfn.network.mobilefacenet import normalise
from qmfn.network.parameters import set_parameters

SHIPPED = ("w8a8", "w4a4", "mixed", "extreme")


@pytest.fixture
def saved(tmp_path, tiny_checkpoint) -> Path:
    path = tmp_path / "tiny.npz"
    save_checkpoint(tiny_checkpoint, path)
    return path


@pytest.fixture(scope="module")
def offset_checkpoint(configs) -> Checkpoint:
    return random_checkpoint(load_config(configs / "tiny.yml", ["quantisation.offset_bits=4"]), seed=0)


@pytest.fixture
def saved_offsets(tmp_path, offset_checkpoint) -> Path:
    path = tmp_path / "offsets.npz"
    save_checkpoint(offset_checkpoint, path)
    return path


def rewrite(path: Path, change: Callable[[dict, dict], None]) -> None:
    """Change arrays and header of a saved checkpoint behind its back."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    change(arrays, header)
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)


def outputs(checkpoint) -> np.ndarray:
    model = build_model(checkpoint.layers, checkpoint.formats)
    set_parameters(model, checkpoint.parameters())
    pixels = np.random.default_rng(5).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    return model(normalise(pixels)).numpy()


def test_it_comes_back_bit_for_bit(tiny_checkpoint, saved):
    loaded = load_checkpoint(saved)
    assert loaded.model == tiny_checkpoint.model
    assert loaded.widths == tiny_checkpoint.widths
    assert loaded.exponents == tiny_checkpoint.exponents
    assert loaded.origin == tiny_checkpoint.origin
    for layer, arrays in tiny_checkpoint.integers.items():
        assert set(loaded.integers[layer]) == set(arrays)
        for name, integers in arrays.items():
            assert loaded.integers[layer][name].dtype == np.int64
            assert np.array_equal(loaded.integers[layer][name], integers), (layer, name)


def test_offsets_come_back_bit_for_bit(offset_checkpoint, saved_offsets):
    loaded = load_checkpoint(saved_offsets)
    assert loaded.widths == offset_checkpoint.widths
    for layer in ("dwconv1", "conv2"):
        offset = offset_checkpoint.integers[layer]["offset"]
        assert np.any(offset) and np.array_equal(loaded.integers[layer]["offset"], offset)
    assert "offset" not in loaded.integers["conv1"]
    assert np.array_equal(outputs(loaded), outputs(offset_checkpoint))


def test_a_file_from_before_there_were_offsets_has_none(saved, tiny_checkpoint):
    rewrite(saved, lambda _, header: [layer.pop("offset_bits") for layer in header["layers"].values()])
    assert load_checkpoint(saved).widths == tiny_checkpoint.widths


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda arrays, _: arrays.pop("conv2/offset"), r"conv2/offset must be integers of shape \(16,\), found "),
        (lambda arrays, _: arrays["conv2/offset"].fill(8), r"conv2/offset must be in -8\.\.7, found 8\.\.8"),
        (
            lambda _, header: header["layers"]["embedding"].update(offset_bits=4),
            "embedding has an offset, but can't have one: it has no PReLU",
        ),
    ],
    ids=["no array", "integer too large", "layer without PReLU"],
)
def test_damaged_offsets_are_refused(saved_offsets, change, reason):
    rewrite(saved_offsets, change)
    with pytest.raises(UserError, match=f"offsets.npz: {reason}"):
        load_checkpoint(saved_offsets)


def test_saving_what_was_loaded_gives_the_same_arrays(saved, tmp_path):
    again = tmp_path / "again.npz"
    save_checkpoint(load_checkpoint(saved), again)
    with np.load(saved) as first, np.load(again) as second:
        assert first.files == second.files
        assert all(first[key].dtype == second[key].dtype for key in first.files)
        assert all(np.array_equal(first[key], second[key]) for key in first.files)


def test_a_loaded_network_gives_the_same_outputs(tiny_checkpoint, saved):
    assert np.array_equal(outputs(load_checkpoint(saved)), outputs(tiny_checkpoint))


def test_it_holds_integers_of_the_smallest_type(saved):
    with np.load(saved) as arrays:
        assert arrays["conv1/kernel"].dtype == np.int8
        assert arrays["conv1/bias"].dtype == np.int16
        assert arrays["conv1/weight_exponents"].dtype == np.int16


def test_integers_at_both_ends_of_a_byte_survive(tmp_path, configs):
    config = load_config(configs / "tiny.yml", ["quantisation.weight_bits=8"])
    checkpoint = random_checkpoint(config, seed=0)
    kernel = np.resize([-128, 127], checkpoint.integers["conv1"]["kernel"].shape)
    integers = {**checkpoint.integers, "conv1": {**checkpoint.integers["conv1"], "kernel": kernel}}
    save_checkpoint(dataclasses.replace(checkpoint, integers=integers), tmp_path / "ends.npz")
    assert np.array_equal(load_checkpoint(tmp_path / "ends.npz").integers["conv1"]["kernel"], kernel)


def test_quantising_its_own_values_changes_nothing(tiny_checkpoint):
    again = quantise(
        tiny_checkpoint.model, tiny_checkpoint.parameters(), tiny_checkpoint.widths, tiny_checkpoint.exponents, {}
    )
    for layer, arrays in tiny_checkpoint.integers.items():
        assert all(np.array_equal(again.integers[layer][name], values) for name, values in arrays.items()), layer


def test_saving_replaces_the_old_file_and_leaves_nothing_beside_it(tiny_checkpoint, tmp_path):
    path = tmp_path / "folder" / "tiny.npz"
    save_checkpoint(tiny_checkpoint, path)
    save_checkpoint(tiny_checkpoint, path)
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tiny_checkpoint, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"folder: can't be written \(Is a directory\)"):
        save_checkpoint(tiny_checkpoint, tmp_path / "folder")


def test_a_place_below_a_file_is_named(tiny_checkpoint, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"tiny.npz: can't be written \(.*\)\.$"):
        save_checkpoint(tiny_checkpoint, tmp_path / "file" / "tiny.npz")


def of_layer(name: str, **values) -> Callable[[dict, dict], None]:
    """A change of a layer's entry in the header."""
    return lambda _, header: header["layers"][name].update(values)


def of_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict, dict], None]:
    return lambda arrays, _: arrays.update({name: change(arrays[name])})


NO_CHECKPOINT = r"is not a qmfn checkpoint of version 2"
DAMAGES = {
    "another version": (lambda _, header: header.update(version=1), rf"{NO_CHECKPOINT} \(version: .*\)\."),
    "no version": (lambda _, header: header.pop("version"), rf"{NO_CHECKPOINT} \(version: Field required\)\."),
    "no origin": (lambda _, header: header.pop("origin"), rf"{NO_CHECKPOINT} \(origin: Field required\)\."),
    "text as origin": (lambda _, header: header.update(origin="text"), rf"{NO_CHECKPOINT} \(origin: .*\)\."),
    "no layer": (
        lambda _, header: header["layers"].pop("conv2"),
        "its header does not list the layers of its network.",
    ),
    "one layer more": (
        lambda _, header: header["layers"].update(conv9=header["layers"]["conv2"]),
        "its header does not list the layers of its network.",
    ),
    "no width": (
        lambda _, header: header["layers"]["conv2"].pop("bias_bits"),
        rf"{NO_CHECKPOINT} \(layers.conv2.bias_bits: Field required\)\.",
    ),
    "impossible width": (of_layer("conv2", weight_bits=90), rf"{NO_CHECKPOINT} \(layers.conv2.weight_bits: .* 8\)\."),
    "unknown model key": (
        lambda _, header: header["model"].update(colour=1),
        rf"{NO_CHECKPOINT} \(model.colour: Extra inputs are not permitted\)\.",
    ),
    "impossible network": (
        lambda _, header: header["model"].update(input_size=33),
        rf"{NO_CHECKPOINT} \(model: .*\)\.",
    ),
    "a mid-tread zero in mid-rise weights": (
        of_layer("conv2", weight_quantiser="mid-rise"),
        "conv2/kernel must be odd integers, as it is mid-rise.",
    ),
    "text as exponent": (
        of_layer("conv2", activation_exponent="x"),
        rf"{NO_CHECKPOINT} \(layers.conv2.activation_exponent: .* valid integer\)\.",
    ),
    "fraction as exponent": (
        of_layer("conv2", activation_exponent=-3.5),
        rf"{NO_CHECKPOINT} \(layers.conv2.activation_exponent: .* valid integer\)\.",
    ),
    "no bias exponent": (of_layer("conv2", bias_exponent=None), "conv2 lacks an exponent, or has one too many."),
    "no slope exponent": (of_layer("conv2", slope_exponent=None), "conv2 lacks an exponent, or has one too many."),
    "slope exponent of a linear layer": (
        of_layer("embedding", slope_exponent=-3),
        "embedding lacks an exponent, or has one too many.",
    ),
    "no array": (
        lambda arrays, _: arrays.pop("conv2/bias"),
        r"conv2/bias must be integers of shape \(16,\), found nothing\.",
    ),
    "no exponents": (
        lambda arrays, _: arrays.pop("conv2/weight_exponents"),
        r"conv2/weight_exponents must be integers of shape \(16,\), found nothing\.",
    ),
    "too few exponents": (
        of_array("conv2/weight_exponents", lambda exponents: exponents[:3]),
        r"conv2/weight_exponents must be integers of shape \(16,\), found int16 of shape \(3,\)\.",
    ),
    "one exponent for all": (
        of_array("conv2/weight_exponents", lambda exponents: exponents[:1]),
        r"conv2/weight_exponents must be integers of shape \(16,\), found int16 of shape \(1,\)\.",
    ),
    "another shape": (
        of_array("conv2/bias", lambda bias: bias[:-1]),
        r"conv2/bias must be integers of shape \(16,\), found int8 of shape \(15,\)\.",
    ),
    "fractions": (
        of_array("conv2/bias", lambda bias: bias + 0.5),
        r"conv2/bias must be integers of shape \(16,\), found float\d\d of shape \(16,\)\.",
    ),
    "not a number": (of_array("conv2/bias", lambda bias: bias * np.nan), "conv2/bias must be integers"),
    "integer too large": (
        of_array("conv2/kernel", lambda kernel: np.full_like(kernel, 8)),
        r"conv2/kernel must be in -8\.\.7, found 8\.\.8\.",
    ),
    "integer too small": (
        of_array("conv2/slope", lambda slope: np.full_like(slope, -9)),
        r"conv2/slope must be in -8\.\.7, found -9\.\.-9\.",
    ),
    "bias too large": (
        of_array("conv2/bias", lambda bias: np.resize(np.array([-513, 512], np.int16), bias.shape)),
        r"conv2/bias must be in -512\.\.511, found -513\.\.512\.",
    ),
}


@pytest.mark.parametrize(
    ("change", "reason"), [pytest.param(*damage, id=name) for name, damage in DAMAGES.items()]
)
def test_a_damaged_checkpoint_is_refused(saved, change, reason):
    rewrite(saved, change)
    with pytest.raises(UserError, match=f"{re.escape(str(saved))}: {reason}") as error:
        load_checkpoint(saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(of_layer("conv2", activation_exponent=2000), id="activation"),
        pytest.param(of_layer("conv2", bias_exponent=2000), id="bias"),
        pytest.param(of_layer("conv2", slope_exponent=-2000), id="slope"),
        pytest.param(of_array("conv2/weight_exponents", lambda exponents: exponents * 0 + 2000), id="weights"),
    ],
)
def test_an_exponent_beyond_float32_is_refused(saved, change):
    rewrite(saved, change)
    with pytest.raises(UserError, match="tiny.npz: .*conv2"):
        load_checkpoint(saved)


@pytest.mark.parametrize("text", [b"", b"header", b"[]", b"{}", b"\xff\xfe"])
def test_a_header_of_something_else_is_refused(tmp_path, text):
    np.savez(tmp_path / "other.npz", header=np.frombuffer(text, np.uint8))
    with pytest.raises(UserError, match=rf"other.npz: {NO_CHECKPOINT} \(.*\)\.$") as error:
        load_checkpoint(tmp_path / "other.npz")
    assert "\n" not in str(error.value)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", kernel=np.zeros(3))
    with pytest.raises(UserError, match=r"other.npz: is not a qmfn checkpoint \(it has no header\)\.$"):
        load_checkpoint(tmp_path / "other.npz")


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match="none.npz: no such file"):
        load_checkpoint(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.stem_channels=16", r"model.stem_channels = 16, but checkpoint .*tiny.npz holds 8."),
        ("model.input_size=48", r"model.input_size = 48, but checkpoint .*tiny.npz holds 32."),
        (
            "model.bottlenecks=[{expansion: 1, channels: 4, repeats: 1, stride: 1}]",
            r"model.bottlenecks = \[\(1, 4, 1, 1\)\], but .* holds \[\(2, 8, 2, 2\), \(2, 12, 1, 2\)\].",
        ),
        ("quantisation.weight_bits=8", r"conv1 has weight_bits = 8, but checkpoint .* holds 4; .*ask for 4."),
        ("quantisation.layers.gdconv.bias_bits=9", r"gdconv has bias_bits = 9, but checkpoint .* holds 10"),
        ("quantisation.layers.conv2.slope_bits=3", r"conv2 has slope_bits = 3, but checkpoint .* holds 4"),
        ("quantisation.offset_bits=4", r"dwconv1 has offset_bits = 4, but checkpoint .* holds None"),
        ("quantisation.layers.bottleneck2_add.activation_bits=8", r"bottleneck2_add has activation_bits = 8"),
    ],
)
def test_a_design_that_differs_is_told_the_key_and_both_values(configs, tiny_checkpoint, override, reason):
    config = load_config(configs / "tiny.yml", [override])
    with pytest.raises(UserError, match=f"{re.escape(str(config.file))}: {reason}"):
        check_matches(tiny_checkpoint, Path("tiny.npz"), config.model, design_widths(config), config.file)


@pytest.mark.parametrize("layer", ["embedding", "bottleneck2_add"])
def test_widths_that_a_layer_does_not_have_may_differ(configs, tiny_checkpoint, layer):
    config = load_config(configs / "tiny.yml", [f"quantisation.layers.{layer}.slope_bits=8"])
    check_matches(tiny_checkpoint, Path("tiny.npz"), config.model, design_widths(config), config.file)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_checkpoint_fits_its_design(configs, name):
    config = load_config(configs / f"{name}.yml")
    checkpoint = design_checkpoint(config)
    assert checkpoint.origin["initialised_from"] == config.training.float_weights


def test_a_design_without_a_checkpoint_has_the_same_random_weights_every_time(tiny, tiny_checkpoint):
    again = design_checkpoint(tiny)
    assert again.exponents == tiny_checkpoint.exponents
    assert np.array_equal(again.integers["conv1"]["kernel"], tiny_checkpoint.integers["conv1"]["kernel"])
