// A document that arrives on stdin.
#pragma once

#include <string>

#include "apps/rpt/workplace.h"

namespace rpt::cli {

// Reads to the end as it arrives: what came is searchable a second later, and stays if the sender
// or we are interrupted. `info` of the finished document.
rpt_doc_info add_stdin(const Settings& settings, rpt_space* space, const std::string& key,
                       bool replace, Progress& progress);

Document begin_document(rpt_space* space, const std::string& key, const std::string& uri,
                        int64_t timestamp_ms, bool replace);
rpt_doc_info finish_document(const Settings& settings, const Document& document);

}  // namespace rpt::cli
