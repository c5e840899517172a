// A namespace as people write and read it: "model=llama,salt:hex=00ff".
//
// Each part is given by its name: as text (`lora=a`), or as bytes (`lora:hex=61`), which are
// another namespace than equal text. A part that is not named is absent. A comma or backslash of
// the text has a backslash before it.
#pragma once

#include <string>
#include <string_view>

#include "cli/json.h"
#include "lib/base/cache_namespace.h"

namespace radixmesh::cli {

// Throws UsageError.
CacheNamespace parse_namespace(std::string_view text);

// The namespace of an answer in the same form; "default" where all parts are absent.
std::string namespace_text(const Json& name);

}  // namespace radixmesh::cli
