#ifndef FOLDED_DEPTHWISE_H_
#define FOLDED_DEPTHWISE_H_

#include "folded_products.h"
#include "folded_window.h"

namespace folded {

// The `simd` taps of a step, in a tap channel by channel.
template <class CONFIG>
inline void taps_of_step(const typename sliding_window<CONFIG>::taps_t taps, const window_counters<CONFIG> &at,
                         unsigned step, typename CONFIG::input_t x[CONFIG::simd][CONFIG::pe]) {
    #pragma HLS INLINE
    for (unsigned s = 0; s < CONFIG::simd; s++) {
        #pragma HLS UNROLL
        const unsigned t = step * CONFIG::simd + s;
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            x[s][p] = tap<CONFIG>(taps, at, t / CONFIG::kernel, t % CONFIG::kernel, p);
        }
    }
}

// Depthwise convolution with bias, PReLU, offset and requantisation.
//
// Loop order: position, group of `pe` channels, and where an output is due `steps` parts of `simd` taps.
// Rates: reads `pe` values with the first step while there are pixels; writes `pe` with the last step of an output. Iterations per frame: groups * (positions - outputs + outputs * steps).
//
// `weights` has one word per group and step, tap by tap, in a tap channel by channel. `per_output` as in matvec.
template <class CONFIG, class data_T, class res_T, class copy_T, class... tables>
void depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy,
               typename sliding_window<CONFIG>::lines_t lines, typename sliding_window<CONFIG>::columns_t columns,
               const typename CONFIG::weight_rom_t weights[CONFIG::groups * CONFIG::steps][CONFIG::pe * CONFIG::simd],
               const tables &...per_output) {
    typename sliding_window<CONFIG>::taps_t taps;
    #pragma HLS ARRAY_PARTITION variable=taps complete
    typename CONFIG::sum_t sums[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=sums complete
    window_counters<CONFIG> at;
    taker<data_T, CONFIG::pe> from;
    giver<hls::stream<res_T>, CONFIG::pe> to;
    giver<copy_T, CONFIG::pe> to_copy;

    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        // A word comes back after a whole row of beats, or a whole pixel.
        #pragma HLS DEPENDENCE variable=lines inter RAW distance=CONFIG::row_beats true
        #pragma HLS DEPENDENCE variable=columns inter RAW distance=CONFIG::groups true
        FOLDED_ITERATION

        if (at.step == 0) {
            typename CONFIG::input_t newest[CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=newest complete
            read_pixel<CONFIG>(from, data, at.position < CONFIG::height * CONFIG::width, newest);
            slide<CONFIG>(newest, at.line, at.group, lines, columns, taps);
        }
        if (at.fires()) {
            typename CONFIG::input_t x[CONFIG::simd][CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=x complete dim=0
            for (unsigned step = 0; step < CONFIG::steps; step++) {
                #pragma HLS UNROLL
                if (at.step == step)
                    taps_of_step<CONFIG>(taps, at, step, x);
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
                typename res_T::value_type out[CONFIG::pe];
                #pragma HLS ARRAY_PARTITION variable=out complete
                for (unsigned p = 0; p < CONFIG::pe; p++) {
                    #pragma HLS UNROLL
                    out[p] = finish<CONFIG, typename res_T::value_type>(sums[p], per_output[at.group][p]...);
                }
                to.next(out, res);
                to_copy.next(out, copy);
            }
        }
        at.advance();
    }
}

// Global depthwise convolution: the kernel is as large as the image, so every pixel is multiplied as it arrives, and no
// line is kept.
//
// Loop order: pixel, group of `pe` channels.
// Rates: reads `pe` values in every iteration; writes `pe` with the last pixel's. Iterations per frame: pixels * groups.
//
// `weights` has one word per pixel and group.
template <class CONFIG, class data_T, class res_T, class copy_T, class... tables>
void global_depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy,
                      const typename CONFIG::weight_rom_t weights[CONFIG::pixels * CONFIG::groups][CONFIG::pe],
                      const tables &...per_output) {
    typename CONFIG::sum_t sums[CONFIG::groups][CONFIG::pe];
    #pragma HLS ARRAY_RESHAPE variable=sums complete dim=2
    #pragma HLS BIND_STORAGE variable=sums type=ram_s2p impl=lutram

    taker<data_T, CONFIG::pe> from;
    giver<hls::stream<res_T>, CONFIG::pe> to;
    giver<copy_T, CONFIG::pe> to_copy;

    typename counter<CONFIG::groups - 1>::type group = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::groups; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        // A channel's sum comes back with the next pixel.
        #pragma HLS DEPENDENCE variable=sums inter RAW distance=CONFIG::groups true
        FOLDED_ITERATION

        from.next(data);
        const bool first_pixel = i < CONFIG::groups, last_pixel = i >= (CONFIG::pixels - 1) * CONFIG::groups;
        typename res_T::value_type out[CONFIG::pe];
        #pragma HLS ARRAY_PARTITION variable=out complete
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            const typename CONFIG::input_t x = arrived<CONFIG>(from.beat[p]);
            const typename CONFIG::sum_t before = first_pixel ? typename CONFIG::sum_t(0) : sums[group][p];
            const typename CONFIG::sum_t sum = before + product<CONFIG>(weights[i][p], x);
            sums[group][p] = sum;
            if (last_pixel)
                out[p] = finish<CONFIG, typename res_T::value_type>(sum, per_output[group][p]...);
        }
        if (last_pixel) {
            to.next(out, res);
            to_copy.next(out, copy);
        }
        group = next(group, CONFIG::groups - 1);
    }
}

} // namespace folded

#endif
