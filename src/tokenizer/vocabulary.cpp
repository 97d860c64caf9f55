#include "tokenizer/vocabulary.h"

#include <utility>

namespace handloom::tokenizer {
namespace {

constexpr uint32_t kFree = kIdLimit;  // a slot without an id

/// FNV-1a.
uint32_t hash_of(std::string_view text) {
  uint32_t hash = 0x811c9dc5;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x01000193;
  return hash;
}

}  // namespace

Result<void> Vocabulary::add(std::string piece, uint32_t id, std::string_view where) {
  if (id >= kIdLimit) {
    return fail(ErrorCode::bad_format, "{}: piece '{}' has id {}, expected less than {}", where,
                piece, id, kIdLimit);
  }
  if (const std::string* other = this->piece(id)) {
    return fail(ErrorCode::bad_format, "{}: pieces '{}' and '{}' both have id {}", where, *other,
                piece, id);
  }
  if (const auto other = id_of(piece)) {
    return fail(ErrorCode::bad_format, "{}: piece '{}' has both id {} and id {}", where, piece,
                *other, id);
  }
  if (2 * pieces_.size() >= slots_.size()) grow();
  slots_[slot_of(piece)] = id;
  pieces_.push_back(std::move(piece));
  if (id >= places_.size()) places_.resize(id + 1);
  places_[id] = static_cast<uint32_t>(pieces_.size());
  return {};
}

std::optional<uint32_t> Vocabulary::id_of(std::string_view piece) const {
  if (slots_.empty()) return std::nullopt;
  const uint32_t id = slots_[slot_of(piece)];
  return id == kFree ? std::nullopt : std::optional(id);
}

/// The slot that holds the id of `piece`, or would. There is one, since half of them are free.
size_t Vocabulary::slot_of(std::string_view piece) const {
  const size_t mask = slots_.size() - 1;
  size_t i = hash_of(piece) & mask;
  while (slots_[i] != kFree && *this->piece(slots_[i]) != piece) i = (i + 1) & mask;
  return i;
}

void Vocabulary::grow() {
  const std::vector<uint32_t> old =
      std::exchange(slots_, std::vector(slots_.empty() ? 16 : 2 * slots_.size(), kFree));
  for (const uint32_t id : old) {
    if (id != kFree) slots_[slot_of(*piece(id))] = id;
  }
}

}  // namespace handloom::tokenizer
