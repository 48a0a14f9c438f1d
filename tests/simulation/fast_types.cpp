// Prints what the fixed-point types compute, one line per result. Compiled once against the reference ap_types and once
// against the fast ones, the two outputs must be the same (test_fast_types.py).
//
// Values are printed through the type that receives them, scaled to integers, so that every bit shows.

#include "ap_fixed.h"
#include "ap_shift_reg.h"
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>

template <class T> void show(const T &value, int fraction_bits) {
    std::printf("%.0f\n", std::ldexp(double(value), fraction_bits));
}

// Every value of a small source type, in units of its last bit, assigned to a target in one rounding and overflow mode.
template <int W, int I, int W2, int I2, ap_q_mode Q, ap_o_mode O> void assign_all() {
    for (int64_t n = -(int64_t(1) << (W - 1)); n < (int64_t(1) << (W - 1)); n++) {
        ap_fixed<W, I> source = std::ldexp(double(n), I - W);
        ap_fixed<W2, I2, Q, O> target = source;
        show(target, W2 - I2);
        ap_ufixed<W2, I2, Q, O> unsigned_target = source;
        show(unsigned_target, W2 - I2);
    }
}

template <ap_q_mode Q, ap_o_mode O> void assign_in_mode() {
    assign_all<8, 4, 4, 3, Q, O>();  // loses fraction and range
    assign_all<8, 2, 5, 4, Q, O>();  // loses fraction
    assign_all<8, 6, 9, 3, Q, O>();  // gains fraction, loses range
    assign_all<7, -2, 4, -3, Q, O>(); // negative integer bits
    assign_all<6, 9, 5, 7, Q, O>();  // last bit above one
    assign_all<2, 2, 2, 1, Q, O>();
}

template <ap_o_mode O> void assign_in_overflow() {
    assign_in_mode<AP_RND, O>();
    assign_in_mode<AP_RND_ZERO, O>();
    assign_in_mode<AP_RND_MIN_INF, O>();
    assign_in_mode<AP_RND_INF, O>();
    assign_in_mode<AP_RND_CONV, O>();
    assign_in_mode<AP_TRN, O>();
    assign_in_mode<AP_TRN_ZERO, O>();
}

// Products, sums, accumulation with wrap-around, comparison: every pair of two small types.
void operate_all() {
    for (int a = -32; a < 32; a++) {
        for (int b = -8; b < 8; b++) {
            ap_fixed<6, 2> x = std::ldexp(double(a), -4);
            ap_fixed<4, 3> y = std::ldexp(double(b), -1);
            show(ap_fixed<10, 5>(x * y), 5);
            show(ap_fixed<8, 4>(x + y), 4);
            show(ap_fixed<8, 4>(x - y), 4);
            ap_fixed<7, 3> narrow = x;
            narrow += y;
            narrow += x * y;
            show(narrow, 4);
            show(ap_fixed<5, 3, AP_RND_CONV, AP_SAT>(x * y), 2);
            show(ap_fixed<5, 3, AP_RND_CONV, AP_SAT>(x + y), 2);
            std::printf("%d%d%d%d\n", x < y, x == y, x >= 0, y > 1);
        }
    }
}

// A linear congruential generator: the same numbers in both builds.
struct Random {
    uint64_t state = 88172645463325252ull;
    int64_t next(int bits) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return int64_t(state) >> (64 - bits);
    }
};

// The shape of a layer: a long sum of products in a wide accumulator, a slope, a requantisation.
template <int WA, int WW, int WS, int WO, int F> void accumulate(Random &random) {
    for (int round = 0; round < 300; round++) {
        ap_fixed<WS, WS - F> sum = std::ldexp(double(random.next(12)), -F);
        for (int term = 0; term < 100; term++) {
            ap_fixed<WA, 3> activation = std::ldexp(double(random.next(WA)), 3 - WA);
            ap_fixed<WW, 1> weight = std::ldexp(double(random.next(WW)), 1 - WW);
            sum += static_cast<ap_fixed<WS, WS - F>>(activation * weight);
        }
        show(sum, F);
        ap_fixed<WW, 2> slope = std::ldexp(double(random.next(WW)), 2 - WW);
        ap_fixed<WO, 4, AP_RND_CONV, AP_SAT> output;
        if (sum >= 0) {
            output = sum;
        } else {
            output = sum * slope;
        }
        show(output, WO - 4);
        show(ap_fixed<WO, 3, AP_RND, AP_SAT_SYM>(sum * slope), WO - 3);
    }
}

// Shift registers: reads and shifts at every address, some of them disabled.
void shift_registers(Random &random) {
    static ap_shift_reg<ap_fixed<6, 3>, 7> line; // static, as in a layer: starts at zero
    for (int step = 0; step < 200; step++) {
        ap_fixed<6, 3> in = std::ldexp(double(random.next(6)), -3);
        show(line.shift(in, step % 7, step % 5 != 0), 3);
        show(line.read((step * 3) % 7), 3);
        show(line.read(), 3);
    }
}

void read_text() {
    std::istringstream text("0.5 -0.125 3.75 -4 0.0009765625");
    ap_fixed<13, 3> value;
    while (text >> value) {
        show(value, 10);
    }
}

int main() {
    assign_in_overflow<AP_WRAP>();
    assign_in_overflow<AP_SAT>();
    assign_in_overflow<AP_SAT_ZERO>();
    assign_in_overflow<AP_SAT_SYM>();
    operate_all();
    Random random;
    accumulate<4, 4, 18, 4, 9>(random);
    accumulate<8, 8, 24, 8, 14>(random);
    accumulate<8, 16, 32, 8, 22>(random);
    accumulate<8, 17, 33, 8, 23>(random);
    accumulate<8, 8, 40, 16, 20>(random);
    shift_registers(random);
    read_text();
}
