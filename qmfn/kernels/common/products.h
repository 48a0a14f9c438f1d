#ifndef FOLDED_PRODUCTS_H_
#define FOLDED_PRODUCTS_H_

#include "common.h"

namespace folded {

// Dot products of `pe` outputs, `simd` terms each, all with the same `x`. A word of weights is ordered output by
// output, and term by term within an output. CONFIG::multiplier_t selects the multipliers.

// One multiplier per product, in fabric or in a DSP.
template <class CONFIG, class multiplier>
inline void separate_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x,
                              typename CONFIG::dot_t *dots, multiplier where) {
    #pragma HLS INLINE
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        typename CONFIG::dot_t dot = 0;
        for (unsigned s = 0; s < CONFIG::simd; s++) {
            #pragma HLS UNROLL
            const typename CONFIG::weight_t weight = weights[p * CONFIG::simd + s];
            dot += multiply<typename CONFIG::dot_t>(weight, x[s], where);
        }
        dots[p] = dot;
    }
}

template <class CONFIG>
inline void dot_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x,
                         typename CONFIG::dot_t *dots, in_fabric where) {
    #pragma HLS INLINE
    separate_products<CONFIG>(weights, x, dots, where);
}

template <class CONFIG>
inline void dot_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x,
                         typename CONFIG::dot_t *dots, in_dsp where) {
    #pragma HLS INLINE
    separate_products<CONFIG>(weights, x, dots, where);
}

// `outputs` outputs share a DSP48E2. Their weights are packed into its 27-bit port, `field` bits apart, so each field
// of the product is the product of one output. Packed weights are excess-2^(weight_bits - 1) coded: they are not
// negative, so packing needs no adder. `without_weight_offset` removes the excess. A field holds the sum of `simd`
// products (qmfn/kernels/common/weighted.py, product_field), so the fields are separated once, after the adder tree.
// There the borrow between packed fields is undone.
template <unsigned outputs_, unsigned field_> struct shared_dsp {
    static const unsigned outputs = outputs_;
    static const unsigned field = field_;
};

template <class CONFIG, unsigned outputs, unsigned field>
inline void dot_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x,
                         typename CONFIG::dot_t *dots, shared_dsp<outputs, field>) {
    #pragma HLS INLINE
    typedef typename signed_integer<27>::type port_t;
    typedef typename signed_integer<outputs * field>::type packed_t;
    for (unsigned first = 0; first < CONFIG::pe; first += outputs) {
        #pragma HLS UNROLL
        packed_t packed_dots = 0;
        for (unsigned s = 0; s < CONFIG::simd; s++) {
            #pragma HLS UNROLL
            port_t packed = 0;
            for (unsigned output = 0; output < outputs && first + output < CONFIG::pe; output++) {
                #pragma HLS UNROLL
                const port_t weight = weights[(first + output) * CONFIG::simd + s];
                packed |= weight << (output * field);
            }
            packed_dots += multiply<packed_t>(packed, x[s], in_dsp());
        }
        for (unsigned output = 0; output < outputs && first + output < CONFIG::pe; output++) {
            #pragma HLS UNROLL
            const packed_t dot = lowest_bits<field>(packed_dots);
            dots[first + output] = dot;
            packed_dots = (packed_dots - dot) >> field;
        }
    }
}

// Whether weights are excess coded.
template <class multiplier> struct excess_coded { static const bool value = false; };
template <unsigned outputs, unsigned field> struct excess_coded<shared_dsp<outputs, field> > {
    static const bool value = true;
};

// Adds the products of one word of weights to the sums of `pe` outputs, and a new `x` to `input_sum`. The sums are
// those of the weight codes until `without_weight_offset`. They may wrap around, as the final sums fit.
template <class CONFIG>
inline void add_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x, bool first,
                         bool is_new, typename CONFIG::sum_t *sums, typename CONFIG::sum_t &input_sum) {
    #pragma HLS INLINE
    typename CONFIG::dot_t dots[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=dots complete
    dot_products<CONFIG>(weights, x, dots, typename CONFIG::multiplier_t());

    if (is_new) {
        typename CONFIG::sum_t of_x = 0; // summed up first: the loop carries one addition only
        for (unsigned s = 0; s < CONFIG::simd; s++) {
            #pragma HLS UNROLL
            of_x += x[s];
        }
        input_sum = (first ? typename CONFIG::sum_t(0) : input_sum) + of_x;
    }
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        sums[p] = (first ? typename CONFIG::sum_t(0) : sums[p]) + dots[p];
    }
}

// A sum over weight codes -> the sum over the weights. Mid-rise weights are odd, 2 * code + 1. Weights in a shared DSP
// are excess coded. Both add a multiple of the input sum, the same for all outputs.
template <class CONFIG>
inline typename CONFIG::sum_t without_weight_offset(const typename CONFIG::sum_t &sum,
                                                    const typename CONFIG::sum_t &input_sum) {
    #pragma HLS INLINE
    const bool excess = excess_coded<typename CONFIG::multiplier_t>::value;
    typename CONFIG::sum_t stored = sum;
    if (excess)
        stored -= input_sum << (CONFIG::weight_bits - 1);
    return CONFIG::mid_rise ? typename CONFIG::sum_t((stored << 1) + input_sum) : stored;
}

// One product of a weight with its own x: depthwise convolutions.
template <class CONFIG>
inline typename CONFIG::sum_t product(const typename CONFIG::weight_rom_t &stored, const typename CONFIG::input_t &x) {
    #pragma HLS INLINE
    const typename CONFIG::weight_t weight = stored;
    const typename CONFIG::sum_t times_x = multiply<typename CONFIG::dot_t>(weight, x, typename CONFIG::multiplier_t());
    return CONFIG::mid_rise ? typename CONFIG::sum_t((times_x << 1) + x) : times_x;
}

} // namespace folded

#endif
