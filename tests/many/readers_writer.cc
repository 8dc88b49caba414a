#include <chrono>
#include <thread>

#include "base/error.h"
#include "tests/many/readers_shared.h"
#include "tests/many/signed_documents.h"

namespace rpt::many {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

class Writer {
  public:
    Writer(const ReadersOptions& options, Shared& shared, int number)
        : options_(options), shared_(shared), number_(number), random_(options.seed + number) {
        storage::StoreOptions choices;
        choices.create = true;
        choices.durability = options.durability;
        choices.packing.codec = storage::StateCodec::kInt8;  // states carry marks
        choices.flat_limit = options.flat_limit;
        choices.model = signed_model();
        open(choices);
        space_ = store_->open_space("o", "c", true);
        shared_.opened = number;
    }

    void run() {
        auto compacted = Clock::now();
        while (!shared_.stop) {
            change();
            shared_.committed = number_;
            if (since(compacted) > 1000.0 * options_.compact_every_ms) {
                compact();
                compacted = Clock::now();
            }
            std::this_thread::sleep_for(std::chrono::microseconds(options_.pause_us));
        }
        space_.reset();
        store_->close();
    }

  private:
    // The writer before may still be dying.
    void open(const storage::StoreOptions& choices) {
        for (;;) {
            try {
                store_ = storage::Store::open(options_.path, choices);
                return;
            } catch (const Error& error) {
                if (error.status() != Status::kBusy) throw;
                ++shared_.writer.busy_while_taking_over;
                std::this_thread::sleep_for(std::chrono::microseconds(100));
            }
        }
    }

    uint64_t below(uint64_t n) {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return (random_ >> 33) % n;
    }

    void change() {
        const std::string key = key_number(below(options_.documents));
        const auto document = space_->find_document(key);
        const uint64_t choice = below(10);
        if (!document || !document->finished) {
            write(key, document.has_value());
        } else if (choice < 1) {
            space_->delete_document(key);
            ++shared_.writer.deleted;
        } else if (choice < 4) {
            write(key, true);
        } else {
            edit(key, *document);
        }
    }

    void commit(storage::DocumentWriter& writer, storage::Edit& edit,
                const std::vector<std::string>& texts) {
        const auto begin = Clock::now();
        while (const auto lost = writer.commit(edit))
            edit.segments[*lost] = signed_segment(texts[*lost]);
        shared_.writer.commits.add(since(begin));
    }

    // In two commits: a new document is seen half, a replacement only whole.
    void write(const std::string& key, bool replace) {
        const uint64_t stamp = shared_.stamp++;
        std::vector<std::string> texts;
        std::string whole;
        for (uint64_t i = 0, n = 2 + below(options_.max_segments - 1); i < n; ++i) {
            texts.push_back(body_segment(key, stamp, i));
            whole += texts.back();
        }
        texts.push_back(last_segment(key, stamp, whole));
        whole += texts.back();
        storage::DocumentSpec spec;
        spec.key = key;
        spec.replace = replace;
        const auto writer = space_->begin_document(spec);
        const size_t half = texts.size() / 2;
        const std::vector<std::string> parts[2] = {{texts.begin(), texts.begin() + ptrdiff_t(half)},
                                                   {texts.begin() + ptrdiff_t(half), texts.end()}};
        for (size_t part = 0; part < 2; ++part) {
            storage::Edit edit;
            edit.first = part * half;
            for (const std::string& text : parts[part])
                edit.segments.push_back(signed_segment(text));
            edit.finish = part == 1;
            if (edit.finish) edit.content_hash = sha256(whole.data(), whole.size());
            commit(*writer, edit, parts[part]);
        }
        ++(replace ? shared_.writer.replaced : shared_.writer.written);
    }

    // One segment anew, and the last one with the new sum; those between are named.
    void edit(const std::string& key, const storage::DocumentInfo& document) {
        std::vector<std::string> texts = segments_of(space_->read_text(key, 0, document.bytes));
        texts.pop_back();
        const uint64_t stamp = shared_.stamp++;
        const uint64_t first = below(texts.size());
        texts[first] = body_segment(key, stamp, first);
        std::string whole;
        for (const std::string& text : texts) whole += text;
        texts.push_back(last_segment(key, stamp, whole));
        whole += texts.back();
        storage::Edit change;
        change.first = first;
        change.n_old = texts.size() - first;
        const std::vector<std::string> fresh(texts.begin() + ptrdiff_t(first), texts.end());
        for (size_t i = 0; i < fresh.size(); ++i) {
            change.segments.push_back(signed_segment(fresh[i]));
            storage::SegmentRecord& segment = change.segments.back();
            segment.known = space_->has_segment(segment.identity);
        }
        change.finish = true;
        change.content_hash = sha256(whole.data(), whole.size());
        commit(*space_->resume_document(key), change, fresh);
        ++shared_.writer.edited;
    }

    void compact() {
        try {
            store_->compact();
            ++shared_.writer.compacted;
        } catch (const Error& error) {
            if (error.status() != Status::kBusy) throw;
            ++shared_.writer.compact_busy;
        }
    }

    const ReadersOptions& options_;
    Shared& shared_;
    const int number_;
    uint64_t random_;
    std::shared_ptr<storage::Store> store_;
    std::shared_ptr<storage::Space> space_;
};

}  // namespace

void write_until_stopped(const ReadersOptions& options, Shared& shared, int number) {
    try {
        while (shared.turn < number && !shared.stop)
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        if (!shared.stop) Writer(options, shared, number).run();
    } catch (const std::exception& failure) {
        note(shared.writer.failed, failure.what());
    }
}

}  // namespace rpt::many
