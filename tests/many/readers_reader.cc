#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <thread>

#include "base/error.h"
#include "tests/many/readers_shared.h"
#include "tests/many/signed_documents.h"

namespace rpt::many {
namespace {

double clock_us(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return double(now.tv_sec) * 1e6 + double(now.tv_nsec) * 1e-3;
}

// Of one thread, by what the kernel says of it.
class Meter {
  public:
    Meter() : file_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
    ~Meter() {
        if (file_ >= 0) ::close(file_);
    }
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;

    template <typename Work>
    auto time(ReaderFigures& figures, Call call, const Work& work) {
        struct Stop {  // also when the call throws
            Meter& meter;
            ReaderFigures& figures;
            Call call;
            ~Stop() { meter.end(figures, call); }
        };
        begin();
        const Stop stop{*this, figures, call};
        return work();
    }

  private:
    // Microseconds that this thread stood in the queue of a processor. 0 where the kernel does not
    // tell: then waiting for a processor counts as blocked.
    double queue_us() const {
        char text[128] = {};
        if (file_ < 0 || ::pread(file_, text, sizeof text - 1, 0) <= 0) return 0;
        unsigned long long ran = 0, waited = 0;
        return std::sscanf(text, "%llu %llu", &ran, &waited) == 2 ? double(waited) * 1e-3 : 0;
    }
    // All three of one moment: read again where the thread lost its processor in between, or a wait
    // would be in one of them and not in the others.
    Spent now() const {
        for (;;) {
            Spent moment;
            moment.queue = queue_us();
            moment.cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);
            moment.wall = clock_us(CLOCK_MONOTONIC);
            if (queue_us() == moment.queue) return moment;
        }
    }
    void begin() {
        ::getrusage(RUSAGE_THREAD, &usage_);
        begin_ = now();
    }
    void end(ReaderFigures& figures, Call call) {
        Spent spent = now();
        spent.wall -= begin_.wall;
        spent.cpu -= begin_.cpu;
        spent.queue -= begin_.queue;
        CallFigures& of_call = figures.calls[size_t(call)];
        of_call.wall.add(spent.wall);
        of_call.cpu.add(spent.cpu);
        of_call.queue.add(spent.queue);
        of_call.blocked.add(spent.blocked());
        of_call.over_50ms += spent.blocked() > 50000;
        if (spent.blocked() <= figures.longest.spent.blocked()) return;
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        figures.longest = {call, spent, usage.ru_majflt - usage_.ru_majflt,
                           usage.ru_nvcsw - usage_.ru_nvcsw};
    }

    int file_;
    rusage usage_{};
    Spent begin_;
};

class Reader {
  public:
    Reader(const ReadersOptions& options, Shared& shared, uint32_t number)
        : options_(options),
          shared_(shared),
          figures_(shared.readers[number]),
          random_(options.seed + 1000 + number) {}

    void run() {
        while (!shared_.stop) {
            try {
                if (!store_) open();
                const uint64_t choice = below(9);
                if (choice < 2) {
                    read_document();
                } else if (choice == 7) {
                    list();
                } else if (choice == 8) {
                    look_at_pointers();
                } else {
                    search(choice < 4);
                }
                if (below(2000) == 0) store_.reset(), space_.reset();  // opens anew
            } catch (const std::exception& failure) {
                ++figures_.failed;
                note(figures_.first_failed, failure.what());
            }
            if (options_.reader_pause_us != 0)
                std::this_thread::sleep_for(std::chrono::microseconds(options_.reader_pause_us));
        }
    }

  private:
    template <typename Work>
    auto timed(Call call, const Work& work) {
        return meter_.time(figures_, call, work);
    }
    uint64_t below(uint64_t n) {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return (random_ >> 33) % n;
    }
    void judge(bool right, const std::string& what) {
        ++figures_.checks;
        if (right) return;
        ++figures_.wrong;
        note(figures_.first_wrong, what);
    }

    void open() {
        timed(Call::kOpen, [&] {
            storage::StoreOptions choices;
            choices.read_only = true;
            choices.model = signed_model();
            choices.flat_limit = options_.flat_limit;
            store_ = storage::Store::open(options_.path, choices);
            space_ = store_->open_space("o", "c", false);
        });
    }

    std::optional<storage::DocumentInfo> find(const std::string& key) {
        return timed(Call::kFind, [&] { return space_->find_document(key); });
    }
    // Absent if the document is gone.
    std::optional<std::string> text_of(const std::string& key) {
        return timed(Call::kText, [&]() -> std::optional<std::string> {
            try {
                return space_->read_text(key, 0, 1 << 24);
            } catch (const Error& error) {
                if (error.status() != Status::kNotFound) throw;
                return std::nullopt;
            }
        });
    }
    std::optional<std::string> hit_text(uint64_t chunk, bool successor) {
        return timed(Call::kHitText, [&]() -> std::optional<std::string> {
            try {
                return store_->read_hit_text(chunk, successor);
            } catch (const Error& error) {
                if (error.status() != Status::kNotFound) throw;
                return std::nullopt;
            }
        });
    }

