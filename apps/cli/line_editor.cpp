// What libedit leaves to its caller: signals while it waits, the size of the window, and pasted
// text, which terminals bracket so that its line breaks do not send it.
#include "line_editor.h"

#include "failure.h"
#include "terminal.h"

#include <fmt/format.h>
#include <histedit.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <filesystem>
#include <string_view>

#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr int kHistorySize = 1000;  // inputs
constexpr const char* kPasteBegins = "\x1b[?2004h";
constexpr const char* kPasteEnds = "\x1b[?2004l";
constexpr std::wstring_view kPasteFence = L"\x1b[201~";

volatile std::sig_atomic_t window_changed = 0, suspend_asked = 0;

void on_window_change(int) { window_changed = 1; }
void on_suspend(int) { suspend_asked = 1; }

/// While a line is read: Ctrl-C, Ctrl-Z and a new window size only wake the reader.
class EditingSignals {
 public:
  EditingSignals() {
    catch_interrupt();
    install(SIGWINCH, on_window_change, old_winch_);
    install(SIGTSTP, on_suspend, old_tstp_);
  }
  ~EditingSignals() {
    sigaction(SIGWINCH, &old_winch_, nullptr);
    sigaction(SIGTSTP, &old_tstp_, nullptr);
  }
  EditingSignals(const EditingSignals&) = delete;
  EditingSignals& operator=(const EditingSignals&) = delete;

 private:
  static void install(int signal, void (*handler)(int), struct sigaction& old) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, &old);
  }

  struct sigaction old_winch_ {
  }, old_tstp_{};
};

/// Waits until stdin has something or a signal came, with no gap between looking for one and
/// sleeping.
void wait_for_input_or_signal() {
  sigset_t ours, before;
  sigemptyset(&ours);
  for (const int signal : {SIGINT, SIGWINCH, SIGTSTP}) sigaddset(&ours, signal);
  sigprocmask(SIG_BLOCK, &ours, &before);
  if (!interrupted() && !window_changed && !suspend_asked) {
    pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    ppoll(&input, 1, nullptr, &before);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

void answer_signals(EditLine* editor) {
  if (suspend_asked) {
    suspend_asked = 0;
    el_set(editor, EL_PREP_TERM, 0);
    std::raise(SIGSTOP);
    el_set(editor, EL_PREP_TERM, 1);
    window_changed = 1;  // it may have, meanwhile
  }
  if (window_changed) {
    window_changed = 0;
    el_resize(editor);
    el_set(editor, EL_REFRESH);
  }
}

/// libedit needs to know that bytes are UTF-8. Nothing but characters is taken from the locale.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string history_path() {
  const std::string state = environment("XDG_STATE_HOME"), home = environment("HOME");
  if (state.starts_with('/')) return state + "/handloom/history";
  return home.empty() ? "" : home + "/.local/state/handloom/history";
}

struct LineEditor::Impl {
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::FILE* out = nullptr;
  std::string prompt, history_file, warning;
  bool at_end = false;  // of stdin

  ~Impl() {
    if (editor != nullptr) el_end(editor);
    if (history != nullptr) history_end(history);
  }

  /// One character of stdin: 1, or 0 at its end, or -1 after Ctrl-C.
  int read_character(wchar_t* character);
  void bind(const char* keys, const char* function) {
    el_set(editor, EL_BIND, keys, function, nullptr);
  }
  void bind_keys();
  void open_history();
  int call_history(int operation, const char* text) {
    HistEvent event;
    return ::history(history, &event, operation, text);
  }
};

namespace {

LineEditor::Impl& impl_of(EditLine* editor) {
  void* impl = nullptr;
  el_get(editor, EL_CLIENTDATA, &impl);
  return *static_cast<LineEditor::Impl*>(impl);
}

char* show_prompt(EditLine* editor) { return impl_of(editor).prompt.data(); }

int read_character(EditLine* editor, wchar_t* character) {
  return impl_of(editor).read_character(character);
}

/// The key that begins pasted text: takes all of it, line breaks too, into the line.
unsigned char take_paste(EditLine* editor, int) {
  std::wstring text;
  wchar_t character = 0;
  while (!text.ends_with(kPasteFence)) {
    if (el_wgetc(editor, &character) != 1) return CC_EOF;
    text += character == L'\r' ? L'\n' : character;
  }
  text.resize(text.size() - kPasteFence.size());
  std::erase_if(text, [](wchar_t c) { return c == 0; });
  if (!text.empty() && el_winsertstr(editor, text.c_str()) != 0) return CC_ERROR;
  return CC_REFRESH;
}

}  // namespace

int LineEditor::Impl::read_character(wchar_t* character) {
  std::mbstate_t state{};
  while (true) {
    wait_for_input_or_signal();
    if (interrupted()) return -1;
    if (window_changed || suspend_asked) {
      answer_signals(editor);
      continue;
    }
    char byte = 0;
    const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) {
      at_end = true;
      return 0;
    }
    const size_t used = std::mbrtowc(character, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;  // more bytes of this character are to come
    if (used == static_cast<size_t>(-1)) {
      *character = L'\xfffd';
    } else if (used == 0) {
      *character = L'\0';
    }
    return 1;
  }
}

void LineEditor::Impl::bind_keys() {
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_ADDFN, "handloom-paste", "takes pasted text", take_paste);
  bind("\\e[200~", "handloom-paste");
  bind("^R", "em-inc-search-prev");
  bind("^W", "ed-delete-prev-word");
  bind("\\e[1;5C", "em-next-word");
  bind("\\e[1;5D", "ed-prev-word");
  bind("\\e[H", "ed-move-to-beg");
  bind("\\e[F", "ed-move-to-end");
  bind("\\e[1~", "ed-move-to-beg");
  bind("\\e[4~", "ed-move-to-end");
  bind("\\e[3~", "ed-delete-next-char");
  el_source(editor, nullptr);  // ~/.editrc: a person's own keys
}

