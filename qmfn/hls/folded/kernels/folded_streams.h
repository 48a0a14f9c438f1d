#ifndef FOLDED_STREAMS_H_
#define FOLDED_STREAMS_H_

#include "folded_common.h"

namespace folded {

// Residual add: exact sum, requantised by its assignment. One beat from each input and one out per iteration.
template <class CONFIG, class a_T, class b_T, class res_T>
void add(hls::stream<a_T> &a, hls::stream<b_T> &b, hls::stream<res_T> &res) {
    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION
        const a_T beat_a = a.read();
        const b_T beat_b = b.read();
        res_T out;
        for (unsigned p = 0; p < res_T::size; p++) {
            #pragma HLS UNROLL
            out[p] = beat_a[p] + beat_b[p];
        }
        res.write(out);
    }
}

// One stream for two readers. One beat per iteration.
template <class CONFIG, class data_T>
void fork(hls::stream<data_T> &data, hls::stream<data_T> &first, hls::stream<data_T> &second) {
    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION
        const data_T beat = data.read();
        first.write(beat);
        second.write(beat);
    }
}

// Wide beats into narrow ones: a wide beat is read, and handed on part by part. One narrow beat per iteration.
template <class CONFIG, class data_T, class res_T> void split(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    data_T wide;
    typename counter<data_T::size / res_T::size - 1>::type part = 0;
    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION
        if (part == 0)
            wide = data.read();
        res_T out;
        for (unsigned p = 0; p < res_T::size; p++) {
            #pragma HLS UNROLL
            out[p] = wide[p];
        }
        res.write(out);
        for (unsigned p = 0; p + res_T::size < data_T::size; p++) {
            #pragma HLS UNROLL
            wide[p] = wide[p + res_T::size];
        }
        part = next(part, data_T::size / res_T::size - 1);
    }
}

// Narrow beats into wide ones: the last part completes a wide beat. One narrow beat per iteration.
template <class CONFIG, class data_T, class res_T> void join(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    res_T wide;
    typename counter<res_T::size / data_T::size - 1>::type part = 0;
    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION
        const data_T beat = data.read();
        for (unsigned p = 0; p + data_T::size < res_T::size; p++) {
            #pragma HLS UNROLL
            wide[p] = wide[p + data_T::size];
        }
        for (unsigned p = 0; p < data_T::size; p++) {
            #pragma HLS UNROLL
            wide[res_T::size - data_T::size + p] = beat[p];
        }
        if (part < res_T::size / data_T::size - 1) {
            part++;
        } else {
            res.write(wide);
            part = 0;
        }
    }
}

} // namespace folded

#endif
