// What it costs to replace the whole text of a document by another one with rpt_doc_splice: time,
// and how far the memory of the process rises. Through the C interface.
//
//   splice_bench MODEL TEXT BYTES DIR
//
// TEXT is read again with other words where it is too short.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "include/rpt.h"

namespace {

rpt_error failure = RPT_ERROR_INIT;

void check(rpt_status status) {
    if (status >= 0) return;
    std::fprintf(stderr, "splice_bench: %s: %s\n", rpt_status_name(status), failure.message);
    std::exit(1);
}

// Other names in every round, so that no stretch comes twice.
std::string text_of(const std::string& book, uint64_t bytes, int round) {
    std::string text;
    for (; text.size() < bytes; round += 2) {
        std::istringstream words(book);
        for (std::string line; std::getline(words, line) && text.size() < bytes;)
            text += line + " " + std::to_string(round * 7919 + int(line.size())) + "\n";
    }
    text.resize(bytes);
    while (!text.empty() && (text.back() & 0x80) != 0) text.pop_back();
    return text;
}

// Peak of the resident memory in MB since the last reset.
double peak_mb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1000;
    return 0;
}

void reset_peak() {
    std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace

int main(int n_words, char** words) {
    if (n_words != 5) {
        std::fprintf(stderr, "usage: splice_bench MODEL TEXT BYTES DIR\n");
        return 2;
    }
    std::ifstream in(words[2], std::ios::binary);
    const std::string book{std::istreambuf_iterator<char>(in), {}};
    const uint64_t bytes = std::strtoull(words[3], nullptr, 10);
    const std::string text = text_of(book, bytes, 0), other = text_of(book, bytes, 1);
    std::filesystem::remove_all(words[4]);

    rpt_env* env = nullptr;
    rpt_model* model = nullptr;
    rpt_store* store = nullptr;
    rpt_space* space = nullptr;
    rpt_doc* doc = nullptr;
    check(rpt_env_open(nullptr, &env, &failure));
    check(rpt_model_open(env, words[1], nullptr, nullptr, &model, &failure));
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    options.flags = RPT_STORE_CREATE;
    options.model = model;
    check(rpt_store_open(env, words[4], &options, &store, &failure));
    check(rpt_space_open(store, "o", "c", RPT_SPACE_CREATE, &space, &failure));
    rpt_doc_options facts = RPT_DOC_OPTIONS_INIT;
    facts.key = "doc";
    check(rpt_doc_begin(space, &facts, &doc, &failure));
    const auto measure = [&](const char* what, auto work) {
        reset_peak();
        const double before = peak_mb();
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        std::printf("%-8s %8.1f s   peak %7.0f MB, %7.0f above the start\n", what, took.count(),
                    peak_mb(), peak_mb() - before);
        std::fflush(stdout);
    };
    measure("append", [&] {
        for (size_t at = 0; at < text.size(); at += 1 << 16)
            check(rpt_doc_append(doc, text.data() + at, std::min<size_t>(1 << 16, text.size() - at),
                                 nullptr, &failure));
        check(rpt_doc_flush(doc, 0, nullptr, nullptr, &failure));
    });
    measure("splice", [&] {
        check(rpt_doc_splice(doc, 0, text.size(), other.data(), other.size(), nullptr, nullptr,
                             &failure));
    });
    check(rpt_doc_finish(doc, nullptr, nullptr, &failure));
    rpt_doc_free(doc);
    rpt_space_close(space);
    check(rpt_store_close(store, &failure));
    rpt_model_close(model);
    rpt_env_close(env);
    std::filesystem::remove_all(words[4]);
    return 0;
}
