// Kills a process that writes a store, at random moments, and looks at what it leaves: a full check
// must be clean, everything acknowledged there, nothing else half there.
//
//   store_crash [--rounds N] [--seed S] [--folder F]
//
// The process that works is forked; so is the one that looks, for this one must stay without
// threads.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/crash/store_twin.h"

namespace rpt::crash {
namespace {

using storage::Durability;
using storage::Store;
using synthetic::Numbers;

constexpr uint32_t kMostSteps = 300;
constexpr int kUpgradeEvery = 8;  // rounds

// Written by the children, read by the parent, also after a child's death.
struct Shared {
    std::atomic<uint32_t> begun, acknowledged;
    std::atomic<uint32_t> kind;       // of the step that was begun last
    std::atomic<uint32_t> candidate;  // which one the store equals
    uint8_t refused[kMostSteps];      // by step, valid once acknowledged
    char message[1 << 16];
};

struct Tally {
    uint64_t rounds = 0, inside = 0, between = 0, steps = 0, failures = 0;
    uint64_t before = 0, after = 0;  // of the kills inside
    uint64_t backups_whole = 0, backups_none = 0;
    uint64_t upgrades_old = 0, upgrades_new = 0;
    std::array<uint64_t, size_t(Kind::kKinds)> kills{};
};

double log_uniform(Numbers& numbers, double low, double high) {
    const double u = double(numbers.below(1 << 20)) / double(1 << 20);
    return low * std::pow(high / low, u);
}

void sleep_us(double us) {
    timespec time{static_cast<time_t>(us / 1e6), static_cast<long>(std::fmod(us, 1e6) * 1e3)};
    ::nanosleep(&time, nullptr);
}

class Harness {
  public:
    Harness(const std::string& folder, uint64_t seed) : folder_(folder), seed_(seed) {
        std::filesystem::create_directories(folder_);
        shared_ = static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        if (shared_ == MAP_FAILED) throw std::runtime_error("no shared memory");
    }
    ~Harness() {
        ::munmap(shared_, sizeof(Shared));
        std::filesystem::remove_all(folder_);
    }

    void round(uint64_t n) {
        round_ = n;
        ++tally_.rounds;
        Numbers numbers(seed_ * 1000003 + n);
        try {
            if (n % kUpgradeEvery == kUpgradeEvery - 1) {
                upgrade_round(numbers);
            } else {
                store_round(numbers);
            }
        } catch (const std::exception& error) {
            ++tally_.failures;
            std::printf("round %lu (seed %lu), kill in \"%s\": %s\n", static_cast<unsigned long>(n),
                        static_cast<unsigned long>(seed_),
                        name_of(static_cast<Kind>(shared_->kind.load())), error.what());
            std::fflush(stdout);
            keep_remains();
            twin_ = {};
        }
    }

    int report() const {
        const auto n = [](uint64_t value) { return static_cast<unsigned long>(value); };
        std::printf(
            "%lu rounds, seed %lu: %lu steps acknowledged, %lu kills inside a step, %lu between\n",
            n(tally_.rounds), n(seed_), n(tally_.steps), n(tally_.inside), n(tally_.between));
        std::printf("a killed step had done nothing %lu times, all %lu times\n", n(tally_.before),
                    n(tally_.after));
        for (size_t kind = 0; kind < tally_.kills.size(); ++kind)
            std::printf("  inside %-14s %lu\n", name_of(static_cast<Kind>(kind)),
                        n(tally_.kills[kind]));
        std::printf("killed backups: %lu whole, %lu none; killed upgrades: %lu old, %lu new\n",
                    n(tally_.backups_whole), n(tally_.backups_none), n(tally_.upgrades_old),
                    n(tally_.upgrades_new));
        std::printf("%lu failures\n", n(tally_.failures));
        return tally_.failures == 0 ? 0 : 1;
    }

  private:
    std::string store() const { return folder_ + "/store"; }
    std::string backup(uint32_t step) const { return folder_ + "/backup-" + std::to_string(step); }

    // The first failures' stores stay for whoever looks into them.
    void keep_remains() const {
        const std::string kept = folder_ + "-failure-" + std::to_string(tally_.failures);
        std::error_code ignored;
        std::filesystem::remove_all(kept, ignored);
        if (tally_.failures <= 3)
            std::filesystem::copy(folder_, kept, std::filesystem::copy_options::recursive, ignored);
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            std::filesystem::remove_all(entry.path(), ignored);
    }

    // A child that ends with its work; its exceptions become messages.
    pid_t start(const std::function<void()>& work) const {
        std::fflush(stdout);
        shared_->message[0] = 0;
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child < 0) throw std::runtime_error("cannot fork");
        if (child != 0) return child;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        try {
            work();
            ::_exit(0);
        } catch (const std::exception& error) {
            std::snprintf(shared_->message, sizeof shared_->message, "%s", error.what());
        }
        ::_exit(1);
    }

