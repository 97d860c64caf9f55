// Lines to inputs: continuations, blocks, commands, and ends in the midst of them.
#include "chat_input.h"

#include "tests/cli/failure_of.h"

#include <gtest/gtest.h>

#include <vector>

namespace cli {
namespace {

/// Gives lines one by one; "^C" is an interrupt.
class Script : public LineSource {
 public:
  explicit Script(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  Line read(const std::string& prompt) override {
    prompts += prompt;
    if (next_ == lines_.size()) return {.end = Line::End::end_of_input};
    const std::string& line = lines_[next_++];
    if (line == "^C") return {.end = Line::End::interrupted};
    return {.text = line};
  }
  void remember(const std::string& input) override { remembered.push_back(input); }

  std::string prompts;
  std::vector<std::string> remembered;

 private:
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

Input input_of(std::vector<std::string> lines) {
  Script script(std::move(lines));
  return read_input(script);
}

TEST(ChatInput, ALineIsAnInput) {
  Script script({"  What is this? ", "", "more"});
  EXPECT_EQ(read_input(script).text, "  What is this? ");
  EXPECT_EQ(read_input(script).text, "");
  EXPECT_EQ(read_input(script).text, "more");
  EXPECT_EQ(read_input(script).end, Line::End::end_of_input);
  EXPECT_EQ(script.remembered, (std::vector<std::string>{"  What is this? ", "more"}));
}

TEST(ChatInput, ABackslashGoesOnWithTheNextLine) {
  Script script({"a\\", "\\", "b", "c"});
  const Input input = read_input(script);
  EXPECT_EQ(input.text, "a\n\nb");
  EXPECT_FALSE(input.is_block);
  EXPECT_EQ(script.prompts, "> . . ");
  EXPECT_EQ(script.remembered, std::vector<std::string>{"a\n\nb"});
  EXPECT_EQ(read_input(script).text, "c");
  EXPECT_EQ(input_of({"a\\"}).text, "a\n");
}

TEST(ChatInput, QuotesFenceABlock) {
  EXPECT_EQ(input_of({R"("""one""")"}).text, "one");
  EXPECT_EQ(input_of({R"("""one)", "two\\", R"(""")", "x"}).text, "one\ntwo\\");
  EXPECT_EQ(input_of({R"(""")", "", "one", R"("" two""")"}).text, "\none\n\"\" two");
  EXPECT_EQ(input_of({R"("""""")"}).text, "");
  const Input block = input_of({R"("""/quit""")"});
  EXPECT_EQ(block.text, "/quit");
  EXPECT_TRUE(block.is_block);
  Script script({R"("""/a)", R"(b""")"});
  read_input(script);
  EXPECT_EQ(script.remembered, std::vector<std::string>{"\"\"\"/a\nb\"\"\""});
}

TEST(ChatInput, AnInterruptGivesUpAllOfIt) {
  for (std::vector<std::string> lines :
       std::vector<std::vector<std::string>>{{"^C"}, {"a\\", "^C"}, {R"("""a)", "b", "^C"}}) {
    const Input input = input_of(std::move(lines));
    EXPECT_EQ(input.end, Line::End::interrupted);
    EXPECT_EQ(input.text, "");
  }
}

TEST(ChatInput, ABlockWithoutEndIsNotSent) {
  EXPECT_EQ(failure_of([] {
              input_of({R"("""a)", "b"});
            }),
            "input: the block begun with \"\"\" has no end, expected a line that ends with \"\"\"; "
            "it is not sent");
}

TEST(ChatInput, CommandsHaveANameAndTheRest) {
  EXPECT_TRUE(is_command("/help"));
  EXPECT_FALSE(is_command(" /help"));
  EXPECT_FALSE(is_command(""));
  EXPECT_EQ(parse_slash_command("/help").name, "help");
  EXPECT_EQ(parse_slash_command("/").name, "");
  const SlashCommand system = parse_slash_command("/system  You are\nterse. ");
  EXPECT_EQ(system.name, "system");
  EXPECT_EQ(system.argument, "You are\nterse.");
}

}  // namespace
}  // namespace cli
