// What the program prints, straight to the descriptor: a line is out before the next event is
// awaited.
#pragma once

#include <string_view>

namespace radixmesh::cli {

// Nobody reads any more, as after `radixmesh tree | head -1`. No error: the program ends with 0.
struct BrokenPipe {};

// All of `text` to stdout. Throws BrokenPipe, or std::runtime_error where it cannot be written.
void print(std::string_view text);
// For what ends with a verdict: a reader that has seen enough of it does not change the exit code.
void print_unless_gone(std::string_view text);
// One line to stderr, with the program's name before it; what cannot be written there is lost.
void complain(std::string_view text);

}  // namespace radixmesh::cli
