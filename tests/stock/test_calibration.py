"""Estimates hold for repositories that the fit has not seen, and the fit in the repository is that of the data."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.resources.coefficients import Band, coefficients
from qmfn.stock import calibration, figures
from qmfn.stock.calibration import accuracy, as_json, cross_validate, select_layers, weighted_quantiles
from qmfn.stock.total import bounds


@pytest.fixture(scope="module")
def held_out(layer_samples):
    resource = [sample for sample in layer_samples if sample.group == "resource"]
    return cross_validate(resource)


def test_the_rows_are_stock_conv_and_dense_layers(synthesis, layer_samples):
    rows = synthesis("layers")
    wanted = [row for row in rows if row["stock"] == "yes" and row["kind"] in ("conv2d", "conv1d", "dense")]
    assert len(layer_samples) >= len(wanted) - 2  # but for two io_parallel convolutions
    assert select_layers([{**wanted[0], "stock": "no"}]) == []


def test_every_row_is_held_out_once(held_out):
    assert len({id(h.sample) for h in held_out}) == len(held_out) == 95
    assert len({h.sample.repository for h in held_out}) == 7


def test_estimates_of_unseen_repositories_are_as_good_as_asked(held_out):
    found = accuracy(held_out)
    assert found.lut_median <= 0.20
    assert found.ff_median <= 0.15
    assert found.dsp_right >= 0.85
    assert found.bram_right >= 0.90
    assert found.latency_right >= 0.90
    for quantity in ("lut", "ff", "latency"):
        assert 0.75 <= found.bands_hold[quantity] <= 0.90
    for quantity in ("dsp", "bram_18k"):  # whole numbers that are mostly met exactly
        assert found.bands_hold[quantity] >= 0.75


def test_a_wrong_model_fails_the_same_measure(held_out):
    doubled = [
        calibration.HeldOut(h.sample, {name: 2 * value for name, value in h.estimate.items()}, h.bands)
        for h in held_out
    ]
    found = accuracy(doubled)
    assert found.lut_median > 0.5 and found.latency_right < 0.1 and found.bands_hold["ff"] < 0.5


def test_the_coefficients_in_the_repository_are_those_of_the_data(samples):
    fitted = as_json(calibration.fit(samples))
    kept = as_json(coefficients())
    assert kept["delays"] == fitted["delays"]
    for group, kinds in fitted["terms"].items():
        for kind, terms in kinds.items():
            assert kept["terms"][group][kind] == pytest.approx(terms, rel=1e-3, abs=1e-3)


def test_without_lone_rules_no_tool_has_one(layer_samples):
    tools = [calibration.without_lone_rules(sample).tool for sample in layer_samples]
    assert not any(tool.shifts_window_serially or tool.fuses_narrow_products for tool in tools)
    assert any(sample.tool.fuses_narrow_products for sample in layer_samples)


def test_weighted_quantiles_count_weight_instead_of_rows():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([8.0, 1.0, 1.0])
    assert weighted_quantiles(values, weights) == [1.0, 3.0, 3.0]


def test_bounds_scale_what_lies_above_the_offset():
    assert bounds(200, Band(0.5, 2.0, offset=100)) == (50, 500)
    assert bounds(0, Band(0.5, 2.0, offset=1)) == (0, 1)


def test_the_page_has_every_repository_and_the_plot_is_small(held_out, fitted, tmp_path):
    text = figures.accuracy_page(held_out, held_out, fitted)
    for h in held_out:
        assert h.sample.repository.removeprefix("github.com/") in text
    figures.plot_resources(held_out, tmp_path / "held_out.png")
    assert 10_000 < (tmp_path / "held_out.png").stat().st_size < 100_000
