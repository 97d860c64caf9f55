// Pieces and their ids, both ways. Ids may have gaps; a gap has no piece.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace handloom::tokenizer {

/// Ids from here on are refused: a file could otherwise make us allocate gigabytes for one number.
constexpr uint32_t kIdLimit = 1u << 24;

class Vocabulary {
 public:
  /// Adds a piece. An error if the id is too large or if piece or id are taken.
  Result<void> add(std::string piece, uint32_t id, std::string_view where);

  std::optional<uint32_t> id_of(std::string_view piece) const {
    const auto it = ids_.find(piece);
    return it == ids_.end() ? std::nullopt : std::optional(it->second);
  }

  /// nullptr where there is no such id.
  const std::string* piece(uint32_t id) const { return id < by_id_.size() ? by_id_[id] : nullptr; }

  /// 1 + the largest id.
  uint32_t size() const { return static_cast<uint32_t>(by_id_.size()); }

 private:
  std::deque<std::string> pieces_;  // a deque, for the maps point into it
  std::vector<const std::string*> by_id_;
  std::unordered_map<std::string_view, uint32_t> ids_;
};

}  // namespace handloom::tokenizer
