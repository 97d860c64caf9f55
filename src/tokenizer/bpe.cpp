#include "tokenizer/bpe.h"

#include "tokenizer/utf8.h"

#include <algorithm>
#include <limits>

namespace handloom::tokenizer {
namespace {

using Candidate = Bpe::Scratch::Candidate;
using Symbol = Bpe::Scratch::Symbol;

constexpr size_t kMaxAffixBytes = 64;

/// Heap order: the lowest rank on top, among equals the leftmost.
bool comes_later(const Candidate& a, const Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
}

struct PairText {
  std::string left, right;
};

/// "a b" or ["a", "b"].
Result<PairText> pair_of(const Json& merge, const std::string& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return PairText{merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (merge.is_string()) {
    const std::string text = merge.get<std::string>();
    const size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return PairText{text.substr(0, space), text.substr(space + 1)};
    }
  }
  return fail(ErrorCode::bad_format, "{} is {}, expected \"a b\" or [\"a\", \"b\"]", where,
              describe(merge));
}

}  // namespace

Bpe Bpe::of(const Vocabulary& vocabulary, const std::vector<TokenPair>& pairs, Options options,
            std::string where) {
  Bpe bpe;
  bpe.where_ = std::move(where);
  bpe.fuse_unk_ = options.fuse_unk;
  bpe.byte_fallback_ = options.byte_fallback;
  bpe.ignore_merges_ = options.ignore_merges;
  bpe.merges_ = MergeTable(pairs.size());
  for (const TokenPair& pair : pairs) bpe.merges_.set(pair.left, pair.right, pair.merge);
  bpe.index_bytes(vocabulary);
  if (options.unk_token) bpe.unk_id_ = vocabulary.id_of(*options.unk_token);
  bpe.unk_token_ = std::move(options.unk_token);
  return bpe;
}

Result<Bpe> Bpe::read(const JsonObject& root, Vocabulary& vocabulary) {
  TRY(const JsonObject& model, root.get_object("model"));
  // Files from before models had a type are BPE if they have merges.
  TRY(const auto& type, model.find_string("type"));
  if (type.value_or(model.has("merges") ? "BPE" : "missing") != "BPE") {
    return fail(ErrorCode::unsupported, "{}: type '{}' is not supported (supported: BPE)",
                model.where(), type.value_or("missing"));
  }
  Bpe bpe;
  bpe.where_ = model.where();
  CHECK_OK(bpe.read_options(model));
  CHECK_OK(bpe.read_vocabulary(model, vocabulary));
  CHECK_OK(bpe.read_merges(model, vocabulary));
  bpe.index_bytes(vocabulary);
  if (bpe.unk_token_) bpe.unk_id_ = vocabulary.id_of(*bpe.unk_token_);
  return bpe;
}

Result<void> Bpe::read_options(const JsonObject& model) {
  TRY(const auto dropout, model.find_number("dropout"));
  if (dropout.value_or(0) != 0) {
    return fail(ErrorCode::unsupported,
                "{}: 'dropout' is {}, expected null or 0; it makes encoding random", model.where(),
                *dropout);
  }
  TRY(const auto& prefix, model.find_string("continuing_subword_prefix"));
  TRY(const auto& suffix, model.find_string("end_of_word_suffix"));
  TRY(unk_token_, model.find_string("unk_token"));
  TRY(const auto fuse_unk, model.find_bool("fuse_unk"));
  TRY(const auto byte_fallback, model.find_bool("byte_fallback"));
  TRY(const auto ignore_merges, model.find_bool("ignore_merges"));
  prefix_ = prefix.value_or("");
  suffix_ = suffix.value_or("");
  // With byte fallback each character can cost as many tokens as these have bytes.
  if (prefix_.size() > kMaxAffixBytes || suffix_.size() > kMaxAffixBytes) {
    return fail(
        ErrorCode::unsupported,
        "{}: 'continuing_subword_prefix' has {} bytes and 'end_of_word_suffix' {}, expected "
        "at most {}",
        model.where(), prefix_.size(), suffix_.size(), kMaxAffixBytes);
  }
  fuse_unk_ = fuse_unk.value_or(false);
  byte_fallback_ = byte_fallback.value_or(false);
  ignore_merges_ = ignore_merges.value_or(false);
  return {};
}

Result<void> Bpe::read_vocabulary(const JsonObject& model, Vocabulary& vocabulary) const {
  CHECK_OK(model.get_object("vocab"));
  const std::string where = fmt::format("{}: vocab", model.where());
  for (const auto& [piece, id] : model.find("vocab")->items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= kIdLimit) {
      return fail(ErrorCode::bad_format, "{}: piece '{}' has id {}, expected 0 to {}", where, piece,
                  describe(id), kIdLimit - 1);
    }
    CHECK_OK(vocabulary.add(piece, id.get<uint32_t>(), where));
  }
  return {};
}

Result<void> Bpe::read_merges(const JsonObject& model, const Vocabulary& vocabulary) {
  const Json* merges = model.find("merges");
  if (merges == nullptr || !merges->is_array()) {
    return fail(ErrorCode::bad_format, "{}: 'merges' is {}, expected an array", model.where(),
                merges ? describe(*merges) : "missing");
  }
  merges_ = MergeTable(merges->size());
  uint32_t rank = 0;
  for (size_t i = 0; i < merges->size(); ++i) {
    const Json& merge = (*merges)[i];
    // The first line of a merges.txt, which early converters copied along.
    if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version")) continue;
    CHECK_OK(read_merge(merge, rank++, vocabulary, fmt::format("{}: merges[{}]", where_, i)));
  }
  return {};
}

