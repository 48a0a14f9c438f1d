# The network as an IP of Vivado's catalogue, by Vitis HLS. Untested: written without the tool.
#
#     vitis-run --mode hls --tcl make_ip_vitis.tcl        (2023.2 and newer)
#     vitis_hls -f make_ip_vitis.tcl                      (before)
#
# Run in the project's folder; the IP lies in {{ top }}_prj/solution1/impl/ip afterwards.

open_project -reset {{ top }}_prj
set_top {{ top }}
add_files firmware/board_top.cpp -cflags "-std=c++11 -DQMFN_BOARD_TOP"
add_files firmware/{{ project }}.cpp -cflags "-std=c++11 -DQMFN_BOARD_TOP"
open_solution -reset solution1 -flow_target vivado
config_compile -name_max_length 80
set_part {{ "{" }}{{ board.part }}{{ "}" }}
create_clock -period {{ clock_period_ns }} -name default
{% if clock_uncertainty is not none %}
set_clock_uncertainty {{ clock_uncertainty }} default
{% endif %}
csynth_design
export_design -rtl verilog -format ip_catalog -vendor xilinx.com -library hls -version 1.0
exit
