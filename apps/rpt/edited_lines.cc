// Lines of a terminal, with editing and history by libedit.
#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "apps/rpt/handles.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/line_source.h"
#include "apps/rpt/output.h"
#include "apps/rpt/utf8_scan.h"
#include "apps/rpt/utf8_text.h"

namespace rpt::cli {
namespace {

constexpr int kHistoryLines = 1000;

std::wstring wide(std::string_view text) {
    const std::u32string points = code_points(text);
    return {points.begin(), points.end()};
}

class EditedLines final : public LineSource {
  public:
    EditedLines() {
        // libedit measures and writes characters by the locale; this program has no other use of it
        if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
        edit_ = el_init("rpt", stdin, stdout, stderr);
        history_ = history_winit();
        if (edit_ == nullptr || history_ == nullptr)
            throw Failure("the terminal cannot be used for editing lines");
        HistEventW event;
        history_w(history_, &event, H_SETSIZE, kHistoryLines);
        history_w(history_, &event, H_SETUNIQUE, 1);
        el_wset(edit_, EL_CLIENTDATA, this);
        el_wset(edit_, EL_PROMPT, &EditedLines::give_prompt);
        el_wset(edit_, EL_GETCFN, &EditedLines::give_character);
        el_wset(edit_, EL_EDITOR, L"emacs");
        el_wset(edit_, EL_HIST, history_w, history_);
        el_wset(edit_, EL_SIGNAL, 0);
        el_source(edit_, nullptr);
    }
    ~EditedLines() override {
        if (history_ != nullptr) history_wend(history_);
        if (edit_ != nullptr) el_end(edit_);
    }
    EditedLines(const EditedLines&) = delete;
    EditedLines& operator=(const EditedLines&) = delete;

    std::optional<std::string> next(const std::string& prompt) override {
        flush_output();
        const Interruption interruption;
        interruption_ = &interruption;
        prompt_ = wide(prompt);
        pending_.clear();
        int n = 0;
        const wchar_t* typed = el_wgets(edit_, &n);
        interruption_ = nullptr;
        if (interrupted()) fail_stopped("what was said is in the memory");
        if (interruption.came()) {
            print_line("^C");
            return std::string();
        }
        if (typed == nullptr || n <= 0) {
            print_line("");
            return std::nullopt;
        }
        std::string line;
        for (int i = 0; i < n; ++i)
            if (typed[i] != L'\n') append_utf8(line, static_cast<char32_t>(typed[i]));
        if (!line.empty()) remember(line);
        return line;
    }
    void set_history(const std::vector<std::string>& lines) override {
        HistEventW event;
        history_w(history_, &event, H_CLEAR);
        for (const std::string& line : lines) remember(line);
    }
    bool person() const override { return true; }

  private:
    static EditedLines& of(EditLine* edit) {
        void* self = nullptr;
        el_wget(edit, EL_CLIENTDATA, &self);
        return *static_cast<EditedLines*>(self);
    }
    static wchar_t* give_prompt(EditLine* edit) { return of(edit).prompt_.data(); }
    static int give_character(EditLine* edit, wchar_t* out) { return of(edit).character(*out); }

    // 1, or 0 at the end of the input, or -1 when something ends the wait.
    int character(wchar_t& out) {
        for (;;) {
            if (!wait()) return -1;
            char byte = 0;
            const ssize_t got = read(STDIN_FILENO, &byte, 1);
            if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (got <= 0) return static_cast<int>(got);
            pending_ += byte;
            const bool whole = code_point_size(pending_) != 0;
            if (!whole && pending_.size() < 4 && (pending_[0] & 0x80) != 0) continue;
            out = static_cast<wchar_t>(code_points(pending_).front());
            pending_.clear();
            return 1;
        }
    }
    // Until there is something to read; false if Ctrl-C came or the program should end. Ctrl-C gets
    // through within ppoll alone, so none is lost before it.
    bool wait() const {
        sigset_t block, before;
        sigemptyset(&block);
        sigaddset(&block, SIGINT);
        sigprocmask(SIG_BLOCK, &block, &before);
        bool ready = false, stopped = false;
        while (!ready && !stopped) {
            if (interruption_->came() || interrupted()) {
                stopped = true;
                continue;
            }
            pollfd waiting[2] = {{STDIN_FILENO, POLLIN, 0}, {stop_fd(), POLLIN, 0}};
            ready = ppoll(waiting, 2, nullptr, &before) > 0 && waiting[0].revents != 0;
        }
        sigprocmask(SIG_SETMASK, &before, nullptr);
        return ready;
    }
    void remember(const std::string& line) {
        HistEventW event;
        history_w(history_, &event, H_ENTER, wide(line).c_str());
    }

    EditLine* edit_ = nullptr;
    HistoryW* history_ = nullptr;
    const Interruption* interruption_ = nullptr;  // while a line is read
    std::wstring prompt_;
    std::string pending_;  // of a character, at most 4 bytes
};

}  // namespace

std::unique_ptr<LineSource> open_edited_lines() {
    return std::make_unique<EditedLines>();
}

}  // namespace rpt::cli
