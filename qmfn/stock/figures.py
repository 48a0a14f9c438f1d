"""How good the estimates are, as a page and a plot: what `make calibrate` writes into docs/estimates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qmfn.resources.coefficients import Coefficients
from qmfn.stock.calibration import QUANTITIES, Accuracy, HeldOut, accuracy, is_accepted

NAMES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "latency": "latency"}
GROUPS = {
    "resource": "Resource, reuse factor above 1",
    "unrolled": "constant weights (Latency, or reuse factor 1)",
    "stream": "ReLU",
    "padding": "zero padding",
}


def is_folded(held_out: HeldOut) -> bool:
    """A row of the Resource kernel: strategy Resource, reuse factor above 1 (at 1 HLS makes constants of weights)."""
    return is_accepted(held_out.sample) and held_out.sample.group == "resource"


def accuracy_page(held_out: Sequence[HeldOut], without_lone_rules: Sequence[HeldOut], fitted: Coefficients) -> str:
    """Markdown: accuracy by selection of rows and by repository, bands, factors after synthesis.

    Args:
        without_lone_rules: the same rows, estimated without the rules that rest on one repository.
    """
    layers = [h for h in held_out if h.sample.group in ("resource", "unrolled")]
    strategy = [h for h in layers if is_accepted(h.sample)]
    folded = [h for h in layers if is_folded(h)]
    selections = {
        "**Resource, reuse factor above 1**": folded,
        "of these Conv2D": [h for h in folded if h.sample.layer.kind == "conv" and not h.sample.layer.kernel_rows],
        "of these Conv1D": [h for h in folded if h.sample.layer.kernel_rows],
        "of these Dense": [h for h in folded if h.sample.layer.kind == "dense"],
        "Resource, any reuse factor": strategy,
        "Resource, reuse factor above 1, no lone rules": [h for h in without_lone_rules if is_folded(h)],
        "Resource, any reuse factor, no lone rules": [h for h in without_lone_rules if is_accepted(h.sample)],
        "constant weights (Latency, or reuse factor 1)": [h for h in layers if h.sample.group == "unrolled"],
    }
    repositories = sorted({h.sample.repository for h in folded})
    by_repository = {
        name.removeprefix("github.com/"): [h for h in folded if h.sample.repository == name] for name in repositories
    }
    return "\n".join(
        [
            "# Accuracy on held-out repositories",
            "",
            "Written by `make calibrate`; do not edit. Every estimate on this page comes from a fit that has seen no "
            "row of the repository it is compared with, and the band it is judged by from the other repositories "
            "alone. What the columns and selections mean: [README](README.md).",
            "",
            _accuracy_table("rows", selections),
            "",
            "![estimated against reported](held_out.png)",
            "",
            "## By repository (Resource, reuse factor above 1)",
            "",
            _accuracy_table("repository", by_repository),
            "",
            "## Bands",
            "",
            "Real / estimated of held-out rows, 10 % and 90 % quantile; the factors on an estimate.",
            "",
            _bands_table(fitted),
            "",
            "## After Vivado synthesis",
            "",
            "Post-synthesis / C-synthesis of whole designs.",
            "",
            _post_synthesis_table(fitted),
            "",
        ]
    )


def _accuracy_table(first: str, selections: dict[str, list[HeldOut]]) -> str:
    heading = [first, "number", "LUT median error", "FF median error", "DSP right", "BRAM_18K right", "latency right"]
    rows = [[name, *_cells(accuracy(chosen))] for name, chosen in selections.items() if chosen]
    return _table([*heading, *(f"{NAMES[quantity]} in band" for quantity in QUANTITIES)], rows)


def _cells(found: Accuracy) -> list[str]:
    shares = (found.lut_median, found.ff_median, found.dsp_right, found.bram_right, found.latency_right)
    return [str(found.rows), *(f"{share:.1%}" for share in (*shares, *found.bands_hold.values()))]


def _bands_table(fitted: Coefficients) -> str:
    rows = [
        [name, *(f"{bands[quantity].low:.2f} - {bands[quantity].high:.2f}" for quantity in QUANTITIES)]
        for group, name in GROUPS.items()
        if (bands := fitted.bands.get(group))
    ]
    return _table(["layers", *(NAMES[quantity] for quantity in QUANTITIES)], rows)


def _post_synthesis_table(fitted: Coefficients) -> str:
    rows = [
        [kind.upper(), f"{band.low:.2f}", f"{band.median:.2f}", f"{band.high:.2f}"]
        for kind, band in fitted.post_synthesis.items()
    ]
    return _table(["resource", "10 %", "median", "90 %"], rows)


def _table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot_resources(held_out: Sequence[HeldOut], path: Path) -> None:
    """Estimated against reported, one panel per quantity, one colour per repository; held-out Resource rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folded = [h for h in held_out if is_folded(h)]
    repositories = sorted({h.sample.repository for h in folded})
    figure, panels = pyplot.subplots(1, len(QUANTITIES), figsize=(15, 3.4), facecolor="white", layout="constrained")
    for quantity, panel in zip(QUANTITIES, panels, strict=True):
        for repository in repositories:
            chosen = [h for h in folded if h.sample.repository == repository]
            real = [h.sample.real[quantity] for h in chosen]
            found = [h.estimate[quantity] for h in chosen]
            panel.plot(real, found, "o", markersize=4, alpha=0.7, label=repository.removeprefix("github.com/"))
        limit = max(max(h.sample.real[quantity], h.estimate[quantity]) for h in folded) * 1.5
        panel.plot([0, limit], [0, limit], color="grey", linewidth=0.8)
        panel.set(xscale="symlog", yscale="symlog", title=NAMES[quantity], xlabel="reported")
    panels[0].set_ylabel("estimated, repository held out")
    entries = panels[0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
