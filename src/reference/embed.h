#pragma once

#include "reference/host.h"

#include <span>

namespace handloom::reference {

/// y[r,:] = scale * token_embd[token_ids[r],:], rounded once
///
///   token_ids   [n], each below vocab_size
///   token_embd  [vocab_size, model_dim]
///   returns     [n, model_dim]
Host embed(std::span<const uint32_t> token_ids, const Host& token_embd, float scale = 1);

}  // namespace handloom::reference
