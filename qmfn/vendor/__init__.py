"""The vendor tools: run them on a written project, read what they report, set it beside the estimates.

    synthesis     C-synthesis, co-simulation and Vivado synthesis through the project's own hls4ml build scripts
    sources       which sources the results are of, and whether the project still has them
    tree          where in a folder the reports of a run lie
    text_tables   the boxed tables of the tools' .rpt files
    reports       a report tree of Vivado HLS or Vitis HLS -> `VendorRun`
    layers        the layer that a vendor module implements, from the project's firmware
    side_by_side  estimated, C-synthesis and post-synthesis figures per layer and in total

Nothing here knows the design: a project of any hls4ml version, ours or not, will do.
"""
