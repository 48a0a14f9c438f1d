#ifndef FOLDED_COMMON_H_
#define FOLDED_COMMON_H_

// What the folded kernels share: integers, the way into a kernel and out of it, multipliers.
//
// A kernel is one flat loop, pipelined at II = 1. It takes and gives streams of beats, nnet::array<T, lanes>, and works on
// the integers behind the fixed-point values. A beat may have a multiple of the values that the kernel takes or gives at
// a time, as its neighbour folds: `taker` and `giver`. "Reads" and "writes" in the headers are those of such values. Its CONFIG has the sizes as constants, named as in
// qmfn/dataflow/stages.py, and the types of integers. Storage pragmas stand in the generated stage function, where the
// memories are declared. Pragmas are those of Vitis HLS; qmfn/hls/folded/writer.py translates them for Vivado HLS.
//
// style=flp: a pipeline that finds no beat goes on with those that it has begun, or a residual branch could wait for a
// beat that stands in a halted pipeline.

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "../nnet_utils/nnet_types.h"

// One iteration of a kernel's loop. The verification mode counts them (qmfn/hls/folded/verification).
#ifndef FOLDED_ITERATION
#define FOLDED_ITERATION
#endif

namespace folded {

template <int bytes_log2> struct built_in;
template <> struct built_in<0> { typedef signed char type; };
template <> struct built_in<1> { typedef short type; };
template <> struct built_in<2> { typedef int type; };
template <> struct built_in<3> { typedef long long type; };

} // namespace folded

// FOLDED_INT: a signed integer. For hardware, and for C-simulation against the reference types, exactly as wide as it is
// said to be; the fast types take the next built-in one, which compilers vectorise.
// FOLDED_ROM_INT, FOLDED_ROM_UINT: an integer of a read-only memory. No C-simulation has patience for a million
// constructors.
#ifdef QMFN_CSIM_AP_FIXED_H_
#define FOLDED_INT(bits) folded::built_in<2 + ((bits) > 32)>::type
#else
#define FOLDED_INT(bits) ap_int<bits>
#endif
#ifdef __SYNTHESIS__
#define FOLDED_ROM_INT(bits) ap_int<bits>
#define FOLDED_ROM_UINT(bits) ap_uint<bits>
#else
#define FOLDED_ROM_INT(bits) folded::built_in<((bits) > 8) + ((bits) > 16)>::type
#define FOLDED_ROM_UINT(bits) FOLDED_ROM_INT((bits) + 1)
#endif

