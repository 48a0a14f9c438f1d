#ifndef QMFN_CONCURRENT_H_
#define QMFN_CONCURRENT_H_

// Stages that run at the same time, as in hardware, each in a user-level thread of its own, over bounded channels.
//
// Time is counted in cycles, by the rules of qmfn/plan/simulate.py: an iteration starts after the stage's iteration
// before, after every beat that it reads was written, and after the room that it writes into was freed. A stage learns
// of these one by one, in the middle of its iteration; so an iteration's own beats and room are given to the others when
// it is over, and its time is known. Which stage goes on first changes no time, but it is always the same one.

#include <deque>
#include <string>
#include <ucontext.h>
#include <vector>

namespace verification {

struct stage;

// A FIFO without its values: beats that wait to be read, and room, each with the cycle in which it was given.
class channel {
  public:
    explicit channel(const std::string &name) : name(name), depth(0), reader(0), writer(0), read_port(0), write_port(0) {}

    // Empty it. `depth` <= 0: there is always room.
    void reset(long depth);

    // Called by the stage that runs, which waits if need be; by the host, when none runs.
    void take_beat();
    void take_room();

    // The other half, when the iteration is over.
    void give_beat(long cycle);
    void give_room(long cycle);

    bool holds_beats() const { return !beats.empty(); }

    const std::string name;

  private:
    friend void run(std::vector<stage> &stages, unsigned frames, std::string &fault);

    long depth;
    std::deque<long> beats, room;
    stage *reader, *writer;
    int read_port, write_port;
};

// A stage function, what it is connected to, and what it did.
struct stage {
    stage(const char *name, void (*function)(), const std::vector<channel *> &inputs,
          const std::vector<channel *> &outputs)
        : name(name), function(function), inputs(inputs), outputs(outputs) {}

    const char *name;
    void (*function)();
    std::vector<channel *> inputs, outputs; // ports 0, 1 and 2, 3

    std::vector<unsigned char> trace; // the ports that each iteration of the first frame used, a bit each
    std::vector<long> ends;           // per frame: cycles until its last iteration was over
    int waits_at;                     // the port where it waits, or -1

    // The iteration that is under way.
    bool in_iteration;
    long cycle, iterations;
    unsigned char used;

    ucontext_t context;
};

// Run so many frames, one after another without a gap, until all are done or no stage can go on. `fault` gets what a
// kernel may not do, and stays empty if all is well.
void run(std::vector<stage> &stages, unsigned frames, std::string &fault);

// The stage that runs begins an iteration.
void iteration();

} // namespace verification

#endif
