"""How each layer is folded, from what a design file, or hls4ml's configuration, says.

A reuse factor alone is enough: multiplications per output pixel / multipliers. `simd` and `pe` say how the multipliers
are laid out, `weights_memory`, `line_memory` and `multiplier` where memories and multipliers go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from qmfn.design import HlsConfig, Setting, settings_by_layer
from qmfn.errors import UserError
from qmfn.kernels import Folding
from qmfn.plan.fold import UnfoldedLayer

CHOICES = {
    "weights_memory": ("auto", "bram", "lutram"),
    "line_memory": ("auto", "bram", "uram", "lutram"),
    "multiplier": ("fabric", "dsp"),
}
"""UltraRAM has no initial content on UltraScale+ (UG573), so weights can't be there."""

STOCK_ONLY = (
    "strategy",
    "precision.weight",
    "precision.bias",
    "precision.slope",
    "precision.accum",
    "precision.result",
)
"""Settings of a layer that stock hls4ml has and folded stages have not: their widths follow from the weights."""


def multiplier_choices(layer: UnfoldedLayer) -> dict[int, tuple[int, int]]:
    """Number of multipliers -> the (SIMD, PE) that is meant where only a reuse factor is given."""
    kernel = layer.kernel
    choices: dict[int, tuple[int, int]] = {}
    for simd in kernel.simd_choices:
        for pe in kernel.pe_choices:
            best = choices.get(simd * pe)
            if best is None or kernel.preference(simd, pe) < kernel.preference(*best):
                choices[simd * pe] = (simd, pe)
    return dict(sorted(choices.items()))


def folding(
    layer: UnfoldedLayer, reuse_factor: int | None, given: Mapping[str, Any], where: Mapping[str, str]
) -> Folding:
    """One layer's folding.

    Args:
        reuse_factor: counts where neither `simd` nor `pe` is given.
        given: fields of `Folding`, and `reuse_factor` where the layer itself says one.
        where: field -> where it was given, for error messages.

    Raises:
        UserError: a value that the layer can't have.
    """
    for field, number in {**given, "reuse_factor": reuse_factor}.items():
        if field not in CHOICES and (isinstance(number, bool) or not isinstance(number, Integral | None)):
            raise UserError(f"{where[field]} = {number!r}: must be a whole number.")
    for field, allowed in CHOICES.items():
        if given.get(field, allowed[0]) not in allowed:
            raise UserError(f"{where[field]} = {given[field]}: must be one of {', '.join(allowed)}.")
    for field, divisors in (("simd", layer.kernel.simd_choices), ("pe", layer.kernel.pe_choices)):
        if given.get(field, 1) not in divisors:
            raise UserError(
                f"{where[field]} = {given[field]}: does not divide the work of {layer.name}; "
                f"valid: {', '.join(map(str, divisors))}."
            )
    rest = {field: given[field] for field in CHOICES if field in given}
    if "simd" in given or "pe" in given:
        folded = Folding(given.get("simd", 1), given.get("pe", 1), **rest)
        _check_agreement(layer, folded, given, where)
        return folded
    valid = {layer.kernel.products // number: pair for number, pair in multiplier_choices(layer).items()}
    if reuse_factor not in valid:
        raise UserError(
            f"{where['reuse_factor']} = {reuse_factor}: does not divide the work of {layer.name}; "
            f"valid: {', '.join(map(str, sorted(valid)))}."
        )
    return Folding(*valid[reuse_factor], **rest)


def _check_agreement(layer: UnfoldedLayer, folded: Folding, given: Mapping[str, Any], where: Mapping[str, str]) -> None:
    """A reuse factor beside SIMD and PE says the same thing twice; it must be the same thing."""
    meant = layer.kernel.products // (folded.simd * folded.pe)
    if given.get("reuse_factor", meant) != meant:
        raise UserError(
            f"{where['reuse_factor']} = {given['reuse_factor']}: simd {folded.simd} and pe {folded.pe} give "
            f"{layer.name} a reuse factor of {meant}; change these, or leave them out."
        )


def foldings_by_layer(config: HlsConfig, layers: Sequence[UnfoldedLayer], file: str) -> dict[str, Folding]:
    """The folding of every layer that can be folded, as the design file asks for it.

    Raises:
        UserError: an override matches no layer, a setting belongs to stock hls4ml, or a layer can't have it.
    """
    key = f"{file}: hls.layers"
    overrides = settings_by_layer(config.layers, [layer.name for layer in layers], key)
    default = Setting(config.reuse_factor, f"{file}: hls.reuse_factor")
    foldings = {}
    for layer in layers:
        settings = dict(overrides[layer.name])
        for name in STOCK_ONLY:
            if name in settings:
                setting = settings[name]
                raise UserError(f"{setting.key} = {setting.value}: belongs to dataflow = stock; this design is folded.")
        if not layer.kernel.is_foldable:
            continue
        reuse_factor = settings.get("reuse_factor", default)
        where = {name: setting.key for name, setting in settings.items()} | {"reuse_factor": reuse_factor.key}
        given = {name: setting.value for name, setting in settings.items()}
        foldings[layer.name] = folding(layer, reuse_factor.value, given, where)
    return foldings
