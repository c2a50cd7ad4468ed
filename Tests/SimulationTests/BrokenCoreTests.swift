import ClusterCore
import Simulation
import Testing
import Transport

/// Coordinators that are broken on purpose: each breaks a rule within 200 seeds.
@Suite struct BrokenCoreTests {
    private func firstViolation(_ tampering: Tampering, faults: Faults = .all) async -> Violation? {
        await Swarm(seeds: 1..<201, faults: faults).run(threadCount: 2, tampering: tampering).firstViolation?.violation
    }

    @Test func `one that takes results of any epoch is caught`() async {
        let violation = await firstViolation(
            Tampering(event: { event, epoch in
                guard case .data(var envelope) = event, case .stepResult = envelope.body else { return event }
                envelope.epoch = epoch
                return .data(envelope)
            }))
        #expect(violation?.rule == .placements)
    }

    @Test func `one that begins anew a token too early is caught`() async {
        let violation = await firstViolation(
            Tampering(effect: { effect in
                guard case .sendStep(let envelope, var step, let nodes) = effect else { return [effect] }
                for index in step.slices.indices { step.slices[index].replayTooEarly() }
                var sent = envelope
                sent.body = .step(step)
                return [.sendStep(sent, step, to: nodes)]
            }))
        #expect(violation?.rule == .tokens)
    }

    @Test func `one that reuses a token too many is caught`() async {
        let violation = await firstViolation(
            Tampering(effect: { effect in
                guard case .sendStep(let envelope, var step, let nodes) = effect else { return [effect] }
                for index in step.slices.indices { step.slices[index].reuseTooMuch() }
                var sent = envelope
                sent.body = .step(step)
                return [.sendStep(sent, step, to: nodes)]
            }))
        #expect(violation?.rule == .tokens)
    }

    @Test func `one whose journal lacks tokens is caught`() async {
        // After length and checksum, 1 and 2 are tokens.
        let violation = await firstViolation(Tampering(append: { ![1, 2].contains($0[8]) }))
        #expect(violation?.rule == .journal)
    }

    @Test func `one whose journal lacks requests, streams and states is caught`() async {
        let violation = await firstViolation(Tampering(append: { $0[8] != 0 }))
        #expect(violation?.rule == .journal)
    }

    @Test func `one that forgets to give KV back is caught`() async {
        let violation = await firstViolation(
            Tampering(effect: { effect in
                guard case .sendStep(let envelope, var step, let nodes) = effect else { return [effect] }
                step.released = []
                var sent = envelope
                sent.body = .step(step)
                return [.sendStep(sent, step, to: nodes)]
            }), faults: .none)
        #expect(violation?.rule == .memory || violation?.rule == .service)
    }
}

extension SequenceSlice {
    /// Takes the first token that another request does not share for one that it does.
    fileprivate mutating func reuseTooMuch() {
        guard rewinds, tokens.count > 1 else { return }
        tokens.removeFirst()
        startPosition += 1
    }

    /// Leaves out the last of several tokens of which some had been sampled before, and samples it again.
    fileprivate mutating func replayTooEarly() {
        guard case .sample(_, let promptLength) = output, tokens.count > 1,
            startPosition + tokens.count > promptLength
        else { return }
        tokens.removeLast()
    }
}