Result<void> Bpe::read_merge(const Json& merge, uint32_t rank, const Vocabulary& vocabulary,
                             const std::string& where) {
  TRY(const PairText pair, pair_of(merge, where));
  const auto id_of = [&](const std::string& piece) -> Result<uint32_t> {
    if (const auto id = vocabulary.id_of(piece)) return *id;
    return fail(ErrorCode::bad_format, "{}: piece '{}' is not in the vocabulary", where, piece);
  };
  TRY(const uint32_t left, id_of(pair.left));
  TRY(const uint32_t right, id_of(pair.right));
  // The right half gives up its prefix when it stops being a word of its own.
  if (!pair.right.starts_with(prefix_)) {
    return fail(ErrorCode::bad_format, "{}: piece '{}' does not begin with the prefix '{}'", where,
                pair.right, prefix_);
  }
  TRY(const uint32_t token, id_of(pair.left + pair.right.substr(prefix_.size())));
  merges_.set(left, right, {rank, token});
  return {};
}

void Bpe::index_bytes(const Vocabulary& vocabulary) {
  for (uint32_t byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = vocabulary.id_of(fmt::format("<0x{:02X}>", byte));
  }
}

Result<void> Bpe::encode(std::string_view word, const Vocabulary& vocabulary, Scratch& scratch,
                         std::vector<uint32_t>& ids) const {
  if (ignore_merges_) {
    if (const auto id = vocabulary.id_of(word)) {
      ids.push_back(*id);
      return {};
    }
  }
  CHECK_OK(cut(word, vocabulary, scratch));
  merge_all(scratch);
  for (const Symbol& symbol : scratch.symbols) {
    if (!symbol.merged_away) ids.push_back(symbol.token);
  }
  return {};
}

/// Fills scratch.symbols with one token per character, or several where it falls back to bytes.
Result<void> Bpe::cut(std::string_view word, const Vocabulary& vocabulary, Scratch& scratch) const {
  scratch.symbols.clear();
  const auto append = [&](uint32_t token) { scratch.symbols.push_back({token, 0, 0, false}); };
  bool after_unknown = false;
  for (size_t i = 0; i < word.size();) {
    const uint32_t n_bytes = utf8_length(word[i]);
    std::string_view spelling = word.substr(i, n_bytes);
    const bool is_first = i == 0, is_last = i + n_bytes == word.size();
    i += n_bytes;
    if ((!is_first && !prefix_.empty()) || (is_last && !suffix_.empty())) {
      scratch.spelling = is_first ? "" : prefix_;
      scratch.spelling += spelling;
      if (is_last) scratch.spelling += suffix_;
      spelling = scratch.spelling;
    }
    const bool fuses = after_unknown && fuse_unk_;
    after_unknown = false;
    if (const auto id = vocabulary.id_of(spelling)) {
      append(*id);
    } else if (byte_fallback_ && append_bytes(spelling, scratch)) {
      continue;
    } else if (unk_token_) {
      if (!unk_id_) {
        return fail(
            ErrorCode::bad_format,
            "{}: '{}' has no piece, and 'unk_token' is '{}', which is not in the vocabulary",
            where_, spelling, *unk_token_);
      }
      if (!fuses) append(*unk_id_);
      after_unknown = true;
    }
  }
  if (scratch.symbols.size() > std::numeric_limits<int32_t>::max()) {
    return fail(ErrorCode::unsupported, "{}: a word has {} symbols, expected less than 2^31",
                where_, scratch.symbols.size());
  }
  const auto n = static_cast<int32_t>(scratch.symbols.size());
  for (int32_t s = 0; s < n; ++s) {
    scratch.symbols[static_cast<size_t>(s)].previous = s - 1;
    scratch.symbols[static_cast<size_t>(s)].next = s + 1 < n ? s + 1 : -1;
  }
  return {};
}

/// All bytes of `spelling`, or nothing if one has no piece.
bool Bpe::append_bytes(std::string_view spelling, Scratch& scratch) const {
  const auto id_of = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (!std::ranges::all_of(spelling, [&](char c) { return id_of(c).has_value(); })) return false;
  for (const char c : spelling) scratch.symbols.push_back({*id_of(c), 0, 0, false});
  return true;
}

void Bpe::push_candidate(int32_t left, Scratch& scratch) const {
  if (left < 0) return;
  const Symbol& symbol = scratch.symbols[static_cast<size_t>(left)];
  if (symbol.next < 0) return;
  const uint32_t right = scratch.symbols[static_cast<size_t>(symbol.next)].token;
  const Merge* merge = merges_.find(symbol.token, right);
  if (merge == nullptr) return;
  scratch.queue.push_back({merge->rank, left, merge->token});
  std::push_heap(scratch.queue.begin(), scratch.queue.end(), comes_later);
}

void Bpe::merge_all(Scratch& scratch) const {
  auto& [symbols, queue, spelling] = scratch;
  queue.clear();
  for (size_t i = 0; i < symbols.size(); ++i) push_candidate(static_cast<int32_t>(i), scratch);

  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), comes_later);
    const Candidate best = queue.back();
    queue.pop_back();

    // An entry is stale once either of its symbols has merged with another.
    Symbol& left = symbols[static_cast<size_t>(best.left)];
    if (left.merged_away || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    const Merge* merge = merges_.find(left.token, right.token);
    if (merge == nullptr || merge->token != best.token) continue;

    left.token = best.token;
    left.next = right.next;
    right.merged_away = true;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
    push_candidate(left.previous, scratch);
    push_candidate(best.left, scratch);
  }
}

}  // namespace handloom::tokenizer
