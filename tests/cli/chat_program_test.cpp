// handloom chat as people and scripts run it: turns that evaluate only what is new, commands, a
// full context, interrupts, and a terminal with its line editor. Needs an adapter.
#include "tests/cli/program.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <regex>

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

namespace cli {
namespace {

class ChatProgram : public Program {
 protected:
  /// handloom chat with the starter model, greedy, and `script` as its stdin.
  Outcome chat(const std::string& script, const std::string& options = "") {
    write_file(folder_ / "script.txt", script);
    return shell("handloom chat --temperature 0 --precision f32 " + options + " < script.txt");
  }

  Json saved(const std::string& name) { return Json::parse(read_file(folder_ / name)); }

  /// What `handloom run` makes of messages from scratch.
  Json run_from_scratch(const Json& messages) {
    write_file(folder_ / "messages.json", messages.dump());
    const Outcome run =
        shell("handloom run --temperature 0 --precision f32 --json --messages messages.json");
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out);
  }
};

Json message(const std::string& role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

/// The three counts of a line of --stats: the prompt's tokens, reused, evaluated.
std::vector<size_t> counts(const std::string& line) {
  static const std::regex kPattern(R"(prompt (\d+) tokens: (\d+) reused, (\d+) evaluated.*)");
  std::smatch match;
  if (!std::regex_match(line, match, kPattern)) return {};
  return {std::stoul(match[1]), std::stoul(match[2]), std::stoul(match[3])};
}

constexpr const char* kSum = "What is 17 + 25?";
constexpr const char* kFrance = "What is the capital of France? Answer in one word.";
constexpr const char* kSmallSum = "What is 3 + 4?";
constexpr const char* kStory = "Tell me a story about a blue kite.";

std::string lines(std::initializer_list<std::string> all) {
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  return text;
}

TEST_F(ChatProgram, EveryTurnEvaluatesOnlyWhatIsNew) {
  const Outcome outcome =
      chat(lines({kSum, kFrance, kSmallSum}), "--stats --system 'You are kind.'");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;

  // Each turn from scratch, by another command: the same answer and the same prompt.
  Json messages = Json::array({message("system", "You are kind.")});
  std::string answers;
  std::vector<uint32_t> held;
  const auto stats = sentences(outcome.err);
  ASSERT_EQ(stats.size(), 3u) << outcome.err;
  for (size_t turn = 0; turn < 3; ++turn) {
    SCOPED_TRACE(stats[turn]);
    messages.push_back(message("user", std::vector{kSum, kFrance, kSmallSum}[turn]));
    const Json scratch = run_from_scratch(messages);
    messages.push_back(message("assistant", scratch["text"]));
    answers += scratch["text"].get<std::string>() + "\n";

    const auto prompt = scratch["prompt_ids"].get<std::vector<uint32_t>>();
    const size_t n_common = static_cast<size_t>(
        std::mismatch(held.begin(), held.end(), prompt.begin(), prompt.end()).first - held.begin());
    // The last token of an answer is chosen, not evaluated.
    const size_t n_reused = std::min(n_common, held.empty() ? 0 : held.size() - 1);
    EXPECT_EQ(counts(stats[turn]),
              (std::vector<size_t>{prompt.size(), n_reused, prompt.size() - n_reused}));
    // All that was held but for that token is used again.
    EXPECT_EQ(n_common, held.size());
    held = prompt;
    for (const uint32_t id : scratch["ids"]) held.push_back(id);
  }
  EXPECT_EQ(outcome.out, answers);
}

TEST_F(ChatProgram, UndoTakesBackAndRetryAnswersAgain) {
  const Outcome outcome =
      chat(lines({kSum, kStory, "/undo", "/retry", "/save a.json", "/undo", "/undo"}),
           "--stats --max-tokens 20");
  // The last /undo has nothing left to take back.
  EXPECT_EQ(outcome.exit_code, 1);
  const auto said = sentences(outcome.err);
  ASSERT_EQ(said.back(), "handloom: /undo: there are 0 exchanges, expected at least 1");
  EXPECT_EQ(
      std::count(said.begin(), said.end(), "(taken back: \"Tell me a story about a blue kite.\")"),
      1);
  const Json json = saved("a.json");
  EXPECT_EQ(json["messages"],
            Json::array({message("user", kSum), message("assistant", "17 + 25 = 42.")}));
  EXPECT_TRUE(outcome.out.ends_with("17 + 25 = 42.\n"));
  // The retried prompt was held whole: one token tells what follows it.
  std::vector<std::vector<size_t>> turns;
  for (const std::string& line : said) {
    if (!counts(line).empty()) turns.push_back(counts(line));
  }
  ASSERT_EQ(turns.size(), 3u) << outcome.err;
  EXPECT_EQ(turns[2][2], 1u);
  EXPECT_EQ(turns[2][0], turns[0][0]);
}

TEST_F(ChatProgram, RetryDrawsAnotherAnswer) {
  const Outcome outcome = chat(
      lines({"/params temperature 1 seed 5", kStory, "/save a.json", "/retry", "/save b.json"}),
      "--max-tokens 30");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json a = saved("a.json"), b = saved("b.json");
  EXPECT_EQ(a["messages"].size(), 2u);
  EXPECT_EQ(b["messages"].size(), 2u);
  EXPECT_EQ(a["parameters"]["seed"], 5);
  EXPECT_EQ(b["parameters"]["seed"], 6);
  EXPECT_NE(a["messages"][1], b["messages"][1]);
}

TEST_F(ChatProgram, ASavedChatGoesOnElsewhere) {
  const Outcome whole = chat(lines({kSum, kSmallSum}), "--system 'You are kind.'");
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const Outcome first =
      chat(lines({"/params max-tokens 40", kSum, "/save a b.json"}), "--system 'You are kind.'");
  const Outcome second = chat(lines({"/load a b.json", kSmallSum, "/system", "/save c.json"}));
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(first.out + second.out, whole.out);
  EXPECT_NE(second.err.find("You are kind.\n"), std::string::npos) << second.err;
  EXPECT_EQ(saved("c.json")["messages"].size(), 4u);
  EXPECT_EQ(saved("c.json")["parameters"]["max-tokens"], 40);
}

TEST_F(ChatProgram, ALoadThatFailsChangesNothing) {
  write_file(folder_ / "bad.json",
             R"({"system": "Other", "messages": [], "parameters": {"top-k": 3, "top-p": 9}})");
  write_file(folder_ / "id.json",
             R"({"system": "Other", "messages": [], "parameters": {"logit-bias": "5000=1"}})");
  const Outcome outcome =
      chat(lines({kSum, "/load bad.json", "/load id.json", "/load none.json", "/save a.json"}));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(sentences(outcome.err).size(), 4u) << outcome.err;
  EXPECT_NE(outcome.err.find("bad.json: top-p is '9'"), std::string::npos);
  EXPECT_NE(outcome.err.find("logit-bias names token 5000"), std::string::npos);
  const Json json = saved("a.json");
  EXPECT_EQ(json["system"], "");
  EXPECT_EQ(json["messages"].size(), 2u);
  EXPECT_EQ(json["parameters"]["top-k"], 0);
}

TEST_F(ChatProgram, SystemRestartsAndResetForgets) {
  write_file(folder_ / "system.txt", "From a file.\n");
  const Outcome outcome = chat(lines({kSum, "/system Two\\", "lines.", "/save a.json", kSum,
                                      "/reset", "/save b.json", "/system \"\"", "/save c.json"}),
                               "--max-tokens 3 --system @system.txt");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(saved("a.json")["system"], "Two\nlines.");
  EXPECT_TRUE(saved("a.json")["messages"].empty());
  EXPECT_EQ(saved("b.json")["system"], "Two\nlines.");
  EXPECT_TRUE(saved("b.json")["messages"].empty());
  EXPECT_EQ(saved("c.json")["system"], "");
  EXPECT_EQ(shell("handloom chat --system @none < /dev/null").exit_code, 1);
}

TEST_F(ChatProgram, ABlockIsNeverACommandAndMayHaveLines) {
  const Outcome outcome =
      chat(lines({"\"\"\"/quit", "now\"\"\"", "", "   ", " /help", "/save a.json", "/quit", kSum}),
           "--max-tokens 2");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json messages = saved("a.json")["messages"];
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0]["content"], "/quit\nnow");
  EXPECT_EQ(messages[2]["content"], " /help");
}

