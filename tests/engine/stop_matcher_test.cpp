// StopMatcher: text comes out as soon as it cannot become a stop string, and never later.
#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

namespace handloom::engine {

TEST(StopMatcher, HoldsBackWhatMayBecomeAStop) {
  StopMatcher m({"END"});
  EXPECT_EQ(m.push("abcE"), "abc");
  EXPECT_EQ(m.push("N"), "");
  EXPECT_EQ(m.push("x"), "ENx");
  EXPECT_EQ(m.push("EN"), "");
  EXPECT_EQ(m.finish(), "EN");
  EXPECT_FALSE(m.stopped());
}

TEST(StopMatcher, StopsAtTheFirstOfSeveral) {
  StopMatcher m({"later", "ow", ""});
  EXPECT_EQ(m.push("now or later"), "n");
  EXPECT_TRUE(m.stopped());
  EXPECT_EQ(m.push("more"), "");
  EXPECT_EQ(m.finish(), "");
}

TEST(StopMatcher, FindsAStopAcrossPieces) {
  StopMatcher m({"aab"});
  std::string shown;
  for (const char c : std::string("aaaab!")) shown += m.push(std::string_view(&c, 1));
  EXPECT_EQ(shown, "aa");
  EXPECT_TRUE(m.stopped());
}

TEST(StopMatcher, WithoutStopsEverythingPasses) {
  StopMatcher m({});
  EXPECT_EQ(m.push("anything"), "anything");
  EXPECT_EQ(m.finish(), "");
}

}  // namespace handloom::engine
