// handloom chat: the loop between a person and a session. Answers go to stdout, all else to stderr.
#include "chat_conversation.h"
#include "chat_input.h"
#include "chat_parameters.h"
#include "chat_turn.h"
#include "commands.h"
#include "failure.h"
#include "figures.h"
#include "line_editor.h"
#include "model.h"
#include "print.h"
#include "prompt.h"
#include "sampling.h"
#include "terminal.h"
#include "text_stream.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace cli {
namespace {

using handloom::FinishReason;

/// A failure after which there is no going on: nobody reads, or the device is gone.
struct TheEnd : Failure {
  using Failure::Failure;
};

/// A line about what happened, less bright than the conversation where that can be.
void say(const std::string& line) {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  const bool dim =
      stderr_is_terminal() && environment("TERM") != "dumb" && environment("NO_COLOR").empty();
  write_stderr(dim ? "\x1b[2m" + line + "\x1b[0m\n" : line + "\n");
}

void say_failure(const std::string& sentence) {
  write_stderr("handloom: " + one_line(sentence) + "\n");
}

/// The start of `text` on one line, for telling which message is meant.
std::string excerpt(const std::string& text) {
  constexpr size_t kWidth = 50;
  std::string line = one_line(text);
  if (text_width(line) <= kWidth) return "\"" + line + "\"";
  size_t end = kWidth;
  while (end > 0 && (line[end] & 0xc0) == 0x80) --end;  // not within a character
  return "\"" + line.substr(0, end) + "...\"";
}

/// "~/x" as shells read it; the shell never sees what is typed here.
std::string expand_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return path.starts_with("~/") && home != nullptr ? home + path.substr(1) : path;
}

/// TEXT or @FILE
std::string system_text(const std::string& given) {
  if (!given.starts_with('@')) return given;
  return without_final_newline(read_all(expand_home(given.substr(1))));
}

class Chat {
 public:
  Chat(const ChatCommand& command, handloom::Engine& engine, LineSource& lines, bool is_interactive)
      : engine_(engine),
        session_(take(engine.new_session())),
        lines_(lines),
        is_interactive_(is_interactive),
        with_stats_(command.stats),
        decode_(command.decode),
        end_of_turn_(end_of_turn_id(engine.tokenizer())),
        parameters_{.sampling = apply(command.sampling, engine.default_sampling(), draw_seed()),
                    .max_tokens = command.max_tokens,
                    .overflow = command.overflow} {
    for (const std::string& line :
         {software_notice(engine.adapter(), !command.model.adapter.empty()),
          greedy_note(command.sampling, parameters_.sampling)}) {
      if (!line.empty()) say(line);
    }
    if (!command.system.empty()) set_system(system_text(command.system));
  }

  /// The exit code. Throws TheEnd.
  int run() {
    if (is_interactive_) greet();
    while (!at_end_) {
      try {
        take_turn();
      } catch (const TheEnd&) {
        throw;
      } catch (const Failure& failure) {
        say_failure(failure.what());
        had_failure_ = true;
      }
    }
    // A person has seen it; a script is told.
    return had_failure_ && !is_interactive_ ? kExitFailure : 0;
  }

 private:
  void greet() {
    const handloom::ModelInfo& model = engine_.model();
    std::filesystem::path folder = std::filesystem::absolute(model.folder).lexically_normal();
    if (!folder.has_filename()) folder = folder.parent_path();
    say(fmt::format("{} ({}), context {}. /help lists the commands, Ctrl-D ends.",
                    folder.filename().string(), model.architecture,
                    count_text(model.context, "token")));
  }

  void take_turn() {
    // Between answers Ctrl-C ends a script as it ends any program; the line editor has its own.
    leave_interrupt();
    Input input = read_input(lines_);
    if (input.end == Line::End::end_of_input) {
      if (is_interactive_) write_stderr("\n");
      at_end_ = true;
    } else if (input.end == Line::End::newline) {
      if (!input.is_block && is_command(input.text)) return obey(parse_slash_command(input.text));
      if (input.text.find_first_not_of(" \t\n") != std::string::npos) ask(input.text);
    }
  }

  // Asking

  void ask(const std::string& question) {
    const uint32_t context = engine_.model().context;
    const TurnPlan plan =
        plan_turn(conversation_, question, parameters_, context,
                  [&](const auto& messages) { return chat_ids(messages, engine_.tokenizer()); });
    if (plan.n_dropped > conversation_.n_dropped) {
      say(fmt::format(
          "(the context is full: the oldest {} left out from here on)",
          plan.n_dropped == 1 ? "exchange is" : fmt::format("{} exchanges are", plan.n_dropped)));
    }
    const Answer answer = generate(plan.ids);
    last_turn_ = answer.figures;
    conversation_.n_dropped = plan.n_dropped;
    keep(question, answer.generation);
    if (with_stats_) say(turn_line(answer.figures, session_.length(), context));
  }

