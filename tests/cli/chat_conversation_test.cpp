// Conversations: what the template is shown, what is dropped when the context is full, and files.
#include "chat_conversation.h"

#include "tests/cli/failure_of.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Conversation of(size_t n_exchanges) {
  Conversation conversation{.system = "S"};
  for (size_t i = 0; i < n_exchanges; ++i) {
    conversation.exchanges.push_back({.user = "u" + std::to_string(i), .answer = "a"});
  }
  return conversation;
}

/// Ten tokens a message: the prompt of n exchanges, the system prompt and a question has 20 n + 20.
std::vector<uint32_t> ten_a_message(const Json& messages) {
  return std::vector<uint32_t>(10 * messages.size());
}

TurnPlan plan(const Conversation& conversation, uint32_t context, Overflow overflow,
              uint32_t max_tokens = 0) {
  const ChatParameters parameters{.max_tokens = max_tokens, .overflow = overflow};
  return plan_turn(conversation, "q", parameters, context, ten_a_message);
}

TEST(Conversation, ShowsTheTemplateEveryTurn) {
  Conversation conversation = of(2);
  EXPECT_EQ(chat_messages(conversation, "q").dump(),
            R"([{"role":"system","content":"S"},{"role":"user","content":"u0"},)"
            R"({"role":"assistant","content":"a"},{"role":"user","content":"u1"},)"
            R"({"role":"assistant","content":"a"},{"role":"user","content":"q"}])");
  conversation.system.clear();
  conversation.n_dropped = 1;
  EXPECT_EQ(chat_messages(conversation, "q").dump(),
            R"([{"role":"user","content":"u1"},{"role":"assistant","content":"a"},)"
            R"({"role":"user","content":"q"}])");
}

TEST(Conversation, TakesBackTheLastExchange) {
  Conversation conversation = of(3);
  conversation.n_dropped = 3;
  EXPECT_EQ(conversation.take_last().user, "u2");
  EXPECT_EQ(conversation.exchanges.size(), 2u);
  EXPECT_EQ(conversation.n_dropped, 2u);
}

TEST(Conversation, KeepsRoomForTheAnswer) {
  EXPECT_EQ(answer_room(512, 0), 128u);
  EXPECT_EQ(answer_room(512, 50), 50u);
  EXPECT_EQ(answer_room(512, 500), 128u);
  EXPECT_EQ(answer_room(3, 0), 1u);
}

TEST(Overflow, DropsAsFewAsWillDo) {
  // 220 tokens and room for 25 of 100: 75 hold the system prompt, the question and two exchanges.
  const Conversation conversation = of(10);
  const TurnPlan planned = plan(conversation, 100, Overflow::drop);
  EXPECT_EQ(planned.n_dropped, 8u);
  EXPECT_EQ(planned.ids.size(), 60u);
  EXPECT_EQ(plan(conversation, 100, Overflow::drop, 20).n_dropped, 7u);
  // Every context from one that holds nothing of them to one that holds all.
  for (uint32_t context = 40; context <= 300; ++context) {
    const size_t held = context - answer_room(context, 10);
    const size_t n_kept = held < 20 ? 0 : std::min<size_t>((held - 20) / 20, 10);
    EXPECT_EQ(plan(conversation, context, Overflow::drop, 10).n_dropped, 10 - n_kept) << context;
  }
}

TEST(Overflow, DoesNotBringBackWhatWasDropped) {
  Conversation conversation = of(10);
  conversation.n_dropped = 9;
  EXPECT_EQ(plan(conversation, 1000, Overflow::drop).n_dropped, 9u);
  EXPECT_EQ(plan(conversation, 1000, Overflow::drop).ids.size(), 40u);
}

TEST(Overflow, TakesRoomFromTheAnswerForAMessageAlone) {
  const TurnPlan planned = plan(of(5), 21, Overflow::drop);
  EXPECT_EQ(planned.n_dropped, 5u);
  EXPECT_EQ(planned.ids.size(), 20u);
  EXPECT_EQ(failure_of([] { plan(of(5), 20, Overflow::drop); }),
            "chat: this message alone is 20 tokens long and the context holds 20, expected room "
            "for an answer of 1; the message is not kept: shorten it, shorten the system prompt or "
            "raise --context");
}

TEST(Overflow, RefuseSaysBothNumbers) {
  EXPECT_EQ(failure_of([] { plan(of(10), 100, Overflow::refuse); }),
            "chat: the conversation with this message would be 220 tokens long and the context "
            "holds 100, expected room for an answer of 25; the message is not kept: shorten it, "
            "use /undo, /reset or /params overflow drop, or raise --context");
  EXPECT_EQ(plan(of(2), 80, Overflow::refuse).ids.size(), 60u);
  EXPECT_EQ(plan(of(2), 79, Overflow::refuse).ids.size(), 60u);
  EXPECT_NE(failure_of([] { plan(of(2), 78, Overflow::refuse); }).find("78"), std::string::npos);
  EXPECT_NE(failure_of([] { plan(of(0), 24, Overflow::refuse); }).find("this message alone"),
            std::string::npos);
}

TEST(Conversation, FindsTheCommonPrefix) {
  const std::vector<uint32_t> a = {1, 2, 3}, b = {1, 2, 4, 5}, none;
  EXPECT_EQ(common_prefix(a, b), 2u);
  EXPECT_EQ(common_prefix(b, a), 2u);
  EXPECT_EQ(common_prefix(a, a), 3u);
  EXPECT_EQ(common_prefix(a, std::span(a).first(2)), 2u);
  EXPECT_EQ(common_prefix(a, none), 0u);
}

