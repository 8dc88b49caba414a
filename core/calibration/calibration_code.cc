#include "core/calibration/calibration_text.h"

namespace rpt::calibration {
namespace {

// Parts of this project, as they once were: a hash, the gate of copying.
constexpr std::string_view kCpp = R"text(Sha256::Sha256()
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19} {}

Sha256& Sha256::update(const void* data, size_t size) {
    if (size == 0) return *this;
    const auto* bytes = static_cast<const uint8_t*>(data);
    const size_t begun = total_ % 64;
    total_ += size;
    if (begun > 0) {
        const size_t n = std::min(size, 64 - begun);
        std::memcpy(buffer_.data() + begun, bytes, n);
        bytes += n, size -= n;
        if (begun + n < 64) return *this;
        mix_blocks(state_.data(), buffer_.data(), 1);
    }
    mix_blocks(state_.data(), bytes, size / 64);
    if (size % 64 > 0) std::memcpy(buffer_.data(), bytes + size / 64 * 64, size % 64);
    return *this;
}

Digest Sha256::finish() {
    const uint64_t bits = total_ * 8;
    const uint8_t one = 0x80, zero = 0;
    update(&one, 1);
    while (total_ % 64 != 56) update(&zero, 1);
    uint8_t length[8];
    for (int i = 0; i < 8; ++i) length[i] = uint8_t(bits >> (56 - 8 * i));
    update(length, 8);
    Digest digest;
    for (size_t i = 0; i < 32; ++i) digest[i] = uint8_t(state_[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

Digest sha256(const void* data, size_t size) {
    return Sha256().update(data, size).finish();
}

CopyNumbers CopyNumbers::read(std::span<const float> numbers) {
    if (numbers.size() != kCount)
        fail("it has " + std::to_string(numbers.size()) + " numbers a source, not " +
             std::to_string(kCount));
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }))
        fail("a number is not finite");
    CopyNumbers out;
    out.fitted = true;
    out.temperature = double(numbers[0]);
    out.threshold = double(numbers[1]);
    out.bias = double(numbers[2]);
    for (size_t k = 0; k < kInputs; ++k) {
        out.weight[k] = double(numbers[3 + k]);
        out.shift[k] = double(numbers[3 + kInputs + k]);
        out.scale[k] = double(numbers[3 + 2 * kInputs + k]);
        if (out.scale[k] <= 0) fail("a scale is not above 0");
    }
    if (!(out.temperature > 0 && out.temperature <= kMostTemperature))
        fail("its temperature is not above 0 and at most " + std::to_string(int(kMostTemperature)));
    return out;
}

CopySettings CopySettings::read(std::span<const float> numbers) {
    CopySettings out;
    if (numbers.empty()) return out;
    if (numbers.size() != 2 * CopyNumbers::kCount)
        fail("it has " + std::to_string(numbers.size()) + " numbers, not " +
             std::to_string(2 * CopyNumbers::kCount));
    out.own = CopyNumbers::read(numbers.first(CopyNumbers::kCount));
    out.spaces = CopyNumbers::read(numbers.last(CopyNumbers::kCount));
    return out;
}

double copy_share(const CopyNumbers& numbers, const CopyEvidence& evidence, double model_entropy) {
    if (evidence.places == 0) return 0;
    if (!numbers.fitted) return sigmoid(kUntrainedBias + kUntrainedSlope * evidence.best_cosine);
    const double mass = std::clamp(evidence.best_mass, 1e-6, 1 - 1e-6);
    const std::array<double, CopyNumbers::kInputs> inputs{
        std::log(mass / (1 - mass)), evidence.entropy,
        evidence.log_sum - std::log(double(evidence.places)), model_entropy,
        std::log1p(double(evidence.near))};
    double sum = numbers.bias;
    for (size_t k = 0; k < inputs.size(); ++k)
        sum += numbers.weight[k] * (inputs[k] - numbers.shift[k]) / numbers.scale[k];
    return sigmoid(sum);
}

)text";

// A test.
constexpr std::string_view kPython = R"text(def room_of(path: pathlib.PurePath):
    parts = path.parts
    if parts[0] in ("core", "lab", "apps", "storage") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def sources():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")) if (ROOT / room).is_dir() else []:
            if path.suffix in SOURCES and "golden" not in path.parts:
                yield path.relative_to(ROOT)


