#include "apps/rpt/bench_run.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "apps/rpt/ingest_forecast.h"
#include "apps/rpt/memory_access.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/prompt_text.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kAppendBytes = 1 << 16;
constexpr uint64_t kQueryBytes = 400;  // more than one chunk of tokens

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

class TemporaryFolder {
  public:
    explicit TemporaryFolder(const std::string& parent) {
        std::error_code error;
        path_ = (parent.empty() ? fs::temp_directory_path(error) : fs::path(parent)) /
                "rpt-bench-XXXXXX";
        if (mkdtemp(path_.data()) == nullptr)
            throw Failure("\"" + path_ + "\": " + std::strerror(errno));
    }
    ~TemporaryFolder() {
        std::error_code error;
        fs::remove_all(path_, error);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string store() const { return path_ + "/store"; }

  private:
    std::string path_;
};

// `at`, or the next border of code points behind it.
uint64_t at_code_point(const std::string& text, uint64_t at) {
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    return at;
}

class Bench {
  public:
    Bench(const Settings& settings, const BenchPlan& plan)
        : settings_(settings), plan_(plan), folder_(plan.folder), place_(settings) {}

    BenchResult run() {
        place_.open_model(settings_);
        const rpt_model_info& info = place_.model_info();
        result_.parameters = info.parameters;
        result_.weight_bytes = info.weight_bytes;
        measure_machine();
        forecast_reading(settings_, place_, format_count(plan_.tokens) + " tokens", plan_.tokens);
        open(Access::kCreate);
        ingest_to(std::min(plan_.small_tokens, plan_.tokens));
        measure_search();
        if (plan_.tokens > plan_.small_tokens) {
            ingest_to(plan_.tokens);
            measure_search();
        }
        measure_decode();
        place_.close_store();
        measure_open();
        result_.tokens = tokens_;
        result_.disk_bytes = read_stats(place_.store.get()).disk_bytes;
        place_.close_store();
        return std::move(result_);
    }

  private:
    void open(Access access) {
        place_.open_store(settings_, folder_.store(), access);
        place_.open_spaces(settings_, access == Access::kCreate);
    }

    void measure_machine() {
        result_.machine.struct_size = sizeof(result_.machine);
        Call call;
        Error error;
        error.check(
            rpt_model_measure(place_.model.get(), call.get(), &result_.machine, error.out()));
    }

    // Whole documents: each is the text once, begun a little later than the one before, so that
    // chunks differ.
    void ingest_to(uint64_t target) {
        Progress progress("reading", target, Progress::Unit::kTokens, settings_.quiet);
        const auto start = Clock::now();
        while (tokens_ < target) ingest_document(target, progress);
        result_.ingest_seconds += seconds_since(start);
    }

    void ingest_document(uint64_t target, Progress& progress) {
        const std::string key = "bench-" + std::to_string(n_documents_);
        const uint64_t shift = at_code_point(
            plan_.text, (n_documents_ * 61) % std::max<uint64_t>(1, plan_.text.size() / 2));
        ++n_documents_;
        rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
        options.key = key.c_str();
        rpt_doc* opened = nullptr;
        Error error;
        error.check(rpt_doc_begin(place_.spaces.front().get(), &options, &opened, error.out()));
        const Document document(opened);
        rpt_doc_info info = {};
        info.struct_size = sizeof(info);
        Call call;
        for (uint64_t at = shift; at < plan_.text.size() && tokens_ + info.tokens < target;) {
            const uint64_t size = std::min(kAppendBytes, plan_.text.size() - at);
            error.check(rpt_doc_append(document.get(), plan_.text.data() + at, size, call.get(),
                                       error.out()));
            error.check(rpt_doc_flush(document.get(), 0, call.get(), &info, error.out()));
            progress.set(tokens_ + info.tokens);
            at += size;
        }
        // the last append may have ended within a code point
        const rpt_status status = rpt_doc_finish(document.get(), call.get(), &info, error.out());
        if (status != RPT_ERR_UTF8) error.check(status);
        tokens_ += info.tokens;
    }

