import Fuzzing
import TestSupport
import Testing
import Transport
import Wire

@Suite struct HostileBytesTests {
    private func error(_ bytes: [UInt8], limits: WireLimits = .standard) -> WireError? {
        do {
            _ = try Wire.decode(bytes, limits: limits)
            return nil
        } catch { return error }
    }

    private func part(_ number: Int, _ content: [UInt8]) -> [UInt8] { Protobuf.part(number, content) }
    private func varint(_ value: UInt64) -> [UInt8] { Protobuf.varint(value) }

    private func envelope(version: UInt64 = 1, sender: String = "w", _ body: [UInt8]) -> [UInt8] {
        [0x08] + varint(version) + part(2, Array("c".utf8)) + part(3, Array(sender.utf8)) + [0x20, 0x01] + body
    }

    @Test func `another protocol version is named with ours`() {
        let bytes = envelope(version: 7, sender: "worker-9", part(14, []))
        #expect(error(bytes) == .otherVersion(theirs: 7, ours: 1, sender: "worker-9"))
        let text = error(bytes).map { "\($0)" } ?? ""
        #expect(text.contains("worker-9") && text.contains("version 7") && text.contains("version 1"))
    }

    @Test func `a body that is missing or unknown is its own error`() {
        #expect(error(envelope([])) == .missingBody)
        #expect(error(envelope(part(99, [1, 2, 3]))) == .missingBody)
        #expect(error(envelope(part(14, []))) == nil)
    }

    @Test func `bytes that are not protobuf are malformed`() {
        #expect(error([]) == .otherVersion(theirs: 0, ours: 1, sender: "a node"))
        #expect(error([0xFF, 0xFF, 0xFF]) == .malformed)
        #expect(error(Array(envelope(part(14, [])).dropLast())) == .malformed)
    }

    @Test func `a sender that is no node name and a text that is not UTF-8 are refused`() {
        guard case .invalid("sender", _) = error(envelope(sender: "no spaces", part(14, []))) else {
            Issue.record("the sender was taken")
            return
        }
        guard case .invalid("leave.reason", _) = error(envelope(part(14, part(1, [0xC3, 0x28])))) else {
            Issue.record("the reason was taken")
            return
        }
    }

