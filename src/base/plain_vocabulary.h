// A tokenizer's vocabulary as lists: how GGUF files carry it. formats/ reads and writes it,
// tokenizer/ makes a tokenizer of it; neither knows the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace handloom {

enum class PieceKind : uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,       // special: never made from text unless asked for
  user_defined = 4,  // cut out of the text before everything else
  unused = 5,
  byte = 6,  // "<0x0A>"
};

struct PlainVocabulary {
  std::string model;  // "llama": SentencePiece BPE with scores; "gpt2": byte-level BPE
  std::string pre;    // gpt2: the named pre-tokeniser: "llama-bpe", "qwen2"
  std::vector<std::string> pieces;  // by id
  std::vector<float> scores;        // llama: one a piece, higher merges first
  std::vector<PieceKind> kinds;     // one a piece, or none: all normal
  std::vector<std::string> merges;  // gpt2: "left right", the first merges first
  std::optional<uint32_t> bos_id, eos_id, unk_id, pad_id, eot_id;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::string tokenizer_json;  // a whole tokenizer.json, if the file carries one: it wins
  std::string chat_template;   // Jinja source
};

}  // namespace handloom
