#ifndef FOLDED_PRODUCTS_H_
#define FOLDED_PRODUCTS_H_

#include "folded_common.h"

namespace folded {

// Sums of `simd` products, one for each of `pe` outputs, all of the same `x`; a word of weights is ordered output by
// output, in an output term by term. CONFIG::multiplier_t picks one of two ways.

// A multiplier per product, in fabric or in a DSP.
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

// `lanes` outputs share a DSP48E2: their weights stand side by side in its 27-bit port, `field` bits apart, and every
// field of the product is one output's product. Such weights are stored as what they lie above the most negative one, so
// that they don't borrow from one another and no adder is needed; `corrected` takes off what that is too much. A field
// holds the sum of `simd` such products (qmfn.dataflow.build, product_field), so the fields are told apart once, behind
// the sum: what a lower one borrowed from the next is given back.
template <unsigned lanes_, unsigned field_> struct shared_dsp {
    static const unsigned lanes = lanes_;
    static const unsigned field = field_;
};

template <class CONFIG, unsigned lanes, unsigned field>
inline void dot_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x,
                         typename CONFIG::dot_t *dots, shared_dsp<lanes, field>) {
    #pragma HLS INLINE
    typedef typename signed_integer<27>::type port_t;
    typedef typename signed_integer<lanes * field>::type packed_t;
    for (unsigned first = 0; first < CONFIG::pe; first += lanes) {
        #pragma HLS UNROLL
        packed_t packed_dots = 0;
        for (unsigned s = 0; s < CONFIG::simd; s++) {
            #pragma HLS UNROLL
            port_t packed = 0;
            for (unsigned lane = 0; lane < lanes && first + lane < CONFIG::pe; lane++) {
                #pragma HLS UNROLL
                const port_t weight = weights[(first + lane) * CONFIG::simd + s];
                packed |= weight << (lane * field);
            }
            packed_dots += multiply<packed_t>(packed, x[s], in_dsp());
        }
        for (unsigned lane = 0; lane < lanes && first + lane < CONFIG::pe; lane++) {
            #pragma HLS UNROLL
            const packed_t dot = lowest_digits<field>(packed_dots);
            dots[first + lane] = dot;
            packed_dots = (packed_dots - dot) >> field;
        }
    }
}

template <class multiplier> struct counts_from_lowest { static const bool value = false; };
template <unsigned lanes, unsigned field> struct counts_from_lowest<shared_dsp<lanes, field> > {
    static const bool value = true;
};

// The products of one word of weights, added to the sums of `pe` outputs, and a new x itself to `ones`. Until `corrected`
// the sums are those of the weights as stored; they may wrap around, as the corrected ones fit.
template <class CONFIG>
inline void add_products(const typename CONFIG::weight_rom_t *weights, const typename CONFIG::input_t *x, bool first,
                         bool is_new, typename CONFIG::sum_t *sums, typename CONFIG::sum_t &ones) {
    #pragma HLS INLINE
    typename CONFIG::dot_t dots[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=dots complete
    dot_products<CONFIG>(weights, x, dots, typename CONFIG::multiplier_t());

    if (is_new) {
        typename CONFIG::sum_t of_x = 0; // added up before, so that one addition remains from iteration to iteration
        for (unsigned s = 0; s < CONFIG::simd; s++) {
            #pragma HLS UNROLL
            of_x += x[s];
        }
        ones = (first ? typename CONFIG::sum_t(0) : ones) + of_x;
    }
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        sums[p] = (first ? typename CONFIG::sum_t(0) : sums[p]) + dots[p];
    }
}

// The sum that the weights stand for. Mid-rise weights are odd, 2 * stored + 1; and in a shared DSP weights count from the
// most negative one. Either adds a multiple of the sum of x, the same for all outputs.
template <class CONFIG>
inline typename CONFIG::sum_t corrected(const typename CONFIG::sum_t &sum, const typename CONFIG::sum_t &ones) {
    #pragma HLS INLINE
    const bool from_lowest = counts_from_lowest<typename CONFIG::multiplier_t>::value;
    typename CONFIG::sum_t stored = sum;
    if (from_lowest)
        stored -= ones << (CONFIG::weight_bits - 1);
    return CONFIG::mid_rise ? typename CONFIG::sum_t((stored << 1) + ones) : stored;
}

// One product of a channel with its own x: depthwise convolutions.
template <class CONFIG>
inline typename CONFIG::sum_t product(const typename CONFIG::weight_rom_t &stored, const typename CONFIG::input_t &x) {
    #pragma HLS INLINE
    const typename CONFIG::weight_t weight = stored;
    const typename CONFIG::sum_t found = multiply<typename CONFIG::dot_t>(weight, x, typename CONFIG::multiplier_t());
    return CONFIG::mid_rise ? typename CONFIG::sum_t((found << 1) + x) : found;
}

} // namespace folded

#endif
