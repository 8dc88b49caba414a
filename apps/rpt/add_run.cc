#include "apps/rpt/add_run.h"

#include <algorithm>

#include "apps/rpt/add_stdin.h"
#include "apps/rpt/document_key.h"
#include "apps/rpt/file_document.h"
#include "apps/rpt/ingest_forecast.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/model_making.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/text_file.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

// A file that changes all the time is read for a tenth of the time at most.
constexpr int kRestFactor = 10;

constexpr size_t kManyFiles = 64;

void check_stop() {
    if (interrupted()) fail_interrupted();
}

}  // namespace

AddRun::AddRun(const Settings& settings, const AddOptions& options,
               std::function<void(const fs::path&)> enter)
    : settings_(settings), options_(options), enter_(std::move(enter)), place_(settings) {}

AddOutcome AddRun::pass(const std::function<void()>& meanwhile) {
    check_memory();
    next_reading_.reset();
    Pass pass;
    find_files(pass);
    open_for_looking();
    choose(pass);
    const bool is_first = !watching_;
    watching_ = options_.watch;  // what is called meanwhile looks for changes alone
    const bool from_stdin = is_first && reads_stdin();
    if (!pass.wanted.empty() || from_stdin) open_for_writing();
    read(pass, from_stdin, meanwhile);
    if (is_first) {
        find_outdated_in_memory(pass);
    } else {
        find_outdated_since(pass);
    }
    settle_outdated(pass);
    return std::move(pass.outcome);
}

bool AddRun::reads_stdin() const {
    return std::ranges::count(options_.paths, "-") > 0;
}

void AddRun::find_files(Pass& pass) {
    WalkHooks hooks;
    hooks.check = check_stop;
    hooks.enter = [&](const fs::path& folder) {
        enter_(folder);
        if (const auto identity = identity_of(folder)) disks_[folder] = identity->device;
    };
    for (const std::string& path : options_.paths)
        if (path != "-") walk_path(path, options_.store, hooks, pass.walk);
    n_missing_ = pass.walk.missing.size();
    pass.outcome.skipped = pass.walk.skipped;
    pass.outcome.failed = pass.walk.failed;
    // A file that was named twice, or with the folder that holds it, is read once.
    std::map<fs::path, size_t> first;
    std::vector<FoundFile> files;
    for (FoundFile& file : pass.walk.files) {
        const auto [known, is_new] = first.emplace(file.real, files.size());
        if (is_new)
            files.push_back(std::move(file));
        else
            files[known->second].named |= file.named;
    }
    pass.walk.files = std::move(files);
    if (options_.key.empty()) return;
    const size_t n_documents = pass.walk.files.size() + (reads_stdin() ? 1 : 0);
    if (n_documents != 1 && pass.walk.failed.empty())
        throw Failure("--key names one document, but the paths hold " + std::to_string(n_documents),
                      kExitUsage);
}

// What must be read: all that is text and not in the memory with this content.
void AddRun::choose(Pass& pass) {
    named_now_.clear();
    if (!watching_ && pass.walk.files.size() >= kManyFiles) documents_.list();
    Progress progress("looking", pass.walk.files.size(), Progress::Unit::kCount, settings_.quiet);
    for (const FoundFile& file : pass.walk.files) {
        check_stop();
        if (is_due(file)) look(file, pass);
        progress.add(1);
    }
}

bool AddRun::is_due(const FoundFile& file) {
    if (!watching_) return true;
    if (reading_.contains(file.real)) return false;
    const auto seen = seen_.find(file.real);
    if (seen == seen_.end()) return true;
    if (seen->second.stamp == FileStamp::of(file.place)) return false;
    if (Clock::now() >= seen->second.not_before) return true;
    next_reading_ =
        std::min(next_reading_.value_or(seen->second.not_before), seen->second.not_before);
    return false;
}

void AddRun::look(const FoundFile& file, Pass& pass) {
    const FileLook look = look_at(file.place, settings_.text);
    Seen& seen = seen_[file.real];
    seen.stamp = look.stamp;
    AddOutcome& outcome = pass.outcome;
    const bool went = look.is_missing && !file.named;
    if (look.failure && !went) {
        outcome.failed.push_back({file.shown, *look.failure});
    } else if (look.failure) {
        outcome.skipped.push_back({file.shown, "gone before it was read"});
    } else if (look.not_text) {
        (file.named ? outcome.failed : outcome.skipped).push_back({file.shown, *look.not_text});
        const DocumentChoice choice = document_of(file);
        if (choice.is_own) pass.outdated.push_back({choice.key, file.real});
    } else {
        consider(file, look, pass);
    }
}

DocumentChoice AddRun::document_of(const FoundFile& file) {
    return options_.key.empty() ? documents_.choose(file.shown, file.real)
                                : documents_.named(options_.key);
}

