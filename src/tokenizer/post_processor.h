// The `post_processor` of tokenizer.json: which special tokens stand around the ids of a text.
#pragma once

#include "base/json.h"
#include "tokenizer/vocabulary.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace handloom::tokenizer {

struct Step;

class PostProcessor {
 public:
  /// Reads root's "post_processor"; null means none. `is_known` tells which ids exist.
  static Result<PostProcessor> read(const JsonObject& root,
                                    const std::function<bool(uint32_t)>& is_known);

  /// `ids` with the special tokens around them.
  std::vector<uint32_t> apply(std::vector<uint32_t> ids) const;

  const std::vector<uint32_t>& before() const { return before_; }
  const std::vector<uint32_t>& after() const { return after_; }

 private:
  Result<void> read_step(const Step& step);
  Result<void> read_template(const JsonObject& fields);

  std::vector<uint32_t> before_, after_;
};

}  // namespace handloom::tokenizer
