// A file on disk as a document of a memory.
#pragma once

#include <functional>
#include <stdexcept>

#include "apps/rpt/file_walk.h"
#include "apps/rpt/progress.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {

// Something is wrong with one file; the others can be read.
class FileFailure : public std::runtime_error {
  public:
    explicit FileFailure(const std::string& reason, bool is_missing = false)
        : std::runtime_error(reason), is_missing_(is_missing) {}
    bool is_missing() const { return is_missing_; }

  private:
    bool is_missing_;
};

// Writes the text of `file` as the document `key`. `between` is called between pieces of it. Throws
// FileFailure, and Failure for what would meet the next file too.
rpt_doc_info write_document(const Settings& settings, rpt_space* space, const FoundFile& file,
                            const std::string& key, bool replace, Progress& progress,
                            const std::function<void()>& between);

}  // namespace rpt::cli
