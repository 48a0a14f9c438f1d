"""Small report trees as Vivado HLS and Vitis HLS lay them out, from figures that a test chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

KINDS = ("BRAM_18K", "DSP", "FF", "LUT", "URAM")


@dataclass
class FakeModule:
    """A module with its total; `latency` and `interval` are the worst case, or what the tools write for unknown."""

    name: str
    use: tuple[int, int, int, int, int]
    latency: object = 10
    interval: object = 11
    pipeline: str = "none"
    instances: tuple[tuple[str, FakeModule], ...] = ()
    fifos: tuple[tuple[str, tuple[int, int, int, int, int]], ...] = ()
    streams: tuple[str, ...] = ()


@dataclass
class FakeTree:
    """What is written where; `vitis` decides on the dialect."""

    name: str = "small"
    vitis: bool = True
    modules: list[FakeModule] = field(default_factory=list)

    def write(self, project: Path) -> Path:
        """Write project.tcl, the project file and all reports; gives the report folder."""
        reports = project / f"{self.name}_prj" / "solution1" / "syn" / "report"
        reports.mkdir(parents=True)
        (project / "project.tcl").write_text(f'set project_name "{self.name}"\nset backend "vivado"\n')
        app = "hls.app" if self.vitis else "vivado_hls.app"
        (project / f"{self.name}_prj" / app).write_text(
            f'<project xmlns="com.autoesl.autopilot.project" name="{self.name}_prj" top="{self.name}">'
            '<solutions><solution name="solution1"/></solutions></project>'
        )
        for module in self.modules:
            (reports / f"{module.name}_csynth.xml").write_text(self.xml(module))
            (reports / f"{module.name}_csynth.rpt").write_text(self.text(module))
        return reports

    def xml(self, module: FakeModule) -> str:
        dsp = "DSP" if self.vitis else "DSP48E"
        names = [dsp if kind == "DSP" else kind for kind in KINDS]
        used = "".join(f"<{name}>{count}</{name}>" for name, count in zip(names, module.use, strict=True))
        available = "".join(f"<{name}>1000000</{name}>" for name in names)
        ports = "".join(f"<RtlPorts><Object>{stream}</Object></RtlPorts>" for stream in module.streams)
        cases = {"Best": lowest(module.latency), "Average": module.latency, "Worst": module.latency}
        latency = "".join(f"<{case}-caseLatency>{cycles}</{case}-caseLatency>" for case, cycles in cases.items())
        return f"""<profile><ReportVersion><Version>{self.version}</Version></ReportVersion>
