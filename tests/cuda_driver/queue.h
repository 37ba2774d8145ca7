// Streams as queues. What is asked for is done when somebody waits for it, as late as the order among streams allows
// and in a random order where it allows several.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "memory.h"

struct Range {
    uint64_t start;
    size_t bytes;
    bool overlaps(uint64_t other, size_t length) const { return start < other + length && other < start + bytes; }
};

struct Event {
    uint64_t recorded = 0, done = 0;
    struct Stream *last = nullptr;
    std::chrono::steady_clock::time_point at;
};

struct Stream;

struct Operation {
    enum { RUN, RECORD, WAIT } kind;
    std::function<void()> run;
    std::vector<Range> uses;
    Event *event = nullptr;
    uint64_t version = 0;
};

struct Context {
    int device = 0, retained = 0;
    // The error that ended it.
    int sticky = 0;
    Stream *default_stream = nullptr;
};

struct Stream {
    Context *context;
    std::deque<Operation> operations;
};

inline auto &lock = *new std::recursive_mutex;
inline auto &streams = *new std::set<Stream *>;
inline auto &events = *new std::set<Event *>;
inline auto &chance = *new std::mt19937_64;

inline bool ready(const Stream &stream) {
    if (stream.operations.empty() || stream.context->sticky) {
        return false;
    }
    const Operation &head = stream.operations.front();
    return head.kind != Operation::WAIT || head.event->done >= head.version;
}

inline void run_head(Stream &stream) {
    Operation head = std::move(stream.operations.front());
    stream.operations.pop_front();
    if (head.kind == Operation::RUN) {
        head.run();
    } else if (head.kind == Operation::RECORD && head.event->done < head.version) {
        head.event->done = head.version;
        head.event->at = std::chrono::steady_clock::now();
    }
}

// Any one that may run now.
inline bool step() {
    std::vector<Stream *> may;
    for (Stream *stream : streams) {
        if (ready(*stream)) {
            may.push_back(stream);
        }
    }
    if (may.empty()) {
        return false;
    }
    run_head(*may[chance() % may.size()]);
    return true;
}

// Nothing but what it takes to empty a stream as far as `enough`.
inline void advance(Stream &stream, const std::function<bool()> &enough, int depth = 0) {
    if (depth > 64) {
        stop("streams wait for each other");
    }
    while (!enough() && !stream.context->sticky) {
        if (stream.operations.empty()) {
            stop("an event is waited for that nothing brings about");
        }
        if (!ready(stream)) {
            const Operation head = stream.operations.front();
            if (!head.event->last) {
                stop("a stream waits for an event without a stream");
            }
            advance(*head.event->last, [&] { return head.event->done >= head.version; }, depth + 1);
            continue;
        }
        run_head(stream);
    }
}

// Until it is so, either with everything else in a random order or with nothing else.
inline void finish(Stream &stream, const std::function<bool()> &enough) {
    if (chance() % 2) {
        while (!enough() && !stream.context->sticky && step()) {
        }
    }
    advance(stream, enough);
}

inline void empty(Stream &stream) {
    finish(stream, [&] { return stream.operations.empty(); });
}

inline void refuse_pending(uint64_t pointer, size_t bytes, const char *what) {
    for (const Stream *stream : streams) {
        for (const Operation &operation : stream->operations) {
            for (const Range &range : operation.uses) {
                if (!stream->context->sticky && range.overlaps(pointer, bytes)) {
                    stop(what);
                }
            }
        }
    }
}
