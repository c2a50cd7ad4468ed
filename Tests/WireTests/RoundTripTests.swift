import Fuzzing
import Testing
import Transport
import Wire

@Suite struct RoundTripTests {
    @Test(arguments: 0..<RandomEnvelope.kindCount)
    func `an envelope of any kind comes out as it went in`(kind: Int) throws {
        var random = RandomEnvelope(seed: UInt64(kind) + 1)
        for _ in 0..<500 {
            let envelope = random.envelope(kind: kind)
            let decoded = try Wire.decode(try Wire.encode(envelope))
            #expect(decoded == envelope)
        }
    }

    @Test func `an optional zero is told from none`() throws {
        for roundTrip in [Duration.zero, nil] {
            let heartbeat = Heartbeat(
                number: 0, memoryUsedByteCount: 0, memoryFreeByteCount: 0, keyValueTokenCount: 0,
                keyValueTokenCapacity: 0, computedTokenCount: 0, droppedFrameCount: 0, roundTrip: roundTrip)
            let envelope = Envelope(
                clusterID: "c", epoch: Epoch(0), sender: .coordinator, body: .heartbeat(heartbeat))
            #expect(try Wire.decode(try Wire.encode(envelope)) == envelope)
        }
        for kind in [WorkerFailure.Kind.loading, .step(StepID(0)), .exchange(StepID(0), with: .coordinator)] {
            let failure = WorkerFailure(kind: kind, message: "", isRetryable: false)
            let envelope = Envelope(clusterID: "c", epoch: Epoch(0), sender: .coordinator, body: .failure(failure))
            #expect(try Wire.decode(try Wire.encode(envelope)) == envelope)
        }
    }

    @Test func `a step as large as the limits allow fits into an envelope`() throws {
        let limits = WireLimits.standard
        let tokensPerSlice = limits.maximumStepTokenCount / limits.maximumSliceCount
        let slices = (0..<limits.maximumSliceCount).map { index in
            SequenceSlice(
                sequence: SequenceID(UInt64.max - UInt64(index)), startPosition: limits.maximumContextLength,
                tokens: Array(repeating: Int32.max, count: tokensPerSlice),
                output: .score(targets: Array(repeating: Int32.max, count: tokensPerSlice), topCount: 128))
        }
        let envelope = Envelope(
            clusterID: "c", epoch: Epoch(1), sender: .coordinator,
            body: .step(
                Step(
                    id: StepID(1), slices: slices,
                    released: (0..<limits.maximumReleasedCount).map { SequenceID(UInt64.max - UInt64($0)) })))
        #expect(try Wire.decode(try Wire.encode(envelope)) == envelope)
    }

    @Test func `the densest honest envelope stays within the memory allowed for it`() throws {
        let slices = (0..<1024).map { SliceResult(sequence: SequenceID(UInt64($0 % 128)), output: .none) }
        let envelope = Envelope(
            clusterID: "c", epoch: Epoch(1), sender: .coordinator,
            body: .stepResult(StepResult(id: StepID(1), slices: slices)))
        #expect(try Wire.decode(try Wire.encode(envelope)) == envelope)
    }
}
