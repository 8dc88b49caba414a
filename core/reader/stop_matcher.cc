#include "core/reader/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
    for (size_t i = 0; i < stops_.size(); ++i) {
        const std::string name = "generate: stop string " + std::to_string(i);
        if (stops_[i].empty()) throw Error(Status::kArgument, "rpt", name + " is empty");
        if (text::valid_utf8_prefix(stops_[i]) != stops_[i].size())
            throw Error(Status::kArgument, "rpt", name + " is not valid utf-8");
    }
}

size_t StopMatcher::open_prefix() const {
    size_t longest = 0;
    for (const std::string& stop : stops_) {
        for (size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n) {
            if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) {
                longest = n;
                break;
            }
        }
    }
    return longest;
}

std::string StopMatcher::push(std::string_view text) {
    if (matched_) return {};
    if (stops_.empty()) return std::string(text);
    std::string out;
    for (char byte : text) {
        held_ += byte;
        size_t longest = 0;
        for (size_t i = 0; i < stops_.size(); ++i) {
            if (stops_[i].size() > longest && held_.ends_with(stops_[i])) {
                longest = stops_[i].size();
                matched_ = uint32_t(i);
            }
        }
        const size_t kept = matched_ ? longest : open_prefix();
        out.append(held_, 0, held_.size() - kept);
        held_.erase(0, held_.size() - kept);
        if (matched_) {
            held_.clear();
            break;
        }
    }
    return out;
}

std::string StopMatcher::take_held() {
    return std::exchange(held_, {});
}

}  // namespace rpt::reader
