// JSON of unknown origin: every getter says where, which key, found and expected.
#include "base/json.h"

#include <gtest/gtest.h>

namespace handloom {
namespace {

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "{\"a\": }", "nul", "\xff", "[1,]"}) {
    const Result<Json> parsed = parse_json(text, "x.json");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::bad_format);
    EXPECT_EQ(parsed.error().message.find("x.json: is not valid JSON"), 0u);
  }
}

TEST(ParseJson, DeepNestingIsNoCrash) {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_TRUE(parse_json(deep, "x"));
}

class Getters : public testing::Test {
 protected:
  const Json json_ = parse_json(R"({"n": 7, "big": 4294967296, "minus": -1, "half": 0.5,
                                    "text": "t", "yes": true, "null": null, "object": {"n": 1},
                                    "list": [1, 2]})",
                                "x")
                         .value();
  const JsonObject object_ = JsonObject::from(json_, "x").value();
};

TEST_F(Getters, GiveWhatIsThere) {
  EXPECT_EQ(object_.get_u32("n").value(), 7u);
  EXPECT_EQ(object_.get_number("half").value(), 0.5);
  EXPECT_EQ(object_.get_string("text").value(), "t");
  EXPECT_TRUE(object_.get_bool("yes").value());
  EXPECT_EQ(object_.get_object("object").value().get_u32("n").value(), 1u);
  EXPECT_EQ(object_.find_u32("n").value(), 7u);
}

TEST_F(Getters, TakeNullForAbsent) {
  EXPECT_FALSE(object_.has("null"));
  EXPECT_EQ(object_.find_string("null").value(), std::nullopt);
  EXPECT_EQ(object_.find_bool("nothing").value(), std::nullopt);
  EXPECT_EQ(object_.get_u32("null").error().message,
            "x: 'null' is missing, expected a whole number");
}

TEST_F(Getters, RefuseOtherTypesAndSayBoth) {
  EXPECT_EQ(object_.get_u32("minus").error().message,
            "x: 'minus' is -1, expected a whole number from 0 to 4294967295");
  EXPECT_FALSE(object_.get_u32("big"));
  EXPECT_FALSE(object_.get_u32("half"));
  EXPECT_EQ(object_.find_string("n").error().message, "x: 'n' is 7, expected a string");
  EXPECT_EQ(object_.get_bool("list").error().message,
            "x: 'list' is an array of 2, expected true or false");
  EXPECT_EQ(object_.get_object("text").error().message, "x: 'text' is \"t\", expected an object");
  EXPECT_FALSE(JsonObject::from(json_["list"], "y"));
}

TEST(Describe, KeepsMessagesShortAndValid) {
  EXPECT_EQ(describe(Json(std::string(99, 'x'))), "a string of 101 characters");
  EXPECT_EQ(describe(Json("\xff")), "\"\xef\xbf\xbd\"");  // U+FFFD for what is not UTF-8
}

}  // namespace
}  // namespace handloom
