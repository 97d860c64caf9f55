// What JsonText writes, JSON reads back as it was.
#include "base/json.h"
#include "base/json_text.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace handloom {
namespace {

TEST(JsonText, IsReadBackAsItWas) {
  const std::array<uint32_t, 3> ids = {0, 7, 4294967295u};
  const std::array<JsonText, 2> objects = {JsonText().put("a", uint32_t{1}), JsonText()};
  const std::string odd = "\"quoted\" \\ \n\t\x01 caf\xC3\xA9";
  const std::string text = JsonText()
                               .put("text", odd)
                               .put("half", 0.5)
                               .put("large", uint64_t{1} << 53)
                               .put("yes", true)
                               .put("ids", ids)
                               .put("none", std::span<const uint32_t>())
                               .put("inner", JsonText().put("key \"2\"", "x"))
                               .put("objects", objects)
                               .text();
  const Json json = Json::parse(text, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << text;
  EXPECT_EQ(json["text"], odd);
  EXPECT_EQ(json["half"], 0.5);
  EXPECT_EQ(json["large"], uint64_t{1} << 53);
  EXPECT_EQ(json["yes"], true);
  EXPECT_EQ(json["ids"], Json({0, 7, 4294967295u}));
  EXPECT_EQ(json["none"], Json::array());
  EXPECT_EQ(json["inner"]["key \"2\""], "x");
  EXPECT_EQ(json["objects"], Json::parse("[{\"a\":1},{}]"));
}

TEST(JsonText, HasNoWordForWhatIsNoNumber) {
  EXPECT_EQ(JsonText().put("x", std::numeric_limits<double>::infinity()).text(), "{\"x\":null}");
}

}  // namespace
}  // namespace handloom
