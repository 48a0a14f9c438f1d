#ifndef FOLDED_COMMON_H_
#define FOLDED_COMMON_H_

// Shared by all kernels: integer types, packing and unpacking of beats, requantisation, bias and PReLU, multipliers.
//
// A kernel is one flat loop, pipelined at II = 1. It reads and writes streams of beats, nnet::array<T, values>, and
// computes on the integers behind the fixed-point values. A beat has as many values as the kernel reads or writes at a
// time, or a multiple if the neighbour folds differently (`unpacker`, `packer`). "Reads" and "writes" in the headers
// count values, not beats. CONFIG has the sizes as constants and the integer types; the Python class beside each kernel
// defines them (`cpp_constants`, `cpp_types`). Storage pragmas are in the generated stage function, where the memories
// are declared. Pragmas are those of Vitis HLS; qmfn/backends/hls4ml/writer.py translates them for Vivado HLS.
//
// style=flp: a pipeline without input still finishes the iterations that it has begun. Otherwise a residual branch
// could wait for a beat inside a stalled pipeline.

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

#include "../nnet_utils/nnet_types.h" // needs the ap types before it

// One iteration of a kernel's loop. The verification mode counts them
// (qmfn/simulation/concurrent_sources/hls_stream.h).
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

// FOLDED_INT: a signed integer. Exactly `bits` wide in hardware and in C-simulation with the reference types. With the
// fast types it is the next built-in type, which compilers vectorise.
// FOLDED_ROM_INT, FOLDED_ROM_UINT: an element of a read-only memory. Built-in types in C-simulation: ap_int
// constructors make the csim compile slow.
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

// Bits of an unsigned number.
template <unsigned number> struct bits_of { static const unsigned value = 1 + bits_of<number / 2>::value; };
template <> struct bits_of<1> { static const unsigned value = 1; };
template <> struct bits_of<0> { static const unsigned value = 1; };

// A counter from 0 to `largest`, no wider than needed.
template <unsigned largest> struct counter {
#ifdef QMFN_CSIM_AP_FIXED_H_
    typedef unsigned type;
#else
    typedef ap_uint<bits_of<largest>::value> type;
#endif
};

// The counter's next value; 0 after `last`.
template <class counter_T> inline counter_T next(const counter_T &count, unsigned last) {
    #pragma HLS INLINE
    return count < last ? counter_T(count + 1) : counter_T(0);
}

// Unpacks beats: reads `values` values at a time from beats that have as many, or a multiple. The rest of the beat is
// shifted down.
template <class data_T, unsigned values> struct unpacker {
    static const unsigned reads_per_beat = data_T::size / values;
    data_T beat; // its first `values` values are the ones read last
    typename counter<reads_per_beat - 1>::type read;

    unpacker() : read(0) {}

    void next(hls::stream<data_T> &data) {
        #pragma HLS INLINE
        if (read == 0) {
            beat = data.read();
        } else {
            for (unsigned i = 0; i + values < data_T::size; i++) {
                #pragma HLS UNROLL
                beat[i] = beat[i + values];
            }
        }
        read = folded::next(read, reads_per_beat - 1);
    }
};

// Placeholder for the second output stream of a stage whose tensor has one consumer.
struct no_stream {};

// Packs beats: collects `values` values at a time into beats that have as many, or a multiple. The last ones complete
// the beat, which is then written.
template <class stream_T, unsigned values> struct packer;

template <unsigned values> struct packer<no_stream, values> {
    template <class value_T> void next(const value_T *, no_stream &) {}
};

template <class res_T, unsigned values> struct packer<hls::stream<res_T>, values> {
    static const unsigned writes_per_beat = res_T::size / values;
    res_T beat;
    typename counter<writes_per_beat - 1>::type write;

    packer() : write(0) {}

    void next(const typename res_T::value_type out[values], hls::stream<res_T> &res) {
        #pragma HLS INLINE
        for (unsigned i = 0; i + values < res_T::size; i++) {
            #pragma HLS UNROLL
            beat[i] = beat[i + values];
        }
        for (unsigned i = 0; i < values; i++) {
            #pragma HLS UNROLL
            beat[res_T::size - values + i] = out[i];
        }
        if (write == writes_per_beat - 1)
            res.write(beat);
        write = folded::next(write, writes_per_beat - 1);
    }
};

// integer: a fixed-point value as an integer, in units of its least significant bit. from_integer: the reverse.
#ifdef QMFN_CSIM_AP_FIXED_H_
template <class T> inline int integer(const T &value) { return value.template slc<T::width>(0).to_int(); }

