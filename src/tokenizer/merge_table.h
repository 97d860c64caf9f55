// Which two adjacent tokens merge, into what, and how early: a flat hash table, because encoding
// does little else than look into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace handloom::tokenizer {

struct Merge {
  uint32_t rank;   // lower merges first
  uint32_t token;  // the result
};

class MergeTable {
 public:
  explicit MergeTable(size_t n_merges = 0) {
    size_t n_slots = 16;
    while (n_slots < 2 * n_merges) n_slots *= 2;
    slots_.resize(n_slots);
  }

  /// At most as many different pairs as the constructor was told; a pair's last merge counts.
  void set(uint32_t left, uint32_t right, Merge merge) {
    slots_[slot_of(key_of(left, right))] = {key_of(left, right), merge};
  }

  /// nullptr if the pair does not merge.
  const Merge* find(uint32_t left, uint32_t right) const {
    const uint64_t key = key_of(left, right);
    const Slot& slot = slots_[slot_of(key)];
    return slot.key == key ? &slot.merge : nullptr;
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // no pair: ids are below kIdLimit

  struct Slot {
    uint64_t key = kEmpty;
    Merge merge{};
  };

  static uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

  /// The slot that holds `key` or would. The table is at most half full, so there is one.
  size_t slot_of(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    // A multiplicative hash; its upper half is the well-mixed one.
    size_t i = static_cast<size_t>((key * 0x9e3779b97f4a7c15u) >> 32) & mask;
    while (slots_[i].key != kEmpty && slots_[i].key != key) i = (i + 1) & mask;
    return i;
  }

  std::vector<Slot> slots_;
};

}  // namespace handloom::tokenizer
