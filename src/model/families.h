// The families, one .cpp each. Only model.cpp needs to know them.
#pragma once

#include "model/model.h"

#include <memory>

namespace handloom::model {

std::unique_ptr<Model> make_llama(Parts parts);  // Mistral and Phi-3, too
std::unique_ptr<Model> make_qwen2(Parts parts);
std::unique_ptr<Model> make_qwen3(Parts parts);
std::unique_ptr<Model> make_qwen3_moe(Parts parts);
std::unique_ptr<Model> make_gemma2(Parts parts);
std::unique_ptr<Model> make_gemma3(Parts parts);

}  // namespace handloom::model
