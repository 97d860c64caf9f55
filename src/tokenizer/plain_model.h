// What a tokenizer is made of, from the lists that a GGUF file carries (base/plain_vocabulary.h):
// the model itself, and the other sections as tokenizer.json would have them.
#pragma once

#include "base/json.h"
#include "base/plain_vocabulary.h"
#include "tokenizer/bpe.h"
#include "tokenizer/vocabulary.h"

#include <string>
#include <string_view>

namespace handloom::tokenizer {

struct PlainModel {
  Vocabulary pieces;  // without control and user-defined pieces, which are added tokens
  Bpe model;
  Json sections;  // normalizer, added_tokens, pre_tokenizer, post_processor, decoder
};

/// Reads "llama" (SentencePiece's BPE: of all pairs whose text is a piece the one of the highest
/// score merges first) and "gpt2" (byte-level BPE with a list of merges). Each inconsistency is an
/// error that begins with `where`.
Result<PlainModel> plain_model(const PlainVocabulary& vocabulary, const std::string& where);

/// What stands for an id that has no piece.
std::string hole_piece(uint32_t id);

/// "<0x0A>"
bool is_byte_piece(std::string_view piece);

/// Whether control pieces swallow the white space after them, which no list says: those of Phi-3 do
/// but for the first few.
bool is_phi3(const PlainVocabulary& vocabulary);
bool phi3_swallows_spaces(std::string_view control_piece);

}  // namespace handloom::tokenizer
