// The library's objects that a command works with, opened as the settings say.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/rpt/handles.h"
#include "apps/rpt/progress.h"
#include "apps/rpt/settings.h"

namespace rpt::cli {

// Cancel and progress of one call. Lives until the call returned. The end of --timeout comes as a
// cancellation: it bounds the command, not the call.
class Call {
  public:
    explicit Call(Progress* progress = nullptr);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    const rpt_call* get() const { return &call_; }

  private:
    rpt_call call_ = RPT_CALL_INIT;
};

// Does `work` again and again while another process keeps it from being done, as long as --wait
// says.
void wait_while_busy(const Settings& settings, const std::function<void()>& work);

enum class Access { kRead, kWrite, kCreate };

struct Workplace {
    Env env;
    Model model;
    Store store;
    std::vector<Space> spaces;

    explicit Workplace(const Settings& settings);

    // The model that --model names. Without it the one that made the memory `store`, or the default
    // where there is no such memory.
    void open_model(const Settings& settings, const std::string& store = {});
    // Binds the store to the model if one is open.
    void open_store(const Settings& settings, const std::string& path, Access access);
    // Both. A memory that must be there and is not fails before a model is loaded.
    void open_memory(const Settings& settings, const std::string& path, Access access);
    // One for each collection; with kCreate they come into being, with kRead a missing one is a
    // failure.
    void open_spaces(const Settings& settings, bool create);
    // Without memory: no spaces and not even the text's own past. `neighbours` 0: the model's
    // choice. `reading`: RPT_READ_*, 0: the model's choice.
    Session new_session(bool with_memory, uint32_t neighbours = 0, uint32_t reading = 0) const;
    std::vector<rpt_space*> borrowed_spaces() const;
    const rpt_model_info& model_info();
    const std::string& model_path() const { return model_path_; }
    // Says whether the last bytes reached the disk.
    void close_store();

  private:
    // Of a command without --model.
    std::string choose_model(const Settings& settings, const std::string& store);

    rpt_model_info model_info_ = {};
    std::string model_path_;
};

}  // namespace rpt::cli