    std::string query(uint64_t number) const {
        const uint64_t room = plan_.text.size() - kQueryBytes;
        const uint64_t begin =
            at_code_point(plan_.text, number * 7919 % std::max<uint64_t>(1, room));
        const uint64_t end = at_code_point(plan_.text, begin + kQueryBytes);
        return plan_.text.substr(begin, end - begin);
    }

    double search_once(uint64_t number) {
        const std::string text = query(number);
        const auto spaces = place_.borrowed_spaces();
        Call call;
        rpt_hits* found = nullptr;
        Error error;
        const auto start = Clock::now();
        error.check(rpt_retrieve(spaces.data(), spaces.size(), text.data(), text.size(), nullptr,
                                 call.get(), &found, error.out()));
        const double seconds = seconds_since(start);
        rpt_hits_free(found);
        return seconds * 1e3;
    }

    void measure_search() {
        search_once(0);  // builds or loads what the first search needs
        std::vector<double> times;
        for (uint64_t i = 1; i <= plan_.queries; ++i) times.push_back(search_once(i));
        std::sort(times.begin(), times.end());
        const auto at = [&](double share) {
            return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1) + 0.5)];
        };
        result_.searches.push_back({tokens_, times.size(), at(0.5), at(0.95)});
    }

    void measure_decode() {
        const uint64_t size =
            at_code_point(plan_.text, std::min<uint64_t>(plan_.prompt_bytes, plan_.text.size()));
        result_.prompt_bytes = size;
        rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
        options.max_tokens = plan_.decode_tokens;
        options.temperature = 1;  // greedy text may fall into a loop and end early
        options.seed = 1;
        // the first round warms up
        for (int round = 0; round < 2; ++round) {
            const Session session = place_.new_session(true);
            Call call;
            Error error;
            const auto start = Clock::now();
            error.check(
                rpt_session_read(session.get(), plan_.text.data(), size, call.get(), error.out()));
            const double read_ms = seconds_since(start) * 1e3;
            rpt_generate_result result = {};
            result.struct_size = sizeof(result);
            error.check(rpt_session_generate(session.get(), &options, call.get(), nullptr, nullptr,
                                             &result, error.out()));
            result_.first_token_ms = read_ms + static_cast<double>(result.first_token_us) / 1e3;
            result_.decode_tokens = result.tokens;
            const double seconds =
                static_cast<double>(result.total_us - result.first_token_us) / 1e6;
            if (result.tokens > 1 && seconds > 0) {
                result_.decode_rate = static_cast<double>(result.tokens - 1) / seconds;
            }
        }
    }

    void measure_open() {
        const auto start = Clock::now();
        open(Access::kRead);
        result_.open_ms = seconds_since(start) * 1e3;
        result_.first_search_ms = search_once(0);
    }

    const Settings& settings_;
    const BenchPlan& plan_;
    TemporaryFolder folder_;
    Workplace place_;
    BenchResult result_;
    uint64_t tokens_ = 0, n_documents_ = 0;
};

}  // namespace

std::string bench_text(const std::string& path) {
    std::string found = path;
    if (found.empty()) found = find_shipped("demo", "book.txt");
    if (found.empty())
        throw Failure("the shipped book is not there; give a text with --text", kExitFailed);
    std::string text = read_whole_text(found);
    Utf8Scan scan;
    if (scan.feed(text) || scan.finish()) throw Failure("\"" + found + "\" is not UTF-8");
    if (text.size() < 4 * kQueryBytes)
        throw Failure("\"" + found + "\" is too short to measure with");
    return text;
}

BenchResult run_bench(const Settings& settings, const BenchPlan& plan) {
    return Bench(settings, plan).run();
}

}  // namespace rpt::cli