TEST_F(ChatProgram, HelpParamsAndStatsGoToStderr) {
  const Outcome outcome =
      chat(lines({"/help", "/params", "/stats", kSum, "/stats"}), "--top-k 7 --context 300");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "17 + 25 = 42.\n");
  for (const char* part : {"/retry ", "/save FILE", "top-k               7\n", "no turn yet",
                           "0 reused, ", "context 31 of 300", "GPU memory ", "1 exchange | "}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in " << outcome.err;
  }
}

TEST_F(ChatProgram, MistakesAreSentencesAndTheChatGoesOn) {
  const Outcome outcome =
      chat(lines({"/walk", "/params top-p 7", "/undo 3", "/save", "\xff", kSum}));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "17 + 25 = 42.\n");
  const auto said = sentences(outcome.err);
  ASSERT_EQ(said.size(), 5u) << outcome.err;
  for (const std::string& line : said) {
    EXPECT_TRUE(line.starts_with("handloom: ")) << line;
    EXPECT_NE(line.find("expected"), std::string::npos) << line;
  }
}

// A full context

TEST_F(ChatProgram, AFullContextDropsTheOldestTurns) {
  // A turn is some 30 tokens: of a context of 96, less 10 for an answer, two fit beside a new one.
  const Outcome outcome =
      chat(lines({kSum, kSmallSum, "What is 5 + 6?", "What is 7 + 8?", "/save a.json"}),
           "--context 96 --max-tokens 10 --stats --system 'You are kind.'");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("(the context is full: the oldest exchange is left out from here on)"),
            std::string::npos)
      << outcome.err;
  for (const std::string& line : sentences(outcome.err)) {
    const auto tokens = counts(line);
    EXPECT_TRUE(tokens.empty() || tokens[0] <= 86u) << line;
  }
  EXPECT_EQ(saved("a.json")["messages"].size(), 8u);  // the file keeps what the model is not shown

  // The last answer is the one to the turns that were left.
  Json messages = Json::array({message("system", "You are kind.")});
  const Json all = saved("a.json")["messages"];
  const auto last_prompt = counts(sentences(outcome.err).at(sentences(outcome.err).size() - 2));
  size_t n_matching = 0;
  for (size_t first = 2; first < 8; first += 2) {
    Json shown = messages;
    for (size_t i = first; i < 7; ++i) shown.push_back(message(all[i]["role"], all[i]["content"]));
    const Json scratch = run_from_scratch(shown);
    if (last_prompt.empty() || scratch["prompt_ids"].size() != last_prompt[0]) continue;
    ++n_matching;
    EXPECT_EQ(scratch["text"].get<std::string>(), all[7]["content"].get<std::string>());
  }
  EXPECT_EQ(n_matching, 1u) << outcome.err;
}

