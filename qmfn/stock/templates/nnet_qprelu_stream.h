#ifndef NNET_QPRELU_STREAM_H_
#define NNET_QPRELU_STREAM_H_

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct qprelu_config {
    static const unsigned n_in = 1;         // values per image
    static const unsigned n_chan = 1;       // channels; a stream beat carries one pixel = n_chan values
    static const unsigned reuse_factor = 1; // channels that share one multiplier
};

// PReLU per channel: y = x if x >= 0, slope[channel] * x otherwise. The full product is assigned to the result type,
// whose rounding and saturation modes do the requantisation.
//
// Rates: one beat in, one beat out. Cycles per frame: n_in / n_chan * reuse_factor.
template <class data_T, class res_T, typename CONFIG_T>
void qprelu(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::slope_t slope[CONFIG_T::n_chan]) {
    #pragma HLS ARRAY_PARTITION variable=slope complete

    constexpr unsigned multiplier_limit = DIV_ROUNDUP(CONFIG_T::n_chan, CONFIG_T::reuse_factor);
    #pragma HLS ALLOCATION operation instances=mul limit=multiplier_limit

PixelLoop:
    for (unsigned i = 0; i < CONFIG_T::n_in / CONFIG_T::n_chan; i++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor

        data_T in_data = data.read();
        res_T out_data;
        PRAGMA_DATA_PACK(out_data)

    ChannelLoop:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            if (in_data[c] >= 0) {
                out_data[c] = in_data[c];
            } else {
                out_data[c] = in_data[c] * slope[c];
            }
        }

        res.write(out_data);
    }
}

// The same with an offset per channel, subtracted before the result type rounds and saturates: sums, products and
// differences of ap_fixed are as wide as they need to be, so the requantisation sees the exact difference.
template <class data_T, class res_T, typename CONFIG_T>
void qprelu(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::slope_t slope[CONFIG_T::n_chan],
            typename CONFIG_T::offset_t offset[CONFIG_T::n_chan]) {
    #pragma HLS ARRAY_PARTITION variable=slope complete
    #pragma HLS ARRAY_PARTITION variable=offset complete

    constexpr unsigned multiplier_limit = DIV_ROUNDUP(CONFIG_T::n_chan, CONFIG_T::reuse_factor);
    #pragma HLS ALLOCATION operation instances=mul limit=multiplier_limit

PixelLoop:
    for (unsigned i = 0; i < CONFIG_T::n_in / CONFIG_T::n_chan; i++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor

        data_T in_data = data.read();
        res_T out_data;
        PRAGMA_DATA_PACK(out_data)

    ChannelLoop:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            if (in_data[c] >= 0) {
                out_data[c] = in_data[c] - offset[c];
            } else {
                out_data[c] = in_data[c] * slope[c] - offset[c];
            }
        }

        res.write(out_data);
    }
}

} // namespace nnet

#endif
