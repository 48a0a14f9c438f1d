#ifndef FOLDED_DEPTHWISE_H_
#define FOLDED_DEPTHWISE_H_

#include "folded_products.h"
#include "folded_window.h"

namespace folded {

// Depthwise convolution with bias, PReLU, offset and requantisation.
//
// Loop order: position, group of `pe` channels, and where an output is due `steps` parts of `simd` taps.
// Rates: reads a beat of `pe` values with the first step while there are pixels; writes a beat with the last step of an
// output. Iterations per frame: groups * (positions - outputs + outputs * steps).
//
// `weights` has one word per group and step, channel by channel. `per_output` as in matvec.
template <class CONFIG, class data_T, class res_T, class... tables>
void depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res,
               typename CONFIG::input_t lines[sliding_window<CONFIG>::row_beats][sliding_window<CONFIG>::kept_values],
               const typename CONFIG::weight_rom_t weights[CONFIG::groups * CONFIG::steps][CONFIG::pe * CONFIG::simd],
               const tables &...per_output) {
    ap_shift_reg<typename sliding_window<CONFIG>::column_t, CONFIG::groups> columns[CONFIG::kernel - 1];
    #pragma HLS ARRAY_PARTITION variable=columns complete
    typename sliding_window<CONFIG>::column_t window[CONFIG::kernel];
    #pragma HLS ARRAY_PARTITION variable=window complete
    typename CONFIG::sum_t sums[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=sums complete
    window_counters<CONFIG> at;

Depthwise:
    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1
        // A word of `lines` comes back after a whole row.
        #pragma HLS DEPENDENCE variable=lines inter false
        FOLDED_ITERATION

        if (at.step == 0) {
            typename CONFIG::input_t newest[CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=newest complete
            read_pixel<CONFIG>(data, at.position < CONFIG::height * CONFIG::width, newest);
            slide<CONFIG>(newest, at.line, lines, columns, window);
        }
        if (at.fires()) {
            const unsigned word = at.group * CONFIG::steps + at.step;
            for (unsigned p = 0; p < CONFIG::pe; p++) {
                #pragma HLS UNROLL
                typename CONFIG::sum_t sum = at.step == 0 ? typename CONFIG::sum_t(0) : sums[p];
                for (unsigned s = 0; s < CONFIG::simd; s++) {
                    #pragma HLS UNROLL
                    const unsigned t = at.step * CONFIG::simd + s;
                    sum += product<CONFIG>(weights[word][p * CONFIG::simd + s],
                                           tap<CONFIG>(window, at, t / CONFIG::kernel, t % CONFIG::kernel, p));
                }
                sums[p] = sum;
            }
            if (at.last_step()) {
                res_T out;
                for (unsigned p = 0; p < CONFIG::pe; p++) {
                    #pragma HLS UNROLL
                    out[p] = finish<CONFIG, typename res_T::value_type>(sums[p], per_output[at.group][p]...);
                }
                res.write(out);
            }
        }
        at.advance();
    }
}

// Global depthwise convolution: the kernel is as large as the image, so every pixel is multiplied as it arrives, and no
// line is kept.
//
// Loop order: pixel, group of `pe` channels.
// Rates: reads a beat of `pe` values in every iteration; writes a beat with the last pixel's. Iterations per frame:
// pixels * groups.
//
// `weights` has one word per pixel and group.
template <class CONFIG, class data_T, class res_T, class... tables>
void global_depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res,
                      const typename CONFIG::weight_rom_t weights[CONFIG::pixels * CONFIG::groups][CONFIG::pe],
                      const tables &...per_output) {
    ap_shift_reg<nnet::array<typename CONFIG::sum_t, CONFIG::pe>, CONFIG::groups> partial_sums;

    unsigned group = 0;
GlobalDepthwise:
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::groups; i++) {
        #pragma HLS PIPELINE II=1
        FOLDED_ITERATION

        const data_T beat = data.read();
        const bool first_pixel = i < CONFIG::groups, last_pixel = i >= (CONFIG::pixels - 1) * CONFIG::groups;
        const nnet::array<typename CONFIG::sum_t, CONFIG::pe> before = partial_sums.read(CONFIG::groups - 1);
        nnet::array<typename CONFIG::sum_t, CONFIG::pe> sums;
        res_T out;
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            const typename CONFIG::input_t x = integer(typename CONFIG::arrives_t(beat[p]));
            sums[p] = (first_pixel ? typename CONFIG::sum_t(0) : before[p]) + product<CONFIG>(weights[i][p], x);
            if (last_pixel)
                out[p] = finish<CONFIG, typename res_T::value_type>(sums[p], per_output[group][p]...);
        }
        partial_sums.shift(sums, CONFIG::groups - 1);
        if (last_pixel)
            res.write(out);
        group = group < CONFIG::groups - 1 ? group + 1 : 0;
    }
}

} // namespace folded

#endif
