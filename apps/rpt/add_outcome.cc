#include "apps/rpt/add_outcome.h"

#include "apps/rpt/document_key.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

nlohmann::ordered_json list_of(const std::vector<PassedFile>& files) {
    auto out = nlohmann::ordered_json::array();
    for (const PassedFile& file : files)
        out.push_back({{"path", name_of_path(file.path)}, {"reason", file.reason}});
    return out;
}

std::string counted(uint64_t n, const std::string& what) {
    return format_count(n) + " " + what + (n == 1 ? "" : "s");
}

std::string count_of_failures(const AddOutcome& outcome) {
    const uint64_t all = outcome.documents + outcome.unchanged + outcome.failed.size();
    return format_count(outcome.failed.size()) + " of " + counted(all, "path") +
           " could not be read";
}

// Also with --quiet: a failure is no remark.
void complain_of(const std::string& text) {
    complain("rpt: " + text + "\n");
}

}  // namespace

bool AddReport::is_news(const PassedFile& file) {
    return told_.emplace(file.path, file.reason).second;
}

void AddReport::tell_failures(const AddOutcome& outcome) {
    for (const PassedFile& file : outcome.failed)
        if (is_news(file)) complain_of("\"" + name_of_path(file.path) + "\": " + file.reason);
}

void AddReport::tell_skipped(const AddOutcome& outcome) {
    if (settings_.json) return;
    for (const PassedFile& file : outcome.skipped)
        if (file.reason != kUnchanged && is_news(file))
            remark(settings_, "skipped " + name_of_path(file.path) + ": " + file.reason);
}

void AddReport::tell(const AddOutcome& outcome, double seconds) {
    tell_skipped(outcome);
    tell_failures(outcome);
    if (settings_.json) {
        nlohmann::ordered_json json = {{"documents", outcome.documents},
                                       {"bytes", outcome.bytes},
                                       {"tokens", outcome.tokens},
                                       {"chunks", outcome.chunks},
                                       {"skipped", outcome.skipped.size()},
                                       {"failed", outcome.failed.size()},
                                       {"seconds", seconds},
                                       {"unchanged", outcome.unchanged},
                                       {"deleted", outcome.deleted},
                                       {"gone", outcome.gone}};
        json["skipped_paths"] = list_of(outcome.skipped);
        json["failed_paths"] = list_of(outcome.failed);
        if (!outcome.failed.empty())
            json["error"] = {{"code", "FAILED"}, {"message", count_of_failures(outcome)}};
        print_json(json);
        return;
    }
    if (outcome.gone > 0)
        remark(settings_, counted(outcome.gone, "document") +
                              " of files that are no longer there or left out now; --prune "
                              "deletes them from the memory");
    std::string line = "added " + counted(outcome.documents, "document") + ": " +
                       format_size(outcome.bytes) + ", " + format_count(outcome.tokens) +
                       " tokens, " + format_count(outcome.chunks) + " chunks in " +
                       format_seconds(seconds);
    if (outcome.deleted > 0) line += "; deleted " + format_count(outcome.deleted);
    line += "; skipped " + format_count(outcome.skipped.size()) + ", of which unchanged " +
            format_count(outcome.unchanged);
    if (!outcome.failed.empty()) line += "; failed " + format_count(outcome.failed.size());
    print_line(line);
    flush_output();
}

void AddReport::tell_count(const AddOutcome& outcome) const {
    complain_of(count_of_failures(outcome));
}

}  // namespace rpt::cli