    @Test func `an envelope larger than the limit is refused before it is unpacked`() {
        var limits = WireLimits()
        limits.maximumEnvelopeByteCount = 100
        #expect(
            error([UInt8](repeating: 0, count: 101), limits: limits) == .tooLarge(byteCount: 101, limit: 100))
    }

    /// A peer `w` at `x` that holds the first head and block.
    private func rank(firstHead: UInt8 = 0) -> [UInt8] {
        part(1, part(1, Array("w".utf8)) + part(2, Array("x".utf8)))
            + part(2, [0x08, firstHead, 0x10, 0x01, 0x20, 0x01])
    }

    /// An assignment of one stage to one rank, followed by further fields.
    private func assignment(rank: [UInt8], _ rest: [UInt8] = []) -> [UInt8] {
        let file = part(1, part(1, Array("/m".utf8)) + part(3, [UInt8](repeating: 0, count: 32)))
        let numbers = [0x18, 0x01, 0x38, 0x01, 0x50, 0x01, 0x58, 0x01, 0x60, 0x01] as [UInt8]
        return envelope(part(22, file + numbers + part(5, rank) + part(9, Array("coordinator".utf8)) + rest))
    }

    @Test func `a choice that is not known here is refused by name`() {
        let choices: [(UInt8, String, UInt64)] = [
            (0x68, "assignment.headPrecision", 3), (0x70, "assignment.activationGrid", 2),
        ]
        for (tag, field, count) in choices {
            for known in 0..<count { #expect(error(assignment(rank: rank(), [tag] + varint(known))) == nil) }
            for unknown in [count, 77, 1 << 31, .max] as [UInt64] {
                guard case .invalid(field, _) = error(assignment(rank: rank(), [tag] + varint(unknown))) else {
                    Issue.record("\(field) \(unknown) was taken")
                    continue
                }
            }
        }
    }

    @Test func `a rank that lacks a part, or whose parts end before they begin, is refused`() {
        func refused(_ rank: [UInt8]) -> String? {
            guard case .invalid(let field, _) = error(assignment(rank: rank)) else { return nil }
            return field
        }
        #expect(refused(rank()) == nil)
        #expect(refused([]) == "assignment.ranks[0]")
        #expect(refused(Array(rank().prefix(8))) == "assignment.ranks[0]")
        #expect(refused(rank(firstHead: 2)) == "assignment.ranks[0].share.keyValueHeads")
    }

    @Test func `a failed exchange names a node`() {
        let exchange = part(2, [0x08, 0x07] + part(2, Array("a b".utf8)))
        guard case .invalid("failure.exchange.node", _) = error(envelope(part(13, exchange))) else {
            Issue.record("the name was taken")
            return
        }
    }

    @Test func `many tiny parts can't make the decoder allocate without bound`() {
        // Each empty slice takes two bytes here and more than a hundred unpacked.
        let slices = [UInt8](repeatElement([0x12, 0x00] as [UInt8], count: 1_500_000).joined())
        guard case .tooComplex(let limit) = error(envelope(part(30, slices))) else {
            Issue.record("three megabytes of empty slices were unpacked")
            return
        }
        #expect(limit == WireLimits.standard.maximumUnpackingByteCount)
    }

    @Test func `parts to be merged over and over are given up`() {
        // Repeated parameters of one slice are merged, which copies all biases so far each time: 50 000² / 2 × 32 bytes.
        let parameters = part(1, part(8, [UInt8](repeating: 1, count: 8)) + [0x58, 0x01])
        let sample = [UInt8](repeatElement(parameters, count: 50_000).joined())
        let bytes = envelope(part(30, part(2, [0x1A, 0x01, 0x01] + part(4, sample))))
        let refusal = error(bytes)
        guard case .tooComplex = refusal else {
            Issue.record("fifty thousand parts were merged: \(String(describing: refusal))")
            return
        }
    }

    @Test func `arrays that belong together must have one length`() {
        // A sampled slice result with two top tokens and one log-probability.
        let choice = part(3, [1, 2]) + part(4, [0, 0, 0, 0])
        let result = part(31, part(2, part(2, choice)))
        guard case .invalid("stepResult.slices[0].sampled.top", _) = error(envelope(result)) else {
            Issue.record("two tokens with one log-probability were taken")
            return
        }
        // A row count that its arrays do not bear out.
        let score = [0x10, 0x05, 0x18, 0x05] + part(6, [UInt8](repeating: 0, count: 32))
        guard case .invalid("stepResult.slices[0].scored.top", _) = error(envelope(part(31, part(2, part(3, score)))))
        else {
            Issue.record("25 announced entries of which none came were taken")
            return
        }
    }

    @Test func `mutated envelopes of every kind never do more than throw`() throws {
        var random = RandomEnvelope(seed: 2026)
        var generator = SeededGenerator(seed: 77)
        var takenCount = 0
        var refusedCount = 0
        for iteration in 0..<22_000 {
            let envelope = random.envelope(kind: iteration % RandomEnvelope.kindCount)
            var bytes = try Wire.encode(envelope)
            for _ in 0..<Int.random(in: 1...2, using: &generator) { bytes.mutate(using: &generator) }
            guard let decoded = try? Wire.decode(bytes) else {
                refusedCount += 1
                continue
            }
            // What is taken keeps the rules, so that it can be passed on.
            takenCount += 1
            _ = try Wire.encode(decoded)
        }
        // Both ways are exercised, or the mutation is too coarse or too gentle to test anything.
        #expect(takenCount > 1000)
        #expect(refusedCount > 1000)
    }
}
