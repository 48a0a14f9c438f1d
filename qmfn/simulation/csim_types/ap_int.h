#ifndef QMFN_CSIM_AP_INT_H_
#define QMFN_CSIM_AP_INT_H_

// The integers of Vivado HLS and Vitis HLS, for C-simulation only; see ap_fixed.h.

#include <ac_int.h>

template <int W> using ap_int = ac_int<W, true>;
template <int W> using ap_uint = ac_int<W, false>;

#endif
