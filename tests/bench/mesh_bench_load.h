// What mesh_bench does to a mesh of sidecars: inserts as fast as they go, and one at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/raw_link.h"
#include "tests/bench/report.h"
#include "tests/bench/sidecars.h"

namespace radixmesh::bench {

struct LoadOptions {
  std::uint32_t tokens = 1024;
  // Inserts that each engine has under way; the sidecar answers them in order.
  std::uint32_t window = 32;
};

struct Flood {
  std::uint64_t inserts = 0;
  double accepted_seconds = 0;  // until the engines had the answers to all inserts
  double seconds = 0;           // until the last node had applied all
  double cpu_seconds = 0;       // of all sidecars
  double own_cpu_seconds = 0;   // of this process: the engines
  std::vector<double> node_cpu_seconds;
};

// Counters of `status`, summed over all nodes.
using Counters = std::map<std::string, std::uint64_t>;

class MeshLoad {
 public:
  MeshLoad(Sidecars& sidecars, const LoadOptions& options);

  // `inserts` prompts of new tokens, evenly over all engines, each engine's pipelined.
  Flood flood(std::uint64_t inserts);
  // One insert at the first engine, of `trip`: from before its request is written until the last
  // other node has notified its subscriber (`op`), and until its own answer.
  struct Trip {
    double visible_us = 0, answered_us = 0;
  };
  Trip insert_one();

  // Throws unless all nodes agree in every version and digest, and have exactly what was inserted.
  void check();
  Counters counters();
  std::uint64_t inserted() const { return next_prompt_; }

 private:
  struct Engine {
    RawLink link;
    std::uint64_t to_send = 0, under_way = 0;
    std::uint32_t next_id = 1, next_answer = 1;
    std::uint64_t inserted = 0;  // in all
  };
  void send_inserts(Engine& engine);
  void take_answers(Engine& engine);
  void await_answers();
  void await_all();
  void subscribe();
  std::uint64_t take_notification(RawLink& link, std::uint64_t seq);
  void make_next_insert(Engine& engine);

  Sidecars& sidecars_;
  LoadOptions options_;
  std::vector<Engine> engines_;
  std::vector<RawLink> subscribers_;  // of all nodes but the first
  std::uint64_t next_prompt_ = 0;
  std::vector<TokenId> tokens_;
  std::string request_;
};

}  // namespace radixmesh::bench
