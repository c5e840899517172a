#include "ipc/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ipc/framing.h"
#include "ipc/packing.h"
#include "ipc/reading.h"
#include "lib/base/limits.h"
#include "lib/base/msgpack_document.h"

namespace radixmesh::ipc {

struct Client::Input {
  FrameReader frames;
};

Client::Client(std::string path, Milliseconds timeout)
    : timeout_(timeout), input_(std::make_unique<Input>()) {
  if (path.empty()) {
    const char* variable = std::getenv("RADIXMESH_SOCKET");
    if (variable == nullptr || *variable == '\0') {
      throw ConnectionError("no socket given: pass a path or set RADIXMESH_SOCKET");
    }
    path = variable;
  }
  connect(path);
}

Client::~Client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Client::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw ConnectionError("path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor_ < 0) throw ConnectionError(std::string("socket: ") + std::strerror(errno));
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("no sidecar at " + path + ": " + std::strerror(errno));
  }
}

void Client::fail(const std::string& why) {
  why_closed_ = why;
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  throw ConnectionError(why);
}

void Client::wait_for(short events, std::optional<Clock::time_point> deadline) {
  pollfd item{descriptor_, events, 0};
  int wait = -1;
  if (deadline) {
    const auto left = std::chrono::ceil<Milliseconds>(*deadline - Clock::now()).count();
    if (left <= 0) fail("no answer within " + std::to_string(timeout_.count()) + " ms");
    wait = static_cast<int>(left);
  }
  if (::poll(&item, 1, wait) < 0 && errno != EINTR) {
    fail(std::string("poll: ") + std::strerror(errno));
  }
}

void Client::send_all(std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT, deadline);
    } else if (errno != EINTR) {
      fail(std::string("the sidecar closed the connection: ") + std::strerror(errno));
    }
  }
}

// The body of the next frame; empty if `stop` became readable instead.
std::string Client::read_frame(std::optional<Clock::time_point> deadline, int stop) {
  constexpr std::size_t kReadBytes = 64 * 1024;
  while (true) {
    if (const auto body = input_->frames.next()) return std::string(*body);
    if (input_->frames.broken()) fail("the sidecar sent a frame of an impossible length");
    const std::size_t want = std::max(kReadBytes, input_->frames.wanted());
    const ssize_t got = ::read(descriptor_, input_->frames.room(want), want);
    if (got > 0) {
      input_->frames.added(static_cast<std::size_t>(got));
    } else if (got == 0) {
      fail("the sidecar closed the connection");
    } else if (errno == EAGAIN) {
      if (stop >= 0) {
        pollfd items[2] = {{descriptor_, POLLIN, 0}, {stop, POLLIN, 0}};
        ::poll(items, 2, -1);
        if (items[1].revents != 0) return "";
      } else {
        wait_for(POLLIN, deadline);
      }
    } else if (errno != EINTR) {
      fail(std::string("read: ") + std::strerror(errno));
    }
  }
}

namespace {

constexpr DocumentBounds kAnswerBounds{limits::ipc_values_max, limits::ipc_depth_max};

// The value that a frame holds, with memory of its own; nothing if it breaks a bound.
std::optional<Answer> parse(const std::string& body) {
  if (!Document().parse(body, kAnswerBounds)) return std::nullopt;
  return msgpack::unpack(body.data(), body.size());
}

}  // namespace

Answer Client::call(std::string_view method, std::uint32_t params, const Fill& fill) {
  if (descriptor_ < 0) throw ConnectionError("the connection is closed: " + why_closed_);
  std::string request(kLengthBytes, '\0');
  Buffer buffer{request};
  Packer packer(buffer);
  const std::uint32_t id = next_id_++;
  packer.pack_array(4);
  packer.pack_uint8(0);
  packer.pack_uint32(id);
  pack_text(packer, method);
  packer.pack_map(params);
  fill(packer);
  const std::size_t size = request.size() - kLengthBytes;
  if (size > limits::ipc_frame_bytes_max) {
    throw CallError(RefusalCode::send_less, "the request does not fit a frame");
  }
  request.replace(0, kLengthBytes, length_bytes(size));
  const auto deadline = Clock::now() + timeout_;
  send_all(request, deadline);
  auto answer = parse(read_frame(deadline, -1));
  if (!answer) fail("the answer is not MessagePack within the bounds");
  try {
    check_response(answer->get(), id);
  } catch (const ShapeError& error) {
    fail(std::string("the answer is no response: ") + error.what());
  }
  return Answer(answer->get().via.array.ptr[3], std::move(answer->zone()));
}

void Client::check_response(const msgpack::object& object, std::uint32_t id) {
  const Reader response(object);
  if (response.size() != 4 || response.at(0).u64() != 1) fail("the answer is no response");
  if (const auto refusal = response.at(2).refusal()) {
    if (response.at(1).is_nil()) fail(refusal->message);
    throw CallError(refusal->code, refusal->message);
  }
  if (response.at(1).u64() != id) fail("the answer belongs to another request");
}

void Client::release(std::uint64_t lease) {
  call("release", 1, [&](Packer& packer) {
    pack_text(packer, "lease");
    packer.pack_uint64(lease);
  });
}

std::optional<Answer> Client::next_event(int stop) {
  const std::string body = read_frame(std::nullopt, stop);
  if (body.empty()) return std::nullopt;
  auto event = parse(body);
  if (!event) fail("an event is not MessagePack within the bounds");
  return event;
}

}  // namespace radixmesh::ipc
