// The work of `rpt add`: finds the files, chooses those that are new to the memory, reads them.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/rpt/add_outcome.h"
#include "apps/rpt/file_walk.h"
#include "apps/rpt/memory_place.h"
#include "apps/rpt/stored_documents.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {

struct AddOptions {
    std::string store, key;
    std::vector<std::string> paths;
    bool replace = false, watch = false, prune = false;
};

// One run over what the paths stand for, and again for every change while watching. The model is
// loaded when the first file turns out to be new: a tree that is known costs its hashing.
class AddRun {
  public:
    using Clock = std::chrono::steady_clock;
    // `enter` is told of every folder whose files count, before it is listed.
    AddRun(const Settings& settings, const AddOptions& options,
           std::function<void(const std::filesystem::path&)> enter);

    // `meanwhile` is called now and then while a long run reads; it may call pass() again.
    AddOutcome pass(const std::function<void()>& meanwhile = [] {});
    // Throws Failure if the memory that is written to has been removed or replaced.
    void check_memory() const;
    // When a file that changes all the time may be read again.
    std::optional<Clock::time_point> next_reading() const { return next_reading_; }
    // A path that was named is not there for now: nothing will tell when it comes back.
    bool misses_paths() const { return n_missing_ > 0; }
    bool misses_all_paths() const { return n_missing_ == options_.paths.size(); }
    void close();

  private:
    struct Wanted {
        FoundFile file;
        std::string key;
        bool replace = false;
        FileStamp stamp;
    };
    // A document whose file should no longer answer.
    struct Outdated {
        std::string key;
        std::filesystem::path file;
    };
    struct Pass {
        Walk walk;
        AddOutcome outcome;
        std::vector<Wanted> wanted;
        std::vector<Outdated> outdated;
    };
    struct Seen {
        std::string key;
        FileStamp stamp;
        Clock::time_point not_before{};  // a file that changes all the time waits its turn
    };

    bool reads_stdin() const;
    void find_files(Pass& pass);
    void choose(Pass& pass);
    bool is_due(const FoundFile& file);
    void look(const FoundFile& file, Pass& pass);
    void consider(const FoundFile& file, const struct FileLook& look, Pass& pass);
    DocumentChoice document_of(const FoundFile& file);
    void want(const FoundFile& file, const std::string& key, bool replace, const FileStamp& stamp,
              Pass& pass);
    void read(Pass& pass, bool from_stdin, const std::function<void()>& meanwhile);
    void read_file(const Wanted& wanted, Progress& progress, AddOutcome& outcome,
                   const std::function<void()>& meanwhile);
    void find_outdated_in_memory(Pass& pass);
    void find_outdated_since(Pass& pass);
    bool is_other_disk(const std::filesystem::path& file) const;
    void settle_outdated(Pass& pass);
    void open_for_looking();
    void open_for_writing();

    const Settings& settings_;
    const AddOptions& options_;
    std::function<void(const std::filesystem::path&)> enter_;
    Workplace place_;
    StoredDocuments documents_;
    bool writing_ = false, watching_ = false;
    size_t n_missing_ = 0;
    std::optional<FileIdentity> memory_;  // of what is written to
    std::map<std::filesystem::path, Seen> seen_;
    std::map<std::filesystem::path, dev_t> disks_;  // of the folders that were listed
    std::set<std::filesystem::path> reading_;       // by a run that this one interrupts
    std::map<std::string, std::filesystem::path> named_now_;
    std::optional<Clock::time_point> next_reading_;
};

}  // namespace rpt::cli