def includes(text):
    return [(kind, name) for kind, name in INCLUDE.findall(text)]


def is_below(name, allowed):
    return any(name == a or name.startswith(a + "/") for a in allowed)


def complaints(path: pathlib.PurePath, text: str):
    """Every include of `text`, standing at `path`, that the house does not allow."""
    room, found = room_of(path), []
    if room == "tests":
        return found
    for kind, name in includes(text):
        if name in ("rpt.h", "rpt.hpp", "rpt_unstable.h"):
            name = "include/" + name
        ours = name.split("/")[0] in ROOMS
        if not ours and kind == '"':
            ours, name = True, f"{path.parent.as_posix()}/{name}"
        if ours:
            if room not in MAY_INCLUDE:
                found.append(f"{path}: no arrow is known for the room {room}")
            elif not is_below(name, MAY_INCLUDE[room]):
                found.append(f"{path}: {room} may not include {name}")
            continue
        party = next((p for p in THIRD_PARTIES if re.search(p, name)), None)
        if party is not None:
            if not is_below(room, THIRD_PARTIES[party]):
                found.append(f"{path}: {name} has no place in {room}")
        elif not (POSIX.search(name) or STANDARD.match(name)):
            found.append(f"{path}: {name} belongs to no third party known here")
    return found


def test_structure_every_include_follows_an_arrow():
    found = [c for path in sources() for c in complaints(path, (ROOT / path).read_text())]
    assert not found, "\n".join(found)


def test_structure_public_headers_include_only_the_language():
    for path in sources():
        if path.parts[0] == "include":
            for _, name in includes((ROOT / path).read_text()):
                assert STANDARD.match(name) or name in ("rpt.h",), f"{path}: {name}"

)text";

// A page with formulas.
constexpr std::string_view kPage = R"text(## Copying

    The password of the cellar is heliotrope.      <- a note in the store
    ... so he asked for the password of the cellar, which is   <- the text to go on with

The place in the text is like a place in the note, and there "heliotrope" followed. A model with pointer keys uses that directly: for a token it
makes a key and a query, unit vectors of w numbers from a deep layer. What followed places whose keys are near the query is likely again.

**Places** of a token of block b are
- of the own past what the window no longer holds: input positions 1 to (b - 1) S - 1. All tokens of a block see the same. The begin token is
  no place;
- of each space all tokens that searches see, but begin tokens and those that nothing follows. What follows the end of a segment is the first
  token of the next one, where the segment stands first.

**The copy distribution** of one source is `c_v = sum of softmax_j(T <u, k_j>)` over the places j that token v follows; T is 20 unless the model
says otherwise. Every place counts, exactly.

**The mixture** takes the sources in order: the spaces as they were given, then the own past. Each has a share of its own,
`p <- (1 - lambda) p + lambda c`. So a space that knows nothing takes little, and it changes nothing of what the others say. The share is
`lambda = sigmoid(b + sum of w_k (x_k - shift_k) / scale_k)` of five inputs:

| input | is |
|---|---|
| x1 | logit of the largest c_v, between those of 1e-6 and 1 - 1e-6 |
| x2 | entropy of c, nats |
| x3 | log of the sum of exp(T <u, k_j>), less log N; N is the number of places |
| x4 | entropy of the model's own prediction, nats |
| x5 | log(1 + number of places whose cosine is above a threshold, 0.6) |

The numbers are the tensor `memory.copy` of the model's package: T, threshold, b, w1 to w5, shift 1 to 5, scale 1 to 5 of the own past, then the
same for spaces. Without it lambda is sigmoid(-4.6 + 5.5 times the best cosine).

**In memory.** Keys of the own past are fp16. Four bits would turn differences of 1e-6 between two ways of reading a text into whole steps. Keys
of spaces are in four bits, as on disk. `Store::pointers` gives them as one immutable snapshot and reads what changed since the last call. They
count within the store's cache; a space that is larger is held by the session that reads it.

**What is told.** For a range of tokens, up to the next border of chunks: the chunks that were copied from, and their part of the probability of
those tokens. `--no-memory` copies nothing; what lies in the window stays.

)text";

}  // namespace

std::string_view calibration_cpp() {
    return kCpp;
}

std::string_view calibration_python() {
    return kPython;
}

std::string_view calibration_page() {
    return kPage;
}

}  // namespace rpt::calibration
