#include "tokenizer/vocabulary.h"

namespace handloom::tokenizer {

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
  pieces_.push_back(std::move(piece));
  if (id >= by_id_.size()) by_id_.resize(id + 1);
  by_id_[id] = &pieces_.back();
  ids_.emplace(pieces_.back(), id);
  return {};
}

}  // namespace handloom::tokenizer
