#ifndef BOARD_TOP_H_
#define BOARD_TOP_H_

// The network between two AXI4-Streams of 32 bits, for a DMA on either side. Untested: no vendor tool has seen this.

#include "{{ project }}.h"

#include "ap_int.h"
#include "hls_stream.h"
{% if tool == "Vitis" %}

#include "ap_axi_sdata.h"

typedef ap_axiu<32, 0, 0, 0> board_beat_t;
{% else %}

// Vivado HLS knows side channels by the names of members (UG902, "AXI4-Stream Interfaces with Side-Channels"); its own
// ap_axiu can't do without TUSER, TID and TDEST.
struct board_beat_t {
    ap_uint<32> data;
    ap_uint<4> keep;
    ap_uint<4> strb;
    ap_uint<1> last;
};
{% endif %}

namespace board {

// Per frame: {{ image_size }} x {{ image_size }} pixels of three bytes, and values of one word each.
static const unsigned PIXELS = {{ pixels }};
static const unsigned EMBEDDING_SIZE = {{ embedding_size }};

} // namespace board

// pixels_in: uint8 RGBRGB..., row by row, four bytes per beat, the first in the lowest bits; frame follows frame, TLAST
// is not looked at. embedding_out: one value per beat as a signed integer, in steps of 2^{{ exponent }}; TLAST ends a frame.
void {{ top }}(hls::stream<board_beat_t> &pixels_in, hls::stream<board_beat_t> &embedding_out);

#endif
