#ifndef FOLDED_MATVEC_H_
#define FOLDED_MATVEC_H_

#include "folded_products.h"

namespace folded {

// Matrix-vector unit: a dense or 1x1 convolution, from windows (or pixels) to output pixels, with bias, PReLU, offset
// and requantisation.
//
// Loop order: pixel, group n of `pe` outputs, part p of `simd` terms.
// Rates: reads `simd` values in each of the first group's iterations, and keeps the pixel; writes `pe` values with the
// last part. Iterations per frame: pixels * groups * parts.
//
// `weights` has one word per group and part. `per_output` are shift, bias and, behind them, slope and
// offset where the layer has these, each [groups][pe].
template <class CONFIG, class data_T, class res_T, class copy_T, class... tables>
void matvec(hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy,
            const typename CONFIG::weight_rom_t weights[CONFIG::groups * CONFIG::parts][CONFIG::pe * CONFIG::simd],
            const tables &...per_output) {
    typename CONFIG::input_t pixel[CONFIG::parts][CONFIG::simd];
    #pragma HLS ARRAY_RESHAPE variable=pixel complete dim=2
    #pragma HLS BIND_STORAGE variable=pixel type=ram_s2p impl=lutram
    typename CONFIG::sum_t sums[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=sums complete
    typename CONFIG::sum_t ones = 0;
    taker<data_T, CONFIG::simd> from;
    giver<hls::stream<res_T>, CONFIG::pe> to;
    giver<copy_T, CONFIG::pe> to_copy;

    typename counter<CONFIG::parts - 1>::type part = 0;
    typename counter<CONFIG::groups - 1>::type group = 0;
    typename counter<CONFIG::groups * CONFIG::parts - 1>::type word = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::groups * CONFIG::parts; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION

        typename CONFIG::input_t x[CONFIG::simd];
        #pragma HLS ARRAY_PARTITION variable=x complete
        if (group == 0) {
            from.next(data);
            for (unsigned s = 0; s < CONFIG::simd; s++) {
                #pragma HLS UNROLL
                x[s] = arrived<CONFIG>(from.beat[s]);
                pixel[part][s] = x[s];
            }
        } else {
            for (unsigned s = 0; s < CONFIG::simd; s++) {
                #pragma HLS UNROLL
                x[s] = pixel[part][s];
            }
        }

        add_products<CONFIG>(weights[word], x, part == 0, group == 0, sums, ones);

        word = next(word, CONFIG::groups * CONFIG::parts - 1);
        if (part < CONFIG::parts - 1) {
            part++;
        } else {
            typename res_T::value_type out[CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=out complete
            for (unsigned p = 0; p < CONFIG::pe; p++) {
                #pragma HLS UNROLL
                const typename CONFIG::sum_t sum = corrected<CONFIG>(sums[p], ones);
                out[p] = finish<CONFIG, typename res_T::value_type>(sum, per_output[group][p]...);
            }
            to.next(out, res);
            to_copy.next(out, copy);
            part = 0;
            group = next(group, CONFIG::groups - 1);
        }
    }
}

} // namespace folded

#endif
