// What one run of `rpt add` has done, and how it is told.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "apps/rpt/file_walk.h"
#include "apps/rpt/settings.h"
#include "include/rpt.h"

namespace rpt::cli {

struct AddOutcome {
    uint64_t documents = 0, bytes = 0, tokens = 0, chunks = 0, unchanged = 0, deleted = 0;
    uint64_t gone = 0;  // documents whose files are no longer there, and which stay
    std::vector<PassedFile> skipped, failed;

    void count(const rpt_doc_info& info) {
        ++documents;
        bytes += info.bytes_accepted;
        tokens += info.tokens;
        chunks += info.chunks;
    }
    bool changed_memory() const { return documents + deleted > 0; }
};

// Tells of each file that was skipped or failed once, however often a watcher meets it.
class AddReport {
  public:
    explicit AddReport(const Settings& settings) : settings_(settings) {}
    // One line on stderr for each file; the sums, or one object of JSON, on stdout.
    void tell(const AddOutcome& outcome, double seconds);
    // Of a run that changed nothing: the files that failed for the first time.
    void tell_failures(const AddOutcome& outcome);
    // The last line on stderr of a command that could not do all.
    void tell_count(const AddOutcome& outcome) const;

  private:
    bool is_news(const PassedFile& file);
    void tell_skipped(const AddOutcome& outcome);

    const Settings& settings_;
    std::set<std::pair<std::string, std::string>> told_;
};

inline constexpr const char* kUnchanged = "unchanged";

}  // namespace rpt::cli
