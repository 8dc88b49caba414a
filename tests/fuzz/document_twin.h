// What the documents of one space must hold, kept as plain strings beside the store.
#pragma once

#include <string>
#include <string_view>

#include "core/text/utf8_gate.h"
#include "include/rpt.h"

namespace rpt::fuzz {

// A stored document. Between flushes a writer may have committed more than the last flush told, so
// its text is only known to lie between two: it begins with `least` and is the beginning of `most`.
struct StoredTwin {
    std::string least, most;
    bool sure = true;  // it is there; otherwise it may not be
    bool finished = false;
    bool discarded = false;
    bool lossy = false;

    bool allows(std::string_view text) const {
        return text.size() >= least.size() && text.size() <= most.size() &&
               std::string_view(most).starts_with(text);
    }
};

// A writer and what it has accepted.
struct WriterTwin {
    rpt_doc* doc = nullptr;
    std::string key;
    std::string text, flushed;
    bool replaces = false;   // hidden until it is finished
    bool lossy = false;      // invalid bytes are read as U+FFFD
    bool discards = false;   // the text is not kept
    bool invalid = false;    // the text it began with is no UTF-8, although it refuses such
    bool finishing = false;  // a finish failed, and the next one goes on
    bool finished = false;
    bool stored = false;  // its document is certainly there

    // What was appended since the writer began, or since its last splice, went through it.
    text::Utf8Gate gate{text::Utf8Gate::Mode::kReplace};

    // Bytes at the end that are a code point not yet whole.
    size_t cut() const { return gate.pending(); }
    StoredTwin visible() const {
        return {flushed, text, stored || !flushed.empty(), finished, discards, lossy || invalid};
    }
};

}  // namespace rpt::fuzz
