#ifndef FOLDED_WINDOW_H_
#define FOLDED_WINDOW_H_

#include "folded_common.h"

namespace folded {

// A k x k window that slides over an image, `pe` channels at a time.
//
// Pixels pass in raster order, and behind the image come as many positions as the window lags behind (padding). The tap
// in row r, column c is the pixel that came (k-1-r) rows and (k-1-c) positions before the newest, without regard to the
// image's edges; taps beyond an edge are zeros (`tap`). Two addressed memories keep what came before: `lines` has a word
// with the last k-1 rows for each of the row_beats = width * groups beats of a row, `columns` a word with the last k-1
// columns of the window for each of the `groups` beats of a pixel.
template <class CONFIG> struct sliding_window {
    static const unsigned column = CONFIG::kernel * CONFIG::pe;
    typedef typename CONFIG::input_t columns_t[CONFIG::groups][(CONFIG::kernel - 1) * column];
    typedef typename CONFIG::input_t lines_t[CONFIG::row_beats][(CONFIG::kernel - 1) * CONFIG::pe];
    typedef typename CONFIG::input_t taps_t[CONFIG::kernel * column];
};

// Where the loop stands: position, group of channels, step of an output; which output is due, and at which position.
template <class CONFIG> struct window_counters {
    static const unsigned reach = CONFIG::kernel - 1 - CONFIG::padding;
    static const unsigned first_due = reach * CONFIG::width + reach;
    static const unsigned past_the_last = first_due + CONFIG::out_height * CONFIG::stride * CONFIG::width;

    typename counter<past_the_last>::type position, due;
    typename counter<CONFIG::groups - 1>::type group;
    typename counter<CONFIG::steps - 1>::type step;
    typename counter<CONFIG::row_beats - 1>::type line;
    typename counter<CONFIG::out_height>::type row;
    typename counter<CONFIG::out_width - 1>::type column;
    typename counter<CONFIG::groups * CONFIG::steps - 1>::type word; // of the weights

    window_counters() : position(0), due(first_due), group(0), step(0), line(0), row(0), column(0), word(0) {}

    bool fires() const { return position == due; }
    bool last_step() const { return !fires() || step == CONFIG::steps - 1; }

    void advance() {
        #pragma HLS INLINE
        if (fires())
            word = next(word, CONFIG::groups * CONFIG::steps - 1);
        if (!last_step()) {
            step++;
            return;
        }
        step = 0;
        line = next(line, CONFIG::row_beats - 1);
        if (group < CONFIG::groups - 1) {
            group++;
            return;
        }
        group = 0;
        if (fires())
            next_output();
        position++;
    }

    void next_output() {
        #pragma HLS INLINE
        if (column < CONFIG::out_width - 1) {
            column++;
            due += CONFIG::stride;
        } else {
            column = 0;
            row++;
            due += CONFIG::stride * CONFIG::width - (CONFIG::out_width - 1) * CONFIG::stride;
        }
    }
};

// The next `pe` channels as integers; zeros behind the image.
template <class CONFIG, class data_T>
inline void read_pixel(taker<data_T, CONFIG::pe> &from, hls::stream<data_T> &data, bool there,
                       typename CONFIG::input_t newest[CONFIG::pe]) {
    #pragma HLS INLINE
    if (there)
        from.next(data);
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        newest[p] = there ? arrived<CONFIG>(from.beat[p]) : typename CONFIG::input_t(0);
    }
}

// Move the window on by one beat: `taps` column by column, in a column row by row.
template <class CONFIG>
inline void slide(const typename CONFIG::input_t newest[CONFIG::pe], unsigned line, unsigned group,
                  typename sliding_window<CONFIG>::lines_t lines, typename sliding_window<CONFIG>::columns_t columns,
                  typename sliding_window<CONFIG>::taps_t taps) {
    #pragma HLS INLINE
    const unsigned column = sliding_window<CONFIG>::column;
    const unsigned before = (CONFIG::kernel - 1) * column, above = (CONFIG::kernel - 1) * CONFIG::pe;
    for (unsigned i = 0; i < before; i++) {
        #pragma HLS UNROLL
        taps[i] = columns[group][i];
    }
    for (unsigned i = 0; i < above; i++) {
        #pragma HLS UNROLL
        taps[before + i] = lines[line][i];
    }
    for (unsigned i = 0; i < CONFIG::pe; i++) {
        #pragma HLS UNROLL
        taps[before + above + i] = newest[i];
    }
    for (unsigned i = 0; i < above; i++) {
        #pragma HLS UNROLL
        lines[line][i] = taps[before + CONFIG::pe + i];
    }
    for (unsigned i = 0; i < before; i++) {
        #pragma HLS UNROLL
        columns[group][i] = taps[column + i];
    }
}

// The tap in row r, column c of channel p for the output that is due; zero beyond the image.
template <class CONFIG>
inline typename CONFIG::input_t tap(const typename sliding_window<CONFIG>::taps_t taps, const window_counters<CONFIG> &at,
                                    unsigned r, unsigned c, unsigned p) {
    #pragma HLS INLINE
    const unsigned y = at.row * CONFIG::stride + r, x = at.column * CONFIG::stride + c; // in the padded image
    const bool inside = y >= CONFIG::padding && y < CONFIG::height + CONFIG::padding && x >= CONFIG::padding &&
                        x < CONFIG::width + CONFIG::padding;
    return inside ? taps[(c * CONFIG::kernel + r) * CONFIG::pe + p] : typename CONFIG::input_t(0);
}

// The `simd` values of a step.
template <class CONFIG, class value_T>
inline void values_of_step(const typename sliding_window<CONFIG>::taps_t taps, const window_counters<CONFIG> &at,
                           unsigned step, value_T out[CONFIG::simd]) {
    #pragma HLS INLINE
    for (unsigned s = 0; s < CONFIG::simd; s++) {
        #pragma HLS UNROLL
        const unsigned i = step * CONFIG::simd + s, t = i / CONFIG::pe;
        const typename CONFIG::input_t x =
            tap<CONFIG>(taps, at, t / CONFIG::kernel, t % CONFIG::kernel, i % CONFIG::pe);
        out[s] = from_integer<value_T>(x);
    }
}

// Sliding window in front of a matrix-vector unit: from pixels to windows.
//
// Loop order: position, group of `pe` channels, and where an output is due `steps` parts of `simd` values, tap by tap,
// channel by channel within a tap.
// Rates: reads `pe` values with the first step while there are pixels; writes `simd` values in every step of an output. Iterations per frame: groups * (positions - outputs + outputs * steps).
template <class CONFIG, class data_T, class res_T>
void window(hls::stream<data_T> &data, hls::stream<res_T> &res,
            typename sliding_window<CONFIG>::lines_t lines, typename sliding_window<CONFIG>::columns_t columns) {
    typename sliding_window<CONFIG>::taps_t taps;
    #pragma HLS ARRAY_PARTITION variable=taps complete
    window_counters<CONFIG> at;
    taker<data_T, CONFIG::pe> from;
    giver<hls::stream<res_T>, CONFIG::simd> to;

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
            typename res_T::value_type out[CONFIG::simd];
            #pragma HLS ARRAY_PARTITION variable=out complete
            for (unsigned step = 0; step < CONFIG::steps; step++) {
                #pragma HLS UNROLL
                if (at.step == step)
                    values_of_step<CONFIG>(taps, at, step, out);
            }
            to.next(out, res);
        }
        at.advance();
    }
}

} // namespace folded

#endif
