#include "board_top.h"

namespace board {

// Four bytes per beat -> a pixel of three per beat. (p - 128) / 128 in eight bits is p with its top bit flipped.
//
// One flat loop, II = 1: a pixel per cycle, three of four take a beat. Cycles per frame: PIXELS.
static void unpack(hls::stream<board_beat_t> &bytes, hls::stream<{{ input_type }}> &pixels) {
    static_assert({{ input_type }}::size == 3 && {{ input_type }}::value_type::width == 8, "a pixel is three bytes");
    static_assert(PIXELS % 4 == 0, "a frame is a whole number of beats");

    ap_uint<24> held = 0; // bytes that came and weren't sent yet; as many as the phase says
    ap_uint<2> phase = 0;
    for (unsigned i = 0; i < PIXELS; i++) {
        #pragma HLS PIPELINE II=1

        ap_uint<56> waiting = held;
        if (phase != 3) {
            const ap_uint<56> word = bytes.read().data;
            waiting |= word << (8 * phase.to_uint());
        }

        {{ input_type }} pixel;
        for (unsigned c = 0; c < 3; c++) {
            #pragma HLS UNROLL
            ap_uint<8> value = waiting.range(8 * c + 7, 8 * c);
            value ^= 0x80;
            pixel[c].range(7, 0) = value.range(7, 0);
        }
        pixels.write(pixel);

        held = waiting >> 24;
        phase++;
    }
}

// A beat of the network's lanes -> a word per value, sign-extended.
//
// One flat loop, II = 1: a word per cycle. Cycles per frame: EMBEDDING_SIZE.
static void pack(hls::stream<{{ output_type }}> &values, hls::stream<board_beat_t> &words) {
    static const unsigned lanes = {{ output_type }}::size;
    static const int width = {{ output_type }}::value_type::width;
    static_assert(EMBEDDING_SIZE % lanes == 0, "an embedding is a whole number of beats");
    static_assert(width == {{ output_width }} && width <= 32, "the driver counts in other steps");

    {{ output_type }} beat;
    unsigned lane = 0;
    for (unsigned i = 0; i < EMBEDDING_SIZE; i++) {
        #pragma HLS PIPELINE II=1

        if (lane == 0)
            beat = values.read();

        ap_int<width> value;
        value.range(width - 1, 0) = beat[0].range(width - 1, 0);
        const ap_int<32> wide = value;

        board_beat_t word;
        word.data = wide;
        word.keep = -1;
        word.strb = -1;
        word.last = i == EMBEDDING_SIZE - 1;
        words.write(word);

        // The next value moves to lane 0: a shift register instead of a multiplexer as wide as the lanes.
        for (unsigned k = 0; k + 1 < lanes; k++) {
            #pragma HLS UNROLL
            beat[k] = beat[k + 1];
        }
        lane = lane == lanes - 1 ? 0 : lane + 1;
    }
}

} // namespace board

void {{ top }}(hls::stream<board_beat_t> &pixels_in, hls::stream<board_beat_t> &embedding_out) {
    #pragma HLS INTERFACE axis port=pixels_in
    #pragma HLS INTERFACE axis port=embedding_out
{% if control == "axi_lite" %}
    #pragma HLS INTERFACE s_axilite port=return bundle=control
{% else %}
    #pragma HLS INTERFACE ap_ctrl_none port=return
{% endif %}
    #pragma HLS DATAFLOW

    hls::stream<{{ input_type }}> pixels("pixels");
    #pragma HLS STREAM variable=pixels depth=2
    hls::stream<{{ output_type }}> embedding("embedding");
    #pragma HLS STREAM variable=embedding depth=2

    board::unpack(pixels_in, pixels);
    {{ project }}(pixels, embedding);
    board::pack(embedding, embedding_out);
}