    void read_document() {
        const std::string key = key_number(below(options_.documents));
        const auto before = find(key);
        const auto text = text_of(key);
        const auto after = find(key);
        if (!text) {
            judge(!before || !after || before->id != after->id, key + " is listed but has no text");
            return;
        }
        // Only a finished document's text must have its end.
        const bool same = before && after && before->id == after->id &&
                          before->revision == after->revision && before->bytes == after->bytes &&
                          before->finished == after->finished;
        const std::string fault = fault_of_text(*text, key, same && before->finished);
        judge(fault.empty(), fault);
        if (same) {
            judge(text->size() == before->bytes, key + " has another length than told");
            if (before->finished)
                judge(before->content_hash == sha256(text->data(), text->size()),
                      key + ": its content hash differs");
        }
        lines_ = lines_of(*text);
        line_key_ = key;
    }

    // For a line that was read some time ago.
    void search(bool exact) {
        if (lines_.empty()) return;
        const std::string line = lines_[below(lines_.size())];
        storage::SearchFilter filter;
        filter.exact = exact;
        const std::vector<float> query = key_of_line(line);
        const bool was_there = is_there(line);
        const auto hits = timed(exact ? Call::kExact : Call::kSearch, [&] {
            return store_->search({&space_, 1}, query, 4, filter);
        });
        for (size_t i = 1; i < hits.size(); ++i)
            judge(hits[i - 1].score >= hits[i].score, "hits are out of order");
        const auto states = timed(Call::kStates, [&] { return store_->load_states(hits); });
        bool found = false;
        for (size_t i = 0; i < hits.size(); ++i) {
            const auto text = hit_text(hits[i].chunk_id, false);
            if (!text) {
                ++figures_.gone;
                continue;
            }
            found |= *text == line;
            judge_hit(hits[i], *text, query);
            judge_states(states[i], *text);
        }
        if (!was_there || !is_there(line)) return;
        if (exact) {
            judge(found, "a line of " + line_key_ + " that is there was not found");
        } else {
            ++figures_.asked_self;
            figures_.found_self += found;
        }
    }
    bool is_there(const std::string& line) {
        const auto text = text_of(line_key_);
        return text && text->find(line) != std::string::npos;
    }

    void judge_hit(const storage::Hit& hit, const std::string& text,
                   const std::vector<float>& query) {
        const auto line = read_line(text);
        judge(line.has_value(), "a hit's line is damaged");
        if (!line) return;
        const std::vector<float> key = key_of_line(text);
        double dot = 0;
        for (size_t i = 0; i < key.size(); ++i) dot += double(query[i]) * double(key[i]);
        judge(std::abs(dot / std::sqrt(double(kSignedDim)) - double(hit.score)) < 1e-4,
              "a score is not that of the hit's line");
        const auto info = timed(Call::kDescribe, [&] { return store_->describe(hit.chunk_id); });
        if (!info) {
            ++figures_.gone;
            return;
        }
        judge(info->key == line->key && info->ordinal == line->number &&
                  info->bytes.size() == text.size() && info->owner == "o",
              "a hit is told to be elsewhere than its line says");
        const auto next = hit_text(hit.chunk_id, true);
        if (!next) return;
        const auto next_line = read_line(*next);
        judge(next_line && next_line->key == line->key && next_line->number == line->number + 1,
              "a successor does not follow its hit");
        const auto document = find(info->key);
        if (!document || document->revision != info->revision || document->id != info->document_id)
            return;
        const auto whole = text_of(info->key);
        const auto after = find(info->key);
        if (whole && after && after->id == document->id && after->revision == document->revision)
            judge(whole->substr(info->bytes.begin, info->bytes.size()) == text,
                  "a hit's bytes do not hold its line");
    }

    void judge_states(const storage::HitStates& states, const std::string& line) {
        if (states.chunk)
            judge(states_fit(*states.chunk, line), "states are not of the hit's line");
        if (states.successor) {
            const auto next = hit_text(states.successor_id, false);
            if (next)
                judge(states_fit(*states.successor, *next), "states are not of the successor");
        }
    }

    // Of any chunk of the snapshot and of what follows it.
    void look_at_pointers() {
        const auto snapshot = timed(Call::kPointers, [&] { return store_->pointers(space_); });
        if (snapshot->parts.empty()) return;
        const storage::PointerSnapshot::Part& part = snapshot->parts[below(snapshot->parts.size())];
        const auto line = hit_text(part.chunk(), false);
        if (!line) {
            ++figures_.gone;
            return;
        }
        judge(pointers_fit(part.rows(), *line), "pointer keys are not of the chunk's line");
        // Segments are never moved here: what follows a line follows it for good, but for the last.
        const auto next = hit_text(part.chunk(), true);
        if (next && part.next >= 0)
            judge(part.next == first_token_of_line(*next),
                  "the token after a chunk is not that of the line after it");
    }

    void list() {
        std::string last;
        size_t n = 0;
        timed(Call::kList, [&] {
            const std::string from = key_number(below(options_.documents));
            last = from;
            space_->list_documents(from, [&](const storage::DocumentInfo& info) {
                judge(info.key > last, "documents are listed out of order");
                judge(!info.finished || info.chunks % kLinesPerSegment == 1,
                      info.key + " is finished with another number of chunks than it ever had");
                last = info.key;
                return ++n < 50;
            });
        });
    }

    const ReadersOptions& options_;
    Shared& shared_;
    ReaderFigures& figures_;
    uint64_t random_;
    Meter meter_;
    std::shared_ptr<storage::Store> store_;
    std::shared_ptr<storage::Space> space_;
    std::string line_key_;
    std::vector<std::string> lines_;  // of the document that was read last
};

}  // namespace

void read_until_stopped(const ReadersOptions& options, Shared& shared, uint32_t number) {
    Reader(options, shared, number).run();
}

}  // namespace rpt::many
