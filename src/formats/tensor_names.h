// What files call the weights. handloom's own names are GGUF's words (style: token_embd,
// blk.3.attn_q); this is the one place that knows the others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// Who wrote the file.
enum class Naming { hugging_face, gguf, mlc };

/// The names under which a file may hold our tensor `ours`, such as "blk.3.attn_q.weight" or, of a
/// mixture of experts, "blk.3.experts.5.gate.weight", in the order to look for them; the last is
/// the most common. Never empty.
std::vector<std::string> names_in_file(Naming naming, std::string_view ours);

}  // namespace handloom::formats
