// The vocabulary in the metadata of a GGUF file, and back.
#pragma once

#include "base/plain_vocabulary.h"
#include "base/result.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"

namespace handloom::formats {

/// Every list is there as often as tokens are, or empty; every id is one of a token; every kind is
/// a PieceKind. Which models and pre-tokenisers are known is the tokenizer's business.
///
/// Error: bad_format (missing, out of range or contradictory: as many tokens as the embedding has
/// rows, if there is one).
Result<PlainVocabulary> vocabulary_from_gguf(const Gguf& gguf);

/// Adds what vocabulary_from_gguf reads. Keys that are there already stay: the ids of
/// fields_from_config, which a generation_config.json may have changed, come first.
void add_vocabulary(const PlainVocabulary& vocabulary, GgufFields& fields);

}  // namespace handloom::formats
