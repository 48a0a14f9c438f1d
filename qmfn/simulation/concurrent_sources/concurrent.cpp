// See concurrent.h.

#include "concurrent.h"

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

namespace verification {
namespace {

const size_t STACK = 1 << 20;

// The run that is under way.
ucontext_t host;
std::deque<stage *> ready;
stage *running = 0;
unsigned frames_wanted;
std::string fault_found;

// Go on with the stage that is ready for the longest time; with the host if there is none.
void pass_on(ucontext_t *from) {
    running = 0;
    if (fault_found.empty() && !ready.empty()) {
        running = ready.front();
        ready.pop_front();
    }
    swapcontext(from, running ? &running->context : &host);
}

void fail(const std::string &what) {
    fault_found = std::string(running->name) + " " + what;
    pass_on(&running->context);
}

void wait_at(int port) {
    running->waits_at = port;
    pass_on(&running->context);
}

void wake(stage *who, int port) {
    if (who && who->waits_at == port) {
        who->waits_at = -1;
        ready.push_back(who);
    }
}

void use(const stage *owner, int port, const std::string &channel) {
    if (running != owner)
        fail("uses " + channel + ", which belongs to another stage");
    if (!running->in_iteration)
        fail("uses " + channel + " outside of an iteration");
    if (running->used >> port & 1)
        fail("uses " + channel + " twice in one iteration");
    running->used |= 1 << port;
}

void finish_iteration() {
    if (!running->in_iteration)
        return;
    running->in_iteration = false;
    for (int port = 0; port < 4; port++) {
        if (!(running->used >> port & 1))
            continue;
        if (port < 2)
            running->inputs[port]->give_room(running->cycle);
        else
            running->outputs[port - 2]->give_beat(running->cycle);
    }
    if (running->ends.empty())
        running->trace.push_back(running->used);
    running->iterations++;
}

// The body of a thread. It never returns: there is no context to return to.
void all_frames() {
    while (running->ends.size() < frames_wanted) {
        running->iterations = 0;
        running->function();
        finish_iteration();
        if (running->iterations != (long)running->trace.size())
            fail("takes another number of iterations for a later frame");
        running->ends.push_back(running->cycle + 1);
    }
    pass_on(&running->context);
}

// A stack with a page below it that may not be touched.
void *new_stack() {
    void *stack = mmap(0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return 0;
    mprotect(stack, sysconf(_SC_PAGESIZE), PROT_NONE);
    return stack;
}

void begin(stage &s, void *stack) {
    s.trace.clear();
    s.ends.clear();
    s.waits_at = -1;
    s.in_iteration = false;
    s.cycle = -1;
    s.iterations = 0;
    s.used = 0;
    getcontext(&s.context);
    s.context.uc_stack.ss_sp = stack;
    s.context.uc_stack.ss_size = STACK;
    s.context.uc_link = 0;
    makecontext(&s.context, all_frames, 0);
    ready.push_back(&s);
}

} // namespace

void channel::reset(long depth) {
    this->depth = depth;
    beats.clear();
    room.assign(std::max(depth, 0L), -1);
}

void channel::take_beat() {
    if (running) {
        use(reader, read_port, name);
        while (beats.empty())
            wait_at(read_port);
        running->cycle = std::max(running->cycle, beats.front() + 1);
    }
    beats.pop_front();
}

void channel::take_room() {
    if (!running) { // the host's beats are there from the start
        give_beat(-1);
        return;
    }
    use(writer, write_port, name);
    if (depth <= 0)
        return;
    while (room.empty())
        wait_at(write_port);
    running->cycle = std::max(running->cycle, room.front() + 1);
    room.pop_front();
}

void channel::give_beat(long cycle) {
    beats.push_back(cycle);
    wake(reader, read_port);
}

void channel::give_room(long cycle) {
    if (depth <= 0)
        return;
    room.push_back(cycle);
    wake(writer, write_port);
}

void iteration() {
    finish_iteration();
    running->in_iteration = true;
    running->used = 0;
    running->cycle++;
}

void run(std::vector<stage> &stages, unsigned frames, std::string &fault) {
    std::vector<void *> stacks;
    frames_wanted = frames;
    fault_found.clear();
    ready.clear();
    for (stage &s : stages) {
        for (size_t i = 0; i < s.inputs.size(); i++) {
            s.inputs[i]->reader = &s;
            s.inputs[i]->read_port = i;
        }
        for (size_t i = 0; i < s.outputs.size(); i++) {
            s.outputs[i]->writer = &s;
            s.outputs[i]->write_port = 2 + i;
        }
        if (void *stack = new_stack()) {
            stacks.push_back(stack);
            begin(s, stack);
        } else {
            fault_found = std::string(s.name) + " gets no stack: there is no memory left";
        }
    }
    pass_on(&host);
    for (void *stack : stacks)
        munmap(stack, STACK);
    for (const stage &s : stages)
        for (const channel *input : s.inputs)
            if (fault_found.empty() && stages.back().ends.size() == frames && input->holds_beats())
                fault_found = std::string(s.name) + " leaves beats in " + input->name;
    fault = fault_found;
}

} // namespace verification
