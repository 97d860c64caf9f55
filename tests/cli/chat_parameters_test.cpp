// /params: what it sets, and that a sentence with one mistake sets nothing.
#include "chat_parameters.h"

#include "tests/cli/failure_of.h"

#include <gtest/gtest.h>

#include <map>

namespace cli {
namespace {

std::map<std::string, std::string> texts(const ChatParameters& parameters) {
  const auto list = parameter_texts(parameters);
  return {list.begin(), list.end()};
}

TEST(ChatParameters, AreSetInPairs) {
  const ChatParameters set =
      with_parameters({},
                      "temperature 0.7  top-k=40 top-p = 0.5\nmax-tokens 9 overflow refuse seed "
                      "18446744073709551615 logit-bias 7=-1.5,9=2 repeat-penalty 1.25");
  EXPECT_EQ(set.sampling.temperature, 0.7f);
  EXPECT_EQ(set.sampling.top_k, 40u);
  EXPECT_EQ(set.sampling.top_p, 0.5f);
  EXPECT_EQ(set.sampling.repeat_penalty, 1.25f);
  EXPECT_EQ(set.sampling.seed, 18446744073709551615u);
  EXPECT_EQ(set.max_tokens, 9u);
  EXPECT_EQ(set.overflow, Overflow::refuse);
  ASSERT_EQ(set.sampling.logit_bias.size(), 2u);
  EXPECT_EQ(set.sampling.logit_bias[0], (std::pair<uint32_t, float>{7, -1.5f}));
  EXPECT_EQ(set.sampling.min_p, 0.0f);
  EXPECT_TRUE(with_parameters(set, "logit-bias none").sampling.logit_bias.empty());
}

TEST(ChatParameters, TheTextOfEachSetsItAgain) {
  const ChatParameters set = with_parameters(
      {},
      "temperature 0.1 top-k 3 top-p 0.3 min-p 0.01 repeat-penalty 1.1 frequency-penalty -1e-7 "
      "presence-penalty 2 logit-bias 1=1e30,2=-0.1 seed 12 max-tokens 5 overflow refuse");
  ChatParameters again;
  for (const auto& [name, text] : parameter_texts(set)) set_parameter(again, name, text);
  EXPECT_EQ(texts(again), texts(set));
  EXPECT_EQ(again.sampling.logit_bias, set.sampling.logit_bias);
  // None of them is what it was: nothing is compared with itself.
  const auto before = texts({});
  for (const auto& [name, text] : texts(set)) EXPECT_NE(text, before.at(name)) << name;
}

TEST(ChatParameters, AMistakeSaysWhatIsExpected) {
  const auto mistake = [](const char* settings, int exit_code = kExitUsage) {
    return failure_of([&] { with_parameters({}, settings); }, exit_code);
  };
  EXPECT_EQ(mistake("temperature -1"), "temperature is '-1', expected a finite number, 0 or more");
  EXPECT_EQ(mistake("top-p 0"), "top-p is '0', expected a number above 0 and up to 1");
  EXPECT_EQ(mistake("top-k 4294967296"),
            "top-k is '4294967296', expected a whole number from 0 to 4294967295");
  EXPECT_EQ(mistake("overflow sink", kExitFailure),
            "overflow is 'sink', expected one of drop, refuse");
  EXPECT_EQ(mistake("top-k 1 seed", kExitFailure),
            "seed has no value, expected one, as in /params temperature 0.7");
  EXPECT_NE(mistake("warmth 1", kExitFailure)
                .find("'warmth' is not a parameter, expected one of "
                      "temperature, top-k, "),
            std::string::npos);
}

}  // namespace
}  // namespace cli
