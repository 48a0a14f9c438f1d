#ifndef QMFN_CSIM_AP_AXI_SDATA_H_
#define QMFN_CSIM_AP_AXI_SDATA_H_

// For C-simulation without a vendor tool: the AXI4-Stream beat of Vitis HLS's header of this name (UG1399, "AXI4-Stream
// Interfaces with Side-Channels"), without TUSER, TID and TDEST, which no design here has.

#include "ap_int.h"

template <int DATA_BITS, int USER_BITS, int ID_BITS, int DEST_BITS> struct ap_axiu {
    static_assert(USER_BITS == 0 && ID_BITS == 0 && DEST_BITS == 0, "only TDATA, TKEEP, TSTRB and TLAST are there");

    ap_uint<DATA_BITS> data;
    ap_uint<(DATA_BITS + 7) / 8> keep;
    ap_uint<(DATA_BITS + 7) / 8> strb;
    ap_uint<1> last;
};

#endif
