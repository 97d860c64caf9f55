// The paged KV cache of one layer, and writing to it.
//
// A page holds K and V of kPageSize tokens, head by head: shape [n_pages, 2 * n_kv_heads,
// kPageSize, head_dim], where the second dimension is the K heads followed by the V heads.
// Row-major order then gives the layout of the GPU buffer: K at page * page_stride + kv_head * 16 *
// head_dim + slot * head_dim + dim, V at n_kv_heads * 16 * head_dim beyond, page_stride = 2 *
// n_kv_heads * 16 * head_dim. A page table holds, for each run of kPageSize positions of a
// sequence, its page.
#pragma once

#include "reference/host.h"

#include <span>

namespace handloom::reference {

inline constexpr uint32_t kPageSize = 16;  // tokens

/// An empty layer of the KV cache: zeros of shape [n_pages, 2 * n_kv_heads, kPageSize, head_dim].
Host make_kv(uint32_t n_pages, uint32_t n_kv_heads, uint32_t head_dim);

/// The row of `kv` that holds K of `kv_head` at `position`. V is that of n_kv_heads + kv_head.
size_t kv_row(const Host& kv, std::span<const uint32_t> page_table, uint32_t kv_head,
              uint32_t position);

/// kv[position of row r] = the K and V heads of row r, after rope.
///
///   qkv         [rows, (n_heads + 2 * n_kv_heads) * head_dim]: [q | k | v]
///   positions   [rows]
///   page_table  [> positions[r] / kPageSize], page ids below n_pages
///   kv          [n_pages, 2 * n_kv_heads, kPageSize, head_dim], written
///   stored_as   the type the values are rounded to: f32, f16, bf16; or i8, see round_to_int8
void kv_append(const Host& qkv, std::span<const uint32_t> positions,
               std::span<const uint32_t> page_table, Host& kv, DType stored_as = DType::f32);

}  // namespace handloom::reference
