import Testing
import Transport
import WorkerRuntime

@Suite struct StepGateTests {
    private func step(_ id: UInt64, rows: Int = 2) -> Step {
        let slice = SequenceSlice(
            sequence: SequenceID(1), startPosition: 0, tokens: Array(repeating: 1, count: rows), output: .none)
        return Step(id: StepID(id), slices: rows == 0 ? [] : [slice], released: rows == 0 ? [SequenceID(1)] : [])
    }

    private func reason(_ gate: inout StepGate, _ step: Step, _ payloadByteCount: Int?) -> DropReason? {
        do throws(StepGate.Rejection) {
            try gate.check(step, payloadByteCount: payloadByteCount)
            return nil
        } catch { return error.reason }
    }

    @Test func `step numbers only grow`() {
        var gate = StepGate(isFirstStage: true, hiddenSize: 8, maximumStepRowCount: 4)
        #expect(reason(&gate, step(5), nil) == nil)
        #expect(reason(&gate, step(5), nil) == .outOfOrder)
        #expect(reason(&gate, step(4), nil) == .outOfOrder)
        #expect(reason(&gate, step(9), nil) == nil)
        // A refused step is not tried again under its number.
        #expect(reason(&gate, step(10, rows: 5), nil) == .oversized)
        #expect(reason(&gate, step(10), nil) == .outOfOrder)
        #expect(reason(&gate, step(11, rows: 4), nil) == nil)
    }

    @Test func `the first stage takes no tensor`() {
        var gate = StepGate(isFirstStage: true, hiddenSize: 8, maximumStepRowCount: 4)
        #expect(reason(&gate, step(1), 64) == .wrongPayloadSize)
        #expect(reason(&gate, step(2), 0) == .wrongPayloadSize)
        #expect(reason(&gate, step(3, rows: 0), nil) == nil)
    }

    @Test func `a later stage takes a tensor of exactly its rows`() {
        var gate = StepGate(isFirstStage: false, hiddenSize: 8, maximumStepRowCount: 4)
        #expect(reason(&gate, step(1), 64) == nil)
        #expect(reason(&gate, step(2), nil) == .wrongPayloadSize)
        #expect(reason(&gate, step(3), 63) == .wrongPayloadSize)
        #expect(reason(&gate, step(4), 96) == .wrongPayloadSize)
        // A step that only gives sequences back has no rows, with or without an empty frame.
        #expect(reason(&gate, step(5, rows: 0), 0) == nil)
        #expect(reason(&gate, step(6, rows: 0), nil) == nil)
    }
}