SavedChat example() {
  SavedChat chat{.conversation = of(2)};
  chat.conversation.exchanges[1] = {.user = "\"\n\\\t\xc3\xa9", .answer = "", .interrupted = true};
  chat.parameters =
      with_parameters({}, "temperature 0.7 top-k 40 seed 18446744073709551615 logit-bias 3=-1e9");
  return chat;
}

TEST(SavedChat, IsReadAsItWasWritten) {
  const SavedChat chat = example();
  const SavedChat again = parse_saved(saved_text(chat), "f", {});
  EXPECT_EQ(again.conversation.system, "S");
  ASSERT_EQ(again.conversation.exchanges.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const Exchange &want = chat.conversation.exchanges[i], &got = again.conversation.exchanges[i];
    EXPECT_EQ(got.user, want.user);
    EXPECT_EQ(got.answer, want.answer);
    EXPECT_EQ(got.interrupted, want.interrupted);
  }
  EXPECT_EQ(parameter_texts(again.parameters), parameter_texts(chat.parameters));
  const Json json = Json::parse(saved_text(chat));
  EXPECT_EQ(json["parameters"]["temperature"].dump(), "0.7");
  EXPECT_EQ(json["messages"].size(), 4u);
}

TEST(SavedChat, KeepsWhatTheFileDoesNotSay) {
  const ChatParameters now = with_parameters({}, "temperature 0.3 max-tokens 7");
  const SavedChat chat =
      parse_saved(R"({"messages": [], "parameters": {"max-tokens": 9}})", "f", now);
  EXPECT_EQ(chat.parameters.sampling.temperature, 0.3f);
  EXPECT_EQ(chat.parameters.max_tokens, 9u);
  EXPECT_EQ(chat.conversation.system, "");
}

TEST(SavedChat, AMistakeSaysWhereAndWhat) {
  const auto mistake = [](const std::string& text) {
    return failure_of([&] { parse_saved(text, "f.json", {}); });
  };
  EXPECT_EQ(mistake("{"), "f.json: is not valid JSON, expected what /save writes");
  EXPECT_EQ(mistake(std::string(100000, '[')),
            "f.json: is not valid JSON, expected what /save writes");
  EXPECT_EQ(mistake("[]"), "f.json: is no object, expected what /save writes");
  EXPECT_EQ(mistake("{}"), "f.json: has no array 'messages', expected what /save writes");
  EXPECT_EQ(mistake(R"({"messages": [7]})"),
            "f.json: message 0 is no object, expected one with role and content");
  EXPECT_EQ(mistake(R"({"messages": [{"role": "user"}]})"),
            "f.json: message 0 has no text 'content', expected one");
  EXPECT_EQ(mistake(R"({"messages": [{"role": "assistant", "content": ""}]})"),
            "f.json: message 0 has the role 'assistant', expected 'user', in turns with "
            "'assistant'");
  EXPECT_EQ(mistake(R"({"messages": [{"role": "user", "content": ""}]})"),
            "f.json: the last message is the user's, expected an answer to it");
  EXPECT_EQ(mistake(R"({"system": 1, "messages": []})"),
            "f.json: the file has no text 'system', expected one");
  EXPECT_EQ(mistake(R"({"messages": [], "parameters": []})"),
            "f.json: 'parameters' is no object, expected one");
  EXPECT_EQ(mistake(R"({"messages": [], "parameters": {"seed": null}})"),
            "f.json: parameter 'seed' is of type null, expected a number or text");
  EXPECT_EQ(mistake(R"({"messages": [], "parameters": {"top-p": 1.5}})"),
            "f.json: top-p is '1.5', expected a number above 0 and up to 1");
  EXPECT_NE(mistake(R"({"messages": [], "parameters": {"warmth": 1}})").find("'warmth' is not"),
            std::string::npos);
}

class SavedFile : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("handloom_saved_") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const char* name) const { return (folder_ / name).string(); }
  size_t n_files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(SavedFile, IsReplacedWholeAndThroughALink) {
  save_chat(path("a.json"), example());
  fs::create_symlink("a.json", folder_ / "link.json");
  save_chat(path("link.json"), {.conversation = of(1)});
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.json"));
  EXPECT_EQ(load_chat(path("a.json"), {}).conversation.exchanges.size(), 1u);
  EXPECT_EQ(n_files(), 2u);
}

TEST_F(SavedFile, IsNotWrittenWhereItCannotBe) {
  const auto refusal = [&](const std::string& target) {
    return failure_of([&] { save_chat(target, example()); });
  };
  EXPECT_EQ(refusal(folder_), folder_.string() +
                                  ": is a folder, expected a file that can be "
                                  "written");
  EXPECT_EQ(refusal("/dev/full"),
            "/dev/full: is not a plain file, expected a file that can be written");
  EXPECT_EQ(refusal(path("none/x")), path("none/x") +
                                         ": could not be written (No such file or "
                                         "directory), expected a file that can be "
                                         "written");
  EXPECT_EQ(n_files(), 0u);
}

TEST_F(SavedFile, IsNotReadWithoutEnd) {
  EXPECT_NE(failure_of([] { load_chat("/dev/zero", {}); }).find("no plain file of at most"),
            std::string::npos);
  std::ofstream(path("huge")) << "{";
  fs::resize_file(path("huge"), (uint64_t{64} << 20) + 1);
  EXPECT_NE(failure_of([&] { load_chat(path("huge"), {}); }).find("67108864"), std::string::npos);
  EXPECT_NE(failure_of([&] { load_chat(path("none"), {}); }).find("No such file"),
            std::string::npos);
  EXPECT_NE(failure_of([&] { load_chat(folder_, {}); }).find("is a folder"), std::string::npos);
}

}  // namespace
}  // namespace cli
