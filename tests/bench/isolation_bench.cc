// Isolation of the spaces of one store, in large numbers (tests/many/isolation.h).
//
//   isolation_bench [--only crowd|growth|secrets] [--owners N] [--operations N] [--session-every N]
//                   [--threads N] [--pause-us N] [--others N]... [--samples N] [--ingest-samples N]
//                   [--token-cost-us N] [--seed N] [--folder PATH] [--json]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/many/isolation.h"

namespace {

struct Options {
    std::string only, folder;
    bool json = false;
    rpt::many::CrowdOptions crowd;
    rpt::many::GrowthOptions growth;
    rpt::many::SecretOptions secrets;
};

[[noreturn]] void tell_usage(int code) {
    std::fprintf(
        code == 0 ? stdout : stderr,
        "isolation_bench [--only crowd|growth|secrets] [--folder PATH] [--json] [--seed N]\n"
        "  crowd:   [--owners 1000] [--operations 1000000] [--session-every 40] [--threads 2]\n"
        "           [--pause-us 2000]  chunks of other owners that 10^6 operations got: 0\n"
        "  growth:  [--others 0] [--others 10000] ...  recall of a small space beside others\n"
        "  secrets: [--samples 20000] [--ingest-samples 5000] [--token-cost-us 5]  area under\n"
        "           the curve of times by whether another owner stored the text: 0.5\n");
    std::exit(code);
}

Options read_options(int argc, char** argv) {
    Options o;
    bool own_growth = false;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--help") tell_usage(0);
        if (name == "--json") {
            o.json = true;
            continue;
        }
        if (++i == argc) tell_usage(2);
        const std::string value = argv[i];
        const auto number = [&] { return std::strtoull(value.c_str(), nullptr, 10); };
        if (name == "--only") {
            o.only = value;
        } else if (name == "--folder") {
            o.folder = value;
        } else if (name == "--owners") {
            o.crowd.owners = uint32_t(number());
        } else if (name == "--operations") {
            o.crowd.operations = number();
        } else if (name == "--session-every") {
            o.crowd.session_every = uint32_t(number());
        } else if (name == "--threads") {
            o.crowd.threads = uint32_t(number());
        } else if (name == "--pause-us") {
            o.crowd.pause_us = uint32_t(number());
        } else if (name == "--others") {
            if (!own_growth) o.growth.others.clear();
            own_growth = true;
            o.growth.others.push_back(number());
        } else if (name == "--samples") {
            o.secrets.samples = uint32_t(number());
        } else if (name == "--ingest-samples") {
            o.secrets.ingest_samples = uint32_t(number());
        } else if (name == "--token-cost-us") {
            o.secrets.token_cost_us = uint32_t(number());
        } else if (name == "--seed") {
            o.crowd.seed = o.growth.seed = o.secrets.seed = number();
        } else {
            tell_usage(2);
        }
    }
    return o;
}

void tell_crowd(const Options& o) {
    const auto r = rpt::many::ask_crowd(o.crowd);
    std::printf(
        o.json ? "\"crowd\": {\"owners\": %u, \"searches\": %llu, \"sessions\": %llu, "
                 "\"chunks_seen\": %llu, \"empty\": %llu, \"gone\": %llu, \"foreign\": %llu, "
                 "\"changes\": %llu, \"documents\": %llu, \"chunks\": %llu, \"findings\": "
                 "%llu, \"stale\": %d, \"check_seconds\": %.1f, \"seconds\": %.1f}"
               : "crowd: %u owners, %llu searches, %llu sessions, %llu chunks seen, %llu "
                 "empty answers, %llu hits gone, %llu FOREIGN; %llu changes, %llu documents, "
                 "%llu chunks, %llu findings, index stale: %d, check %.1f s, %.1f s\n",
        o.crowd.owners, (unsigned long long)r.searches, (unsigned long long)r.sessions,
        (unsigned long long)r.chunks_seen, (unsigned long long)r.empty, (unsigned long long)r.gone,
        (unsigned long long)r.foreign, (unsigned long long)r.changes,
        (unsigned long long)r.documents, (unsigned long long)r.chunks,
        (unsigned long long)r.findings, int(r.stale), r.check_seconds, r.seconds);
    if (r.foreign != 0) std::fprintf(stderr, "first foreign: %s\n", r.first_foreign.c_str());
}

void tell_growth(const Options& o) {
    const auto steps = rpt::many::watch_recall(o.growth);
    if (o.json) std::printf("\"growth\": [");
    for (size_t i = 0; i < steps.size(); ++i)
        std::printf(o.json
                        ? "%s{\"others\": %llu, \"recall_at_2\": %.4f, \"changed\": %llu, "
                          "\"search_us_p50\": %.1f}"
                        : "%sgrowth: %llu chunks of others: recall@2 %.4f, %llu answers changed, "
                          "p50 %.1f us\n",
                    o.json && i > 0 ? ", " : "", (unsigned long long)steps[i].others,
                    steps[i].recall, (unsigned long long)steps[i].changed, steps[i].search_us_p50);
    if (o.json) std::printf("]");
}

void tell_secrets(const Options& o) {
    const auto tells = rpt::many::time_secrets(o.secrets);
    if (o.json) std::printf("\"secrets\": [");
    for (size_t i = 0; i < tells.size(); ++i)
        std::printf(o.json
                        ? "%s{\"what\": \"%s\", \"samples\": %llu, \"area\": %.4f, \"low\": %.4f, "
                          "\"high\": %.4f, \"stored_us_p50\": %.1f, \"other_us_p50\": %.1f}"
                        : "%s%s: %llu samples each, area %.4f [%.4f, %.4f], p50 %.1f us stored, "
                          "%.1f us not\n",
                    o.json && i > 0 ? ", " : "", tells[i].what.c_str(),
                    (unsigned long long)tells[i].samples, tells[i].area, tells[i].low,
                    tells[i].high, tells[i].stored_us_p50, tells[i].other_us_p50);
    if (o.json) std::printf("]");
}

}  // namespace

int main(int argc, char** argv) {
    Options o = read_options(argc, argv);
    const auto folder = o.folder.empty()
                            ? std::filesystem::temp_directory_path() / "rpt_isolation_bench"
                            : std::filesystem::path(o.folder);
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    o.crowd.path = folder / "crowd";
    o.growth.path = folder / "growth";
    o.secrets.path = folder;
    try {
        const struct {
            const char* name;
            void (*run)(const Options&);
        } parts[] = {{"crowd", tell_crowd}, {"growth", tell_growth}, {"secrets", tell_secrets}};
        bool first = true;
        if (o.json) std::printf("{");
        for (const auto& part : parts) {
            if (!o.only.empty() && o.only != part.name) continue;
            if (o.json && !first) std::printf(", ");
            first = false;
            part.run(o);
            std::fflush(stdout);
        }
        if (o.json) std::printf("}\n");
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "isolation_bench: %s\n", failure.what());
        return 1;
    }
    std::filesystem::remove_all(folder);
}
