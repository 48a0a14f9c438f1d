#ifndef FOLDED_WINDOW_H_
#define FOLDED_WINDOW_H_

#include "sliding_window.h"

namespace folded {

// The `simd` values of a tap fold.
template <class CONFIG, class value_T>
inline void values_of_fold(const typename sliding_window<CONFIG>::taps_t taps, const window_counters<CONFIG> &at,
                           unsigned tap_fold, value_T out[CONFIG::simd]) {
    #pragma HLS INLINE
    for (unsigned s = 0; s < CONFIG::simd; s++) {
        #pragma HLS UNROLL
        const unsigned i = tap_fold * CONFIG::simd + s, t = i / CONFIG::pe;
        const typename CONFIG::input_t x =
            tap<CONFIG>(taps, at, t / CONFIG::kernel, t % CONFIG::kernel, i % CONFIG::pe);
        out[s] = from_integer<value_T>(x);
    }
}

// Sliding window in front of a matrix-vector unit: from pixels to windows.
//
// Loop order: scanned pixel, channel fold (`pe` channels); if an output is due, also tap fold (`simd` values, ordered
// tap by tap, and channel by channel within a tap).
// Rates: reads `pe` values with the first tap fold, up to the last pixel; writes `simd` values with every tap fold of
// an output. Iterations per frame: channel_folds * (scanned_pixels - output_pixels + output_pixels * tap_folds).
template <class CONFIG, class data_T, class res_T>
void window(hls::stream<data_T> &data, hls::stream<res_T> &res,
            typename sliding_window<CONFIG>::lines_t lines, typename sliding_window<CONFIG>::columns_t columns) {
    typename sliding_window<CONFIG>::taps_t taps;
    #pragma HLS ARRAY_PARTITION variable=taps complete
    window_counters<CONFIG> at;
    unpacker<data_T, CONFIG::pe> from;
    packer<hls::stream<res_T>, CONFIG::simd> to;

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
            typename res_T::value_type out[CONFIG::simd];
            #pragma HLS ARRAY_PARTITION variable=out complete
            for (unsigned tap_fold = 0; tap_fold < CONFIG::tap_folds; tap_fold++) {
                #pragma HLS UNROLL
                if (at.tap_fold == tap_fold)
                    values_of_fold<CONFIG>(taps, at, tap_fold, out);
            }
            to.next(out, res);
        }
        at.advance();
    }
}

} // namespace folded

#endif