void AddRun::consider(const FoundFile& file, const FileLook& look, Pass& pass) {
    DocumentChoice choice = document_of(file);
    const auto& info = choice.info;
    const bool finished = info && (info->flags & RPT_DOC_FINISHED) != 0;
    const bool same = finished && std::ranges::equal(info->content_hash, look.hash);
    if (info && !choice.is_own && !same) {
        // The key of a file that has gone and held another text: that may be another project.
        choice = {name_of_path(file.real.native()), std::nullopt, false};
    }
    seen_[file.real].key = choice.key;
    if (same && choice.is_own) {
        ++pass.outcome.unchanged;
        pass.outcome.skipped.push_back({file.shown, kUnchanged});
    } else if (finished && choice.is_own && !options_.replace && !options_.watch) {
        pass.outcome.failed.push_back(
            {file.shown, "in the memory already with other content; give --replace"});
    } else {
        // What an interrupted run left behind is no document to protect.
        want(file, choice.key, choice.info.has_value(), look.stamp, pass);
    }
}

void AddRun::want(const FoundFile& file, const std::string& wanted_key, bool replace,
                  const FileStamp& stamp, Pass& pass) {
    std::string key = wanted_key;
    const auto taken = named_now_.emplace(key, file.real).first;
    if (taken->second != file.real) key = name_of_path(file.real.native());
    if (key.size() > kMaxKeyBytes) {
        pass.outcome.failed.push_back(
            {file.shown, "the path has " + std::to_string(key.size()) + " bytes, a key at most " +
                             std::to_string(kMaxKeyBytes) + "; name the document with --key"});
        return;
    }
    if (!replace && path_of_name(key).native() != key)
        remark(settings_, "\"" + printable(file.shown) +
                              "\": the name is no plain UTF-8; its key is \"" + key + "\"");
    seen_[file.real].key = key;
    pass.wanted.push_back({file, key, replace, stamp});
}

void AddRun::read(Pass& pass, bool from_stdin, const std::function<void()>& meanwhile) {
    uint64_t total = 0, before = 0;
    for (const Wanted& one : pass.wanted) total += one.stamp.size;
    if (writing_) forecast_reading(settings_, place_, format_size(total), tokens_of_bytes(total));
    Progress progress("reading", from_stdin ? 0 : total, Progress::Unit::kBytes, settings_.quiet);
    for (const Wanted& one : pass.wanted) {
        check_stop();
        read_file(one, progress, pass.outcome, meanwhile);
        before += one.stamp.size;
        progress.set(before);
    }
    if (!from_stdin) return;
    pass.outcome.count(add_stdin(settings_, place_.spaces.front().get(),
                                 options_.key.empty() ? "stdin" : options_.key, options_.replace,
                                 progress));
}

void AddRun::read_file(const Wanted& one, Progress& progress, AddOutcome& outcome,
                       const std::function<void()>& meanwhile) {
    // A run in between may have read it in a newer state.
    if (seen_[one.file.real].stamp != one.stamp) return;
    const auto start = Clock::now();
    reading_.insert(one.file.real);
    try {
        const rpt_doc_info info = write_document(settings_, place_.spaces.front().get(), one.file,
                                                 one.key, one.replace, progress, meanwhile);
        outcome.count(info);
        documents_.added(one.key, one.file.real, info);
    } catch (const FileFailure& failure) {
        if (failure.is_missing() && !one.file.named)
            outcome.skipped.push_back({one.file.shown, "gone before it was read"});
        else
            outcome.failed.push_back({one.file.shown, failure.what()});
    }
    reading_.erase(one.file.real);
    const auto end = Clock::now();
    seen_[one.file.real].not_before = end + kRestFactor * (end - start);
}

void AddRun::check_memory() const {
    if (!memory_) return;
    if (identity_of(fs::path(options_.store) / "store.sqlite") != memory_)
        throw Failure("memory \"" + options_.store +
                      "\" was removed or replaced by somebody else; start again to make a new one");
}

// A memory that is not there yet holds nothing.
void AddRun::open_for_looking() {
    if (writing_) return;
    place_.close_store();
    documents_ = {};
    std::error_code ignored;
    if (!fs::exists(fs::path(options_.store) / "store.sqlite", ignored)) return;
    place_.open_store(settings_, options_.store, Access::kRead);
    rpt_space* opened = nullptr;
    Error error;
    const rpt_status status =
        rpt_space_open(place_.store.get(), settings_.owner.c_str(),
                       settings_.collections.front().c_str(), 0, &opened, error.out());
    if (status == RPT_ERR_NOT_FOUND) return;
    error.check(status);
    place_.spaces.emplace_back(opened);
    documents_ = StoredDocuments(opened);
}

void AddRun::open_for_writing() {
    if (writing_) return;
    place_.close_store();
    place_.open_memory(settings_, options_.store, Access::kCreate);
    if ((place_.model_info().flags & RPT_MODEL_UNTRAINED) != 0) remark(settings_, kUntrainedMemory);
    place_.open_spaces(settings_, true);
    documents_ = StoredDocuments(place_.spaces.front().get());
    memory_ = identity_of(fs::path(options_.store) / "store.sqlite");
    writing_ = true;
}

void AddRun::close() {
    check_memory();
    place_.close_store();
}

}  // namespace rpt::cli
