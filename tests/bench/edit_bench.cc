// What an edit costs, beside the length of the document and the place of the edit; what an
// unchanged, a renamed and a changed text cost to add again; and what a budget does to the folder's
// size. Through the C interface.
//
//   edit_bench MODEL TEXT [--bytes 40k,400k,4M] [--budget 16M] [--dir DIR]
//
// TEXT is read again with other words where it is too short. Times are medians of nine edits.
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "include/rpt.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

rpt_error failure = RPT_ERROR_INIT;

void check(rpt_status status) {
    if (status >= 0) return;
    std::fprintf(stderr, "edit_bench: %s: %s\n", rpt_status_name(status), failure.message);
    std::exit(1);
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

uint64_t size_word(std::string word) {
    uint64_t unit = 1;
    if (word.ends_with('k')) unit = 1000;
    if (word.ends_with('M')) unit = 1000 * 1000;
    return std::strtoull(word.c_str(), nullptr, 10) * unit;
}

// Other names in every round, so that no stretch comes twice.
std::string text_of(const std::string& book, uint64_t bytes) {
    std::string text;
    for (int round = 0; text.size() < bytes; ++round) {
        std::istringstream words(book);
        std::string line;
        while (std::getline(words, line) && text.size() < bytes) {
            text += line;
            if (!line.empty()) {
                text += ' ';
                text += std::to_string(round * 7919 + int(line.size()));
            }
            text += '\n';
        }
    }
    text.resize(bytes);
    while (!text.empty() && (text.back() & 0xC0) == 0x80) text.pop_back();
    if (!text.empty() && (text.back() & 0x80)) text.pop_back();
    return text;
}

uint64_t folder_bytes(const fs::path& folder) {
    uint64_t bytes = 0;
    std::error_code ignored;
    for (auto it = fs::recursive_directory_iterator(folder, ignored);
         it != fs::recursive_directory_iterator(); it.increment(ignored)) {
        struct stat facts {};
        if (::lstat(it->path().c_str(), &facts) == 0) bytes += uint64_t(facts.st_blocks) * 512;
    }
    return bytes;
}

struct Place {
    rpt_env* env = nullptr;
    rpt_model* model = nullptr;
    rpt_store* store = nullptr;
    rpt_space* space = nullptr;
    fs::path folder;

    void open(const fs::path& at) {
        folder = at;
        fs::remove_all(at);
        rpt_store_options options = RPT_STORE_OPTIONS_INIT;
        options.flags = RPT_STORE_CREATE;
        options.model = model;
        check(rpt_store_open(env, at.c_str(), &options, &store, &failure));
        check(rpt_space_open(store, "o", "c", RPT_SPACE_CREATE, &space, &failure));
    }
    void close() {
        rpt_space_close(space);
        check(rpt_store_close(store, &failure));
        fs::remove_all(folder);
    }
    double add(const char* key, const std::string& text, bool replace) {
        const auto start = Clock::now();
        rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
        options.key = key;
        options.flags = replace ? RPT_DOC_REPLACE : 0;
        rpt_doc* doc = nullptr;
        check(rpt_doc_begin(space, &options, &doc, &failure));
        for (size_t at = 0; at < text.size(); at += 1 << 16)
            check(rpt_doc_append(doc, text.data() + at, std::min<size_t>(1 << 16, text.size() - at),
                                 nullptr, &failure));
        check(rpt_doc_finish(doc, nullptr, nullptr, &failure));
        rpt_doc_free(doc);
        return seconds_since(start);
    }
};

void measure_edits(Place& place, const std::string& text) {
    const double first = place.add("book", text, false);
    rpt_doc_info info{};
    info.struct_size = sizeof info;
    check(rpt_doc_stat(place.space, "book", &info, &failure));
    std::printf("{\"bytes\": %zu, \"tokens\": %llu, \"first_add_s\": %.3f", text.size(),
                static_cast<unsigned long long>(info.tokens), first);
    rpt_doc* doc = nullptr;
    check(rpt_doc_resume(place.space, "book", 0, &doc, &failure));
    std::string now = text;
    const std::pair<const char*, double> spots[] = {{"begin", 0.0}, {"middle", 0.5}, {"end", 0.98}};
    for (const auto& [name, share] : spots) {
        std::vector<double> times, tokens;
        for (int i = 0; i < 9; ++i) {
            uint64_t at = uint64_t(double(now.size()) * share) + uint64_t(i) * 40;
            while (at > 0 && (now[at] & 0x80)) --at;
            rpt_splice_info spliced{};
            spliced.struct_size = sizeof spliced;
            const std::string word = "inserted" + std::to_string(i) + " ";
            const auto start = Clock::now();
            check(
                rpt_doc_splice(doc, at, at, word.data(), word.size(), nullptr, &spliced, &failure));
            times.push_back(seconds_since(start));
            now.insert(at, word);
            tokens.push_back(double(spliced.tokens));
        }
        std::printf(", \"%s_ms\": %.1f, \"%s_tokens\": %.0f", name, median(times) * 1e3, name,
                    median(tokens));
    }
    check(rpt_doc_finish(doc, nullptr, nullptr, &failure));
    rpt_doc_free(doc);
    const double renamed = place.add("renamed", text, false);
    std::string edited = text;
    edited.insert(text.find('\n', text.size() / 3) + 1, "One more line.\n");
    const double replaced = place.add("renamed", edited, true);
    const auto start = Clock::now();
    rpt_hash* hash = rpt_hash_new();
    uint8_t digest[32];
    rpt_hash_add(hash, edited.data(), edited.size());
    rpt_hash_get(hash, digest);
    rpt_hash_free(hash);
    check(rpt_doc_stat(place.space, "renamed", &info, &failure));
    if (std::memcmp(digest, info.content_hash, sizeof digest) != 0) std::exit(1);
    std::printf(", \"rename_s\": %.4f, \"replace_s\": %.4f, \"unchanged_s\": %.4f}\n", renamed,
                replaced, seconds_since(start));
    std::fflush(stdout);
}

// Documents until what was read would take four times the budget; the folder is sampled all the
// while.
void measure_budget(Place& place, const std::string& book, uint64_t budget) {
    check(rpt_store_set_budget(place.store, budget, nullptr, &failure));
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> most{0}, samples{0};
    std::thread sampler([&] {
        while (!stop) {
            most = std::max(most.load(), folder_bytes(place.folder));
            ++samples;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    });
    const double bytes_a_token = 130;  // in four bits, with text and keys
    uint64_t tokens = 0;
    for (int i = 0; double(tokens) * bytes_a_token < 4.0 * double(budget); ++i) {
        const std::string key = "doc" + std::to_string(i);
        place.add(
            key.c_str(),
            text_of(std::to_string(i) + " " + book.substr(size_t(i) * 1000 % (book.size() / 2)),
                    200000),
            false);
        rpt_doc_info info{};
        info.struct_size = sizeof info;
        check(rpt_doc_stat(place.space, key.c_str(), &info, &failure));
        tokens += info.tokens;
    }
    stop = true;
    sampler.join();
    rpt_store_stats stats{};
    stats.struct_size = sizeof stats;
    check(rpt_store_get_stats(place.store, &stats, &failure));
    const uint64_t du = folder_bytes(place.folder);
    std::printf(
        "{\"budget\": %llu, \"tokens\": %llu, \"samples\": %llu, \"most\": %llu, \"most_share\": "
        "%.4f, "
        "\"stat_disk_bytes\": %llu, \"du\": %llu}\n",
        static_cast<unsigned long long>(budget), static_cast<unsigned long long>(tokens),
        static_cast<unsigned long long>(samples.load()),
        static_cast<unsigned long long>(most.load()), double(most.load()) / double(budget),
        static_cast<unsigned long long>(stats.disk_bytes), static_cast<unsigned long long>(du));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr,
                     "edit_bench MODEL TEXT [--bytes 40k,400k,4M] [--budget 16M] [--dir DIR]\n");
        return 2;
    }
    std::string sizes = "40k,400k,4M", budget = "16M";
    fs::path folder = fs::temp_directory_path();
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::string word = argv[i];
        if (word == "--bytes") sizes = argv[i + 1];
        if (word == "--budget") budget = argv[i + 1];
        if (word == "--dir") folder = argv[i + 1];
    }
    std::ifstream in(argv[2], std::ios::binary);
    const std::string book{std::istreambuf_iterator<char>(in), {}};
    Place place;
    check(rpt_env_open(nullptr, &place.env, &failure));
    check(rpt_model_open(place.env, argv[1], nullptr, nullptr, &place.model, &failure));
    std::istringstream list(sizes);
    for (std::string word; std::getline(list, word, ',');) {
        place.open(folder / "rpt_edit_bench");
        measure_edits(place, text_of(book, size_word(word)));
        place.close();
    }
    if (size_word(budget) > 0) {
        place.open(folder / "rpt_budget_bench");
        measure_budget(place, book, size_word(budget));
        place.close();
    }
    rpt_model_close(place.model);
    rpt_env_close(place.env);
}
