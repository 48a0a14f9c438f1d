#ifndef QMFN_CSIM_AP_SHIFT_REG_H_
#define QMFN_CSIM_AP_SHIFT_REG_H_

// The shift register of Vivado HLS and Vitis HLS, for C-simulation only: a ring, so that a shift writes one element
// instead of moving all of them.

#include <cassert>

template <typename T, unsigned int DEPTH = 32> class ap_shift_reg {
  public:
    // Read the element at `address` (0 is the newest), then shift `in` in.
    T shift(const T &in, unsigned int address = DEPTH - 1, bool enable = true) {
        T out = read(address);
        if (enable) {
            newest = newest == 0 ? DEPTH - 1 : newest - 1;
            ring[newest] = in;
        }
        return out;
    }

    T read(unsigned int address = DEPTH - 1) const {
        assert(address < DEPTH && "read beyond the shift register");
        unsigned int position = newest + address;
        return ring[position < DEPTH ? position : position - DEPTH];
    }

  private:
    T ring[DEPTH];
    unsigned int newest = 0;
};

#endif
