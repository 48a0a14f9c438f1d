#ifndef QMFN_CSIM_AP_FIXED_H_
#define QMFN_CSIM_AP_FIXED_H_

// The fixed-point types of Vivado HLS and Vitis HLS, for C-simulation only, on top of the ac_types library: the same
// numbers, an order of magnitude faster than the reference ap_types. tests/simulation/test_fast_types.py compares the two over
// all values of small types and samples of large ones, in every rounding and overflow mode.

#include "ap_int.h"
#include <ac_fixed.h>
#include <istream>

enum ap_q_mode { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO };
enum ap_o_mode { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP };

namespace fast_types {

constexpr ac_q_mode rounding(ap_q_mode mode) {
    return mode == AP_RND           ? AC_RND
           : mode == AP_RND_ZERO    ? AC_RND_ZERO
           : mode == AP_RND_MIN_INF ? AC_RND_MIN_INF
           : mode == AP_RND_INF     ? AC_RND_INF
           : mode == AP_RND_CONV    ? AC_RND_CONV
           : mode == AP_TRN         ? AC_TRN
                                    : AC_TRN_ZERO;
}

constexpr ac_o_mode overflow(ap_o_mode mode) {
    return mode == AP_SAT ? AC_SAT : mode == AP_SAT_ZERO ? AC_SAT_ZERO : mode == AP_SAT_SYM ? AC_SAT_SYM : AC_WRAP;
}

// What both fixed-point types add to ac_fixed: the reference's constants, explicit conversion to floating point (the
// Python bridge reads results so) and input from a stream (weights are read from text).
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
struct fixed : ac_fixed<W, I, S, rounding(Q), overflow(O)> {
    static_assert(N == 0, "saturation bits are not part of the fast types");
    typedef ac_fixed<W, I, S, rounding(Q), overflow(O)> base;
    static const int iwidth = I;

    fixed() = default;
    template <class T> fixed(const T &value) : base(value) {}

    explicit operator double() const { return this->to_double(); }
    explicit operator float() const { return static_cast<float>(this->to_double()); }

    friend std::istream &operator>>(std::istream &in, fixed &value) {
        double number;
        in >> number;
        value = fixed(number);
        return in;
    }
};

} // namespace fast_types

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
using ap_fixed = fast_types::fixed<W, I, true, Q, O, N>;

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
using ap_ufixed = fast_types::fixed<W, I, false, Q, O, N>;

#endif
