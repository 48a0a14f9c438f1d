#ifndef FOLDED_MATVEC_H_
#define FOLDED_MATVEC_H_

#include "products.h"

namespace folded {

// Matrix-vector unit: a dense or 1x1 convolution, from windows (or pixels) to output pixels, with bias, PReLU, offset
// and requantisation.
//
// Loop order: pixel, output fold (`pe` outputs), input fold (`simd` terms).
// Rates: reads `simd` values in each iteration of the first output fold, and keeps the pixel for the others; writes
// `pe` values with the last input fold. Iterations per frame: pixels * output_folds * input_folds.
//
// `weights` has one word per output fold and input fold. `per_output` are shift, bias and, if the layer has them, slope
// and offset, each [output_folds][pe].
template <class CONFIG, class data_T, class res_T, class copy_T, class... tables>
void matvec(
    hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy,
    const typename CONFIG::weight_rom_t weights[CONFIG::output_folds * CONFIG::input_folds][CONFIG::pe * CONFIG::simd],
    const tables &...per_output) {
    typename CONFIG::input_t pixel[CONFIG::input_folds][CONFIG::simd];
    #pragma HLS ARRAY_RESHAPE variable=pixel complete dim=2
    #pragma HLS BIND_STORAGE variable=pixel type=ram_s2p impl=lutram
    typename CONFIG::sum_t sums[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=sums complete
    typename CONFIG::sum_t input_sum = 0;
    unpacker<data_T, CONFIG::simd> from;
    packer<hls::stream<res_T>, CONFIG::pe> to;
    packer<copy_T, CONFIG::pe> to_copy;

    typename counter<CONFIG::input_folds - 1>::type input_fold = 0;
    typename counter<CONFIG::output_folds - 1>::type output_fold = 0;
    typename counter<CONFIG::output_folds * CONFIG::input_folds - 1>::type word = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::output_folds * CONFIG::input_folds; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION

        typename CONFIG::input_t x[CONFIG::simd];
        #pragma HLS ARRAY_PARTITION variable=x complete
        if (output_fold == 0) {
            from.next(data);
            for (unsigned s = 0; s < CONFIG::simd; s++) {
                #pragma HLS UNROLL
                x[s] = requantise_input<CONFIG>(from.beat[s]);
                pixel[input_fold][s] = x[s];
            }
        } else {
            for (unsigned s = 0; s < CONFIG::simd; s++) {
                #pragma HLS UNROLL
                x[s] = pixel[input_fold][s];
            }
        }

        add_products<CONFIG>(weights[word], x, input_fold == 0, output_fold == 0, sums, input_sum);

        word = next(word, CONFIG::output_folds * CONFIG::input_folds - 1);
        if (input_fold < CONFIG::input_folds - 1) {
            input_fold++;
        } else {
            typename res_T::value_type out[CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=out complete
            for (unsigned p = 0; p < CONFIG::pe; p++) {
                #pragma HLS UNROLL
                const typename CONFIG::sum_t sum = without_weight_offset<CONFIG>(sums[p], input_sum);
                out[p] = bias_prelu_requantise<CONFIG, typename res_T::value_type>(sum, per_output[output_fold][p]...);
            }
            to.next(out, res);
            to_copy.next(out, copy);
            input_fold = 0;
            output_fold = next(output_fold, CONFIG::output_folds - 1);
        }
    }
}

} // namespace folded

#endif
