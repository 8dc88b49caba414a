// Documents of a fake engine in a store of the test's own, cut into small segments.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/reader/document_writer.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/stored_document.h"
#include "tests/fakes/watched_store.h"

namespace rpt::reader {

class WriterFixture : public testing::Test {
  protected:
    using Mode = text::Utf8Gate::Mode;

    // A new document that takes the place of what is under the key.
    std::unique_ptr<DocumentWriter> writer(const std::string& key = "doc",
                                           Mode mode = Mode::kRefuse, bool discard_text = false) {
        return writer_in(space_, key, mode, discard_text);
    }
    std::unique_ptr<DocumentWriter> writer_in(std::shared_ptr<storage::Space> space,
                                              const std::string& key, Mode mode = Mode::kRefuse,
                                              bool discard_text = false) {
        storage::DocumentSpec spec;
        spec.key = key;
        spec.replace = true;
        spec.discard_text = discard_text;
        return std::make_unique<DocumentWriter>(engine_, std::move(space), spec, mode,
                                                store_->model().context_tokens,
                                                fakes::kSmallBorders);
    }
    std::unique_ptr<DocumentWriter> resumed(const std::string& key = "doc",
                                            Mode mode = Mode::kRefuse) {
        return std::make_unique<DocumentWriter>(
            engine_, space_, key, mode, store_->model().context_tokens, fakes::kSmallBorders);
    }
    fakes::StoredDocument document(const std::string& key = "doc") const {
        return fakes::read_document(*space_, key);
    }
    // The same text read from the start where nothing else is.
    fakes::StoredDocument fresh(std::string_view text, Mode mode = Mode::kRefuse) {
        const auto space = store_->open_space("fresh " + std::to_string(n_fresh_++), "c", true);
        auto doc = writer_in(space, "doc", mode);
        doc->append(text);
        doc->finish();
        return fakes::read_document(*space, "doc");
    }
    static Status status_of(const std::function<void()>& call) {
        try {
            call();
        } catch (const Error& error) {
            return error.status();
        }
        return Status::kOk;
    }

    std::shared_ptr<fakes::FakeEngine> engine_ = std::make_shared<fakes::FakeEngine>();
    std::shared_ptr<fakes::WatchedStore> store_ = std::make_shared<fakes::WatchedStore>(*engine_);
    std::shared_ptr<storage::Space> space_ = store_->open_space("o", "c", true);
    int n_fresh_ = 0;
};

// About `n` sentences that differ.
inline std::string sentences(int n, int from = 0) {
    std::string text;
    for (int i = from; i < from + n; ++i)
        text += "the reader " + std::to_string(i * i * 7) + " reads the chunk " +
                std::to_string(i) +
                "; gr\xC3\xBC\xC3\x9F"
                "e \xE6\x97\xA5\xE6\x9C\xAC and the window moves on." +
                (i % 3 == 0 ? "\n" : " ");
    return text;
}

}  // namespace rpt::reader
