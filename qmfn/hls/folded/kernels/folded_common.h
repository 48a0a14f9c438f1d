#ifndef FOLDED_COMMON_H_
#define FOLDED_COMMON_H_

// What the folded kernels share: integers behind fixed-point values, the end of a sum, multipliers.
//
// A kernel is one flat loop, pipelined at II = 1. It takes and gives streams of beats, nnet::array<T, lanes>. Its CONFIG
// has the sizes as constants, named as in qmfn/dataflow/stages.py, and the types of integers. Storage pragmas stand in
// the generated stage function, where the memories are declared.

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "nnet_utils/nnet_types.h"

// An integer of a read-only memory. Compilers for C-simulation get built-in integers, which they initialise at once
// (a million constructors take minutes); the numbers are the same.
#ifdef __SYNTHESIS__
#define FOLDED_ROM_INT(bits) ap_int<bits>
#define FOLDED_ROM_UINT(bits) ap_uint<bits>
#else
#define FOLDED_ROM_INT(bits) folded::rom_int<((bits) > 8) + ((bits) > 16)>::type
#define FOLDED_ROM_UINT(bits) FOLDED_ROM_INT((bits) + 1)
#endif

// One iteration of a kernel's loop. The verification mode counts them (qmfn/hls/folded/verification).
#ifndef FOLDED_ITERATION
#define FOLDED_ITERATION
#endif

namespace folded {

template <int bytes_log2> struct rom_int;
template <> struct rom_int<0> { typedef signed char type; };
template <> struct rom_int<1> { typedef short type; };
template <> struct rom_int<2> { typedef int type; };

// The integer that a fixed-point value is, in steps of its least significant bit.
#ifdef QMFN_CSIM_AP_FIXED_H_
template <class T> inline ap_int<T::width> integer(const T &value) { return value.template slc<T::width>(0); }

template <class T> inline T from_integer(const ap_int<T::width> &number) {
    T value;
    value.set_slc(0, number);
    return value;
}
#else
template <class T> inline ap_int<T::width> integer(const T &value) {
    #pragma HLS INLINE
    ap_int<T::width> number;
    number.range(T::width - 1, 0) = value.range(T::width - 1, 0);
    return number;
}

template <class T> inline T from_integer(const ap_int<T::width> &number) {
    #pragma HLS INLINE
    T value;
    value.range(T::width - 1, 0) = number.range(T::width - 1, 0);
    return value;
}
#endif

// A sum of products -> the layer's result: bias added in the channel's own steps, then shifted to the layer's grid.
template <class CONFIG, class sum_T>
inline typename CONFIG::result_t biased(const sum_T &sum, const typename CONFIG::shift_rom_t &shift,
                                        const typename CONFIG::bias_rom_t &bias) {
    #pragma HLS INLINE
    const ap_int<CONFIG::result_t::width> number = sum + bias;
    return from_integer<typename CONFIG::result_t>(number << shift);
}

// The end of a linear layer. The assignment to out_T rounds half to even and saturates, here and below.
template <class CONFIG, class out_T, class sum_T>
inline out_T finish(const sum_T &sum, const typename CONFIG::shift_rom_t &shift, const typename CONFIG::bias_rom_t &bias) {
    #pragma HLS INLINE
    return biased<CONFIG>(sum, shift, bias);
}

// With PReLU.
template <class CONFIG, class out_T, class sum_T>
inline out_T finish(const sum_T &sum, const typename CONFIG::shift_rom_t &shift, const typename CONFIG::bias_rom_t &bias,
                    const typename CONFIG::slope_rom_t &slope) {
    #pragma HLS INLINE
    const typename CONFIG::result_t x = biased<CONFIG>(sum, shift, bias);
    if (x >= 0)
        return x;
    return x * from_integer<typename CONFIG::slope_t>(slope);
}

// With PReLU and an offset behind it.
template <class CONFIG, class out_T, class sum_T>
inline out_T finish(const sum_T &sum, const typename CONFIG::shift_rom_t &shift, const typename CONFIG::bias_rom_t &bias,
                    const typename CONFIG::slope_rom_t &slope, const typename CONFIG::offset_rom_t &offset) {
    #pragma HLS INLINE
    const typename CONFIG::result_t x = biased<CONFIG>(sum, shift, bias);
    const typename CONFIG::offset_t minus = from_integer<typename CONFIG::offset_t>(offset);
    if (x >= 0)
        return x - minus;
    return x * from_integer<typename CONFIG::slope_t>(slope) - minus;
}

// A multiplication, in fabric or in a DSP; CONFIG::multiplier_t says which.
struct in_fabric {};
struct in_dsp {};

template <class product_T, class a_T, class b_T> inline product_T multiply(const a_T &a, const b_T &b, in_fabric) {
    #pragma HLS INLINE
    const product_T product = a * b;
#ifdef FOLDED_VIVADO_HLS
    #pragma HLS RESOURCE variable=product core=Mul_LUT
#else
    #pragma HLS BIND_OP variable=product op=mul impl=fabric
#endif
    return product;
}

template <class product_T, class a_T, class b_T> inline product_T multiply(const a_T &a, const b_T &b, in_dsp) {
    #pragma HLS INLINE
    const product_T product = a * b;
#ifdef FOLDED_VIVADO_HLS
    #pragma HLS RESOURCE variable=product core=DSP48
#else
    #pragma HLS BIND_OP variable=product op=mul impl=dsp
#endif
    return product;
}

} // namespace folded

#endif
