// rooms: base tokenizer
// libs: -lpcre2-8 -lutf8proc
//
// Arbitrary bytes as the lists of a GGUF vocabulary: reading must answer or refuse, and what was
// read must encode and decode without harm. The first byte chooses the model, the second what is
// there; then each line is a piece: a byte for its kind, one for its score, the text. Lines after
// an empty one are merges.
#include "support.h"

#include "tokenizer/tokenizer.h"

#include <limits>
#include <string_view>

namespace {

using fuzz::require;
using handloom::PieceKind;
using handloom::PlainVocabulary;
using handloom::tokenizer::Tokenizer;

constexpr std::string_view kNames[] = {"",       "gpt-2", "llama-bpe",    "qwen2",
                                       "tekken", "dbrx",  "deepseek-llm", "none"};

std::string_view next_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  return line;
}

float score_of(unsigned char byte) {
  if (byte == 255) return std::numeric_limits<float>::quiet_NaN();
  if (byte == 254) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(byte % 16);
}

void add_piece(std::string_view line, PlainVocabulary& v) {
  const auto kind = static_cast<unsigned char>(line[0]);
  v.kinds.push_back(static_cast<PieceKind>(kind % 8));
  v.scores.push_back(score_of(line.size() > 1 ? static_cast<unsigned char>(line[1]) : 0));
  v.pieces.emplace_back(line.substr(std::min<size_t>(2, line.size())));
}

PlainVocabulary vocabulary_of(unsigned char model, unsigned char flags, std::string_view rest) {
  PlainVocabulary v;
  v.model = model & 1 ? "gpt2" : "llama";
  v.pre = kNames[(model >> 1) % 8];
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    add_piece(line, v);
  }
  while (!rest.empty()) v.merges.emplace_back(next_line(rest));
  if (flags & 1) v.kinds.clear();
  if (flags & 2) v.add_bos = (flags & 4) != 0;
  if (flags & 8) v.bos_id = flags >> 5;
  if (flags & 16) v.unk_id = v.eos_id = flags >> 6;
  if (flags & 32) v.add_space_prefix = v.add_eos = (flags & 64) != 0;
  return v;
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text);
  if (!ids) return;
  for (const uint32_t id : *ids) require(tokenizer.has_id(id));
  require(tokenizer.decode(*ids).has_value());
  require(tokenizer.decode(*ids, true).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const PlainVocabulary vocabulary = vocabulary_of(data[0], data[1], bytes.substr(2));
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary, "fuzz");
  if (!tokenizer) {
    require(tokenizer.error().message.starts_with("fuzz: "));
    return 0;
  }
  check_text(*tokenizer, " Hello,  world!\n\n\tdon't 12345 <s>x</s>  abab aabb");
  check_text(*tokenizer, "na\xC3\xAFve \xE2\x96\x81\xE2\x96\x81 \xEC\x95\x88 \xE3\x80\x80\xC4\xB0");
  for (uint32_t id = 0; id < tokenizer->vocab_size(); ++id) {
    const std::string_view piece = tokenizer->piece(id);
    check_text(*tokenizer, piece);
  }
  return 0;
}