TEST_F(ChatProgram, AFullContextRefusesIfAskedTo) {
  const Outcome outcome = chat(lines({kSum, kFrance, "/save a.json", "/reset", kSum}),
                               "--context 64 --max-tokens 16 --overflow refuse");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "17 + 25 = 42.\n17 + 25 = 42.\n");
  EXPECT_NE(outcome.err.find("and the context holds 64, expected room for an answer of 16; the "
                             "message is not kept"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(saved("a.json")["messages"].size(), 2u);
}

TEST_F(ChatProgram, AnAnswerThatFillsTheContextIsCutAndSaysSo) {
  const Outcome outcome = chat(lines({kStory, kSum}), "--context 64");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("(cut: the context is full)"), std::string::npos) << outcome.err;
  EXPECT_TRUE(outcome.out.ends_with("\n17 + 25 = 42.\n")) << outcome.out;
}

// Models

TEST_F(ChatProgram, AModelWithoutAChatTemplateIsForRun) {
  const fs::path model = copy_of_llama2();
  fs::remove(model / "chat_template.jinja");
  expect_one_sentence(shell("handloom chat --model model"), 1,
                      {"chat template: ", "handloom run --raw"});
}

TEST_F(ChatProgram, ATemplatesRefusalIsItsOwnWords) {
  const fs::path model = copy_of_llama2();
  write_file(model / "chat_template.jinja",
             "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}"
             "{% endif %}{{ bos_token }}{{ messages[0]['content'] }}");
  expect_one_sentence(shell("handloom chat --model model --system Hi"), 1,
                      {"chat template: no system here", "takes no system prompt"});
  const Outcome later = shell(
      "printf '/system Hi\\nHi\\n' | handloom chat --model model "
      "--max-tokens 1");
  EXPECT_EQ(later.exit_code, 1);
  EXPECT_NE(later.err.find("no system here"), std::string::npos) << later.err;
  EXPECT_NE(later.err.find("(cut after --max-tokens 1)"), std::string::npos) << later.err;
}

