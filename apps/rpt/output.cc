#include "apps/rpt/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/utf8_scan.h"
#include "apps/rpt/waiting.h"

namespace rpt::cli {
namespace {

constexpr size_t kBufferBytes = 1 << 16;

std::string g_waiting;  // printed and not written yet
bool g_reader_left = false;

}  // namespace

void print(std::string_view text) {
    if (g_reader_left) return;
    g_waiting += text;
    if (g_waiting.size() >= kBufferBytes) flush_output();
}

void flush_output() {
    const std::string text = std::exchange(g_waiting, {});
    if (text.empty()) return;
    const int problem = write_all(STDOUT_FILENO, text);
    if (problem == EPIPE || problem == ECONNRESET) {
        g_reader_left = true;
    } else if (problem == ECANCELED) {
        fail_stopped("nobody reads stdout");
    } else if (problem != 0) {
        throw Failure(std::string("writing to stdout: ") + std::strerror(problem), kExitFailed,
                      RPT_ERR_IO);
    }
}

bool reader_left() {
    return g_reader_left;
}

void print_line(std::string_view text) {
    print(text);
    print("\n");
}

void print_json(const nlohmann::ordered_json& value) {
    print_line(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    flush_output();
}

void complain(std::string_view text) {
    write_all(STDERR_FILENO, text);
}

void remark(const Settings& settings, std::string_view text) {
    if (!settings.quiet) complain(std::string(text) + "\n");
}

std::string printable(std::string_view text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const size_t size = code_point_size(text.substr(at));
        const auto byte = static_cast<unsigned char>(text[at]);
        // C0 and C1 controls could drive the terminal
        const bool control =
            (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F ||
            (size == 2 && byte == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0);
        if (byte == '\r') {  // a line end, alone or before LF
            if (!text.substr(at + 1).starts_with('\n')) out += '\n';
            ++at;
        } else if (size == 0 || control) {
            out += "\xEF\xBF\xBD";
            at += size == 0 ? 1 : size;
        } else {
            out += text.substr(at, size);
            at += size;
        }
    }
    return out;
}

std::string first_line(std::string_view text, size_t width) {
    const size_t start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return {};
    text = text.substr(start);
    text = text.substr(0, text.find_first_of("\r\n"));
    const std::string clean = printable(text);
    std::string out;
    size_t n_points = 0;
    for (size_t at = 0; at < clean.size(); ++n_points) {
        if (n_points == width) return out + "...";
        const size_t size = code_point_size(std::string_view(clean).substr(at));
        out += clean[at] == '\t' ? std::string(" ") : clean.substr(at, size);
        at += size;
    }
    return out;
}

}  // namespace rpt::cli
