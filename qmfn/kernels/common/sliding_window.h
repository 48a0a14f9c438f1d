#ifndef FOLDED_SLIDING_WINDOW_H_
#define FOLDED_SLIDING_WINDOW_H_

#include "common.h"

namespace folded {

// A k x k window that slides over an image, `pe` channels at a time.
//
// Pixels are scanned in raster order. After the image come as many zero pixels as the window looks ahead (padding). The
// tap in row r, column c is the pixel scanned (k-1-r) rows and (k-1-c) pixels before the newest one, regardless of the
// image's edges; taps beyond an edge are zero (`tap`). Two addressed memories keep earlier pixels. `lines` has a word
// with the last k-1 rows for each of the row_beats = width * channel_folds beats of a row. `columns` has a word with
// the last k-1 columns of the window for each of the channel_folds beats of a pixel.
template <class CONFIG> struct sliding_window {
    static const unsigned column = CONFIG::kernel * CONFIG::pe;
    typedef typename CONFIG::input_t columns_t[CONFIG::channel_folds][(CONFIG::kernel - 1) * column];
    typedef typename CONFIG::input_t lines_t[CONFIG::row_beats][(CONFIG::kernel - 1) * CONFIG::pe];
    typedef typename CONFIG::input_t taps_t[CONFIG::kernel * column];
};

// State of the loop: scanned pixel, channel fold, tap fold; and the next output, with the pixel that completes its
// window.
template <class CONFIG> struct window_counters {
    static const unsigned reach = CONFIG::kernel - 1 - CONFIG::padding;
    static const unsigned first_due = reach * CONFIG::width + reach;
    static const unsigned past_the_last = first_due + CONFIG::out_height * CONFIG::stride * CONFIG::width;

    typename counter<past_the_last>::type pixel, due;
    typename counter<CONFIG::channel_folds - 1>::type channel_fold;
    typename counter<CONFIG::tap_folds - 1>::type tap_fold;
    typename counter<CONFIG::row_beats - 1>::type line;
    typename counter<CONFIG::out_height>::type row;
    typename counter<CONFIG::out_width - 1>::type column;
    typename counter<CONFIG::channel_folds * CONFIG::tap_folds - 1>::type word; // of the weights

    window_counters()
        : pixel(0), due(first_due), channel_fold(0), tap_fold(0), line(0), row(0), column(0), word(0) {}

    bool fires() const { return pixel == due; }
    bool last_tap_fold() const { return !fires() || tap_fold == CONFIG::tap_folds - 1; }

    void advance() {
        #pragma HLS INLINE
        if (fires())
            word = next(word, CONFIG::channel_folds * CONFIG::tap_folds - 1);
        if (!last_tap_fold()) {
            tap_fold++;
            return;
        }
        tap_fold = 0;
        line = next(line, CONFIG::row_beats - 1);
        if (channel_fold < CONFIG::channel_folds - 1) {
            channel_fold++;
            return;
        }
        channel_fold = 0;
        if (fires())
            next_output();
        pixel++;
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

// The next `pe` channels as integers; zeros after the image, where `valid` is false.
template <class CONFIG, class data_T>
inline void read_pixel(unpacker<data_T, CONFIG::pe> &from, hls::stream<data_T> &data, bool valid,
                       typename CONFIG::input_t newest[CONFIG::pe]) {
    #pragma HLS INLINE
    if (valid)
        from.next(data);
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        newest[p] = valid ? requantise_input<CONFIG>(from.beat[p]) : typename CONFIG::input_t(0);
    }
}

// Moves the window by one beat. `taps` are ordered column by column, and row by row within a column.
template <class CONFIG>
inline void slide(const typename CONFIG::input_t newest[CONFIG::pe], unsigned line, unsigned channel_fold,
                  typename sliding_window<CONFIG>::lines_t lines, typename sliding_window<CONFIG>::columns_t columns,
                  typename sliding_window<CONFIG>::taps_t taps) {
    #pragma HLS INLINE
    const unsigned column = sliding_window<CONFIG>::column;
    const unsigned before = (CONFIG::kernel - 1) * column, above = (CONFIG::kernel - 1) * CONFIG::pe;
    for (unsigned i = 0; i < before; i++) {
        #pragma HLS UNROLL
        taps[i] = columns[channel_fold][i];
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
        columns[channel_fold][i] = taps[column + i];
    }
}

// The tap in row r, column c of channel p for the next output; zero beyond the image.
template <class CONFIG>
inline typename CONFIG::input_t tap(const typename sliding_window<CONFIG>::taps_t taps,
                                    const window_counters<CONFIG> &at, unsigned r, unsigned c, unsigned p) {
    #pragma HLS INLINE
    const unsigned y = at.row * CONFIG::stride + r, x = at.column * CONFIG::stride + c; // in the padded image
    const bool inside = y >= CONFIG::padding && y < CONFIG::height + CONFIG::padding && x >= CONFIG::padding &&
                        x < CONFIG::width + CONFIG::padding;
    return inside ? taps[(c * CONFIG::kernel + r) * CONFIG::pe + p] : typename CONFIG::input_t(0);
}

} // namespace folded

#endif