namespace folded {

// A counter from 0 to `largest`, as wide as that needs.
template <unsigned number> struct digits { static const unsigned value = 1 + digits<number / 2>::value; };
template <> struct digits<1> { static const unsigned value = 1; };
template <> struct digits<0> { static const unsigned value = 1; };
template <unsigned largest> struct counter {
#ifdef QMFN_CSIM_AP_FIXED_H_
    typedef unsigned type;
#else
    typedef ap_uint<digits<largest>::value> type;
#endif
};

// The counter's next value: from `last` on it starts again.
template <class counter_T> inline counter_T next(const counter_T &count, unsigned last) {
    #pragma HLS INLINE
    return count < last ? counter_T(count + 1) : counter_T(0);
}

// Takes `lanes` values at a time from beats that have as many, or a multiple: what is left of a beat moves up.
template <class data_T, unsigned lanes> struct taker {
    static const unsigned parts = data_T::size / lanes;
    data_T beat; // its first `lanes` values are those taken last
    typename counter<parts - 1>::type part;

    taker() : part(0) {}

    void next(hls::stream<data_T> &data) {
        #pragma HLS INLINE
        if (part == 0) {
            beat = data.read();
        } else {
            for (unsigned i = 0; i + lanes < data_T::size; i++) {
                #pragma HLS UNROLL
                beat[i] = beat[i + lanes];
            }
        }
        part = folded::next(part, parts - 1);
    }
};

// What stands for the second output of a stage whose tensor has one reader.
struct nowhere {};

// Gives `lanes` values at a time to beats that have as many, or a multiple: the last ones complete a beat.
template <class stream_T, unsigned lanes> struct giver;

template <unsigned lanes> struct giver<nowhere, lanes> {
    template <class value_T> void next(const value_T *, nowhere &) {}
};

template <class res_T, unsigned lanes> struct giver<hls::stream<res_T>, lanes> {
    static const unsigned parts = res_T::size / lanes;
    res_T beat;
    typename counter<parts - 1>::type part;

    giver() : part(0) {}

    void next(const typename res_T::value_type values[lanes], hls::stream<res_T> &res) {
        #pragma HLS INLINE
        for (unsigned i = 0; i + lanes < res_T::size; i++) {
            #pragma HLS UNROLL
            beat[i] = beat[i + lanes];
        }
        for (unsigned i = 0; i < lanes; i++) {
            #pragma HLS UNROLL
            beat[res_T::size - lanes + i] = values[i];
        }
        if (part == parts - 1)
            res.write(beat);
        part = folded::next(part, parts - 1);
    }
};

// The integer that a fixed-point value is, in steps of its least significant bit; and back.
#ifdef QMFN_CSIM_AP_FIXED_H_
template <class T> inline int integer(const T &value) { return value.template slc<T::width>(0).to_int(); }

template <class T> inline T from_integer(int number) {
    T value;
    value.set_slc(0, ac_int<T::width, true>(number));
    return value;
}

// A built-in product is as wide as its factors: widen one first.
template <class wide_T, class T> inline wide_T widened(const T &number) { return number; }

template <unsigned bits> struct signed_integer { typedef typename built_in<2 + (bits > 32)>::type type; };

// The lowest binary digits as a signed integer of their own.
template <unsigned digits> inline long long lowest_digits(long long number) {
    return static_cast<long long>(static_cast<unsigned long long>(number) << (64 - digits)) >> (64 - digits);
}
#else
template <unsigned bits> struct signed_integer { typedef ap_int<bits> type; };

template <unsigned digits, class T> inline ap_int<digits> lowest_digits(const T &number) {
    #pragma HLS INLINE
    return number;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> inline ap_int<W> integer(const ap_fixed<W, I, Q, O, N> &value) {
    #pragma HLS INLINE
    ap_int<W> number;
    number.range(W - 1, 0) = value.range(W - 1, 0);
    return number;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
inline ap_uint<W> integer(const ap_ufixed<W, I, Q, O, N> &value) {
    #pragma HLS INLINE
    ap_uint<W> number;
    number.range(W - 1, 0) = value.range(W - 1, 0);
    return number;
}

template <class T> inline T from_integer(const ap_int<T::width> &number) {
    #pragma HLS INLINE
    T value;
    value.range(T::width - 1, 0) = number.range(T::width - 1, 0);
    return value;
}

template <class wide_T, class T> inline const T &widened(const T &number) {
    #pragma HLS INLINE
    return number;
}
#endif

// Drop binary digits, rounding half to even, and saturate to `bits` bits: what an assignment to an ap_fixed with
// AP_RND_CONV and AP_SAT does, or to an ap_ufixed. number_T has room for one bit more than the number.
template <unsigned bits, bool is_signed, unsigned drop, class number_T>
inline number_T requantise(const number_T &number) {
    #pragma HLS INLINE
    number_T rounded = number;
    if (drop > 0) {
        const number_T odd = (number >> drop) & 1;
        rounded = (number + ((number_T(1) << (drop > 0 ? drop - 1 : 0)) - 1) + odd) >> drop;
    }
    const number_T largest = (number_T(1) << (is_signed ? bits - 1 : bits)) - 1;
    const number_T smallest = is_signed ? number_T(-largest - 1) : number_T(0);
    return rounded > largest ? largest : rounded < smallest ? smallest : rounded;
}

// A value as it arrives -> the integer that the kernel works on, requantised where the layer does so.
template <class CONFIG, class value_T> inline typename CONFIG::input_t arrived(const value_T &value) {
    #pragma HLS INLINE
    if (!CONFIG::requantises)
        return integer(value);
    const typename CONFIG::arrives_t number = integer(value);
    return requantise<CONFIG::input_bits, CONFIG::input_signed, CONFIG::input_drop>(typename CONFIG::arrives_t(number << CONFIG::input_up));
}

// A sum of products with its bias, in the channel's own step, shifted to the layer's grid.
template <class CONFIG>
inline typename CONFIG::result_t biased(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                                        const typename CONFIG::bias_rom_t &bias) {
    #pragma HLS INLINE
    const typename CONFIG::result_t number = sum + bias;
    return number << shift;
}

// A number on the grid of slope times result -> the value that leaves.
template <class CONFIG, class out_T> inline out_T leaving(const typename CONFIG::wide_t &number) {
    #pragma HLS INLINE
    return from_integer<out_T>(requantise<CONFIG::output_bits, CONFIG::output_signed, CONFIG::output_drop>(number));
}

// The end of a linear layer.
template <class CONFIG, class out_T>
inline out_T finish(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                    const typename CONFIG::bias_rom_t &bias) {
    #pragma HLS INLINE
    const typename CONFIG::wide_t number = biased<CONFIG>(sum, shift, bias);
    return leaving<CONFIG, out_T>(number << CONFIG::output_up);
}

// PReLU: x where x is not negative, slope * x where it is; `slope_digits` of the slope stand behind the binary point.
template <class CONFIG>
inline typename CONFIG::wide_t prelu(const typename CONFIG::result_t &x, const typename CONFIG::slope_rom_t &slope) {
    #pragma HLS INLINE
    const typename CONFIG::slope_t factor = slope;
    const typename CONFIG::wide_t wide = x;
    if (x >= 0)
        return wide << CONFIG::slope_digits;
    return widened<typename CONFIG::wide_t>(x) * factor;
}

// The end of a layer with PReLU.
template <class CONFIG, class out_T>
inline out_T finish(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                    const typename CONFIG::bias_rom_t &bias, const typename CONFIG::slope_rom_t &slope) {
    #pragma HLS INLINE
    return leaving<CONFIG, out_T>(prelu<CONFIG>(biased<CONFIG>(sum, shift, bias), slope) << CONFIG::output_up);
}

// With an offset behind the PReLU, in steps of the output.
template <class CONFIG, class out_T>
inline out_T finish(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                    const typename CONFIG::bias_rom_t &bias, const typename CONFIG::slope_rom_t &slope,
                    const typename CONFIG::offset_rom_t &offset) {
    #pragma HLS INLINE
    const typename CONFIG::wide_t wide = offset;
    return leaving<CONFIG, out_T>((prelu<CONFIG>(biased<CONFIG>(sum, shift, bias), slope) << CONFIG::output_up) -
                                  (wide << CONFIG::output_drop));
}

// A multiplication, in fabric or in a DSP; CONFIG::multiplier_t says which.
struct in_fabric {};
struct in_dsp {};

template <class product_T, class a_T, class b_T> inline product_T multiply(const a_T &a, const b_T &b, in_fabric) {
    #pragma HLS INLINE
    const product_T product = widened<product_T>(a) * b;
    #pragma HLS BIND_OP variable=product op=mul impl=fabric
    return product;
}

template <class product_T, class a_T, class b_T> inline product_T multiply(const a_T &a, const b_T &b, in_dsp) {
    #pragma HLS INLINE
    const product_T product = widened<product_T>(a) * b;
    #pragma HLS BIND_OP variable=product op=mul impl=dsp
    return product;
}

} // namespace folded

#endif
