#include "tests/many/readers.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <thread>

#include "base/error.h"
#include "tests/many/readers_shared.h"
#include "tests/many/signed_documents.h"

namespace rpt::many {
namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void pause_us(int64_t us) {
    std::this_thread::sleep_for(std::chrono::microseconds(us));
}

class SharedMemory {
  public:
    SharedMemory()
        : memory_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (memory_ == MAP_FAILED) throw Error(Status::kNoMemory, "os", "no memory to share");
        shared_ = new (memory_) Shared();
    }
    ~SharedMemory() { ::munmap(memory_, sizeof(Shared)); }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    Shared& operator*() const { return *shared_; }

  private:
    void* memory_;
    Shared* shared_;
};

pid_t start(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child < 0) throw Error(Status::kIo, "os", "cannot fork");
    if (child != 0) return child;
    work();
    ::_exit(0);
}

struct MachineTime {
    double all = 0, stolen = 0;
};
MachineTime machine_time() {
    MachineTime time;
    std::FILE* file = std::fopen("/proc/stat", "re");
    if (file == nullptr) return time;
    double v[8] = {};
    if (std::fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", v, v + 1, v + 2, v + 3, v + 4,
                    v + 5, v + 6, v + 7) == 8) {
        for (const double part : v) time.all += part;
        time.stolen = v[7];
    }
    std::fclose(file);
    return time;
}

// The process that starts, kills and judges the others. Has neither threads nor an open store while
// it forks.
class Run {
  public:
    explicit Run(const ReadersOptions& options) : options_(options) {}

    ReadersResult run() {
        const MachineTime before = machine_time();
        start_writer(0);
        wait_for((*memory_).committed, 0);
        for (uint32_t i = 0; i < options_.readers; ++i)
            children_.push_back(start([&, i] { read_until_stopped(options_, *memory_, i); }));
        watch();
        (*memory_).stop = true;
        for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
        ::waitpid(writer_, nullptr, 0);
        const MachineTime after = machine_time();
        if (after.all > before.all)
            result_.steal_share = (after.stolen - before.stolen) / (after.all - before.all);
        double loads[1] = {};
        if (::getloadavg(loads, 1) == 1) result_.load_average = loads[0];
        collect();
        check_end();
        return std::move(result_);
    }

  private:
    void start_writer(int number) {
        writer_ = start([&, number] { write_until_stopped(options_, *memory_, number); });
    }
    // A writer that failed never gets there: then the run ends.
    bool wait_for(const std::atomic<int>& place, int number) {
        while (place < number) {
            if ((*memory_).writer.failed[0] != 0) return false;
            pause_us(100);
        }
        return true;
    }

    void watch() {
        const auto begin = Clock::now();
        double next_rival = 0, next_kill = 1000.0 * options_.kill_every_ms;
        int number = 0;
        while (us_since(begin) < 1e6 * options_.seconds && (*memory_).writer.failed[0] == 0) {
            if (us_since(begin) >= next_rival) {
                try_as_rival();
                next_rival = us_since(begin) + 1000.0 * options_.rival_every_ms;
            }
            if (options_.kill_every_ms != 0 && us_since(begin) >= next_kill) {
                take_over(++number);
                next_kill = us_since(begin) + 1000.0 * options_.kill_every_ms;
            }
            pause_us(5000);
        }
    }

    void try_as_rival() {
        const auto begin = Clock::now();
        ++result_.rivals;
        try {
            storage::StoreOptions choices;
            choices.model = signed_model();
            storage::Store::open(options_.path, choices)->close();
            result_.first_rival = "opened a store that another writes";
        } catch (const Error& error) {
            const std::string text = error.what();
            const bool right =
                error.status() == Status::kBusy &&
                text.find("process " + std::to_string(writer_) + ";") != std::string::npos;
            result_.rivals_right += right;
            if (result_.first_rival.empty() || !right) result_.first_rival = text;
        }
        result_.rival_times.add(us_since(begin));
    }

