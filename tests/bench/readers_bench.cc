// One writing process and many reading ones on one store (tests/many/readers.h): where the time of
// each kind of call went, and whether anything that was read was wrong.
//
//   readers_bench [--seconds 600] [--readers 8] [--documents 400] [--segments 20]
//                 [--flat-limit 3000] [--pause-us 20000] [--reader-pause-us 0] [--rival-every-ms
//                 2000]
//                 [--kill-every-ms 60000] [--compact-every-ms 20000] [--path PATH] [--json]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "tests/many/readers.h"

namespace {

using namespace rpt::many;

[[noreturn]] void tell_usage(int code) {
    std::fprintf(
        code == 0 ? stdout : stderr,
        "readers_bench [--seconds 600] [--readers 8] [--documents 400] [--segments 20]\n"
        "              [--flat-limit 3000] [--pause-us 20000] [--reader-pause-us 0]\n"
        "              [--rival-every-ms 2000] [--kill-every-ms 60000] [--compact-every-ms 20000]\n"
        "              [--path PATH] [--json]\n"
        "blocked: time of a call in which its thread neither ran nor stood in the queue of a\n"
        "processor (/proc/thread-self/schedstat)\n");
    std::exit(code);
}

void tell_histogram(const char* name, const Histogram& h, bool json, const char* end) {
    std::printf(json ? "\"%s_us\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}%s"
                     : " %s %.0f / %.0f / %.0f%s",
                name, h.quantile(0.5), h.quantile(0.99), h.max_us, end);
}

void tell_calls(const ReaderFigures& all, bool json) {
    if (json) std::printf("\"calls\": {");
    if (!json) std::printf("microseconds, p50 / p99 / max:\n");
    for (size_t i = 0; i < kCalls; ++i) {
        const CallFigures& call = all.calls[i];
        std::printf(json ? "%s\"%s\": {\"n\": %llu, \"over_50ms\": %llu, "
                         : "%s%s: n %llu, blocked over 50 ms: %llu;",
                    json && i > 0 ? ", " : "", name_of(Call(i)), (unsigned long long)call.wall.n,
                    (unsigned long long)call.over_50ms);
        tell_histogram("wall", call.wall, json, json ? ", " : ";");
        tell_histogram("cpu", call.cpu, json, json ? ", " : ";");
        tell_histogram("queue", call.queue, json, json ? ", " : ";");
        tell_histogram("blocked", call.blocked, json, json ? "}" : "\n");
    }
    if (json) std::printf("}, ");
}

void tell_numbers(const char* name, const std::vector<double>& values, bool json) {
    std::printf(json ? "\"%s\": [" : "%s:", name);
    for (size_t i = 0; i < values.size(); ++i)
        std::printf(json ? "%s%.2f" : "%s %.2f", json && i > 0 ? ", " : "", values[i]);
    std::printf(json ? "], " : "\n");
}

void tell(const ReadersResult& r, bool json) {
    using Number = unsigned long long;
    if (json) std::printf("{");
    tell_calls(r.all, json);
    const LongCall& l = r.all.longest;
    std::printf(json ? "\"longest\": {\"call\": \"%s\", \"wall_us\": %.0f, \"cpu_us\": %.0f, "
                       "\"queue_us\": %.0f, \"blocked_us\": %.0f, \"major_faults\": %lld, "
                       "\"voluntary_switches\": %lld}, "
                     : "most blocked: %s, wall %.0f, cpu %.0f, queue %.0f, blocked %.0f us, %lld "
                       "major faults, %lld voluntary switches\n",
                name_of(l.call), l.spent.wall, l.spent.cpu, l.spent.queue, l.spent.blocked(),
                (long long)l.major_faults, (long long)l.voluntary_switches);
    tell_numbers("takeover_ms", r.takeover_ms, json);
    tell_numbers("first_commit_ms", r.first_commit_ms, json);
    const std::pair<const char*, Number> counts[] = {
        {"checks", r.all.checks},
        {"wrong", r.all.wrong},
        {"failed", r.all.failed},
        {"gone", r.all.gone},
        {"asked_self", r.all.asked_self},
        {"found_self", r.all.found_self},
        {"written", r.writer.written},
        {"replaced", r.writer.replaced},
        {"edited", r.writer.edited},
        {"deleted", r.writer.deleted},
        {"compacted", r.writer.compacted},
        {"compact_busy", r.writer.compact_busy},
        {"busy_while_taking_over", r.writer.busy_while_taking_over},
        {"rivals", r.rivals},
        {"rivals_right", r.rivals_right},
        {"findings", r.findings},
        {"wrong_at_end", r.wrong_at_end},
        {"documents", r.documents},
        {"chunks", r.chunks},
        {"disk_bytes", r.disk_bytes}};
    for (const auto& [name, n] : counts)
        std::printf(json ? "\"%s\": %llu, " : "%s %llu\n", name, n);
    tell_histogram("rival", r.rival_times, json, json ? ", " : "\n");
    tell_histogram("commit", r.writer.commits, json, json ? ", " : "\n");
    std::printf(json ? "\"load_average\": %.2f, \"steal_share\": %.4f}\n"
                     : "load average %.2f, share of time stolen %.4f\n",
                r.load_average, r.steal_share);
    std::fprintf(stderr, "a rival was told: %s\n", r.first_rival.c_str());
    for (const char* text : {r.all.first_wrong, r.all.first_failed, r.writer.failed})
        if (text[0] != 0) std::fprintf(stderr, "%s\n", text);
}

}  // namespace

int main(int argc, char** argv) {
    ReadersOptions o;
    o.path = (std::filesystem::temp_directory_path() / "rpt_readers_bench").string();
    bool json = false;
    const std::map<std::string, uint32_t*> numbers = {{"--seconds", &o.seconds},
                                                      {"--readers", &o.readers},
                                                      {"--documents", &o.documents},
                                                      {"--segments", &o.max_segments},
                                                      {"--flat-limit", &o.flat_limit},
                                                      {"--pause-us", &o.pause_us},
                                                      {"--reader-pause-us", &o.reader_pause_us},
                                                      {"--rival-every-ms", &o.rival_every_ms},
                                                      {"--kill-every-ms", &o.kill_every_ms},
                                                      {"--compact-every-ms", &o.compact_every_ms}};
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--help") tell_usage(0);
        if (name == "--json") {
            json = true;
        } else if (i + 1 == argc) {
            tell_usage(2);
        } else if (name == "--path") {
            o.path = argv[++i];
        } else if (const auto found = numbers.find(name); found != numbers.end()) {
            *found->second = uint32_t(std::strtoul(argv[++i], nullptr, 10));
        } else {
            tell_usage(2);
        }
    }
    std::filesystem::remove_all(o.path);
    try {
        tell(read_together(o), json);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "readers_bench: %s\n", failure.what());
        return 1;
    }
    std::filesystem::remove_all(o.path);
}
