#ifndef GLOBAL_MAX_H_
#define GLOBAL_MAX_H_

#include "common.h"

namespace folded {

// The largest value of every channel.
//
// Loop order: pixel, channel fold (`pe` channels).
// Rates: reads `pe` values in every iteration; writes `pe` values with the last pixel.
template <class CONFIG, class data_T, class res_T, class copy_T>
void global_max(hls::stream<data_T> &data, hls::stream<res_T> &res, copy_T &copy) {
    typename res_T::value_type largest[CONFIG::channel_folds][CONFIG::pe];
    #pragma HLS ARRAY_RESHAPE variable=largest complete dim=2
    unpacker<data_T, CONFIG::pe> from;
    packer<hls::stream<res_T>, CONFIG::pe> to;
    packer<copy_T, CONFIG::pe> to_copy;

    typename counter<CONFIG::channel_folds - 1>::type channel_fold = 0;
    for (unsigned i = 0; i < CONFIG::pixels * CONFIG::channel_folds; i++) {
        #pragma HLS PIPELINE II=1 style=flp
        FOLDED_ITERATION

        from.next(data);
        for (unsigned p = 0; p < CONFIG::pe; p++) {
            #pragma HLS UNROLL
            if (i < CONFIG::channel_folds || from.beat[p] > largest[channel_fold][p])
                largest[channel_fold][p] = from.beat[p];
        }
        if (i >= (CONFIG::pixels - 1) * CONFIG::channel_folds) {
            to.next(largest[channel_fold], res);
            to_copy.next(largest[channel_fold], copy);
        }
        channel_fold = next(channel_fold, CONFIG::channel_folds - 1);
    }
}

} // namespace folded

#endif