    // The next writer exists already and tries from the moment of the kill on, not from the burial.
    void take_over(int number) {
        const pid_t old = writer_;
        start_writer(number);
        pause_us(20000);
        const auto begin = Clock::now();
        ::kill(old, SIGKILL);
        (*memory_).turn = number;
        if (wait_for((*memory_).opened, number))
            result_.takeover_ms.push_back(us_since(begin) / 1000);
        if (wait_for((*memory_).committed, number))
            result_.first_commit_ms.push_back(us_since(begin) / 1000);
        ::waitpid(old, nullptr, 0);
    }

    void collect() {
        const Shared& shared = *memory_;
        result_.writer = shared.writer;
        ReaderFigures& all = result_.all;
        for (uint32_t i = 0; i < options_.readers; ++i) {
            const ReaderFigures& one = shared.readers[i];
            result_.readers.push_back(one);
            for (size_t call = 0; call < kCalls; ++call) {
                all.calls[call].wall.add(one.calls[call].wall);
                all.calls[call].cpu.add(one.calls[call].cpu);
                all.calls[call].queue.add(one.calls[call].queue);
                all.calls[call].blocked.add(one.calls[call].blocked);
                all.calls[call].over_50ms += one.calls[call].over_50ms;
            }
            if (one.longest.spent.blocked() > all.longest.spent.blocked())
                all.longest = one.longest;
            all.checks += one.checks;
            all.wrong += one.wrong;
            all.failed += one.failed;
            all.gone += one.gone;
            all.asked_self += one.asked_self;
            all.found_self += one.found_self;
            note(all.first_wrong, one.first_wrong);
            note(all.first_failed, one.first_failed);
        }
    }

    void check_end() {
        storage::StoreOptions choices;
        choices.model = signed_model();
        const auto store = storage::Store::open(options_.path, choices);
        store->check(storage::CheckLevel::kFull, [&](const storage::Finding& finding) {
            result_.findings += finding.severity == storage::Finding::Severity::kDamage;
        });
        const auto space = store->open_space("o", "c", false);
        space->list_documents("", [&](const storage::DocumentInfo& info) {
            const std::string text = space->read_text(info.key, 0, info.bytes);
            result_.wrong_at_end += !fault_of_text(text, info.key, info.finished).empty();
            return true;
        });
        const storage::StoreStats stats = store->stats();
        result_.documents = stats.documents;
        result_.chunks = stats.chunks;
        result_.disk_bytes = stats.disk_bytes;
        store->close();
    }

    const ReadersOptions options_;
    SharedMemory memory_;
    pid_t writer_ = 0;
    std::vector<pid_t> children_;
    ReadersResult result_;
};

}  // namespace

const char* name_of(Call call) {
    static constexpr const char* kNames[kCalls] = {"open",   "search",   "exact", "describe",
                                                   "states", "hit_text", "text",  "find",
                                                   "list",   "pointers"};
    return kNames[size_t(call)];
}

void Histogram::add(double us) {
    const double step = us < 1 ? 0 : std::floor(8 * std::log2(us)) + 1;
    ++counts[size_t(std::min(step, 255.0))];
    ++n;
    max_us = std::max(max_us, us);
}

void Histogram::add(const Histogram& other) {
    for (size_t i = 0; i < std::size(counts); ++i) counts[i] += other.counts[i];
    n += other.n;
    max_us = std::max(max_us, other.max_us);
}

double Histogram::quantile(double q) const {
    uint64_t below = 0;
    for (size_t i = 0; i < std::size(counts); ++i) {
        below += counts[i];
        if (n > 0 && double(below) >= q * double(n))
            return std::min(max_us, std::exp2(double(i) / 8));
    }
    return 0;
}

ReadersResult read_together(const ReadersOptions& options) {
    if (options.readers > kMaxReaders) throw Error(Status::kArgument, "rpt", "at most 64 readers");
    return Run(options).run();
}

}  // namespace rpt::many
