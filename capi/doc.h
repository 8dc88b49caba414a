// rpt_doc: a writer of one document, and how facts of documents are told.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "capi/store.h"
#include "core/reader/document_writer.h"

struct rpt_doc : rpt::capi::OwnedHandle {
    rpt_doc(rpt::capi::SpaceRef r, std::unique_ptr<rpt::reader::DocumentWriter> w)
        : ref(std::move(r)), writer(std::move(w)) {}
    const rpt::capi::EnvironmentRef& environment() const { return ref.store->environment; }
    static void destroy(rpt_doc* doc) { rpt::capi::dispose_handle(doc); }

    const rpt::capi::SpaceRef ref;  // first: destroyed last
    const std::unique_ptr<rpt::reader::DocumentWriter> writer;
    std::atomic<uint64_t> accepted{0};  // readable while the writer works
    bool finished = false;
};

namespace rpt::capi {

rpt_doc_info describe(const storage::DocumentInfo& info);

}  // namespace rpt::capi