void LineEditor::Impl::open_history() {
  const auto give_up = [&](const std::string& found) {
    warning = fmt::format("history: {}, so what you type is not kept", found);
    history_file.clear();
  };
  if (history_file.empty()) return give_up("neither XDG_STATE_HOME nor HOME is set");
  const fs::path file = history_file;
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) {
    return give_up(fmt::format("{} could not be made ({})", one_line(file.parent_path().string()),
                               error.message()));
  }
  // Asked before anything is typed. A link is followed, so that it can lie where a person wants.
  const int access_error = ::access(history_file.c_str(), F_OK) == 0
                               ? ::access(history_file.c_str(), R_OK | W_OK)
                               : ::access(file.parent_path().c_str(), W_OK | X_OK);
  if (access_error != 0) {
    return give_up(
        fmt::format("{} cannot be written ({})", one_line(history_file), std::strerror(errno)));
  }
  if (!fs::exists(file, error) || fs::file_size(file, error) == 0) return;
  if (!fs::is_regular_file(file, error) || call_history(H_LOAD, history_file.c_str()) < 0) {
    give_up(fmt::format("{} is no history that handloom wrote", one_line(history_file)));
  }
}

LineEditor::LineEditor(bool to_stderr, const std::string& history_file)
    : impl_(std::make_unique<Impl>()) {
  use_utf8();
  impl_->out = to_stderr ? stderr : stdout;
  impl_->history_file = history_file;
  impl_->editor = el_init("handloom", stdin, impl_->out, stderr);
  impl_->history = history_init();
  if (impl_->editor == nullptr || impl_->history == nullptr) {
    throw Failure("terminal: libedit cannot use it, expected one with a TERM that it knows");
  }
  HistEvent event;
  ::history(impl_->history, &event, H_SETSIZE, kHistorySize);
  ::history(impl_->history, &event, H_SETUNIQUE, 1);
  el_set(impl_->editor, EL_CLIENTDATA, static_cast<void*>(impl_.get()));
  el_set(impl_->editor, EL_PROMPT, show_prompt);
  el_set(impl_->editor, EL_HIST, ::history, impl_->history);
  el_set(impl_->editor, EL_SIGNAL, 0);
  el_set(impl_->editor, EL_GETCFN, cli::read_character);
  impl_->bind_keys();
  impl_->open_history();
}

LineEditor::~LineEditor() = default;

const std::string& LineEditor::warning() const { return impl_->warning; }

Line LineEditor::read(const std::string& prompt) {
  if (impl_->at_end) return {.end = Line::End::end_of_input};
  impl_->prompt = prompt;
  const EditingSignals signals;
  const bool can_paste = environment("TERM") != "dumb" && !environment("TERM").empty();
  const auto switch_pasting = [&](const char* sequence) {
    if (can_paste) std::fputs(sequence, impl_->out);
    std::fflush(impl_->out);
  };
  // Before the prompt is seen: a Ctrl-D that answers it at once must come as a key.
  el_set(impl_->editor, EL_PREP_TERM, 1);
  switch_pasting(kPasteBegins);
  int n = 0;
  const char* text = el_gets(impl_->editor, &n);
  switch_pasting(kPasteEnds);
  if (interrupted()) {
    std::fputs("^C\n", impl_->out);
    std::fflush(impl_->out);
    return {.end = Line::End::interrupted};
  }
  if (text == nullptr || n <= 0) return {.end = Line::End::end_of_input};
  Line line{.text = text};
  if (line.text.ends_with('\n')) line.text.pop_back();
  return line;
}

void LineEditor::remember(const std::string& input) {
  impl_->call_history(H_ENTER, input.c_str());
  if (impl_->history_file.empty()) return;
  if (impl_->call_history(H_SAVE, impl_->history_file.c_str()) >= 0) return;
  write_stderr(
      fmt::format("history: {} could not be written, so what you type from here on is not kept\n",
                  one_line(impl_->history_file)));
  impl_->history_file.clear();
}

}  // namespace cli
