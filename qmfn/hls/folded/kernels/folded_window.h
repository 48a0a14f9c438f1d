#ifndef FOLDED_WINDOW_H_
#define FOLDED_WINDOW_H_

#include "ap_shift_reg.h"
#include "folded_common.h"

namespace folded {

// A k x k window that slides over an image, `pe` channels at a time.
//
// Pixels pass in raster order, and behind the image come as many positions as the window lags behind (padding). The tap
// in row r, column c is the pixel that came (k-1-r) rows and (k-1-c) positions before the newest, without regard to the
// image's edges; taps beyond an edge are zeros (`tap`). Rows are kept in `lines`, an addressed memory with one word of k-1
// rows for each of the width * groups beats of a row; columns in shift registers of `groups` beats.
template <class CONFIG> struct sliding_window {
    static const unsigned row_beats = CONFIG::width * CONFIG::groups;
    static const unsigned kept_values = (CONFIG::kernel - 1) * CONFIG::pe;
    typedef nnet::array<typename CONFIG::input_t, CONFIG::kernel * CONFIG::pe> column_t;
};

// Where the loop stands: position, group of channels, step of an output; which output is due, and at which position.
template <class CONFIG> struct window_counters {
    unsigned position, group, step, line;
    unsigned row, column, due;

    window_counters() : position(0), group(0), step(0), line(0), row(0), column(0), due(first_due) {}

    static const unsigned reach = CONFIG::kernel - 1 - CONFIG::padding;
    static const unsigned first_due = reach * CONFIG::width + reach;

    bool fires() const { return position == due; }
    bool last_step() const { return !fires() || step == CONFIG::steps - 1; }

    void advance() {
        #pragma HLS INLINE
        if (!last_step()) {
            step++;
            return;
        }
        step = 0;
        line = line < sliding_window<CONFIG>::row_beats - 1 ? line + 1 : 0;
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
inline void read_pixel(hls::stream<data_T> &data, bool there, typename CONFIG::input_t newest[CONFIG::pe]) {
    #pragma HLS INLINE
    data_T beat;
    if (there)
        beat = data.read();
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        newest[p] = there ? integer(typename CONFIG::arrives_t(beat[p])) : typename CONFIG::input_t(0);
    }
}

// Move the window on by one beat.
template <class CONFIG, class registers_T>
inline void slide(const typename CONFIG::input_t newest[CONFIG::pe], unsigned line,
                  typename CONFIG::input_t lines[][sliding_window<CONFIG>::kept_values],
                  registers_T columns[CONFIG::kernel - 1],
                  typename sliding_window<CONFIG>::column_t window[CONFIG::kernel]) {
    #pragma HLS INLINE
    const unsigned kept = sliding_window<CONFIG>::kept_values;
    typename sliding_window<CONFIG>::column_t column;
    for (unsigned i = 0; i < kept; i++) {
        #pragma HLS UNROLL
        column[i] = lines[line][i];
    }
    for (unsigned p = 0; p < CONFIG::pe; p++) {
        #pragma HLS UNROLL
        column[kept + p] = newest[p];
    }
    for (unsigned i = 0; i < kept; i++) {
        #pragma HLS UNROLL
        lines[line][i] = column[i + CONFIG::pe];
    }
    window[CONFIG::kernel - 1] = column;
    for (unsigned c = CONFIG::kernel - 1; c > 0; c--) {
        #pragma HLS UNROLL
        window[c - 1] = columns[c - 1].shift(window[c], CONFIG::groups - 1);
    }
}

// The tap in row r, column c of the window for the output that is due; zero beyond the image.
template <class CONFIG>
inline typename CONFIG::input_t tap(const typename sliding_window<CONFIG>::column_t window[CONFIG::kernel],
                                    const window_counters<CONFIG> &at, unsigned r, unsigned c, unsigned p) {
    #pragma HLS INLINE
    const unsigned y = at.row * CONFIG::stride + r, x = at.column * CONFIG::stride + c; // in the padded image
    const bool inside = y >= CONFIG::padding && y < CONFIG::height + CONFIG::padding && x >= CONFIG::padding &&
                        x < CONFIG::width + CONFIG::padding;
    return inside ? window[c][r * CONFIG::pe + p] : typename CONFIG::input_t(0);
}

// Sliding window in front of a matrix-vector unit: from pixels to windows.
//
// Loop order: position, group of `pe` channels, and where an output is due `steps` parts of `simd` values, tap by tap,
// channel by channel within a tap.
// Rates: reads a beat of `pe` values with the first step while there are pixels; writes a beat of `simd` values in every
// step of an output. Iterations per frame: groups * (positions - outputs + outputs * steps).
template <class CONFIG, class data_T, class res_T>
void window(hls::stream<data_T> &data, hls::stream<res_T> &res,
            typename CONFIG::input_t lines[sliding_window<CONFIG>::row_beats][sliding_window<CONFIG>::kept_values]) {
    ap_shift_reg<typename sliding_window<CONFIG>::column_t, CONFIG::groups> columns[CONFIG::kernel - 1];
    #pragma HLS ARRAY_PARTITION variable=columns complete
    typename sliding_window<CONFIG>::column_t window[CONFIG::kernel];
    #pragma HLS ARRAY_PARTITION variable=window complete
    window_counters<CONFIG> at;

Window:
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
            res_T out;
            for (unsigned s = 0; s < CONFIG::simd; s++) {
                #pragma HLS UNROLL
                const unsigned term = at.step * CONFIG::simd + s, t = term / CONFIG::pe;
                const typename CONFIG::input_t value =
                    tap<CONFIG>(window, at, t / CONFIG::kernel, t % CONFIG::kernel, term % CONFIG::pe);
                out[s] = from_integer<typename res_T::value_type>(value);
            }
            res.write(out);
        }
        at.advance();
    }
}

} // namespace folded

#endif
