// A document that arrives on stdin.
#pragma once

#include <string>

#include "apps/rpt/workplace.h"

namespace rpt::cli {

// Reads to the end as it arrives: what came is searchable a second later, and stays if the sender
// or we are interrupted, or if what comes next is no text. `info` of the finished document.
rpt_doc_info add_stdin(const Settings& settings, rpt_space* space, const std::string& key,
                       bool replace, Progress& progress);

// RPT_DOC_* of a document that is written.
uint32_t writing_flags(const Settings& settings, bool replace);
Document begin_document(rpt_space* space, const std::string& key, const std::string& uri,
                        int64_t timestamp_ms, uint32_t flags);
rpt_doc_info finish_document(const Document& document);

}  // namespace rpt::cli