    static int wait_for(pid_t child) {
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        return status;
    }

    void run(const std::function<void()>& work) const {
        const int status = wait_for(start(work));
        if (WIFSIGNALED(status))
            throw std::runtime_error("looking at the store dies of signal " +
                                     std::to_string(WTERMSIG(status)));
        if (status != 0) throw std::runtime_error(shared_->message);
    }

    // Kills after a random time, counted from the start, from the begin of some step or from the
    // begin of a step of some kind.
    void kill_at_random(pid_t child, Numbers& numbers) const {
        const uint64_t choice = numbers.below(4);
        const uint32_t after_step = 1 + static_cast<uint32_t>(numbers.below(60));
        static constexpr Kind kWanted[] = {Kind::kReplace,      Kind::kSplice,   Kind::kDelete,
                                           Kind::kDropSpace,    Kind::kCompact,  Kind::kBackup,
                                           Kind::kRebuildIndex, Kind::kSetBudget};
        const Kind wanted = kWanted[numbers.below(std::size(kWanted))];
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        const auto waits = [&] {
            if (std::chrono::steady_clock::now() > deadline) return false;
            if (shared_->acknowledged == kMostSteps || shared_->message[0] != 0) return false;
            if (choice == 1) return shared_->begun < after_step;
            if (choice >= 2)
                return shared_->begun == shared_->acknowledged ||
                       shared_->kind != static_cast<uint32_t>(wanted);
            return false;
        };
        while (waits()) sleep_us(20);
        sleep_us(choice == 0 ? log_uniform(numbers, 100, 2e5) : log_uniform(numbers, 1, 2e4));
        ::kill(child, SIGKILL);
        require_killed(wait_for(child));
    }

    // It must have died of our signal and of nothing before.
    void require_killed(int status) const {
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return;
        throw std::runtime_error(
            WIFSIGNALED(status)
                ? "the working process died of signal " + std::to_string(WTERMSIG(status))
                : std::string("the working process failed: ") + shared_->message);
    }

    void work(Durability durability) {
        Numbers numbers(seed_ * 7919 + round_);
        Session session(store(), durability);
        for (uint32_t i = 0; i < kMostSteps; ++i) {
            const Step step = draw_step(numbers, twin_);
            shared_->kind = static_cast<uint32_t>(step.kind);
            shared_->begun = i + 1;
            const bool done = session.run(step, backup(i));
            shared_->refused[i] = !done;
            shared_->acknowledged = i + 1;
            if (done) {
                apply(step, twin_);
            } else {
                refuse(step, twin_);
            }
        }
        for (;;) ::pause();
    }

    void store_round(Numbers& numbers) {
        shared_->begun = shared_->acknowledged = 0;
        shared_->kind = static_cast<uint32_t>(Kind::kReopen);
        const Durability durability = numbers.one_in(2) ? Durability::kFlush : Durability::kNormal;
        const bool dies_again = numbers.one_in(3);
        const pid_t child = start([&] { work(durability); });
        kill_at_random(child, numbers);

        const uint32_t begun = shared_->begun, acknowledged = shared_->acknowledged;
        tally_.steps += acknowledged;
        // What the child has done, and at which moments it took copies.
        Numbers steps(seed_ * 7919 + round_);
        std::optional<std::pair<uint32_t, Twin>> copied;
        for (uint32_t i = 0; i < acknowledged; ++i) {
            const Step step = draw_step(steps, twin_);
            if (step.kind == Kind::kBackup && !shared_->refused[i]) copied = {i, twin_};
            if (shared_->refused[i]) {
                refuse(step, twin_);
            } else {
                apply(step, twin_);
            }
        }
        std::vector<Twin> candidates{twin_};
        std::optional<Step> last;
        if (begun > acknowledged) {
            last = draw_step(steps, twin_);
            candidates[0].next_seed = twin_.next_seed;
            // A writer makes its space first, in a transaction of its own.
            if (!twin_.spaces[last->space].exists && last->begin) {
                candidates.push_back(candidates[0]);
                candidates.back().spaces[last->space].exists = true;
            }
            candidates.push_back(candidates[0]);
            apply(*last, candidates.back());
            ++tally_.inside;
            ++tally_.kills[size_t(last->kind)];
        } else {
            ++tally_.between;
        }
        for (Twin& candidate : candidates) candidate.end_writing();

        run([&] { look_at(store(), durability, candidates, dies_again); });
        const uint32_t found = shared_->candidate;
        if (last) ++(found == 0 ? tally_.before : tally_.after);
        if (copied) {
            copied->second.end_writing();
            run([&] { look_at(backup(copied->first), durability, {copied->second}, false); });
        }
        if (last && last->kind == Kind::kBackup) {
            const bool whole = std::filesystem::exists(backup(acknowledged) + "/store.sqlite");
            ++(whole ? tally_.backups_whole : tally_.backups_none);
            if (whole)
                run([&] { look_at(backup(acknowledged), durability, {candidates[0]}, false); });
        }
        for (uint32_t i = 0; i <= acknowledged; ++i) std::filesystem::remove_all(backup(i));
        twin_ = candidates[found];
    }

