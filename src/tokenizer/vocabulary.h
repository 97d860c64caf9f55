// Pieces and their ids, both ways. Ids may have gaps; a gap has no piece.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

/// Ids from here on are refused: a file could otherwise make us allocate gigabytes for one number.
constexpr uint32_t kIdLimit = 1u << 24;

class Vocabulary {
 public:
  /// Adds a piece. An error if the id is too large or if piece or id are taken.
  Result<void> add(std::string piece, uint32_t id, std::string_view where);

  std::optional<uint32_t> id_of(std::string_view piece) const;

  /// nullptr where there is no such id. Good until the next add().
  const std::string* piece(uint32_t id) const {
    return id < places_.size() && places_[id] > 0 ? &pieces_[places_[id] - 1] : nullptr;
  }

  /// 1 + the largest id.
  uint32_t size() const { return static_cast<uint32_t>(places_.size()); }

 private:
  size_t slot_of(std::string_view piece) const;
  void grow();

  std::vector<std::string> pieces_;
  std::vector<uint32_t> places_;  // by id: 1 + its piece's place in pieces_, or 0
  std::vector<uint32_t> slots_;   // a hash table of ids, at most half full; a power of two
};

}  // namespace handloom::tokenizer
