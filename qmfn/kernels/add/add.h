#ifndef FOLDED_ADD_H_
#define FOLDED_ADD_H_

#include "common.h"

namespace folded {

// Residual add: the exact sum, requantised by its assignment. Reads `pe` values from each input and writes `pe` values
// in every iteration.
template <class CONFIG, class a_T, class b_T, class res_T, class copy_T>
void add(hls::stream<a_T> &a, hls::stream<b_T> &b, hls::stream<res_T> &res, copy_T &copy) {
    unpacker<a_T, CONFIG::pe> from_a;
    unpacker<b_T, CONFIG::pe> from_b;
    packer<hls::stream<res_T>, CONFIG::pe> to;
    packer<copy_T, CONFIG::pe> to_copy;

    for (unsigned i = 0; i < CONFIG::iterations; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION
        from_a.next(a);
        from_b.next(b);
        typename res_T::value_type out[CONFIG::pe];
        #pragma HLS ARRAY_PARTITION variable=out complete
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            out[p] = from_a.beat[p] + from_b.beat[p];
        }
        to.next(out, res);
        to_copy.next(out, copy);
    }
}

} // namespace folded

#endif
