// Lines that a person types or a pipe delivers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rpt::cli {

class LineSource {
  public:
    virtual ~LineSource() = default;
    // The next line without its end, whatever its bytes; nothing at the end of the input. `prompt`
    // is shown to a person alone. An empty line where Ctrl-C took back what was typed. Throws
    // Failure when the program should end, and for a line of more than 1 MiB, which is skipped.
    virtual std::optional<std::string> next(const std::string& prompt) = 0;
    // Lines that arrow keys bring back, the oldest first; in place of those that there were.
    virtual void set_history(const std::vector<std::string>& lines) = 0;
    // Whether a person can be asked.
    virtual bool person() const = 0;
};

// Stdin with line editing if it and stdout are a terminal, otherwise as it comes.
std::unique_ptr<LineSource> open_lines();
std::unique_ptr<LineSource> open_edited_lines();

}  // namespace rpt::cli