    // The store must be one of the candidates; says which in shared_->candidate.
    void look_at(const std::string& path, Durability durability,
                 const std::vector<Twin>& candidates, bool die) const {
        const auto opened = Store::open(path, options_of(durability));
        std::string damage;
        opened->check(storage::CheckLevel::kFull, [&](const storage::Finding& finding) {
            if (finding.severity == storage::Finding::Severity::kDamage)
                damage += finding.text + "\n";
        });
        if (!damage.empty()) throw std::runtime_error("check: " + damage);
        const View seen = view_of(*opened);
        std::string differences;
        for (uint32_t i = 0; i < candidates.size(); ++i) {
            const std::string text = difference(view_of(candidates[i]), seen);
            if (text.empty()) {
                shared_->candidate = i;
                if (die) ::_exit(0);
                opened->close();
                return;
            }
            differences += "candidate " + std::to_string(i) + ": " + text + "\n";
        }
        throw std::runtime_error("in \"" + path + "\" " + differences);
    }

    void upgrade_round(Numbers& numbers) {
        const std::string golden = RPT_SOURCE_DIR "/tests/golden/1";
        const std::string path = folder_ + "/upgraded";
        std::filesystem::remove_all(path);
        std::filesystem::create_directory(path);
        std::filesystem::copy_file(golden + "/store.sqlite", path + "/store.sqlite");
        shared_->begun = shared_->acknowledged = 0;
        shared_->kind = static_cast<uint32_t>(Kind::kUpgrade);
        const pid_t child = start([&] {
            shared_->begun = 1;
            Store::upgrade(path);
            shared_->acknowledged = 1;
            for (;;) ::pause();
        });
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (shared_->begun == 0 && std::chrono::steady_clock::now() < deadline) sleep_us(20);
        sleep_us(log_uniform(numbers, 20, 4e4));
        ::kill(child, SIGKILL);
        require_killed(wait_for(child));
        const bool inside = shared_->acknowledged == 0;
        run([&] { look_at_upgraded(path, golden + "/texts", inside); });
        if (inside) {
            ++tally_.inside;
            ++tally_.kills[size_t(Kind::kUpgrade)];
            ++(shared_->candidate == 0 ? tally_.upgrades_old : tally_.upgrades_new);
        } else {
            ++tally_.between;
        }
    }

    void look_at_upgraded(const std::string& path, const std::string& texts,
                          bool may_be_old) const {
        const storage::StoreOptions options;
        shared_->candidate = 1;
        try {
            Store::open(path, options);
        } catch (const Error& error) {
            if (error.status() != Status::kVersion || !may_be_old) throw;
            shared_->candidate = 0;
            if (!Store::upgrade(path))
                throw std::runtime_error("upgrade says that there is nothing to do");
        }
        const auto opened = Store::open(path, options);
        opened->check(storage::CheckLevel::kFull, [](const storage::Finding& finding) {
            if (finding.severity == storage::Finding::Severity::kDamage)
                throw std::runtime_error("check: " + finding.text);
        });
        size_t found = 0;
        opened->list_spaces([&](const std::string& owner, const std::string& collection) {
            const auto space = opened->open_space(owner, collection, false);
            space->list_documents("", [&](const storage::DocumentInfo& info) {
                if (info.bytes == 0) return true;
                std::string file = owner + "." + collection + "." + info.key;
                for (char& c : file) c = c == '/' ? '_' : c;
                std::ostringstream text;
                text << std::ifstream(texts + "/" + file, std::ios::binary).rdbuf();
                if (space->read_text(info.key, 0, info.bytes + 1) != text.str())
                    throw std::runtime_error("the upgraded text of " + file + " differs");
                ++found;
                return true;
            });
            return true;
        });
        if (found != 4) throw std::runtime_error("documents are missing after the upgrade");
        opened->close();
    }

    const std::string folder_;
    const uint64_t seed_;
    uint64_t round_ = 0;
    Twin twin_;
    Tally tally_;
    Shared* shared_ = nullptr;
};

}  // namespace
}  // namespace rpt::crash

int main(int argc, char** argv) {
    uint64_t rounds = 40, seed = 1;
    std::string folder = std::filesystem::temp_directory_path().string();
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--rounds") rounds = std::strtoull(argv[i + 1], nullptr, 10);
        if (option == "--seed") seed = std::strtoull(argv[i + 1], nullptr, 10);
        if (option == "--folder") folder = argv[i + 1];
    }
    folder += "/rpt_store_crash_" + std::to_string(::getpid());
    rpt::crash::Harness harness(folder, seed);
    for (uint64_t n = 0; n < rounds; ++n) harness.round(n);
    return harness.report();
}