template <class T> inline T from_integer(int number) {
    T value;
    value.set_slc(0, ac_int<T::width, true>(number));
    return value;
}

// A product of built-in integers is as wide as its factors, so one of them is widened first.
template <class wide_T, class T> inline wide_T widened(const T &number) { return number; }

template <unsigned bits> struct signed_integer { typedef typename built_in<2 + (bits > 32)>::type type; };

// The lowest `bits` bits as a signed integer.
template <unsigned bits> inline long long lowest_bits(long long number) {
    return static_cast<long long>(static_cast<unsigned long long>(number) << (64 - bits)) >> (64 - bits);
}
#else
template <unsigned bits> struct signed_integer { typedef ap_int<bits> type; };

template <unsigned bits, class T> inline ap_int<bits> lowest_bits(const T &number) {
    #pragma HLS INLINE
    return number;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
inline ap_int<W> integer(const ap_fixed<W, I, Q, O, N> &value) {
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

// Drops the `drop` lowest bits, rounding half to even, and saturates to `bits` bits. The same as an assignment to an
// ap_fixed or ap_ufixed with AP_RND_CONV and AP_SAT. number_T must be one bit wider than the number.
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

// A value of the input stream as the integer that the kernel multiplies; requantised if the layer does so.
template <class CONFIG, class value_T> inline typename CONFIG::input_t requantise_input(const value_T &value) {
    #pragma HLS INLINE
    if (!CONFIG::requantises)
        return integer(value);
    typedef typename CONFIG::scaled_input_t scaled_t;
    const scaled_t number = integer(value);
    return requantise<CONFIG::input_bits, CONFIG::input_signed, CONFIG::input_drop>(
        scaled_t(number << CONFIG::input_up));
}

// A number on the grid of slope times result -> a value of the output stream.
template <class CONFIG, class out_T> inline out_T requantise_output(const typename CONFIG::wide_t &number) {
    #pragma HLS INLINE
    return from_integer<out_T>(requantise<CONFIG::output_bits, CONFIG::output_signed, CONFIG::output_drop>(number));
}

// A sum of products and its bias have the step of their channel; the shift brings both to the grid of the layer.
template <class CONFIG>
inline typename CONFIG::result_t biased(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                                        const typename CONFIG::bias_rom_t &bias) {
    #pragma HLS INLINE
    const typename CONFIG::result_t number = sum + bias;
    return number << shift;
}

// PReLU: x if x >= 0, else slope * x. The slope has `slope_fraction_bits` fraction bits, and so has the result.
template <class CONFIG>
inline typename CONFIG::wide_t prelu(const typename CONFIG::result_t &x, const typename CONFIG::slope_rom_t &slope) {
    #pragma HLS INLINE
    const typename CONFIG::slope_t factor = slope;
    const typename CONFIG::wide_t wide = x;
    if (x >= 0)
        return wide << CONFIG::slope_fraction_bits;
    return widened<typename CONFIG::wide_t>(x) * factor;
}

// A sum of products -> a value of the output stream. PReLU and offset only if the layer has them.
template <class CONFIG, class out_T>
inline out_T bias_prelu_requantise(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                                   const typename CONFIG::bias_rom_t &bias) {
    #pragma HLS INLINE
    const typename CONFIG::wide_t number = biased<CONFIG>(sum, shift, bias);
    return requantise_output<CONFIG, out_T>(number << CONFIG::output_up);
}

template <class CONFIG, class out_T>
inline out_T bias_prelu_requantise(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                                   const typename CONFIG::bias_rom_t &bias, const typename CONFIG::slope_rom_t &slope) {
    #pragma HLS INLINE
    return requantise_output<CONFIG, out_T>(
        prelu<CONFIG>(biased<CONFIG>(sum, shift, bias), slope) << CONFIG::output_up);
}

// The offset is in steps of the output and subtracted after the PReLU.
template <class CONFIG, class out_T>
inline out_T bias_prelu_requantise(const typename CONFIG::sum_t &sum, const typename CONFIG::shift_rom_t &shift,
                                   const typename CONFIG::bias_rom_t &bias, const typename CONFIG::slope_rom_t &slope,
                                   const typename CONFIG::offset_rom_t &offset) {
    #pragma HLS INLINE
    const typename CONFIG::wide_t wide = offset;
    return requantise_output<CONFIG, out_T>(
        (prelu<CONFIG>(biased<CONFIG>(sum, shift, bias), slope) << CONFIG::output_up) - (wide << CONFIG::output_drop));
}

// A multiplication in fabric or in a DSP, as CONFIG::multiplier_t says.
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