  Answer generate(std::span<const uint32_t> ids) {
    TextStream stream;
    handloom::GenerateOptions options{.max_tokens = parameters_.max_tokens,
                                      .sampling = parameters_.sampling,
                                      .steps_in_flight = decode_.steps_in_flight,
                                      .sample_on_host = decode_.sample_on_host};
    if (end_of_turn_) options.stop_ids = {*end_of_turn_};
    options.on_text = [&](std::string_view text, uint32_t) { return stream.write(text); };
    catch_interrupt();
    auto answer = answer_turn(session_, ids, options);
    if (!answer) {
      stream.write("\n");  // what was said ends its line before the error begins another
      const std::string sentence = answer.error().message;
      if (answer.error().code == handloom::ErrorCode::device_lost) throw TheEnd(sentence);
      throw Failure(sentence + "; the message is not kept");
    }
    try {
      stream.finish(answer->generation.text);
    } catch (const Failure& failure) {
      throw TheEnd(failure.what(), failure.exit_code());
    }
    return std::move(*answer);
  }

  void keep(const std::string& question, const handloom::Generation& made) {
    const bool cut_off = made.finish_reason == FinishReason::cancelled;
    if (cut_off && made.text.empty()) {
      throw Failure("chat: interrupted before the first word, so the message is not kept");
    }
    conversation_.exchanges.push_back(
        {.user = question, .answer = made.text, .interrupted = cut_off});
    if (cut_off) say("(interrupted)");
    if (made.finish_reason != FinishReason::length) return;
    const bool is_full = session_.length() >= engine_.model().context;
    say(is_full ? "(cut: the context is full)"
                : fmt::format("(cut after --max-tokens {})", parameters_.max_tokens));
  }

  // Commands

  struct CommandEntry {
    std::string_view name, argument, help;
    void (Chat::*obey)(const std::string& argument);
  };

  static std::span<const CommandEntry> commands() {
    static constexpr CommandEntry kCommands[] = {
        {"help", "", "this list", &Chat::help},
        {"reset", "", "forget the conversation; the system prompt and parameters stay",
         &Chat::reset},
        {"undo", "", "take back the last message and its answer", &Chat::undo},
        {"retry", "", "answer the last message again, with the next seed", &Chat::retry},
        {"system", "[TEXT]", "show the system prompt, or set it (\"\": none) and restart",
         &Chat::system},
        {"params", "[NAME X ...]", "show the parameters, or set some", &Chat::params},
        {"stats", "", "tokens, speed and memory of the last turn", &Chat::stats},
        {"save", "FILE", "write the conversation, system prompt and parameters", &Chat::save},
        {"load", "FILE", "go on from such a file", &Chat::load},
        {"quit", "", "end, as Ctrl-D does", &Chat::quit},
    };
    return kCommands;
  }

  void obey(const SlashCommand& given) {
    std::vector<std::string> names;
    for (const CommandEntry& entry : commands()) {
      names.push_back(fmt::format("/{}", entry.name));
      if (entry.name != given.name) continue;
      if (entry.argument.empty() && !given.argument.empty()) {
        throw Failure(fmt::format("/{} is given {}, expected nothing after it", given.name,
                                  excerpt(given.argument)));
      }
      return (this->*entry.obey)(given.argument);
    }
    throw Failure(
        fmt::format("'/{}' is not a command, expected one of {}; a message that begins "
                    "with / needs a space before it",
                    given.name, join(names, ", ")));
  }

  void help(const std::string&) {
    std::string text;
    for (const CommandEntry& entry : commands()) {
      text += pad_right(fmt::format("/{} {}", entry.name, entry.argument), 22) +
              std::string(entry.help) + "\n";
    }
    text +=
        "A line that ends in \\ goes on with the next; \"\"\" begins and ends a text of many "
        "lines.\n"
        "Ctrl-C ends an answer and keeps what was said; at the prompt it clears the line.\n";
    write_stderr(text);
  }

  void reset(const std::string&) {
    const size_t n = conversation_.exchanges.size();
    forget();
    say(fmt::format("({} forgotten)", count_text(n, "exchange")));
  }

  void forget() {
    conversation_.exchanges.clear();
    conversation_.n_dropped = 0;
    last_turn_.reset();
  }

  /// Throws Failure if there is nothing to take back.
  void expect_exchange(std::string_view command) const {
    if (conversation_.exchanges.empty()) {
      throw Failure(fmt::format("/{}: there are 0 exchanges, expected at least 1", command));
    }
  }

  void undo(const std::string&) {
    expect_exchange("undo");
    say(fmt::format("(taken back: {})", excerpt(conversation_.take_last().user)));
  }