<UserAssignments><Part>xcsmall</Part><TopModelName>{module.name}</TopModelName>
<TargetClockPeriod>5.00</TargetClockPeriod><ClockUncertainty>1.35</ClockUncertainty></UserAssignments>
<PerformanceEstimates><PipelineType>{module.pipeline}</PipelineType>
<SummaryOfTimingAnalysis><EstimatedClockPeriod>3.250</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>{latency}
<Interval-min>{lowest(module.interval)}</Interval-min><Interval-max>{module.interval}</Interval-max></SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates><Resources>{used}</Resources><AvailableResources>{available}</AvailableResources></AreaEstimates>
<InterfaceSummary>{ports}</InterfaceSummary></profile>
"""

    @property
    def version(self) -> str:
        return "2024.1" if self.vitis else "2018.3"

    def text(self, module: FakeModule) -> str:
        dsp = "DSP" if self.vitis else "DSP48E"
        header = f"|Name|BRAM_18K|{dsp}|FF|LUT|URAM|"
        fifo_total = [sum(use[column] for _, use in module.fifos) for column in range(len(KINDS))]
        # 2018 puts the unit into the heading and has no column of times.
        timing = ("Timing", " ns") if self.vitis else ("Timing (ns)", "")
        times = "|50 ns|50 ns" if self.vitis else ""
        unknown = {"undef": "?"}
        latency, interval = (unknown.get(value, value) for value in (module.latency, module.interval))
        return "\n".join([
            "", "=" * 64, f"== {'Vitis' if self.vitis else 'Vivado'} HLS Report for '{module.name}'", "=" * 64,
            f"* Version:        {self.version} (Build 1 on some day)", "* Target device:  xcsmall", "",
            "=" * 64, "== Performance Estimates", "=" * 64,
            f"+ {timing[0]}: ", "    * Summary: ", "    +---+", "    |Clock|Target|Estimated|Uncertainty|", "    +---+",
            f"    |ap_clk|5.00{timing[1]}|3.250{timing[1]}|1.35{timing[1]}|", "",
            "+ Latency: " if self.vitis else "+ Latency (clock cycles): ", "    * Summary: ",
            "    |Latency|Interval|Pipeline|", f"    |min|max{'|min|max' if self.vitis else ''}|min|max|Type|",
            f"    |{lowest(latency)}|{latency}{times}|{lowest(interval)}|{interval}|{module.pipeline}|", "",
            "=" * 64, "== Utilization Estimates", "=" * 64, "* Summary: ", header,
            line("FIFO", fifo_total) if module.fifos else "|FIFO|-|-|-|-|-|",
            line("Total", module.use), line("Available", [1000000] * 5), "|Utilization (%)|~0|~0|~0|~0|0|", "",
            "+ Detail: ", "    * Instance: ",
            *((f"    |Instance|Module{header[5:]}",) if module.instances else ("    N/A",)),
            *(line(f"{name}|{inner.name}", inner.use) for name, inner in module.instances),
            *((line("Total|", fifo_total),) if module.instances else ()), "",
            "    * Memory: ", "    N/A", "", "    * FIFO: ",
            *((header[:-1] + "|Depth|Bits|Size:D*B|",) if module.fifos else ("    N/A",)),
            *(line(name, use)[:-1] + "|64|32|2048|" for name, use in module.fifos), "",
            "=" * 64, "== Interface", "=" * 64, "",
        ])  # fmt: skip


def lowest(cycles: object) -> object:
    """What the tools call the best case, where the worst is `cycles`."""
    return cycles - 1 if isinstance(cycles, int) else cycles


def line(name: str, counts: tuple[int, ...] | list[int]) -> str:
    return f"|{name}|" + "|".join(str(count) for count in counts) + "|"


def small_tree(vitis: bool = True, name: str = "small") -> FakeTree:
    """Two layers, one with a module inside it, a clone, a FIFO; 3 LUT of control are in none of them."""
    inner = FakeModule("compute_output_buffer_2d_array_array_ap_fixed_8u_config2_s", (1, 2, 30, 40, 0))
    conv = FakeModule(
        "conv_2d_cl_array_array_ap_fixed_8u_config2_s", (2, 4, 100, 200, 0), 500, 501,
        instances=(("grp_compute_output_fu_80", inner),),
    )  # fmt: skip
    relu = FakeModule("relu_array_array_ap_fixed_8u_relu_config13_s", (0, 0, 10, 20, 0), "undef", "undef")
    clone = FakeModule(
        "clone_stream_array_array_ap_fixed_8u_512_s", (0, 0, 5, 7, 0), 514, 515,
        streams=("layer2_out", "layer9_cpy1", "layer9_cpy2", "ap_clk"),
    )  # fmt: skip
    fifo = ("layer2_out_U", (3, 0, 50, 60, 0))
    top = FakeModule(
        name, (5, 4, 165, 290, 0), 600, 515, "dataflow",
        instances=(
            ("relu_array_array_ap_fixed_8u_relu_config13_U0", relu),
            ("conv_2d_cl_array_array_ap_fixed_8u_config2_U0", conv),
            ("clone_stream_array_array_ap_fixed_8u_512_U0", clone),
        ),
        fifos=(fifo,),
    )  # fmt: skip
    return FakeTree(name, vitis, [top, conv, inner, relu, clone])


FIRMWARE = """
    nnet::load_weights_from_txt<conv1_weight_t, 216>(w2, "w2.txt");
    nnet::conv_2d_cl<input_t, layer2_t, config2>(x, layer2_out, w2, b2); // conv1
    nnet::clone_stream<layer2_t, layer2_t, 512>(layer2_out, layer9_cpy1, layer9_cpy2); // clone_conv1
    nnet::clone_stream<layer2_t, layer2_t, 512>(layer7_out, layer8_cpy1, layer8_cpy2); // clone_other
    nnet::relu<layer2_t, result_t, relu_config13>(layer9_cpy1, layer13_out); // conv1_relu
"""

UTILISATION = """\
| Tool Version : Vivado v.2024.1 (lin64) Build 1
| Device       : xcsmall
1. CLB Logic
| {luts}                |   150 |     0 |   1000 |  0.1 |
|   LUT as Logic        |   140 |     0 |   1000 |  0.1 |
| {registers}           |   120 |     0 |   1000 |  0.1 |
2. BLOCKRAM
| Block RAM Tile    |  2.5 |     0 |      10 |  0.1 |
| URAM              |    1 |     0 |      10 |  0.1 |
3. ARITHMETIC
| DSPs           |    4 |     0 |      10 |  0.1 |
13. SLR CLB Logic and Dedicated Block Utilization
| {luts}                |    0 |    0 |   0.00 |   0.00 |
"""

HIERARCHY = """\
| Instance | Module | Total LUTs | Logic LUTs | LUTRAMs | SRLs | FFs | RAMB36 | RAMB18 | URAM | DSP Blocks |
| small | (top) | 150 | 140 | 0 | 10 | 120 | 2 | 1 | 1 | 4 |
|   (small) | (top) | 2 | 2 | 0 | 0 | 1 | 0 | 0 | 0 | 0 |
|   conv_2d_cl_array_array_ap_fixed_8u_config2_U0 | small_conv | 90(9.0%) | 80 | 0 | 10 | 70 | 1 | 1 | 0 | 4 |
|   relu_array_array_ap_fixed_8u_relu_config13_U0 | small_relu | 15 | 15 | 0 | 0 | 9 | 0 | 0 | 1 | 0 |
|   layer2_out_U | small_fifo | 40 | 40 | 0 | 0 | 38 | 1 | 0 | 0 | 0 |
"""

COSIMULATION = """\
|   RTL    |  Status  | Latency | Interval |
|      VHDL|        NA|      NA|      NA|      NA|      NA|      NA|      NA|
|   Verilog|      {status}|     610|     612|     615|     520|     521|     525|
"""