// A model whose configuration forgets the end of a turn: the template tells it.
TEST_F(ChatProgram, TheTemplatesEndOfTurnEndsAnAnswer) {
  fs::copy(HANDLOOM_STARTER_DIR, folder_ / "model");
  for (const char* file : {"config.json", "generation_config.json"}) {
    Json json = Json::parse(read_file(folder_ / "model" / file));
    json["eos_token_id"] = 2045;
    fs::permissions(folder_ / "model" / file, fs::perms::owner_write, fs::perm_options::add);
    write_file(folder_ / "model" / file, json.dump());
  }
  const Outcome outcome = chat(lines({kSum}), "--model model --max-tokens 40");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "17 + 25 = 42.\n");
  EXPECT_TRUE(sentences(outcome.err).empty()) << outcome.err;
}

// Ends before the end

TEST_F(ChatProgram, InterruptEndsTheAnswerAndTheChatGoesOn) {
  const Outcome outcome = shell(
      "mkfifo in\n"
      "handloom chat --temperature 0 --logit-bias 2047=-1000 < in > out 2> err & chat=$!\n"
      "exec 3> in; echo 'Tell me a story.' >&3\n"
      "for ((i = 0; i < 600; i++)); do [[ -s out ]] && break; sleep 0.05; done\n"
      // The child of the function's subshell is the program itself.
      "kill -INT $(pgrep -P $chat || echo $chat)\n"
      "echo /save a.json >&3; echo /quit >&3; wait $chat; echo $?");
  EXPECT_EQ(outcome.out, "0\n");
  EXPECT_NE(read_file(folder_ / "err").find("(interrupted)\n"), std::string::npos);
  const Json messages = saved("a.json")["messages"];
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1]["interrupted"], true);
  EXPECT_EQ(messages[1]["content"].get<std::string>() + "\n", read_file(folder_ / "out"));
}

TEST_F(ChatProgram, AClosedPipeEndsTheChat) {
  const Outcome outcome = shell(
      "{ yes Hi | handloom chat --temperature 0; echo $? > code; } "
      "| head -c 1 > /dev/null; exit $(cat code)");
  expect_one_sentence(outcome, 1, {"stdout: closed by the reader"});
}

TEST_F(ChatProgram, AnEmptyScriptIsNoError) {
  const Outcome outcome = chat("");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(sentences(outcome.err).empty()) << outcome.err;
}

// A terminal

