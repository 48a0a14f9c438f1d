#ifndef GLOBAL_MAX_H_
#define GLOBAL_MAX_H_

#include "folded_common.h"

namespace folded {

// The largest value of every channel.
//
// Loop order: pixel, group of `pe` channels. Reads `pe` values in every iteration, writes `pe` with the last pixel.
template <class CONFIG, class data_T, class res_T, class copy_T>
void global_max(hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy) {
    typename res_T::value_type largest[CONFIG::groups][CONFIG::pe];
    #pragma HLS ARRAY_RESHAPE variable=largest complete dim=2
    taker<data_T, CONFIG::pe> from;
    giver<hls::stream<res_T>, CONFIG::pe> to;
    giver<copy_T, CONFIG::pe> to_copy;

    typename counter<CONFIG::groups - 1>::type group = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::groups; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION

        from.next(data);
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            if (i < CONFIG::groups || from.beat[p] > largest[group][p])
                largest[group][p] = from.beat[p];
        }
        if (i >= (CONFIG::pixels - 1) * CONFIG::groups) {
            to.next(largest[group], res);
            to_copy.next(largest[group], copy);
        }
        group = next(group, CONFIG::groups - 1);
    }
}

} // namespace folded

#endif
