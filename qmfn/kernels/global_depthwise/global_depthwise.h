#ifndef FOLDED_GLOBAL_DEPTHWISE_H_
#define FOLDED_GLOBAL_DEPTHWISE_H_

#include "products.h"

namespace folded {

// Global depthwise convolution with bias, PReLU, offset and requantisation. The kernel is as large as the image, so
// every pixel is multiplied when it is read, and no line is kept.
//
// Loop order: pixel, output fold (`pe` channels).
// Rates: reads `pe` values in every iteration; writes `pe` values with the last pixel. Iterations per frame:
// pixels * output_folds.
//
// `weights` has one word per pixel and output fold. `per_output` as in matvec.
template <class CONFIG, class data_T, class res_T, class copy_T, class... tables>
void global_depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy,
                      const typename CONFIG::weight_rom_t weights[CONFIG::pixels * CONFIG::output_folds][CONFIG::pe],
                      const tables &...per_output) {
    typename CONFIG::sum_t sums[CONFIG::output_folds][CONFIG::pe];
    #pragma HLS ARRAY_RESHAPE variable=sums complete dim=2
    #pragma HLS BIND_STORAGE variable=sums type=ram_s2p impl=lutram

    unpacker<data_T, CONFIG::pe> from;
    packer<hls::stream<res_T>, CONFIG::pe> to;
    packer<copy_T, CONFIG::pe> to_copy;

    typename counter<CONFIG::output_folds - 1>::type output_fold = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::output_folds; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        // A word of `sums` is used again with the next pixel.
        #pragma HLS DEPENDENCE variable=sums inter RAW distance=CONFIG::output_folds true
        FOLDED_ITERATION

        from.next(data);
        const bool first_pixel = i < CONFIG::output_folds;
        const bool last_pixel = i >= (CONFIG::pixels - 1) * CONFIG::output_folds;
        typename res_T::value_type out[CONFIG::pe];
        #pragma HLS ARRAY_PARTITION variable=out complete
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            const typename CONFIG::input_t x = requantise_input<CONFIG>(from.beat[p]);
            const typename CONFIG::sum_t before = first_pixel ? typename CONFIG::sum_t(0) : sums[output_fold][p];
            const typename CONFIG::sum_t sum = before + product<CONFIG>(weights[i][p], x);
            sums[output_fold][p] = sum;
            if (last_pixel)
                out[p] = bias_prelu_requantise<CONFIG, typename res_T::value_type>(sum, per_output[output_fold][p]...);
        }
        if (last_pixel) {
            to.next(out, res);
            to_copy.next(out, copy);
        }
        output_fold = next(output_fold, CONFIG::output_folds - 1);
    }
}

} // namespace folded

#endif
