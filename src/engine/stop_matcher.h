// Stop strings over streamed text: what may become one is held back until it is certain.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace handloom::engine {

class StopMatcher {
 public:
  /// Empty strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  /// Takes more text and gives back what can be shown: everything before a stop string that has
  /// begun, perhaps. Once stopped() it gives nothing more.
  std::string push(std::string_view text);
  /// The text held back, when no more will come.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace handloom::engine
