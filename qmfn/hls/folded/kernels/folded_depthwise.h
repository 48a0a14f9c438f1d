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
// `weights` has one word per group and step, tap by tap, in a tap channel by channel. `per_output` as in matvec.
template <class CONFIG, class data_T, class res_T, class... tables>
void depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res,
               typename sliding_window<CONFIG>::lines_t lines, typename sliding_window<CONFIG>::columns_t columns,
               const typename CONFIG::weight_rom_t weights[CONFIG::groups * CONFIG::steps][CONFIG::pe * CONFIG::simd],
               const tables &...per_output) {
    typename sliding_window<CONFIG>::taps_t taps;
    #pragma HLS ARRAY_PARTITION variable=taps complete
    typename CONFIG::sum_t sums[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=sums complete
    window_counters<CONFIG> at;

    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        // A word comes back after a whole row of beats, or a whole pixel.
        #pragma HLS DEPENDENCE variable=lines inter RAW distance=CONFIG::row_beats true
        #pragma HLS DEPENDENCE variable=columns inter RAW distance=CONFIG::groups true
        FOLDED_ITERATION

        if (at.step == 0) {
            typename CONFIG::input_t newest[CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=newest complete
            read_pixel<CONFIG>(data, at.position < CONFIG::height * CONFIG::width, newest);
            slide<CONFIG>(newest, at.line, at.group, lines, columns, taps);
        }
        if (at.fires()) {
            typename CONFIG::input_t x[CONFIG::simd][CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=x complete dim=0
            for (unsigned t = 0; t < CONFIG::steps * CONFIG::simd; t++) {
                #pragma HLS UNROLL
                for (unsigned p = 0; p < CONFIG::pe; p++) {
                    #pragma HLS UNROLL
                    if (at.step == t / CONFIG::simd)
                        x[t % CONFIG::simd][p] = tap<CONFIG>(taps, at, t / CONFIG::kernel, t % CONFIG::kernel, p);
                }
            }
            for (unsigned p = 0; p < CONFIG::pe; p++) {
                #pragma HLS UNROLL
                typename CONFIG::sum_t dot = 0; // one addition remains from iteration to iteration
                for (unsigned s = 0; s < CONFIG::simd; s++) {
                    #pragma HLS UNROLL
                    dot += product<CONFIG>(weights[at.word][s * CONFIG::pe + p], x[s][p]);
                }
                sums[p] = (at.step == 0 ? typename CONFIG::sum_t(0) : sums[p]) + dot;
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
    typename CONFIG::sum_t sums[CONFIG::groups][CONFIG::pe];
    #pragma HLS ARRAY_RESHAPE variable=sums complete dim=2
    #pragma HLS BIND_STORAGE variable=sums type=ram_s2p impl=lutram

    typename counter<CONFIG::groups - 1>::type group = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::groups; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        // A channel's sum comes back with the next pixel.
        #pragma HLS DEPENDENCE variable=sums inter RAW distance=CONFIG::groups true
        FOLDED_ITERATION

        const data_T beat = data.read();
        const bool first_pixel = i < CONFIG::groups, last_pixel = i >= (CONFIG::pixels - 1) * CONFIG::groups;
        res_T out;
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            const typename CONFIG::input_t x = arrived<CONFIG>(beat[p]);
            const typename CONFIG::sum_t before = first_pixel ? typename CONFIG::sum_t(0) : sums[group][p];
            const typename CONFIG::sum_t sum = before + product<CONFIG>(weights[i][p], x);
            sums[group][p] = sum;
            if (last_pixel)
                out[p] = finish<CONFIG, typename res_T::value_type>(sum, per_output[group][p]...);
        }
        if (last_pixel)
            res.write(out);
        group = next(group, CONFIG::groups - 1);
    }
}

} // namespace folded

#endif