  void retry(const std::string&) {
    expect_exchange("retry");
    if (parameters_.sampling.temperature <= 0.0f) {
      say("(the temperature is 0 (greedy), so the answer is the same)");
    }
    const Conversation before = conversation_;
    ++parameters_.sampling.seed;
    try {
      ask(conversation_.take_last().user);
    } catch (...) {
      conversation_ = before;  // the old answer stays
      throw;
    }
  }

  void system(const std::string& argument) {
    if (argument.empty()) {
      const std::string& text = conversation_.system;
      return say(text.empty() ? "(no system prompt)" : text);
    }
    set_system(argument == "\"\"" ? "" : system_text(argument));
    forget();
    say("(restarted with the new system prompt)");
  }

  void set_system(const std::string& text) {
    if (!text.empty() && !takes_system_prompt(engine_.tokenizer(), text)) {
      say("(the model's template leaves the system prompt out)");
    }
    conversation_.system = text;
  }

  void params(const std::string& argument) {
    if (!argument.empty()) {
      const ChatParameters changed = with_parameters(parameters_, argument);
      check_logit_bias(changed);
      parameters_ = changed;
      return;
    }
    std::string text;
    for (const auto& [name, value] : parameter_texts(parameters_)) {
      text += pad_right(name, 20) + value + "\n";
    }
    write_stderr(text);
  }

  void check_logit_bias(const ChatParameters& parameters) const {
    const uint32_t vocab_size = engine_.model().vocab_size;
    for (const auto& [id, bias] : parameters.sampling.logit_bias) {
      if (id < vocab_size) continue;
      throw Failure(
          fmt::format("logit-bias names token {}, expected one of the model's {}", id, vocab_size));
    }
  }

  void stats(const std::string&) {
    const handloom::MemoryUse memory = engine_.memory();
    const size_t n_exchanges = conversation_.exchanges.size();
    std::string text = last_turn_
                           ? turn_line(*last_turn_, session_.length(), engine_.model().context)
                           : fmt::format("no turn yet | context 0 of {}", engine_.model().context);
    text += fmt::format("\n{}", count_text(n_exchanges, "exchange"));
    if (conversation_.n_dropped > 0) text += fmt::format(", {} left out", conversation_.n_dropped);
    text += fmt::format(" | {} | load {} s | {}\n", memory_text(memory),
                        three_digits(engine_.load_ms() * 1e-3), engine_.adapter().name);
    write_stderr(text);
  }

  void save(const std::string& argument) {
    const std::string path = path_of(argument, "save");
    save_chat(path, {.conversation = conversation_, .parameters = parameters_});
    say(fmt::format("({} written to {})", count_text(conversation_.exchanges.size(), "exchange"),
                    one_line(path)));
  }

  void load(const std::string& argument) {
    const std::string path = path_of(argument, "load");
    SavedChat chat = load_chat(path, parameters_);
    check_logit_bias(chat.parameters);
    set_system(chat.conversation.system);
    forget();
    conversation_ = std::move(chat.conversation);
    parameters_ = std::move(chat.parameters);
    say(fmt::format("({} read from {})", count_text(conversation_.exchanges.size(), "exchange"),
                    one_line(path)));
  }

  static std::string path_of(const std::string& argument, std::string_view command) {
    if (argument.empty()) {
      throw Failure(
          fmt::format("/{} has no file, expected one as in /{} chat.json", command, command));
    }
    return expand_home(argument);
  }

  void quit(const std::string&) { at_end_ = true; }

  handloom::Engine& engine_;
  handloom::Session session_;
  LineSource& lines_;
  bool is_interactive_;
  bool with_stats_;
  DecodeFlags decode_;
  std::optional<uint32_t> end_of_turn_;
  ChatParameters parameters_;
  Conversation conversation_;
  std::optional<TurnFigures> last_turn_;
  bool at_end_ = false;
  bool had_failure_ = false;
};

/// An editor where a person types and can see it, else plain lines.
std::unique_ptr<LineSource> open_lines() {
  if (!stdin_is_terminal() || (!stderr_is_terminal() && !stdout_is_terminal())) {
    return std::make_unique<PlainLines>();
  }
  auto editor = std::make_unique<LineEditor>(stderr_is_terminal(), history_path());
  if (!editor->warning().empty()) say(editor->warning());
  return editor;
}

}  // namespace

int execute(const ChatCommand& command) {
  handloom::Engine engine = load_engine(command.model);
  if (engine.tokenizer().chat_template().text.empty()) {
    throw Failure(
        "chat template: the model has none, expected one to hold a conversation; use handloom run "
        "--raw to give it a text as it is");
  }
  const std::unique_ptr<LineSource> lines = open_lines();
  return Chat(command, engine, *lines, stdin_is_terminal()).run();
}

}  // namespace cli
