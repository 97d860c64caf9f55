// Small tokenizer.json sections for the tests, written as JSON text.
#pragma once

#include "base/json.h"
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

inline Json json_of(std::string_view text) {
  Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  EXPECT_FALSE(value.is_discarded()) << text;
  return value;
}

/// {"<section>": <text>} read by `Section::read`.
template <class Section>
Result<Section> read_section(std::string_view section, std::string_view text) {
  Json root = Json::object();
  root[std::string(section)] = json_of(text);
  TRY(const JsonObject object, JsonObject::from(root, "test"));
  return Section::read(object);
}

/// The error of a Result, or what a success is told as.
template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}

/// A tokenizer.json of this model and these further sections: `"decoder": {...}, ...`.
inline Result<Tokenizer> tokenizer_of(std::string_view model, std::string_view sections = "") {
  const std::string comma = sections.empty() ? "" : ", ";
  return Tokenizer::parse(fmt::format(R"({{"model": {}{}{}}})", model, comma, sections), "t.json");
}

using Ids = std::vector<uint32_t>;

}  // namespace handloom::tokenizer
