// What the processes of one run have in common.
#pragma once

#include <atomic>
#include <cstring>
#include <exception>

#include "tests/many/readers.h"

namespace rpt::many {

inline constexpr uint32_t kMaxReaders = 64;

// In shared memory. Each reader has figures of its own; of the writers only one lives.
struct Shared {
    std::atomic<bool> stop{false};
    std::atomic<int> turn{0};        // number of the writer that may open the store
    std::atomic<int> opened{-1};     // number of the writer that has opened it
    std::atomic<int> committed{-1};  // ... and of the one that has committed
    std::atomic<uint64_t> stamp{1};  // of lines, across writers
    WriterFigures writer;
    ReaderFigures readers[kMaxReaders];
};

inline void note(char (&to)[256], const std::string& what) {
    if (to[0] != 0) return;
    std::strncpy(to, what.c_str(), sizeof to - 1);
}

void write_until_stopped(const ReadersOptions& options, Shared& shared, int number);
void read_until_stopped(const ReadersOptions& options, Shared& shared, uint32_t number);

inline std::string key_number(uint64_t i) {
    return std::string("d").append(std::to_string(i));
}

}  // namespace rpt::many
