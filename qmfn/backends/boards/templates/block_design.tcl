# Bitstream for {{ board.title }}: processing system, DMA, network. Untested: written without the tool.
#
#     vivado -mode batch -source block_design_{{ board.name }}.tcl
#
# Run in the project's folder after make_ip_*.tcl. Leaves {{ board.name }}/{{ top }}.bit, .hwh and .json for the driver.

set name {{ top }}
set out {{ board.name }}
set project_folder ${out}_prj

create_project -force block_design $project_folder -part {{ board.part }}

# The newest version of the board that is installed: it presets the processing system (clocks, DDR, MIO).
set boards [lsort -dictionary [get_board_parts -quiet {{ board.board_part }}:*]]
if {[llength $boards] == 0} {
    error "no board files for {{ board.title }} ({{ board.board_part }}); install them with Vivado's XHub board store"
}
set_property board_part [lindex $boards end] [current_project]
set_property ip_repo_paths {{ top }}_prj/solution1/impl/ip [current_project]
update_ip_catalog

create_bd_design system

# Processing system: one AXI master for registers, one AXI slave to the DDR, one clock at the design's period.
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} $ps
set_property -dict [list \
    CONFIG.PSU__USE__M_AXI_GP0 {1} \
    CONFIG.PSU__USE__M_AXI_GP1 {0} \
    CONFIG.PSU__USE__M_AXI_GP2 {0} \
    CONFIG.PSU__USE__S_AXI_GP2 {1} \
    CONFIG.PSU__SAXIGP2__DATA_WIDTH {64} \
    CONFIG.PSU__FPGA_PL0_ENABLE {1} \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {{ "{" }}{{ clock_mhz }}{{ "}" }} \
] $ps

create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset system_reset

# Simple DMA of 32-bit streams in both directions; up to 64 MiB per transfer.
set dma [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma]
set_property -dict [list \
    CONFIG.c_include_sg {0} \
    CONFIG.c_sg_include_stscntrl_strm {0} \
    CONFIG.c_sg_length_width {26} \
    CONFIG.c_include_mm2s {1} \
    CONFIG.c_include_s2mm {1} \
    CONFIG.c_m_axi_mm2s_data_width {32} \
    CONFIG.c_m_axis_mm2s_tdata_width {32} \
    CONFIG.c_m_axi_s2mm_data_width {32} \
    CONFIG.c_mm2s_burst_size {64} \
    CONFIG.c_s2mm_burst_size {64} \
] $dma

set network [create_bd_cell -type ip -vlnv xilinx.com:hls:$name:1.0 network]

set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
set_property -dict [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {{ "{" }}{{ 2 if control == "axi_lite" else 1 }}{{ "}" }}] $control
set memory [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory]
set_property -dict [list CONFIG.NUM_SI {2} CONFIG.NUM_MI {1}] $memory

# Streams. Vivado HLS may add a suffix to a port's name.
connect_bd_intf_net [get_bd_intf_pins dma/M_AXIS_MM2S] [get_bd_intf_pins network/pixels_in*]
connect_bd_intf_net [get_bd_intf_pins network/embedding_out*] [get_bd_intf_pins dma/S_AXIS_S2MM]

# Registers and memory
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins dma/S_AXI_LITE]
{% if control == "axi_lite" %}
connect_bd_intf_net [get_bd_intf_pins control/M01_AXI] [get_bd_intf_pins network/s_axi_control]
{% endif %}
connect_bd_intf_net [get_bd_intf_pins dma/M_AXI_MM2S] [get_bd_intf_pins memory/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins dma/M_AXI_S2MM] [get_bd_intf_pins memory/S01_AXI]
connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0_FPD]

# One clock, one reset
set clocked {
    ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk system_reset/slowest_sync_clk control/aclk memory/aclk
    dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk dma/m_axi_s2mm_aclk network/ap_clk
}
foreach pin $clocked {
    connect_bd_net [get_bd_pins ps/pl_clk0] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins system_reset/ext_reset_in]
foreach pin {control/aresetn memory/aresetn dma/axi_resetn network/ap_rst_n} {
    connect_bd_net [get_bd_pins system_reset/peripheral_aresetn] [get_bd_pins $pin]
}

assign_bd_address
validate_bd_design
save_bd_design

set wrapper [make_wrapper -files [get_files system.bd] -top]
add_files -norecurse $wrapper
set_property top system_wrapper [current_fileset]
update_compile_order -fileset sources_1

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation failed: [get_property STATUS [get_runs impl_1]]"
}
set slack [get_property STATS.WNS [get_runs impl_1]]
if {$slack < 0} {
    error "timing isn't met: worst slack $slack ns at a clock of {{ clock_period_ns }} ns"
}

file mkdir $out
# Vivado 2020.2 and newer keep what they generate in .gen, earlier ones in .srcs.
set handoff [glob $project_folder/block_design.{gen,srcs}/sources_1/bd/system/hw_handoff/system.hwh]
file copy -force $project_folder/block_design.runs/impl_1/system_wrapper.bit $out/$name.bit
file copy -force [lindex $handoff 0] $out/$name.hwh
file copy -force $name.json $out/$name.json

open_run impl_1
report_utilization -hierarchical -hierarchical_depth 4 -file $out/utilization.rpt
report_timing_summary -file $out/timing.rpt
