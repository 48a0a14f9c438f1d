#ifndef FOLDED_DEPTHWISE_H_
#define FOLDED_DEPTHWISE_H_

#include "products.h"
#include "sliding_window.h"

namespace folded {

// The `simd` taps of a tap fold, channel by channel within a tap.
template <class CONFIG>
inline void taps_of_fold(const typename sliding_window<CONFIG>::taps_t taps, const window_counters<CONFIG> &at,
                         unsigned tap_fold, typename CONFIG::input_t x[CONFIG::simd][CONFIG::pe]) {
    #pragma HLS INLINE
    for (unsigned s = 0; s < CONFIG::simd; s++) {
        #pragma HLS UNROLL
        const unsigned t = tap_fold * CONFIG::simd + s;
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            x[s][p] = tap<CONFIG>(taps, at, t / CONFIG::kernel, t % CONFIG::kernel, p);
        }
    }
}

// Depthwise convolution with bias, PReLU, offset and requantisation.
//
// Loop order: scanned pixel, channel fold (`pe` channels); if an output is due, also tap fold (`simd` taps).
// Rates: reads `pe` values with the first tap fold, up to the last pixel; writes `pe` values with the last tap fold of
// an output. Iterations per frame: channel_folds * (scanned_pixels - output_pixels + output_pixels * tap_folds).
//
// `weights` has one word per channel fold and tap fold, tap by tap, and channel by channel within a tap. `per_output`
// as in matvec.
template <class CONFIG, class data_T, class res_T, class copy_T, class... tables>
void depthwise(
    hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy, typename sliding_window<CONFIG>::lines_t lines,
    typename sliding_window<CONFIG>::columns_t columns,
    const typename CONFIG::weight_rom_t weights[CONFIG::channel_folds * CONFIG::tap_folds][CONFIG::pe * CONFIG::simd],
    const tables &...per_output) {
    typename sliding_window<CONFIG>::taps_t taps;
    #pragma HLS ARRAY_PARTITION variable=taps complete
    typename CONFIG::sum_t sums[CONFIG::pe];
    #pragma HLS ARRAY_PARTITION variable=sums complete
    window_counters<CONFIG> at;
    unpacker<data_T, CONFIG::pe> from;
    packer<hls::stream<res_T>, CONFIG::pe> to;
    packer<copy_T, CONFIG::pe> to_copy;

    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        // A word of `lines` is used again after a row of beats, one of `columns` after the beats of a pixel.
        #pragma HLS DEPENDENCE variable=lines inter RAW distance=CONFIG::row_beats true
        #pragma HLS DEPENDENCE variable=columns inter RAW distance=CONFIG::channel_folds true
        FOLDED_ITERATION

        if (at.tap_fold == 0) {
            typename CONFIG::input_t newest[CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=newest complete
            read_pixel<CONFIG>(from, data, at.pixel < CONFIG::height * CONFIG::width, newest);
            slide<CONFIG>(newest, at.line, at.channel_fold, lines, columns, taps);
        }
        if (at.fires()) {
            typename CONFIG::input_t x[CONFIG::simd][CONFIG::pe];
            #pragma HLS ARRAY_PARTITION variable=x complete dim=0
            for (unsigned tap_fold = 0; tap_fold < CONFIG::tap_folds; tap_fold++) {
                #pragma HLS UNROLL
                if (at.tap_fold == tap_fold)
                    taps_of_fold<CONFIG>(taps, at, tap_fold, x);
            }
            for (unsigned p = 0; p < CONFIG::pe; p++) {
                #pragma HLS UNROLL
                typename CONFIG::sum_t dot = 0; // summed up first: the loop carries one addition only
                for (unsigned s = 0; s < CONFIG::simd; s++) {
                    #pragma HLS UNROLL
                    dot += product<CONFIG>(weights[at.word][s * CONFIG::pe + p], x[s][p]);
                }
                sums[p] = (at.tap_fold == 0 ? typename CONFIG::sum_t(0) : sums[p]) + dot;
            }
            if (at.last_tap_fold()) {
                typename res_T::value_type out[CONFIG::pe];
                #pragma HLS ARRAY_PARTITION variable=out complete
                for (unsigned p = 0; p < CONFIG::pe; p++) {
                    #pragma HLS UNROLL
                    out[p] = bias_prelu_requantise<CONFIG, typename res_T::value_type>(
                        sums[p], per_output[at.channel_fold][p]...);
                }
                to.next(out, res);
                to_copy.next(out, copy);
            }
        }
        at.advance();
    }
}

} // namespace folded

#endif