/// handloom chat behind a pseudo-terminal.
class Terminal {
 public:
  Terminal(const fs::path& folder, const std::string& state_home) {
    winsize size = {.ws_row = 24, .ws_col = 80};
    pid_ = forkpty(&fd_, nullptr, nullptr, &size);
    if (pid_ != 0) return;
    if (chdir(folder.c_str()) == 0) {
      setenv("XDG_STATE_HOME", state_home.c_str(), 1);
      setenv("EDITRC", "/dev/null", 1);  // not the keys of whoever runs the tests
      setenv("TERM", "xterm", 1);
      execl(HANDLOOM_PROGRAM, "handloom", "chat", "--temperature", "0", "--precision", "f32",
            nullptr);
    }
    _exit(99);
  }
  ~Terminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys) {
    ASSERT_EQ(write(fd_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  /// Reads until `text` comes after what was waited for before.
  void wait_for(const std::string& text) {
    for (size_t found; (found = screen_.find(text, seen_)) == std::string::npos;) {
      pollfd ready = {.fd = fd_, .events = POLLIN, .revents = 0};
      ASSERT_GT(poll(&ready, 1, 60'000), 0) << "no '" << text << "' in:\n" << screen_;
      char bytes[4096];
      const ssize_t n = read(fd_, bytes, sizeof bytes);
      ASSERT_GT(n, 0) << "no '" << text << "' before the end of:\n" << screen_;
      screen_.append(bytes, static_cast<size_t>(n));
    }
    seen_ = screen_.find(text, seen_) + text.size();
  }

  /// A prompt with the cursor behind it: the editor reads keys.
  void wait_for_prompt() { wait_for("\x1b[?2004h> "); }

  /// Lines are read with echo by the terminal itself: nothing of the editor's mode is left.
  bool is_cooked() {
    termios modes{};
    EXPECT_EQ(tcgetattr(fd_, &modes), 0);
    return (modes.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG);
  }

  /// The exit code, once the program ends.
  int wait_for_end() {
    for (char bytes[4096]; read(fd_, bytes, sizeof bytes) > 0;) {}
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  int fd_ = -1;
  pid_t pid_ = -1;
  std::string screen_;
  size_t seen_ = 0;
};

const std::string kLeft = "\x1b[D", kUp = "\x1b[A", kBackspace = "\x7f";

TEST_F(ChatProgram, LinesAreEditedAndRemembered) {
  {
    Terminal terminal(folder_, folder_ / "state");
    terminal.wait_for("/help lists the commands");
    terminal.wait_for_prompt();
    EXPECT_FALSE(terminal.is_cooked());
    terminal.type("What is 17 + 35?" + kLeft + kLeft + kBackspace + "2\r");
    terminal.wait_for("17 + 25 = 42.");
    terminal.wait_for_prompt();
    terminal.type(kUp + kUp + "\r");  // there is but one
    terminal.wait_for("17 + 25 = 42.");
    terminal.wait_for_prompt();
    terminal.type("/save a.json\r");
    terminal.wait_for("written to a.json");
    terminal.wait_for_prompt();
    EXPECT_FALSE(terminal.is_cooked());
    terminal.type("\x04");
    EXPECT_EQ(terminal.wait_for_end(), 0);
  }
  const Json messages = saved("a.json")["messages"];
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0]["content"], kSum);
  EXPECT_EQ(messages[2]["content"], kSum);

  // Another chat remembers.
  Terminal terminal(folder_, folder_ / "state");
  terminal.wait_for_prompt();
  terminal.type(kUp);
  terminal.wait_for("/save a.json");
  terminal.type(kUp + "\r");
  terminal.wait_for("17 + 25 = 42.");
  terminal.wait_for_prompt();
  terminal.type("/quit\r");
  EXPECT_EQ(terminal.wait_for_end(), 0);
  EXPECT_EQ(fs::status(folder_ / "state/handloom/history").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(ChatProgram, PastedLineBreaksDoNotSend) {
  Terminal terminal(folder_, folder_ / "state");
  terminal.wait_for_prompt();
  terminal.type("\x1b[200~first\r\xc3\xa9 second\n/third\x1b[201~ end\r");
  terminal.wait_for_prompt();
  terminal.type("/save a.json\r");
  terminal.wait_for("written to a.json");
  EXPECT_EQ(saved("a.json")["messages"][0]["content"], "first\n\xc3\xa9 second\n/third end");
  // Not by the history alone, either: its one entry comes back whole.
  terminal.wait_for_prompt();
  terminal.type(kUp + kUp + "!\r");
  terminal.wait_for_prompt();
  terminal.type("/save a.json\r");
  terminal.wait_for("written to a.json");
  EXPECT_EQ(saved("a.json")["messages"][2]["content"], "first\n\xc3\xa9 second\n/third end!");
}

TEST_F(ChatProgram, CtrlCClearsALineAndEndsAnAnswer) {
  Terminal terminal(folder_, folder_ / "state");
  terminal.wait_for_prompt();
  terminal.type("/quit");
  terminal.wait_for("/quit");
  terminal.type("\x03");
  terminal.wait_for("^C");
  terminal.wait_for_prompt();
  terminal.type("/params logit-bias 2047=-1000\r");  // no answer ends by itself
  terminal.wait_for_prompt();
  terminal.type("Tell me a story.\r");
  terminal.wait_for("the ");
  EXPECT_TRUE(terminal.is_cooked());
  terminal.type("\x03");
  terminal.wait_for("(interrupted)");
  terminal.wait_for_prompt();
  terminal.type("/save a.json\r");
  terminal.wait_for("written to a.json");
  terminal.wait_for_prompt();
  terminal.type("\x04");
  EXPECT_EQ(terminal.wait_for_end(), 0);
  EXPECT_EQ(saved("a.json")["messages"][1]["interrupted"], true);
}

TEST_F(ChatProgram, AnUnwritableHistoryIsAWarning) {
  write_file(folder_ / "file", "");
  {
    Terminal terminal(folder_, folder_ / "file");
    terminal.wait_for("so what you type is not kept");
    terminal.wait_for_prompt();
    terminal.type("/quit\r");
    EXPECT_EQ(terminal.wait_for_end(), 0);
  }
  // What is there and no history is left alone.
  fs::create_directories(folder_ / "state/handloom");
  write_file(folder_ / "state/handloom/history", "a letter\n");
  Terminal terminal(folder_, folder_ / "state");
  terminal.wait_for("is no history that handloom wrote");
  terminal.wait_for_prompt();
  terminal.type("/quit\r");
  EXPECT_EQ(terminal.wait_for_end(), 0);
  EXPECT_EQ(read_file(folder_ / "state/handloom/history"), "a letter\n");
}

}  // namespace
}  // namespace cli
