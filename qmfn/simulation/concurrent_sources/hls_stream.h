// The guard of hls4ml's own header of this name: with this one included first, that one has nothing to add.
#ifndef X_HLS_STREAM_SIM_H
#define X_HLS_STREAM_SIM_H

// hls::stream whose reads and writes block, between stages that run at the same time (concurrent.h). There is no way to
// ask whether a stream is empty: a stage that did so would depend on time.

#include "concurrent.h"
#include <iostream> // these two come with hls4ml's, and its headers rely on that
#include <sstream>

#define FOLDED_ITERATION verification::iteration();

namespace hls {

template <class T> class stream : public verification::channel {
  public:
    explicit stream(const std::string &name) : verification::channel(name) {}

    void reset(long depth) {
        verification::channel::reset(depth);
        values.clear();
    }

    T read() {
        take_beat();
        const T value = values.front();
        values.pop_front();
        return value;
    }

    void write(const T &value) {
        take_room();
        values.push_back(value);
    }

  private:
    stream(const stream &);
    stream &operator=(const stream &);

    std::deque<T> values; // more than `beats` only by what the iteration under way has written
};

} // namespace hls

#endif
